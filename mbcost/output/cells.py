"""Tables as people read them: three digits and one prefix per column, as many columns as fit.

To add a way of showing a value: a line in ``SHOW``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from textwrap import wrap
from typing import Any, NamedTuple
from unicodedata import east_asian_width

from mbcost import units
from mbcost.errors import visible
from mbcost.output.look import Look, direction
from mbcost.output.table import PENDING, Column, Table

GAP = 2
"""Characters between columns."""
WRAPPED = 30
"""Narrowest a column of prose becomes before others are left out."""
BROAD = 60
"""Widest a column of prose becomes."""
HEADING = 20
"""Widest a title becomes over narrower cells."""
_PIECES = re.compile(r"[^\s@,./:_\-+;]*[\s@,./:_\-+;]*")
"""A name breaks behind these."""


class Cells(NamedTuple):
    """A table as text: title, unit, alignment and wrapping per column; rows, a total row."""

    titles: list[str]
    units: list[str]
    right: list[bool]
    wraps: list[bool]
    rows: list[list[str]]
    total: list[str] | None
    columns: Sequence[Column] = ()
    """The columns that are shown, in order."""
    best: frozenset[tuple[int, int]] = frozenset()
    """Row and column of the figures that are to be bold."""

    @property
    def names(self) -> list[bool]:
        """Return which columns hold names, which may break behind a mark."""
        return [column.kind == "text" for column in self.columns]

    @property
    def headers(self) -> list[str]:
        """Return the titles with their units: ``mult-adds (M)``."""
        pairs = zip(self.titles, self.units, strict=True)
        return [f"{title} ({unit})" if unit else title for title, unit in pairs]

    def header_lines(self, i: int) -> list[str]:
        """Return a column's title over its unit; one longer than its cells breaks at ``vs``, and a
        long name in it behind a mark."""
        title, unit = self.titles[i], self.units[i]
        width = max((len(row[i]) for row in self.rows), default=0)
        if len(title) > width:
            title = title.replace(" vs ", "\nvs ")
        room = max(width, HEADING)
        lines = [part for line in title.split("\n") for part in broken(line, room, names=True)]
        return [*lines, f"({unit})"] if unit else lines

    @property
    def width(self) -> int:
        """Return the characters a line takes at least, prose wrapped."""
        return self.width_with(WRAPPED)

    def width_with(self, prose: int) -> int:
        """Return the characters a line takes with ``prose`` characters to a line of prose."""
        widths = []
        for i in range(len(self.titles)):
            width = max(len(text) for text in (*self.header_lines(i), *self.texts(i)))
            widths.append(min(width, prose) if self.wraps[i] else width)
        return sum(widths) + GAP * len(widths)

    def texts(self, i: int) -> list[str]:
        """Return the cells of a column, its total last."""
        return [row[i] for row in (*self.rows, *([self.total] if self.total else []))]

    def longest_word(self, i: int) -> int:
        """Return the longest word of a column, or piece of a name: it cannot be narrower."""
        split = _PIECES.findall if self.names[i] else str.split
        parts = (part for text in self.texts(i) for part in split(text))
        return max((wide(part.rstrip()) for part in parts), default=0)


def broken(text: str, width: int, *, names: bool = False) -> list[str]:
    """Return text in lines of ``width``: between words, and names behind their marks too."""
    if wide(text) <= width:
        return [text]
    if not names:
        return wrap(text, max(width, 1), break_on_hyphens=False, break_long_words=False) or [""]
    lines = [""]
    for piece in _PIECES.findall(text):
        if lines[-1] and wide(lines[-1] + piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines]


def wide(text: str) -> int:
    """Return the columns of a terminal that ``text`` takes: two for an East Asian wide letter."""
    if text.isascii():
        return len(text)
    return len(text) + sum(east_asian_width(letter) in "WF" for letter in text)


def _count(prefix: str, digits: int = 3) -> Callable[[Any], str]:
    return lambda value: units.in_prefix(value, prefix, digits)


def _delta(prefix: str | None) -> Callable[[Any], str]:
    return lambda value: units.signed(value, prefix)


def _shape(shape: Sequence[Any]) -> str:
    """Return 64×112×112; of several shapes their number, or they would fill the line."""
    if shape and not isinstance(shape[0], int):
        return f"{len(shape)} maps"
    return units.shape_text(shape, "×")


SHOW: dict[str, Callable[[Any], str]] = {
    "text": str,
    "prose": str,  # wraps where a terminal is narrow
    "reason": str,  # prose that stands below the table where it does not fit in it
    "printed": str,  # a figure as a paper prints it, or a row's parts, which wraps
    "key": lambda key: key.replace("mult_adds", "mult-adds").replace("_", " "),
    "size": str,
    "whole": units.thousands,
    "shape": _shape,
    "ratio": units.ratio_in_words,
    "share": units.percent,
    "part": units.percent,  # a share without a bar
    "number": units.number,
    "digits": units.three_digits,
    "milliseconds": lambda seconds: units.three_digits(1e3 * seconds),
    "margin": lambda share: f"± {units.percent(share)}",
    "difference": units.scientific,
    "growth": units.signed_percent,
    "percent": lambda value: units.decimals(value, 1),
    "truth": lambda value: "yes" if value else "NO",
    "bar": lambda share: units.bar(share, 8),
    "versions": lambda versions: ", ".join(f"{k} {v}" for k, v in versions.items()),
    "settings": units.in_words,
}


_WRAPS = ("prose", "reason", "printed", "settings")
_LEFT = ("text", "prose", "reason", "key", "shape", "truth", "versions", "settings", "bar")


def cells(table: Table, *, exact: bool = False, bars: bool = False) -> Cells:
    """Return what people read: each column formatted as a whole.

    ``exact`` shows every digit, ``bars`` draws one behind each share; without it columns of bars
    are left out.
    """
    columns: list[list[str]] = []
    units_: list[str] = []
    shown = [column for column in table.columns if bars or column.kind != "bar"]
    for column in shown:
        values = [row.get(column.key) for row in table.rows]
        if table.total:
            values.append(table.total.get(column.key))
        unit, show = _format(column, values, exact, table.look)
        texts = [_text(value, show) for value in values]
        if column.kind == "share" and bars:
            texts = _with_bars(texts, values, rows=len(table.rows))
        columns.append(texts)
        units_.append(unit)
    lines = [list(line) for line in zip(*columns, strict=True)]
    left = (*_LEFT, "share") if bars else _LEFT
    return Cells(
        titles=[visible(column.title) for column in shown],
        units=units_,
        right=[column.kind not in left for column in shown],
        wraps=[column.kind in _WRAPS for column in shown],
        rows=lines[: len(table.rows)],
        total=lines[-1] if table.total and lines else None,
        columns=shown,
        best=_best(table, shown) if table.look.bold else frozenset(),
    )


def _best(table: Table, shown: Sequence[Column]) -> frozenset[tuple[int, int]]:
    """Return where the best figure of each column stands, every row that has it."""
    found = set()
    for j, column in enumerate(shown):
        sign = direction(column.key)
        values = [row.get(column.key) for row in table.rows]
        numbers = [sign * v for v in values if isinstance(v, int | float)]
        if sign and len(numbers) > 1:
            best = sign * max(numbers)
            found |= {(i, j) for i, value in enumerate(values) if value == best}
    return frozenset(found)


def _format(
    column: Column, values: Sequence[Any], exact: bool, look: Look
) -> tuple[str, Callable[[Any], str]]:
    """Return (unit, formatter) for a column."""
    kind, digits = column.kind, look.digits or 3
    numbers = [v for v in values if isinstance(v, int | float)]
    chosen = look.prefix_of(column.key)
    if kind == "count":
        if exact:
            return "", units.thousands
        prefix = units.prefix_for(numbers) if chosen is None else chosen
        return prefix, _count(prefix, digits)
    if kind == "delta":
        prefix = units.prefix_for(numbers)
        return ("", _delta(None)) if exact else (prefix, _delta(prefix))
    if kind == "memory":
        prefix = units.prefix_for(numbers) if column.key not in look.prefixes else chosen or ""
        return ("bytes", units.thousands) if exact else (f"{prefix}B", _count(prefix, digits))
    if kind == "bytes" and not exact and (column.key in look.prefixes or look.digits):
        prefix = look.prefixes.get(column.key, "M")
        return f"{prefix}B", _count(prefix, digits)
    if kind == "bytes":
        return ("bytes", units.thousands) if exact else ("MB", units.megabytes)
    if kind == "time":
        return ("s", str) if exact else ("ms", units.milliseconds)
    if kind == "digits" and exact:
        return "", str
    return ("%" if kind == "percent" else ""), SHOW[kind]


def _text(value: Any, show: Callable[[Any], str]) -> str:
    if value is PENDING:
        return "…"
    return "" if value is None else visible(show(value))


def _with_bars(texts: list[str], values: Sequence[Any], rows: int) -> list[str]:
    largest = max((v for v in values[:rows] if v), default=1)
    width = max((len(text) for text in texts), default=0)
    return [
        f"{text:>{width}} {units.bar((value or 0) / largest, 8) if i < rows else '':<8}"
        for i, (text, value) in enumerate(zip(texts, values, strict=True))
    ]


def fitted(table: Table, width: int, *, exact: bool = False) -> tuple[Table, list[str]]:
    """Return the table with as many columns as fit ``width`` characters, and the headers left out.

    The highest rank goes first; rank 0 always stays.
    """
    hidden: list[str] = []
    found = cells(table, exact=exact)
    while found.width > width and any(column.rank for column in found.columns):
        worst = max(column.rank for column in found.columns)
        last = max(i for i, column in enumerate(found.columns) if column.rank == worst)
        hidden.insert(0, found.headers[last])
        gone = found.columns[last]
        table = table._replace(columns=tuple(c for c in table.columns if c is not gone))
        found = cells(table, exact=exact)
    return table, hidden


def reasons_below(table: Table, kept: Table) -> list[str]:
    """Return the reasons that ``kept`` has no column for: ``Table 9, small, params: the reason``.

    Rows with one reason share a line; a row is named by its first three cells.
    """
    shown = cells(table)
    rows: dict[str, list[str]] = {}
    for i, column in enumerate(table.columns):
        if column.kind == "reason" and column not in kept.columns:
            for row in shown.rows:
                if row[i]:
                    rows.setdefault(row[i], []).append(", ".join(row[:3]))
    return [f"{'; '.join(names)}: {reason}" for reason, names in rows.items()]
