"""Plain text: what a terminal shows, at full width and without colour."""

from __future__ import annotations

from mbcost.console import render_text
from mbcost.tables import Table


def to_text(table: Table, exact: bool = False) -> str:
    """Return the table as a pipe gets it."""
    return render_text(table, exact=exact)
