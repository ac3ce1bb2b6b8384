"""The door to rich: tables on the terminal, filled in live while counters run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from mbcost.output.cells import cells
from mbcost.output.layout import Span, laid_out
from mbcost.output.table import Table

if TYPE_CHECKING:
    from rich.console import RenderableType

State = TypeVar("State")


def print_live(
    states: Iterable[State], table_of: Callable[[State], Table], *, exact: bool = False
) -> State:
    """Print the table of each state in place of the one before, on a terminal; return the last.

    A table taller than the screen is printed whole at once; then only its notes change, and it is
    printed again at the end if its figures changed.
    """
    from rich.console import Console
    from rich.live import Live

    console = Console(highlight=False)
    steps = iter(states)
    state = next(steps)
    first = last = table_of(state)
    tall = len(first.rows) + len(first.notes) + 8 > console.height

    def shown(table: Table) -> RenderableType:
        return _fitted(table._replace(rows=(), columns=()) if tall else table, console.width, exact)

    if tall:
        console.print(_fitted(first._replace(notes=()), console.width, exact))
    with Live(console=console, auto_refresh=False) as live:
        live.update(shown(first), refresh=True)
        for state in steps:
            last = table_of(state)
            live.update(shown(last), refresh=True)
        if tall and cells(last) != cells(first):
            live.update(_fitted(last, console.width, exact), refresh=True)
    return state


def _fitted(table: Table, width: int, exact: bool) -> RenderableType:
    """Return the table laid out in ``width`` characters, colour where it means something."""
    from rich.text import Text

    lines = laid_out(table, width, exact=exact)
    spans = ((span.text, span.style) for line in lines for span in (*line, Span("\n")))
    text = Text.assemble(*spans, no_wrap=True, overflow="ignore")
    text.rstrip()
    return text
