"""``mbcost search``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mbcost.cli.app import app
from mbcost.cli.budgets import SearchBudgets
from mbcost.cli.options import Columns, Settings, SpaceOf
from mbcost.cli.output import Outputs, check_writable
from mbcost.errors import MbcostError
from mbcost.networks.settings import YAML_SUFFIXES

if TYPE_CHECKING:
    from mbcost.studies.spaces.columns import Layout
    from mbcost.studies.spaces.search.search import Answer


Objectives = Annotated[
    str | None,
    typer.Option(
        "--objective",
        metavar="KEY,...",
        help="Column to make largest (-KEY: smallest); several give their Pareto front. "
        "Default: predicted_top1 with --accuracy predicted, published top1 where there is one, "
        "else mult_adds.",
        show_default=False,
    ),
]


@app.command()
def search(
    *,
    of: SpaceOf,
    budgets: SearchBudgets,
    objective: Objectives = None,
    target_mult_adds: Annotated[
        str | None,
        typer.Option(
            "--target-mult-adds", metavar="N", help="Solve for the alpha that costs this."
        ),
    ] = None,
    columns: Columns = None,
    outputs: Outputs,
    settings: Settings,
) -> None:
    """The best network under budgets: which alpha and size, or which config of a design space.

    Left open, alpha goes from 0.25 to 1.4 in steps of 0.05, size from 96 to 256 in steps of 32, and
    both take what is published. -o best.yaml writes the winner as a network of its own.

    mbcost search v3-large --max-mult-adds 200M --max-params 4M

    mbcost search v1 --max-mult-adds 150M --objective top1 -o best.yaml

    mbcost search v2 --max-mult-adds 120M --accuracy predicted

    mbcost search v2 --target-mult-adds 60M

    mbcost search v2 --device nucleo-f446re --dtype int8
    """
    from mbcost.studies.spaces.columns import Layout
    from mbcost.studies.spaces.plan import UNIT, UNIT_OF_WHOLE, Plan
    from mbcost.studies.spaces.search.alpha import solved
    from mbcost.studies.spaces.search.opening import opened
    from mbcost.studies.spaces.search.table import answer_table
    from mbcost.studies.spaces.verify import Verifier

    yamls = [Path(name) for name in outputs.output or () if name.endswith(YAML_SUFFIXES)]
    rest = [name for name in outputs.output or () if Path(name) not in yamls]
    where = outputs.sink(rest)
    check_writable(yamls)
    space = of.space(settings)
    notes: list[str] = []
    if target_mult_adds is None:
        space = opened(space, predicted=of.predicted)
    else:
        space, notes = solved(space, target_mult_adds)
    whole = budgets.whole(columns, objective)
    unit = UNIT_OF_WHOLE if whole else UNIT
    plan = Plan(space, of.samples, of.seed, {}, unit, budgets.stated, whole, of.predicted)
    layout = Layout(plan)
    verifier = Verifier(layout, of.verify)
    answer = _answer(layout, budgets.by_column(), objective, of.verify)
    if yamls and len(answer.objectives) > 1:
        raise MbcostError("a front is many networks", place="-o", way_out="one --objective")
    answer.verify(verifier)
    notes += [*budgets.notes(), verifier.line()]
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

    keys = [
        field.key
        for field in layout.fields
        if field.figure or field.key in ("top1", "predicted_top1")
    ]
    objectives = parse_objectives(objective or default_objective(keys), keys)
    steps = search_steps(layout, budgets, objectives, verify)
    *_, (_, answer) = progress(steps, layout.plan.total)
    return answer.checked()


def _winner(answer: Answer) -> str:
    from mbcost.networks.yaml.write import spec_yaml

    return spec_yaml(*answer.spec, answer.describe())
