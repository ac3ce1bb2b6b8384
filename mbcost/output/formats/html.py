"""HTML: the table in a notebook."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape as escape_html

from mbcost.errors import visible
from mbcost.output.cells import cells
from mbcost.output.table import Table


def to_html(table: Table) -> str:
    """Return the table with its notes and caption, with no style except alignment."""
    found = cells(table)
    style = [f' style="text-align:{"right" if right else "left"}"' for right in found.right]
    parts = ["<table>"]
    if table.title:
        parts.append(f"<caption>{escape(table.title)}</caption>")
    parts.append(f"<thead>{_row('th', style, found.headers)}</thead>")
    rows = "".join(_row("td", style, row) for row in found.rows)
    parts.append(f"<tbody>{rows}</tbody>")
    if found.total:
        parts.append(f"<tfoot>{_row('th', style, found.total)}</tfoot>")
    parts.append("</table>")
    parts += [f"<p>{escape(line)}</p>" for line in (*table.notes, table.words) if line]
    return "\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Return ``text`` for a page: no tag, no entity, no control character."""
    return escape_html(visible(text))


def _row(tag: str, styles: Iterable[str], texts: Iterable[str]) -> str:
    pairs = zip(styles, texts, strict=True)
    return "<tr>" + "".join(f"<{tag}{s}>{escape(t)}</{tag}>" for s, t in pairs) + "</tr>"
