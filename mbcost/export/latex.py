"""LaTeX: a booktabs table that pdflatex compiles, figures right-aligned, caption below the title.

Needs ``\\usepackage{booktabs}``, and ``longtable`` for more than a page of rows.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from mbcost.tables import Table, cells

PAGE_ROWS = 40

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "÷": r"$\div$",
    "−": "$-$",
    "²": "$^2$",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "γ": r"$\gamma$",
    "ρ": r"$\rho$",
    "…": r"\dots{}",
    "→": r"$\to$",
    "⁶": "$^6$",
    "–": "--",
    "—": "---",
}


def to_latex(table: Table, *, exact: bool = False) -> str:
    """Return the table as a float, or as a longtable where it would not fit a page."""
    found = cells(table, exact=exact)
    spec = "".join("r" if right else "l" for right in found.right)
    header = _row(found.headers)
    body = [_row(row) for row in found.rows]
    total = [r"\midrule", _row(found.total)] if found.total else []
    caption = escape(table.caption or table.title)
    if len(body) > PAGE_ROWS:
        return _long(spec, caption, header, [*body, *total])
    lines = [
        r"% \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{caption}}}",
        rf"\begin{{tabular}}{{{spec}}}",
        r"\toprule",
        header,
        r"\midrule",
        *body,
        *total,
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _long(spec: str, caption: str, header: str, body: list[str]) -> str:
    lines = [
        r"% \usepackage{booktabs,longtable}",
        rf"\begin{{longtable}}{{{spec}}}",
        rf"\caption{{{caption}}}\\",
        r"\toprule",
        header,
        r"\midrule",
        r"\endfirsthead",
        r"\toprule",
        header,
        r"\midrule",
        r"\endhead",
        r"\bottomrule",
        r"\endfoot",
        *body,
        r"\end{longtable}",
    ]
    return "\n".join(lines) + "\n"


def _row(texts: Iterable[str]) -> str:
    return " & ".join(map(escape, texts)) + r" \\"


def escape(text: str) -> str:
    """Return ``text`` for pdflatex; what its fonts lack loses its accent or is ``?``."""
    return "".join(_SPECIAL.get(char) or _plain(char) for char in text)


def _plain(char: str) -> str:
    if " " <= char <= "~":
        return char
    if char.isspace():
        return " "
    ascii_only = unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode()
    return "".join(_SPECIAL.get(c, c) for c in ascii_only) or "?"
