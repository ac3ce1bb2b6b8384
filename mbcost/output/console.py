"""The door to rich: tables on the terminal, filled in live while counters run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from mbcost.errors import visible
from mbcost.output.cells import BROAD, GAP, Cells, cells, fitted, reasons_below
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
    """Return the table with as many columns as fit, and its notes below."""
    from rich.console import Group
    from rich.text import Text

    whole = table
    table, hidden = fitted(whole, width, exact=exact, bars=True)
    found = cells(table, exact=exact, bars=True)
    notes = [Text(visible(note)) for note in (*reasons_below(whole, table), *table.notes)]
    if hidden:
        notes.append(
            Text(f"hidden at {width} columns: {', '.join(hidden)} (--columns chooses)", "dim")
        )
    if not table.columns:
        return Group(*notes)
    title = [Text(visible(table.title), "bold")] if table.title else []
    return Group(*title, _renderable(table, found), *notes)


def _renderable(table: Table, found: Cells) -> RenderableType:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    rich_table = RichTable(
        box=box.SIMPLE_HEAD,
        padding=(0, GAP - 1, 0, 0),  # the box adds one
        pad_edge=False,
        show_edge=False,
        show_footer=found.total is not None,
    )
    for i, right in enumerate(found.right):
        rich_table.add_column(
            Text("\n".join(found.header_lines(i))),
            footer=Text(found.total[i]) if found.total else "",
            justify="right" if right else "left",
            no_wrap=not found.wraps[i],
            min_width=found.longest_word(i) if found.wraps[i] else None,
            max_width=BROAD if found.wraps[i] else None,
        )
    for row in found.rows:
        rich_table.add_row(*map(Text, row))
    return rich_table
