"""``mbcost table``: all tables and figures of a paper, from one file."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mbcost.cli.app import app
from mbcost.cli.messages import about, say
from mbcost.cli.output import holding

if TYPE_CHECKING:
    from mbcost.cli.entries import Entry


@app.command()
def table(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE.yaml", help="Tables and figures, an entry each."),
    ],
    *,
    allow_code: Annotated[
        bool,
        typer.Option(
            "--allow-code", help="Run the code of targets like file.py:build: you trust that file."
        ),
    ] = False,
) -> None:
    """All tables and figures of a paper from one file: all are written, or none.

    An entry names a command, its targets, its options as they are typed (with _ for -) and the
    output; what stands under defaults holds for every entry, like the prefix of a column. Paths are
    those from the folder of the file.

    mbcost table paper.yaml
    """
    from mbcost.cli.entries import read_entries
    from mbcost.output.files import write_all

    path = Path(file)
    entries = read_entries(path, allow_code=allow_code)
    with contextlib.chdir(path.parent), holding() as held:
        _check_outputs(entries)
        for entry in entries:
            held.shared = entry.shared
            with about(entry.given["output"][0]):
                entry.run()
        write_all(held.files)
    for written in held.files:
        say(f"wrote {path.parent / written}")


def _check_outputs(entries: list[Entry]) -> None:
    """Raise where a file can plainly not be written or is that of two entries."""
    from mbcost.errors import MbcostError
    from mbcost.output.files import check_writable

    known: list[Path] = []
    for entry in entries:
        for key, name in entry.outputs:
            known.append(Path(name))
            try:
                check_writable(*known)
            except MbcostError as error:
                raise error.at(entry.document.place(*entry.at[key])) from None
