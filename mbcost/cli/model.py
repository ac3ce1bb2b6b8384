"""``mbcost model``."""

from __future__ import annotations

from typing import Annotated

import typer

from mbcost.cli.app import app
from mbcost.cli.counting import Counting, conclude
from mbcost.cli.options import Rows, Settings, Target
from mbcost.cli.output import ExactSink
from mbcost.errors import MbcostError, did_you_mean


@app.command()
def model(
    *,
    target: Target,
    by: Annotated[
        str, typer.Option("--by", metavar="layer|block|kind", help="What a row of the table is.")
    ] = "layer",
    counting: Counting,
    rows: Rows,
    where: ExactSink,
    settings: Settings,
) -> None:
    """One network or block, layer by layer.

    Below the table stand the four memory lines of torchinfo, each counter's total and whether it
    is what its convention predicts from the closed form.

    mbcost model v2 --alpha 0.5

    mbcost model v3-large --reduced-tail --by kind
    """
    from mbcost.studies.compare.breakdown import VIEWS, model_table
    from mbcost.targets.resolve import only

    if by not in VIEWS:
        raise MbcostError(f"unknown view {by!r}", place="--by", way_out=did_you_mean(by, VIEWS))
    comparison = counting.comparison([target], settings)
    only(comparison.subjects, target)
    verified = where.fill_in(
        comparison.verify(), lambda found: model_table(found, by, rows.columns, rows.sort)
    )
    conclude(verified, counting.counter, counting.strict)
