"""GitHub-flavoured Markdown, its cells escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mbcost.errors import visible
from mbcost.output.cells import cells
from mbcost.output.table import Table


def to_markdown(table: Table, *, exact: bool = False) -> str:
    """Return the table with its title, its total row, its notes and caption below."""
    found = cells(table, exact=exact)
    lines = [_row(map(escape, found.headers))]
    lines.append(_row("--:" if right else ":--" for right in found.right))
    for i, row in enumerate(found.rows):
        texts = [escape(text) for text in row]
        lines.append(_row(f"**{t}**" if (i, j) in found.best else t for j, t in enumerate(texts)))
    if found.total:
        lines.append(_row(f"**{escape(cell)}**" if cell else "" for cell in found.total))
    parts = [f"### {escape(table.title)}\n"] if table.title else []
    parts.append("\n".join(lines) + "\n")
    if table.notes:
        parts.append("\n".join(f"- {_paragraph(note)}" for note in table.notes) + "\n")
    if table.words:
        parts.append(_paragraph(table.words) + "\n")
    return "\n".join(parts)


def _row(texts: Iterable[str]) -> str:
    return "| " + " | ".join(texts) + " |"


def escape(text: str) -> str:
    """Return ``text`` so that Markdown shows it as it is, on one line."""
    return re.sub(r"([\\|`*_<>\[\]#~$]|&(?=[#\w]))", r"\\\1", visible(text))


def _paragraph(text: str) -> str:
    """Return ``text`` as a paragraph, which begins neither a list nor a block of code."""
    return re.sub(r"^(\d*)([-+=]|[.)](?=\s))", r"\1\\\2", escape(text).lstrip())
