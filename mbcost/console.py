"""The door to rich: tables on the terminal, whole in a pipe, filled in live while counters run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from mbcost.tables import Cells, Table, cells

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

GAP = 1
WRAPPED = 30
"""Narrowest a column of prose becomes before others are left out."""


def render_text(table: Table, *, exact: bool = False) -> str:
    """Return the table as plain text at its full width."""
    found = cells(table, exact=exact, bars=True)
    console = _console(width=max(_width(found), 80))
    with console.capture() as capture:
        console.print(_renderable(table, found), soft_wrap=True)
    lines = (line.rstrip() for line in capture.get().splitlines())
    return "\n".join([*lines, *table.notes, ""]).lstrip("\n")


def _console(**options: Any) -> Console:
    from rich.console import Console

    return Console(highlight=False, no_color=True, **options)


def print_live(
    table_of: Callable[[], Table], steps: Iterable[None], *, exact: bool = False
) -> None:
    """Print the table at once and again after every step, in place, on a terminal.

    A table taller than the screen is printed whole at once; then only its notes change, and it is
    printed again at the end if its figures changed.
    """
    from rich.console import Console
    from rich.live import Live

    console = Console(highlight=False)
    first = table_of()
    tall = len(first.rows) + len(first.notes) + 8 > console.height

    def shown(table: Table) -> RenderableType:
        return _fitted(table._replace(rows=(), columns=()) if tall else table, console.width, exact)

    if tall:
        console.print(_fitted(first._replace(notes=()), console.width, exact))
    with Live(console=console, auto_refresh=False) as live:
        live.update(shown(first), refresh=True)
        for _ in steps:
            live.update(shown(table_of()), refresh=True)
        last = table_of()
        if tall and cells(last) != cells(first):
            live.update(_fitted(last, console.width, exact), refresh=True)


def print_table(table: Table, *, exact: bool = False) -> None:
    """Print a finished table on a terminal, its least important columns left out if narrow."""
    from rich.console import Console

    console = Console(highlight=False)
    console.print(_fitted(table, console.width, exact))


def _fitted(table: Table, width: int, exact: bool) -> RenderableType:
    """Return the table with as many columns as fit, and its notes below."""
    from rich.console import Group
    from rich.text import Text

    hidden: list[str] = []
    found = cells(table, exact=exact, bars=True)
    while _width(found) > width and any(column.rank for column in table.columns):
        worst = max(column.rank for column in table.columns)
        last = max(i for i, column in enumerate(table.columns) if column.rank == worst)
        hidden.insert(0, found.headers[last])
        kept = tuple(column for i, column in enumerate(table.columns) if i != last)
        table = table._replace(columns=kept)
        found = cells(table, exact=exact, bars=True)
    notes = [Text(note) for note in table.notes]
    if hidden:
        notes.append(
            Text(f"hidden at {width} columns: {', '.join(hidden)} (--columns chooses)", "dim")
        )
    return Group(_renderable(table, found), *notes) if table.columns else Group(*notes)


def _renderable(table: Table, found: Cells) -> RenderableType:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    rich_table = RichTable(
        title=table.title or None,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, GAP, 0, 0),
        pad_edge=False,
        show_edge=False,
        show_footer=found.total is not None,
    )
    for i, right in enumerate(found.right):
        rich_table.add_column(
            Text(_header(found, i)),
            footer=Text(found.total[i]) if found.total else "",
            justify="right" if right else "left",
            no_wrap=not found.wraps[i],
        )
    for row in found.rows:
        rich_table.add_row(*map(Text, row))
    return rich_table


def _header(found: Cells, i: int) -> str:
    """Return a column's title over its unit; a title longer than its cells breaks at a space."""
    title, unit = found.titles[i], found.units[i]
    width = max((len(row[i]) for row in found.rows), default=0)
    if len(title) > width:
        title = title.replace(" vs ", "\nvs ")
    return f"{title}\n({unit})" if unit else title


def _width(found: Cells) -> int:
    widths = []
    for i in range(len(found.titles)):
        texts = [*_header(found, i).split("\n"), *(row[i] for row in found.rows)]
        if found.total:
            texts.append(found.total[i])
        width = max(len(text) for text in texts)
        widths.append(min(width, WRAPPED) if found.wraps[i] else width)
    return sum(widths) + (GAP + 1) * len(widths)
