"""``mbcost model``."""

from __future__ import annotations

from typing import Annotated

import typer

from mbcost.cli.app import app
from mbcost.cli.options import (
    Columns,
    ConventionName,
    CounterNames,
    Exact,
    Fast,
    FormatName,
    Output,
    Sort,
    Strict,
    Target,
    Unit,
    with_settings,
)
from mbcost.cli.output import sink
from mbcost.cli.run import check, report_skipped, run_comparison
from mbcost.errors import MbcostError, did_you_mean


@app.command()
@with_settings
def model(
    *,
    target: Target,
    by: Annotated[
        str, typer.Option("--by", metavar="layer|block|kind", help="What a row of the table is.")
    ] = "layer",
    counter: CounterNames = None,
    fast: Fast = False,
    strict: Strict = False,
    convention: ConventionName = None,
    unit: Unit = None,
    sort: Sort = None,
    columns: Columns = None,
    exact: Exact = False,
    format: FormatName = "table",
    output: Output = None,
    settings: dict[str, str],
) -> None:
    """One network or block, layer by layer.

    Below the table stand the four memory lines of torchinfo, each counter's total and whether it
    is what its convention predicts from the closed form.

    mbcost model v2 --alpha 0.5

    mbcost model v3-large --reduced-tail --by kind
    """
    from mbcost.studies.compare.breakdown import VIEWS, model_table
    from mbcost.targets.restatement import restatement

    where = sink(format, output, exact)
    if by not in VIEWS:
        raise MbcostError(f"unknown view {by!r}", place="--by", way_out=did_you_mean(by, VIEWS))
    restated = restatement(convention, unit)
    comparison = run_comparison([target], settings, counter, fast, restated=restated)
    if len(comparison.subjects) > 1:
        raise MbcostError(
            f"holds {len(comparison.subjects)} blocks",
            place=target,
            way_out=f"name one, like {comparison.subjects[0].target}",
        )
    where.show(lambda: model_table(comparison, by, columns, sort), comparison.verify())
    report_skipped(comparison, counter)
    check(comparison, strict)
