"""A table as a page shows it: cells as people read them, with the values that sort them."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

from mbcost.errors import visible
from mbcost.output.cells import cells
from mbcost.output.table import Table
from mbcost.units import thousands

_WORDS = ("text", "prose", "reason", "printed", "key", "size", "truth", "versions", "settings")
"""Kinds of columns that sort as text; a number in it by its value."""
_SUMS = ("count", "memory", "bytes")


class Head(NamedTuple):
    """The head of a column: whether it sorts as numbers, and whether its values add up."""

    text: str
    number: bool
    sums: bool


class Cell(NamedTuple):
    """A cell: its text, the value that sorts it, every digit of it, and its share as a bar."""

    text: str
    value: str
    exact: str = ""
    share: float | None = None


class Sheet(NamedTuple):
    """Heads, rows, and a row of totals where there is one."""

    heads: list[Head]
    rows: list[list[Cell]]
    total: list[str] | None


def sheet(table: Table) -> Sheet:
    """Return a table for a page."""
    found = cells(table)
    columns = [column for column in table.columns if column.kind != "bar"]
    total = table.total or {}
    heads = [
        Head(text, column.kind not in _WORDS, column.kind in _SUMS and column.key in total)
        for text, column in zip(found.headers, columns, strict=True)
    ]
    rows = [
        [
            _cell(text, column.kind, row.get(column.key))
            for text, column in zip(texts, columns, strict=True)
        ]
        for texts, row in zip(found.rows, table.rows, strict=True)
    ]
    return Sheet(heads, rows, found.total)


def _cell(text: str, kind: str, value: Any) -> Cell:
    share = value if kind == "share" else None
    whole = isinstance(value, int) and not isinstance(value, bool)
    exact = thousands(value) if whole and kind in (*_SUMS, "delta") else ""
    return Cell(text, _sorting(value), "" if exact == text else exact, share)


def _sorting(value: Any) -> str:
    """Return what a value sorts by: of a shape its elements; empty is last."""
    match value:
        case None:
            return ""
        case list() if value and all(isinstance(side, int) for side in value):
            return str(prod(value))
        case list():
            return str(len(value))
        case _:
            return visible(str(value))
