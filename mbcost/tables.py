"""Tables: the only currency between what computes and what prints.

A ``Table`` holds raw records; ``cells`` turns them into what people read, three digits and one
prefix per column. Files get the raw values. To add a way of showing a value: a line in ``SHOW``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mbcost import units
from mbcost.errors import MbcostError, did_you_mean

Record = dict[str, Any]

PENDING = object()
"""A value that is being computed, shown as an ellipsis."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column as people see it.

    ``kind`` is how the values are shown (see ``SHOW``); ``rank`` says what is left out first on a
    narrow terminal: the highest.
    """

    key: str
    title: str
    kind: str = "text"
    rank: int = 0


@dataclass(frozen=True)
class Table:
    """Raw rows, the columns people see, the fields files get, and the words around them."""

    columns: tuple[Column, ...]
    rows: Sequence[Record]
    fields: tuple[str, ...]
    """Keys of the CSV, in order."""
    data: Sequence[Record]
    """Rows of the CSV."""
    document: Any
    """What the JSON holds."""
    title: str = ""
    caption: str = ""
    total: Record | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cells:
    """A table as text: a header (title, unit) and an alignment per column, rows, a total row."""

    titles: list[str] = field(default_factory=list)
    units: list[str] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    total: list[str] | None = None

    @property
    def headers(self) -> list[str]:
        """Return the titles with their units: ``mult-adds (M)``."""
        pairs = zip(self.titles, self.units, strict=True)
        return [f"{title} ({unit})" if unit else title for title, unit in pairs]


def _count(prefix: str) -> Callable[[Any], str]:
    return lambda value: units.in_prefix(value, prefix)


SHOW: dict[str, Callable[[Any], str]] = {
    "text": str,
    "size": str,
    "whole": units.thousands,
    "shape": lambda shape: "×".join(str(n) for n in shape),
    "ratio": units.ratio_in_words,
    "share": units.percent,
    "number": lambda value: f"{value:g}",
    "percent": lambda value: f"{value:.1f}",
    "truth": lambda value: "yes" if value else "NO",
    "versions": lambda versions: ", ".join(f"{k} {v}" for k, v in versions.items()),
}
_LEFT = ("text", "shape", "truth", "versions")


def cells(table: Table, *, exact: bool = False, bars: bool = False) -> Cells:
    """Return what people read: each column formatted as a whole.

    ``exact`` shows every digit, ``bars`` draws one behind each share.
    """
    found = Cells(total=[] if table.total else None)
    columns: list[list[str]] = []
    for column in table.columns:
        values = [row.get(column.key) for row in table.rows]
        if table.total:
            values.append(table.total.get(column.key))
        unit, show = _format(column.kind, values, exact)
        texts = [_text(value, show) for value in values]
        if column.kind == "share" and bars:
            texts = _with_bars(texts, values, rows=len(table.rows))
        found.titles.append(column.title)
        found.units.append(unit)
        found.right.append(column.kind not in _LEFT and not (column.kind == "share" and bars))
        columns.append(texts)
    lines = [list(line) for line in zip(*columns, strict=True)] if columns else []
    found.rows.extend(lines[: len(table.rows)])
    if found.total is not None:
        found.total.extend(lines[-1])
    return found


def _format(kind: str, values: Sequence[Any], exact: bool) -> tuple[str, Callable[[Any], str]]:
    """Return (unit, formatter) for a column."""
    numbers = [v for v in values if isinstance(v, int | float)]
    if kind == "count":
        if exact:
            return "", units.thousands
        prefix = units.prefix_for(numbers)
        return prefix, _count(prefix)
    if kind == "bytes":
        return ("bytes", units.thousands) if exact else ("MB", units.megabytes)
    return ("%" if kind == "percent" else ""), SHOW[kind]


def _text(value: Any, show: Callable[[Any], str]) -> str:
    if value is PENDING:
        return "…"
    return "" if value is None else show(value)


def _with_bars(texts: list[str], values: Sequence[Any], rows: int) -> list[str]:
    largest = max((v for v in values[:rows] if v), default=1)
    width = max((len(text) for text in texts), default=0)
    return [
        f"{text:>{width}} {units.bar((value or 0) / largest, 8) if i < rows else '':<8}"
        for i, (text, value) in enumerate(zip(texts, values, strict=True))
    ]


def choose_columns(
    known: Mapping[str, Column], wanted: str | None, default: Sequence[str]
) -> tuple[Column, ...]:
    """Return the columns named in ``wanted`` (keys with commas between), or the default ones."""
    if wanted is None:
        return tuple(known[key] for key in default)
    keys = [key.strip().replace("-", "_") for key in wanted.split(",") if key.strip()]
    if not keys:
        raise MbcostError(
            "names no column", place="--columns", way_out=f"some of: {', '.join(known)}"
        )
    for key in keys:
        if key not in known:
            raise MbcostError(
                f"unknown column {key!r}", place="--columns", way_out=did_you_mean(key, known)
            )
    return tuple(known[key] for key in keys)


def sort_rows(rows: list[Record], key: str | None) -> list[Record]:
    """Return the rows by ``key``, rising (``-key``: falling), empty values last."""
    if key is None:
        return rows
    name = key.lstrip("-").replace("-", "_")
    known = list(dict.fromkeys(k for row in rows for k in row))
    if name not in known:
        raise MbcostError(
            f"unknown key {name!r}", place="--sort", way_out=did_you_mean(name, known)
        )
    full = [row for row in rows if row.get(name) is not None]
    try:
        full.sort(key=lambda row: row[name], reverse=key.startswith("-"))
    except TypeError:
        full.sort(key=lambda row: str(row[name]), reverse=key.startswith("-"))
    return full + [row for row in rows if row.get(name) is None]
