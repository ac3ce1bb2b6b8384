"""``mbcost search``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mbcost.cli.app import app
from mbcost.cli.options import Columns, Exact, FormatName, Output, with_settings
from mbcost.cli.output import check_writable, sink
from mbcost.cli.space_options import (
    Dtype,
    MaxActivationBytes,
    MaxMultAdds,
    MaxParams,
    MaxWeightBytes,
    Samples,
    Seed,
    Sets,
    SpaceTarget,
    Verify,
    limits,
    space_of,
)
from mbcost.errors import MbcostError
from mbcost.networks.settings import YAML_SUFFIXES

if TYPE_CHECKING:
    from mbcost.studies.spaces.columns import Layout
    from mbcost.studies.spaces.search.search import Answer


@app.command()
@with_settings
def search(
    *,
    target: SpaceTarget,
    max_params: MaxParams = None,
    max_mult_adds: MaxMultAdds = None,
    max_weight_bytes: MaxWeightBytes = None,
    max_activation_bytes: MaxActivationBytes = None,
    dtype: Dtype = "fp32",
    objective: Annotated[
        str | None,
        typer.Option(
            "--objective",
            metavar="KEY,...",
            help="Column to make largest (-KEY: smallest); several give their Pareto front. "
            "Default: published top1 where there is one, else mult_adds.",
            show_default=False,
        ),
    ] = None,
    target_mult_adds: Annotated[
        str | None,
        typer.Option(
            "--target-mult-adds", metavar="N", help="Solve for the alpha that costs this."
        ),
    ] = None,
    set_: Sets = None,
    samples: Samples = None,
    seed: Seed = 0,
    verify: Verify = 3,
    columns: Columns = None,
    exact: Exact = False,
    format: FormatName = "table",
    output: Output = None,
    settings: dict[str, str],
) -> None:
    """The best network under budgets: which alpha and size, or which config of a design space.

    Left open, alpha goes from 0.25 to 1.4 in steps of 0.05, size from 96 to 256 in steps of 32, and
    both take what is published. -o best.yaml writes the winner as a network of its own.

    mbcost search v3-large --max-mult-adds 200M --max-params 4M

    mbcost search v1 --max-mult-adds 150M --objective top1 -o best.yaml

    mbcost search v2 --target-mult-adds 60M
    """
    from mbcost.studies.spaces.columns import Layout
    from mbcost.studies.spaces.plan import Plan
    from mbcost.studies.spaces.search.alpha import solved
    from mbcost.studies.spaces.search.search import opened
    from mbcost.studies.spaces.search.table import answer_table
    from mbcost.studies.spaces.verify import Verifier

    yamls = [Path(name) for name in output or () if name.endswith(YAML_SUFFIXES)]
    rest = [name for name in output or () if Path(name) not in yamls]
    where = sink(format, rest, exact)
    check_writable(yamls)
    budgets = limits(dtype, max_params, max_mult_adds, max_weight_bytes, max_activation_bytes)
    space = space_of(target, settings, set_)
    notes: list[str] = []
    if target_mult_adds is None:
        space = opened(space)
    else:
        space, notes = solved(space, target_mult_adds)
    layout = Layout(Plan(space, samples, seed), dtype)
    verifier = Verifier(layout, verify)
    answer = _answer(layout, budgets, objective, verify)
    if yamls and len(answer.objectives) > 1:
        raise MbcostError("a front is many networks", place="-o", way_out="one --objective")
    answer.verify(verifier)
    notes.append(verifier.line())
    table = answer_table(answer, notes, columns)
    where.show(lambda: table, beside=lambda: {path: _winner(answer) for path in yamls})


def _answer(layout: Layout, budgets: dict[str, int], objective: str | None, verify: int) -> Answer:
    """Search with a progress bar; without an objective top-1, and where none fits mult-adds."""
    from mbcost.output.progress import progress
    from mbcost.studies.spaces.search.search import (
        default_objective,
        parse_objectives,
        search_steps,
    )

    keys = [field.key for field in layout.fields if field.figure or field.key == "top1"]
    objectives = parse_objectives(objective or default_objective(keys), keys)
    steps = search_steps(layout, budgets, objectives, verify)
    *_, (_, answer) = progress(steps, layout.plan.total)
    return answer.checked()


def _winner(answer: Answer) -> str:
    from mbcost.networks.yaml.write import spec_yaml

    return spec_yaml(*answer.spec, answer.describe())
