"""Where a table goes: the terminal, a pipe, files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar

from mbcost.cli.groups import Group
from mbcost.cli.look import LookGiven, too_wide
from mbcost.cli.messages import say
from mbcost.cli.options import (
    CheckFormat,
    CheckOutput,
    DiffFormat,
    Exact,
    FormatName,
    Output,
)
from mbcost.cli.streams import as_encoded, as_references
from mbcost.errors import MbcostError, did_you_mean
from mbcost.output.formats import ALL, CI, FORMATS, GITHUB, Format, format_named
from mbcost.output.look import AS_EVER, LINE_WIDTHS, Look
from mbcost.output.table import Table, dressed

if TYPE_CHECKING:
    from mbcost.output.files import Content


State = TypeVar("State")


class Sink(NamedTuple):
    """The outputs of a command: (path or None for stdout, format name)."""

    outputs: tuple[tuple[Path | None, str], ...]
    exact: bool = False
    look: Look = AS_EVER

    @property
    def live(self) -> bool:
        """Whether a person watches: a table on stdout, and stdout is a terminal."""
        return (None, "table") in self.outputs and sys.stdout.isatty()

    def write(self, table: Table, beside: Mapping[Path, Content] | None = None) -> None:
        """Write the finished table everywhere but on a terminal that has shown it live.

        The files, and those of ``beside``, are all written or none.
        """
        table = self._as_wanted(table, tell=True)
        files = dict(beside or {})
        printed = []
        for path, name in self.outputs:
            if path is None and name == "table" and sys.stdout.isatty():
                continue
            text = ALL[name].write(table, exact=self.exact)
            if path is None:
                escaped = {"json": as_encoded, "junit": as_references}.get(name)
                printed.append(escaped(text) if escaped else text)
            else:
                files[path] = text
        write_files(files)
        if (None, "github") in self.outputs:
            from mbcost.cli.summary import add_to_summary

            add_to_summary(table, exact=self.exact)
        sys.stdout.write("".join(printed))

    def _as_wanted(self, table: Table, *, tell: bool = False) -> Table:
        """Return the table in the look that was asked for, with the columns that fit ``--span``."""
        if self.look == AS_EVER:
            return table
        held = _HELD.get()
        table = dressed(table, held.look(self.look, table) if held else self.look)
        if self.look.span:
            from mbcost.output.cells import cells, fitted

            room = LINE_WIDTHS[self.look.span]
            table, hidden = fitted(table, room, exact=self.exact)
            found = cells(table, exact=self.exact)
            said = too_wide(self.look, found.width, found.headers[-1])
            if tell and hidden:
                say(f"mbcost: --span {self.look.span} leaves out {', '.join(hidden)}")
            if tell and said:
                say(f"mbcost: --span {self.look.span}: {said}")
        return table

    def show(
        self,
        table_of: Callable[[], Table],
        beside: Callable[[], Mapping[Path, Content]] | None = None,
    ) -> None:
        """Show a table that is finished, as ``fill_in`` does."""
        self.fill_in([table_of()], lambda table: table, beside)

    def fill_in(
        self,
        states: Iterable[State],
        table_of: Callable[[State], Table],
        beside: Callable[[], Mapping[Path, Content]] | None = None,
    ) -> State:
        """Show the table of each state in place where a person watches; write that of the last.

        ``beside`` returns what further files get, written with the table's own or not at all.
        Returns the last state.
        """
        if self.live:
            from mbcost.output.console import print_live

            last = print_live(states, lambda s: self._as_wanted(table_of(s)), exact=self.exact)
        else:
            *_, last = states
        self.write(table_of(last), beside() if beside else None)
        return last


@dataclass
class Held:
    """What the commands of one file of tables would write, kept until all of them have run."""

    files: dict[Path, Content] = field(default_factory=dict)
    shared: Collection[str] = ()
    """Options given for several tables, of which one may lack a column."""

    def look(self, look: Look, table: Table) -> Look:
        """Return the look without what is said of columns that are of other tables."""
        keys = {"", *(column.key for column in table.columns)}

        def of_here(option: str, given: Mapping[str, str]) -> Mapping[str, str]:
            return {k: v for k, v in given.items() if k in keys or option not in self.shared}

        return look._replace(
            headings=of_here("headings", look.headings), prefixes=of_here("prefix", look.prefixes)
        )


_HELD: ContextVar[Held | None] = ContextVar("held", default=None)


@contextmanager
def holding() -> Iterator[Held]:
    """Keep what commands write meanwhile."""
    held = Held()
    token = _HELD.set(held)
    try:
        yield held
    finally:
        _HELD.reset(token)


def sink(exact: Exact = False, format: FormatName = "table", output: Output = None) -> Sink:
    """Return where the output goes, checked before any work."""
    return _sink_of(exact, format, output, FORMATS)


def _sink_of(
    exact: bool, format: str, output: list[str] | None, known: Mapping[str, Format]
) -> Sink:
    """Return where the output goes, checked before any work: format, suffixes, directories."""
    printed = format_named(format, known)
    if printed is None:
        raise MbcostError(
            f"unknown format {format!r}", place="--format", way_out=did_you_mean(format, known)
        )
    found: list[tuple[Path | None, str]] = []
    for file in output or ["-"]:
        if file == "-":
            found.append((None, printed))
            continue
        path = Path(file)
        name = next((n for n, form in known.items() if path.suffix in form.suffixes), None)
        if name is None:
            suffixes = [suffix for form in known.values() for suffix in form.suffixes]
            raise MbcostError(
                f"unknown suffix {path.suffix!r}",
                place=f"-o {file}",
                way_out=did_you_mean(path.suffix, suffixes),
            )
        found.append((path, name))
    check_writable(path for path, _ in found if path is not None)
    return Sink(tuple(found), exact)


def plain_sink(format: FormatName = "table", output: Output = None) -> Sink:
    """Return the same of a command whose tables are exact anyway."""
    return sink(False, format, output)


def check_sink(format: CheckFormat = "table", output: CheckOutput = None) -> Sink:
    """Return the same of a command whose table CI takes as tests."""
    return _sink_of(False, format, output, {**FORMATS, **CI})


def _dressed_sink(
    exact: bool,
    format: str,
    output: list[str] | None,
    known: Mapping[str, Format] = FORMATS,
    **look: Any,
) -> Sink:
    return _sink_of(exact, format, output, known)._replace(look=LookGiven(**look).look())


_LOOK = Group(LookGiven).parameters()
_OPTIONS = {
    name: (option.annotation, option.default)
    for name, option in {**Group(sink).parameters(), **_LOOK}.items()
}
ExactSink = Annotated[Sink, Group(_dressed_sink, _OPTIONS)]
"""With the options for how a table looks."""
DiffSink = Annotated[
    Sink,
    Group(
        partial(_dressed_sink, known={**FORMATS, **GITHUB}),
        {**_OPTIONS, "format": (DiffFormat, "table")},
    ),
]
PlainSink = Annotated[Sink, Group(plain_sink)]
CheckSink = Annotated[Sink, Group(check_sink)]
JsonSink = Annotated[Sink, Group(partial(plain_sink, format="json"))]


@dataclass(frozen=True)
class Outputs:
    """Where the output goes as typed, of a command that writes some of the files itself."""

    exact: Exact = False
    format: FormatName = "table"
    output: Output = None

    def sink(self, names: list[str]) -> Sink:
        """Return where the table goes: to ``names`` of the outputs."""
        return sink(self.exact, self.format, names)


def parted(
    output: Iterable[str] | None, own: Collection[str]
) -> tuple[tuple[Path, ...], list[str]]:
    """Return the files of a suffix in ``own``, which a command writes itself, and the names of
    those of its table; any other suffix is an error."""
    known = [suffix for form in FORMATS.values() for suffix in form.suffixes]
    files, rest = [], []
    for file in output or ():
        suffix = Path(file).suffix
        if file == "-" or suffix in known:
            rest.append(file)
        elif suffix.lower() in own:
            files.append(Path(file))
        else:
            raise MbcostError(
                f"unknown suffix {suffix!r}",
                place=f"-o {file}",
                way_out=did_you_mean(suffix.lower(), [*own, *known]),
            )
    return tuple(files), rest


def write_files(files: Mapping[Path, Content]) -> None:
    """Write files, all or none, and say so."""
    if not files:
        return
    held = _HELD.get()
    if held is not None:  # a file that is ready is its command's, which takes it away
        held.files.update(
            {k: v.read_bytes() if isinstance(v, Path) else v for k, v in files.items()}
        )
        return
    from mbcost.output.files import write_all

    write_all(files)
    for path in files:
        say(f"wrote {path}")


def check_writable(paths: Iterable[Path]) -> None:
    """Raise where one can plainly not be written, before any time is spent on its content."""
    given = list(paths)
    if given:
        from mbcost.output import files

        files.check_writable(*given)
