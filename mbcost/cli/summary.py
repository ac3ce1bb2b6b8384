"""The summary of a step of GitHub Actions: a table in Markdown, behind what is there already."""

from __future__ import annotations

import os
from pathlib import Path

from mbcost.errors import MbcostError
from mbcost.output.formats import FORMATS
from mbcost.output.table import Table
from mbcost.units import thousands

MAX_BYTES = 2**20
"""GitHub shows nothing of a summary that is larger."""
_PLACE = "GITHUB_STEP_SUMMARY"


def summary_path() -> Path | None:
    """Return the file of the summary, where a step of a workflow runs."""
    name = os.environ.get(_PLACE)
    return Path(name) if name else None


def add_to_summary(table: Table, *, exact: bool) -> None:
    """Add a table to the summary, if there is one; of its rows as many as there is room for."""
    path = summary_path()
    if path is None:
        return
    try:
        with path.open("a", encoding="utf-8") as summary:
            summary.write(f"{as_fits(table, MAX_BYTES - summary.tell(), exact=exact)}\n")
    except (OSError, ValueError) as error:  # the latter of a NUL in the name
        raise MbcostError(
            f"cannot be written: {getattr(error, 'strerror', None) or error}",
            place=f"{_PLACE}: {path}",
            way_out="unset it, or let it name a file",
        ) from None


def as_fits(table: Table, room: int, *, exact: bool) -> str:
    """Return a table in Markdown of at most ``room`` bytes, if its words alone have no more."""
    kept = table
    while True:
        text = FORMATS["markdown"].write(kept, exact=exact)
        if len(text.encode()) < room or not kept.rows:
            return text
        left = len(kept.rows) // 2
        note = f"{thousands(len(table.rows) - left)} rows left out: a summary holds 1 MiB"
        kept = table._replace(rows=table.rows[:left], notes=(note, *table.notes))
