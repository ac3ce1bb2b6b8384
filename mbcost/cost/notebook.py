"""A report as a notebook shows it: totals with their units, and blocks that fold."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from mbcost.cost.tree import Branch
from mbcost.errors import visible
from mbcost.units import percent, thousands

_ROW = "display:inline-grid;grid-template-columns:20em 15em 15em"
_BESIDE = "padding-left:1.1em"
"""As far in as a summary is, behind its mark."""
_BAR = "display:inline-block;width:4em;height:.6em;margin-right:.5em;border:1px solid #999"


def html_of(
    totals: Iterable[str], missing: str, branches: Iterable[Branch], mult_adds: int, params: int
) -> str:
    """Return lines of totals, what they miss, and the branches with their shares of the whole.

    Plain elements with their style in them: a notebook may strip scripts, and a file that is made
    of it reads alike.
    """
    lines = [*map(_text, totals), *([f"<strong>{_text(missing)}</strong>"] if missing else [])]
    blocks = _blocks(branches, mult_adds, params)
    return f'<div class="mbcost"><p>{"<br>".join(lines)}</p>\n{blocks}</div>\n'


def _blocks(branches: Iterable[Branch], mult_adds: int, params: int) -> str:
    """Return the blocks, folded."""
    heads = "<span>block</span><span>mult-adds</span><span>params</span>"
    parts = [f'<div style="{_BESIDE}"><span style="{_ROW}">{heads}</span></div>']
    for branch in branches:
        line = f'<span style="{_ROW}">{_line(branch, mult_adds, params)}</span>'
        if branch.leaf:
            parts.append(f'<div style="{_BESIDE}">{line}</div>' + "</details>" * branch.closes)
        else:
            parts.append(f"<details><summary>{line}</summary>")
    return "\n".join(parts)


def _line(branch: Branch, mult_adds: int, params: int) -> str:
    kind = f" <small>{_text(branch.kind)}</small>" if branch.kind else ""
    indent = f"padding-left:{branch.depth}em"
    name = f'<span style="{indent}">{_text(branch.path)}{kind}</span>'
    shares = (_share(branch.mult_adds, mult_adds), _share(branch.params, params))
    return name + "".join(f"<span>{share}</span>" for share in shares)


def _share(value: int, whole: int) -> str:
    if not whole:
        return thousands(value)
    share = value / whole
    fill = f"display:block;height:100%;width:{percent(share, 2)};background:#0072B2"
    bar = f'<span style="{_BAR}"><span style="{fill}"></span></span>'
    return f"{bar}{thousands(value)} ({percent(share)})"


def _text(text: str) -> str:
    return escape(visible(text))
