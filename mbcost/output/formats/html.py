"""HTML: the table in a notebook, or a page of its own."""

from __future__ import annotations

from collections.abc import Container, Iterable
from html import escape as escape_html

from mbcost.errors import visible
from mbcost.output.cells import cells
from mbcost.output.table import Table

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums }}
caption {{ text-align: left; font-weight: 600; padding-bottom: .5rem }}
th, td {{ padding: .2rem .8rem .2rem 0 }}
thead th {{ border-bottom: 1px solid; vertical-align: bottom }}
tfoot th {{ border-top: 1px solid }}
</style>
{table}</html>
"""


def to_page(table: Table, *, exact: bool = False) -> str:
    """Return the table as a page of its own, which needs no other file."""
    return _PAGE.format(title=escape(table.title or "mbcost"), table=to_html(table, exact=exact))


def to_html(table: Table, *, exact: bool = False) -> str:
    """Return the table with its notes and caption, with no style except alignment."""
    found = cells(table, exact=exact)
    style = [f' style="text-align:{"right" if right else "left"}"' for right in found.right]
    parts = ["<table>"]
    if table.title:
        parts.append(f"<caption>{escape(table.title)}</caption>")
    parts.append(f"<thead>{_row('th', style, found.headers)}</thead>")
    rows = "".join(
        _row("td", style, row, {j for k, j in found.best if k == i})
        for i, row in enumerate(found.rows)
    )
    parts.append(f"<tbody>{rows}</tbody>")
    if found.total:
        parts.append(f"<tfoot>{_row('th', style, found.total)}</tfoot>")
    parts.append("</table>")
    parts += [f"<p>{escape(line)}</p>" for line in (*table.notes, table.words) if line]
    return "\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Return ``text`` for a page: no tag, no entity, no control character."""
    return escape_html(visible(text))


def _row(tag: str, styles: Iterable[str], texts: Iterable[str], best: Container[int] = ()) -> str:
    pairs = enumerate(zip(styles, texts, strict=True))
    shown = (
        f"<{tag}{s}>{f'<strong>{escape(t)}</strong>' if j in best else escape(t)}</{tag}>"
        for j, (s, t) in pairs
    )
    return f"<tr>{''.join(shown)}</tr>"
