"""Plain text: the table in lines of 100 characters, for pipes and ``.txt`` files."""

from __future__ import annotations

from mbcost.output.layout import laid_out, text_of
from mbcost.output.table import Table

WIDTH = 100
"""Characters of a line: of a pipe nobody knows how wide its reader is."""

LONG = 30
"""Rows from which columns that do not fit are left out and named: a second part would be far."""


def to_text(table: Table, *, exact: bool = False) -> str:
    """Return title, header, rows, total and notes; of a short table every column."""
    return text_of(laid_out(table, WIDTH, exact=exact, whole=len(table.rows) < LONG))
