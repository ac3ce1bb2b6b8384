"""JSON: the records with all their digits."""

from __future__ import annotations

import json

from mbcost.tables import Table


def to_json(table: Table, *, exact: bool = True) -> str:
    """Return the table's document; a file is always exact."""
    return json.dumps(table.document, indent=2, ensure_ascii=False) + "\n"
