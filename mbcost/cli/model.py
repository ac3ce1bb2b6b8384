"""``mbcost model``."""

from __future__ import annotations

from typing import Annotated

import typer

from mbcost.cli.app import app
from mbcost.cli.counting import Counting, conclude
from mbcost.cli.options import Rows, Settings, Target
from mbcost.cli.output import ExactSink


@app.command()
def model(
    *,
    target: Target,
    by: Annotated[
        str, typer.Option("--by", metavar="layer|block|kind", help="What a row of the table is.")
    ] = "layer",
    depth: Annotated[
        int | None,
        typer.Option(
            "--depth", metavar="N", min=1, help="Sum modules below N levels of their tree."
        ),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(
            "--top",
            metavar="N",
            min=1,
            help="The N rows with the most mult-adds, or the first N by --sort; the others summed.",
        ),
    ] = None,
    tree: Annotated[
        bool, typer.Option("--tree", help="Every module before what is in it, indented.")
    ] = False,
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

    mbcost model v2 --top 10

    mbcost model torchvision:resnet50 --tree --depth 2
    """
    from mbcost.studies.compare.breakdown import model_table
    from mbcost.studies.compare.view import View
    from mbcost.targets.resolve import only

    view = View(by, depth, top, tree).checked()
    comparison = counting.comparison([target], settings)
    only(comparison.subjects, target)
    verified = where.fill_in(
        comparison.verify(), lambda found: model_table(found, view, rows.columns, rows.sort)
    )
    conclude(verified, counting.counter, counting.strict)
