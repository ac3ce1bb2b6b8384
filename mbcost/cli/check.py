"""``mbcost check``."""

from __future__ import annotations

from typing import Annotated

import typer

from mbcost.cli.app import app
from mbcost.cli.options import (
    AllowUncounted,
    Columns,
    FormatName,
    Output,
    Sort,
    Targets,
    with_settings,
)
from mbcost.cli.output import sink
from mbcost.errors import MbcostError


def _limit(flag: str, metavar: str, doc: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        flag, metavar=metavar, help=doc, show_default=False
    )
    return option


@app.command()
@with_settings
def check(
    *,
    targets: Targets = None,
    max_params: Annotated[
        str | None, _limit("--max-params", "COUNT", "Most parameters allowed, like 3.5M.")
    ] = None,
    max_mult_adds: Annotated[
        str | None, _limit("--max-mult-adds", "COUNT", "Most mult-adds allowed, like 300M.")
    ] = None,
    max_param_bytes: Annotated[
        str | None,
        _limit("--max-param-bytes", "BYTES", "Most bytes of weights in --dtype: 4MB, 512KiB."),
    ] = None,
    max_total_bytes: Annotated[
        str | None,
        _limit("--max-total-bytes", "BYTES", "Most bytes of torchinfo's total, in float32."),
    ] = None,
    dtype: Annotated[
        str | None,
        _limit("--dtype", "fp32|fp16|int8", "How weights are stored; int8 has int32 biases."),
    ] = None,
    budget: Annotated[
        str | None,
        _limit(
            "--budget",
            "FILE",
            "A YAML file with the budgets of several targets. One that runs code (file.py:factory) "
            "is refused without --allow-code.",
        ),
    ] = None,
    allow_code: Annotated[
        bool,
        typer.Option(
            "--allow-code", help="Run the code of targets in the budget file: you trust that file."
        ),
    ] = False,
    baseline: Annotated[
        str | None,
        _limit("--baseline", "FILE", "JSON of `mbcost baseline` that the target is compared with."),
    ] = None,
    max_growth: Annotated[
        str | None,
        _limit("--max-growth", "PERCENT", "How much they may grow over the baseline; 0% if unset."),
    ] = None,
    allow_uncounted: AllowUncounted = False,
    sort: Sort = None,
    columns: Columns = None,
    format: FormatName = "table",
    output: Output = None,
    settings: dict[str, str],
) -> None:
    """Targets against a budget or a baseline; exit code 1 when one is over.

    The closed form alone; torch is imported only for models from elsewhere, which are traced.
    An operator without a formula is exit code 1 too. Without a TARGET all those of the budget file;
    options win over the file.

    mbcost check v2 --max-params 3.5M --max-mult-adds 300M

    mbcost check v3-small --fold-bn --max-param-bytes 2MB --dtype int8

    mbcost check --budget budgets.yaml --baseline cost.json --max-growth 1% --format markdown
    """
    from pathlib import Path

    from mbcost.cli.run import report_uncounted
    from mbcost.studies.guard.budget import budget_given
    from mbcost.studies.guard.budget_file import load_budgets
    from mbcost.studies.guard.check import check_table, checks_of, chosen_budgets, raise_if_over
    from mbcost.studies.guard.snapshots import read_snapshots

    where = sink(format, output)
    given = budget_given(
        {
            "max_params": max_params,
            "max_mult_adds": max_mult_adds,
            "max_param_bytes": max_param_bytes,
            "max_total_bytes": max_total_bytes,
        },
        dtype,
        max_growth,
    )
    file = load_budgets(Path(budget)) if budget is not None else None
    if file is None and not targets:
        raise MbcostError(
            "no target", way_out="mbcost check v2 --max-params 3.5M, or --budget FILE"
        )
    budgets = chosen_budgets(targets or [], given, file, dtype, allow_code=allow_code)
    if baseline is None and file is not None:
        baseline = file.baseline
    known = read_snapshots(Path(baseline)) if baseline is not None else None
    checks = checks_of(budgets, settings, known, allow_uncounted=allow_uncounted)
    table = check_table(checks, columns, sort)
    where.show(lambda: table)
    if allow_uncounted:
        report_uncounted([check.subject for check in checks])
    raise_if_over(checks)
