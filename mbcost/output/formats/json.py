"""JSON: the records with all their digits."""

from __future__ import annotations

import json

from mbcost.output.table import Table


def to_json(table: Table, *, exact: bool = True) -> str:
    """Return the table's document; a file is always exact."""
    return escape(json.dumps(table.document, indent=2, ensure_ascii=False)) + "\n"


def escape(document: str) -> str:
    """Return a JSON document that reads back equal, in characters that can be printed."""
    if document.replace("\n", "").isprintable():
        return document
    # what a terminal obeys or UTF-8 lacks, and json writes as it is
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in document)
