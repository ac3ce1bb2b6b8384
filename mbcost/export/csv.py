"""CSV: the raw values, one record a row; a missing value is empty."""

from __future__ import annotations

import csv
import io
from typing import Any

from mbcost.records import versions_text
from mbcost.tables import Table
from mbcost.units import shape_text


def to_csv(table: Table, *, exact: bool = True) -> str:
    """Return the table's rows under its fields; a file is always exact."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.fields)
    for row in table.data:
        writer.writerow([_cell(row.get(key)) for key in table.fields])
    return out.getvalue()


def _cell(value: Any) -> Any:
    match value:
        case None:
            return ""
        case list() | tuple():
            return shape_text(value)
        case dict():
            return versions_text(value)
        case _:
            return value
