"""``mbcost paper``."""

from __future__ import annotations

from typing import Annotated

import typer

from mbcost.cli.app import app
from mbcost.cli.options import Columns
from mbcost.cli.output import PlainSink


@app.command()
def paper(
    *,
    name: Annotated[str, typer.Argument(metavar="PAPER", help="v1, v2 or v3.")],
    table: Annotated[
        list[str] | None,
        typer.Option(
            "--table",
            metavar="N",
            help="A table of the paper, or a section like 'text 3.2'. Repeatable; default all.",
            show_default=False,
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 1 if any figure is not reproduced.")
    ] = False,
    fast: Annotated[
        bool, typer.Option("--fast", help="The closed form alone, which is all this command uses.")
    ] = False,
    columns: Columns = None,
    where: PlainSink,
) -> None:
    """The cost figures that a MobileNet paper prints, ours, and a verdict on each.

    Reproduced; counted by a convention, which is named; a misprint, with a witness; or not
    reproduced, with what was tried.

    mbcost paper v1 --table 6

    mbcost paper v3 -o v3.md
    """
    from mbcost.studies.papers import check, load_paper, paper_table

    found = paper_table(load_paper(name), table, columns)
    where.show(lambda: found)
    if strict:
        check(found)
