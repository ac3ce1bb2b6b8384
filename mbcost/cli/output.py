"""Where a table goes: the terminal, a pipe, files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import typer

from mbcost.cli.streams import print_json
from mbcost.errors import MbcostError, did_you_mean
from mbcost.export import FORMATS
from mbcost.tables import Table
from mbcost.visible import visible


class Sink(NamedTuple):
    """The outputs of a command: (path or None for stdout, format name)."""

    outputs: tuple[tuple[Path | None, str], ...]
    exact: bool = False

    @property
    def live(self) -> bool:
        """Whether a person watches: a table on stdout, and stdout is a terminal."""
        return (None, "table") in self.outputs and sys.stdout.isatty()

    def write(self, table: Table) -> None:
        """Write the finished table everywhere but on a terminal that has shown it live."""
        for path, name in self.outputs:
            if path is None and name == "table" and sys.stdout.isatty():
                continue
            text = FORMATS[name].write(table, exact=self.exact)
            if path is None and name == "json":
                print_json(text)
            elif path is None:
                sys.stdout.write(text)
            else:
                _write_whole(path, text)
                say(f"wrote {path}")

    def show(self, table_of: Callable[[], Table], steps: Iterable[None] = ()) -> Table:
        """Run ``steps``, filling in the table live where a person watches; then write it."""
        if self.live:
            from mbcost.console import print_live

            print_live(table_of, steps, exact=self.exact)
        else:
            for _ in steps:
                pass
        table = table_of()
        self.write(table)
        return table


def say(message: str) -> None:
    """Tell a person something, on stderr."""
    typer.echo(visible(message), err=True)


def sink(format_name: str, outputs: Sequence[str] | None, exact: bool = False) -> Sink:
    """Return where the output goes, checked before any work: format, suffixes, directories."""
    if format_name not in FORMATS:
        raise MbcostError(
            f"unknown format {format_name!r}",
            place="--format",
            way_out=did_you_mean(format_name, FORMATS),
        )
    found: list[tuple[Path | None, str]] = []
    for output in outputs or ["-"]:
        if output == "-":
            found.append((None, format_name))
            continue
        path = Path(output)
        name = next((n for n, form in FORMATS.items() if path.suffix in form.suffixes), None)
        if name is None:
            known = [suffix for form in FORMATS.values() for suffix in form.suffixes]
            raise MbcostError(
                f"unknown suffix {path.suffix!r}",
                place=f"-o {output}",
                way_out=did_you_mean(path.suffix, known),
            )
        _check_writable(path)
        found.append((path, name))
    return Sink(tuple(found), exact)


def _write_whole(path: Path, text: str) -> None:
    from mbcost.export.files import write_whole

    write_whole(path, text)


def _check_writable(path: Path) -> None:
    """Raise where ``path`` can plainly not be written, before any time is spent on its content."""
    from mbcost.export.files import check_writable

    check_writable(path)
