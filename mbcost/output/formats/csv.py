"""CSV: the raw values, one record a line; a missing value is empty.

Text that a spreadsheet would take for a formula has a ``'`` before it, which spreadsheets read as
"this is text"; ``plain`` takes it off again. Numbers stay as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from mbcost.errors import visible
from mbcost.output.table import Table
from mbcost.units import shape_text

_FORMULA = re.compile(r"[' ]*[=+\-@＝＋－＠]")
"""How text begins that is a formula somewhere; the last four are so in East Asian spreadsheets."""


def to_csv(table: Table, *, exact: bool = True) -> str:
    """Return the table's rows under its fields; a file is always exact."""
    lines = [line(table.fields), *(line(row.get(k) for k in table.fields) for row in table.data)]
    return "".join(lines)


def line(values: Iterable[Any]) -> str:
    """Return the values as a line of a CSV."""
    text = ",".join(map(cell, values))
    return (text or '""') + "\n"  # readers skip a line that is empty


def cell(value: Any) -> str:
    """Return a value as a cell: text on one line, and never a formula."""
    match value:
        case None:
            return ""
        case list() | tuple():
            return escape(shape_text(value))
        case dict():
            return escape(_pairs(value))
        case str():
            return escape(value)
        case _:
            return str(value)


def _pairs(values: Mapping[str, Any]) -> str:
    """Return a mapping as text: ``mbcost 0.1.0, torch 2.14.1``, ``alpha 0.5, fold_bn true``."""
    texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in values.items()}
    return ", ".join(f"{key} {text}" for key, text in texts.items())


def escape(text: str) -> str:
    """Return user text as a cell."""
    shown = visible(text)
    if _FORMULA.match(shown):
        shown = f"'{shown}"
    if any(char in shown for char in ',"'):
        return '"' + shown.replace('"', '""') + '"'
    return shown


def plain(text: str) -> str:
    """Return the text that a cell was written for."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text
