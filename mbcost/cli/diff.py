"""``mbcost diff``."""

from __future__ import annotations

from typing import Annotated

import typer

from mbcost.cli.app import app
from mbcost.cli.options import Rows, Settings
from mbcost.cli.output import DiffSink

Side = Annotated[
    str,
    typer.Argument(
        help="A target, or saved JSON: v2@alpha=0.5, a.json, cost.json:v2 (one report of several).",
        show_default=False,
    ),
]


@app.command()
def diff(
    *,
    before: Side,
    after: Side,
    by: Annotated[
        str, typer.Option("--by", metavar="layer|kind", help="What a row of the table is.")
    ] = "layer",
    exit_code: Annotated[
        bool,
        typer.Option("--exit-code", help="Exit with 1 where anything differs, as git diff does."),
    ] = False,
    rows: Rows,
    where: DiffSink,
    settings: Settings,
) -> None:
    """What changed between two targets, or two JSON reports of model, compare or baseline.

    Layers are matched by path, then by shape, so that an inserted row does not mark everything
    behind it. Only layers that differ are listed; the totals have signs and percent.

    mbcost diff v2 mine.yaml

    mbcost diff cost.json:v2 v2 --format markdown   (for a pull-request comment)

    mbcost diff cost.json now.json --exit-code --format github
    """
    from mbcost.studies.guard.diff import diff_of, diff_table, view_named

    view = view_named(by)
    table = diff_table(diff_of(before, after, settings), view, rows.columns, rows.sort)
    where.show(lambda: table)
    if exit_code and not all(finding.passed for finding in table.findings):
        raise typer.Exit(1)
