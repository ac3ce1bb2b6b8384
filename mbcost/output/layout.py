"""A table laid out in a width: what a terminal shows and what a pipe gets, line by line.

What does not fit gives way by worth: prose breaks, bars go, columns leave from the highest rank,
names break, and columns that were asked for stand below in a part of their own. A figure is never
cut. Laid out here: rich would spend longer on measuring the cells than mbcost on computing them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from textwrap import wrap
from typing import NamedTuple

from mbcost.errors import visible
from mbcost.output.cells import (
    BROAD,
    GAP,
    WRAPPED,
    Cells,
    broken,
    cells,
    fitted,
    reasons_below,
    wide,
)
from mbcost.output.table import Column, Table

NARROW = 16
"""Narrowest a name becomes."""
MOST = 0.7
"""Share of a line that the names of a row may take where they are repeated."""
_COLOURED = ("growth", "delta")
_ALARMS = ("FAIL", "NO")
"""What a cell says of a failure."""


class Span(NamedTuple):
    """Text of one style: a style of rich, or none."""

    text: str
    style: str = ""


Line = list[Span]


def laid_out(table: Table, width: int, *, exact: bool = False, whole: bool = False) -> list[Line]:
    """Return title, header, rows, total and notes in lines of at most ``width`` characters, but
    where a single figure or word is wider.

    ``whole`` keeps every column: those that do not fit stand below, in a part of their own.
    """
    shown, bars, hidden = _chosen(table, width, exact)
    kept = table if whole else shown
    notes = [*reasons_below(table, kept), *table.notes]
    lines: list[Line] = []
    if shown.columns:
        title = broken(visible(table.title), width) if table.title else []
        lines += [[Span(text, "bold")] for text in title]
        for i, part in enumerate(_parts(shown, kept, width, exact, bars)):
            lines += [[Span("")]] if i else []
            lines += _body(part, cells(part, exact=exact, bars=bars), width)
    lines += [[Span(text, _note_style(note))] for note in notes for text in _note(note, width)]
    if hidden and not whole:
        said = f"hidden at {width} columns: {', '.join(hidden)} (--columns chooses)"
        lines += [[Span(text, "dim")] for text in _note(said, width)]
    return lines


def text_of(lines: Iterable[Line]) -> str:
    """Return lines as plain text."""
    return "".join(f"{''.join(span.text for span in line).rstrip()}\n" for line in lines)


def _chosen(table: Table, width: int, exact: bool) -> tuple[Table, bool, list[str]]:
    """Return the table with the columns that fit, whether bars fit too, and what is left out."""
    if cells(table, exact=exact, bars=True).width - GAP <= width:
        return table, True, []
    kept, hidden = fitted(table, width + GAP, exact=exact)
    bars = cells(kept, exact=exact, bars=True).width - GAP <= width
    return kept, bars, hidden


def _parts(shown: Table, kept: Table, width: int, exact: bool, bars: bool) -> list[Table]:
    """Return the table in parts that fit, each with the columns again that name a row: what is
    shown first, then the other columns that are ``kept``."""
    found = cells(kept, exact=exact, bars=bars)
    least = dict(zip(found.columns, _least(found, _natural(found)), strict=True))

    def room(columns: Sequence[Column]) -> int:
        return _room([least[column] for column in columns if column in least])

    names = _naming(shown)
    if room(names) > MOST * width:
        names = names[:1]
    parts: list[list[Column]] = []
    others = [column for column in kept.columns if column not in shown.columns]
    for columns in (shown.columns[len(names) :], others):
        fresh = True
        for column in columns:
            if column not in least:  # of bars, which are not drawn
                continue
            if fresh or (len(parts[-1]) > len(names) and room([*parts[-1], column]) > width):
                parts.append(list(names))
                fresh = False
            parts[-1].append(column)
    return [_part(shown, columns, len(names)) for columns in parts or [list(names)]]


def _part(table: Table, columns: Sequence[Column], names: int) -> Table:
    """Return the table with some columns, its total where it has a figure in one."""
    total = table.total
    if total and all(total.get(column.key) in (None, "") for column in columns[names:]):
        total = None
    return table._replace(columns=tuple(columns), total=total)


def _naming(table: Table) -> tuple[Column, ...]:
    """Return the leading columns that tell each row from every other, or else the first."""
    for n in range(1, min(3, len(table.columns)) + 1):
        keys = [c.key for c in table.columns[:n]]
        if len({str([row.get(key) for key in keys]) for row in table.rows}) == len(table.rows):
            return table.columns[:n]
    return table.columns[:1]


def _room(widths: Sequence[int]) -> int:
    """Return the characters of a line of columns."""
    return sum(widths) + GAP * (len(widths) - 1)


def _body(table: Table, found: Cells, width: int) -> list[Line]:
    """Return header, rule, rows and total."""
    if not found.titles:
        return []
    widths = _widths(found, width)
    headers = [found.header_lines(i) for i in range(len(found.titles))]
    height = max(map(len, headers))
    header = [[""] * (height - len(column)) + column for column in headers]
    lines = _lines(header, widths, found.right, [""] * len(widths))
    lines.append([Span("─" * _room(widths))])
    for i, row in enumerate(found.rows):
        lines += _row(row, widths, found, i)
    if found.total:
        lines.append([Span("")])
        lines += _row(found.total, widths, found, None)
    return lines


def _row(row: Sequence[str], widths: Sequence[int], found: Cells, i: int | None) -> list[Line]:
    """Return the lines of a row, each cell in its style."""
    parts = [
        broken(text, width, names=name)
        for text, width, name in zip(row, widths, found.names, strict=True)
    ]
    styles = [
        _cell_style(text, column) or ("bold" if (i, j) in found.best else "")
        for j, (text, column) in enumerate(zip(row, found.columns, strict=True))
    ]
    return _lines(parts, widths, found.right, styles)


def _lines(
    columns: Sequence[Sequence[str]],
    widths: Sequence[int],
    right: Sequence[bool],
    styles: Sequence[str],
) -> list[Line]:
    """Return the lines of cells that have several each."""
    lines = []
    for texts in zip_longest(*columns, fillvalue=""):
        line: Line = []
        for j, text in enumerate(texts):
            space = " " * (widths[j] - wide(text))
            padded = space + text if right[j] else text + space
            line.append(Span(padded + (" " * GAP if j + 1 < len(texts) else ""), styles[j]))
        lines.append(line)
    return lines


def _widths(found: Cells, width: int) -> list[int]:
    """Return the width of each column: as wide as it is, or narrower, the widest first."""
    widths = _natural(found)
    least = _least(found, widths)
    for floor in (WRAPPED, 0):  # prose and names stay readable as long as they can
        low = [max(n, min(floor, w)) for n, w in zip(least, widths, strict=True)]
        for _ in range(_room(widths) - width):
            able = [i for i, w in enumerate(widths) if w > low[i]]
            if not able:
                break
            widths[max(able, key=lambda i: widths[i])] -= 1
    return widths


def _header(found: Cells, i: int) -> int:
    return max(map(wide, found.header_lines(i)))


def _natural(found: Cells) -> list[int]:
    """Return how wide each column is where there is room."""
    widths = []
    for i in range(len(found.titles)):
        header = _header(found, i)
        longest = max(header, *map(wide, found.texts(i)), 0)
        widths.append(min(longest, max(BROAD, header)) if found.wraps[i] else longest)
    return widths


def _least(found: Cells, natural: Sequence[int]) -> list[int]:
    """Return how narrow each column may become: text down to a piece of it, a figure not at all."""
    least = list(natural)
    for i in range(len(least)):
        if found.wraps[i] or found.names[i]:
            piece = min(found.longest_word(i), BROAD)
            least[i] = min(natural[i], max(_header(found, i), piece, min(NARROW, natural[i])))
    return least


def _note(note: str, width: int) -> list[str]:
    """Return a note in lines, the second and further ones indented."""
    text = visible(note)
    if wide(text) <= width:
        return [text]
    return wrap(text, width, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)


def _note_style(note: str) -> str:
    return "bold red" if note.startswith("NOT VERIFIED") else ""


def _cell_style(text: str, column: Column) -> str:
    """Return the colour of a cell: of a failure, of growth and of what is left of a limit."""
    if text in _ALARMS:
        return "bold red"
    left = column.key == "slack"
    if (left or column.kind in _COLOURED) and text[:1] in "+−" and text.strip("+−0.,%"):
        return "green" if (text[0] == "+") == left else "red"
    return ""
