"""LaTeX: a booktabs table that pdflatex compiles, figures right-aligned, caption below the title.

Needs ``\\usepackage{booktabs}``, and ``longtable`` for more than a page of rows.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from mbcost.errors import visible
from mbcost.output.cells import WRAPPED, Cells, cells, fitted, reasons_below
from mbcost.output.table import Table

PAGE_ROWS = 40
PAGE_WIDTH = 84
"""Characters of the small font on a line of a one-column article."""

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
    "`": r"\`{}",
}


def to_latex(table: Table, *, exact: bool = False) -> str:
    """Return the table as a float, or as a longtable where it would not fit a page.

    Columns that do not fit the width of a text are left out by rank, and named in a comment.
    """
    whole = table
    table, hidden = fitted(whole, PAGE_WIDTH, exact=exact)
    found = cells(table, exact=exact)
    needs = "booktabs" if len(table.rows) <= PAGE_ROWS else "booktabs,longtable"
    comments = [rf"% \usepackage{{{needs}}}"]
    if hidden:
        comments.append(f"% left out: {escape(', '.join(hidden))}; --columns chooses")
    spec = _alignments(found)
    header = _header(found)
    body = [_row(row) for row in found.rows]
    total = [r"\midrule", _row(found.total)] if found.total else []
    verified = [note[:1].upper() + note[1:] + "." for note in table.notes if "verified" in note]
    caption = escape(" ".join([table.words or table.title, *verified]))
    below = [rf"\par\footnotesize\raggedright {escape(r)}" for r in reasons_below(whole, table)]
    if len(body) > PAGE_ROWS:
        lines = [*comments, *_long(spec, caption, header, [*body, *total])]
        return "\n".join([*lines, *(f"{{{line}\\par}}" for line in below)]) + "\n"
    lines = [
        *comments,
        r"\begin{table}",
        r"\centering\small\setlength{\tabcolsep}{4pt}",
        rf"\caption{{{caption}}}",
        rf"\begin{{tabular}}{{{spec}}}",
        r"\toprule",
        header,
        r"\midrule",
        *body,
        *total,
        r"\bottomrule",
        r"\end{tabular}",
        *below,
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _alignments(found: Cells) -> str:
    """Return a letter per column; long prose breaks, in what the others leave of the page."""
    longest = [max((len(row[i]) for row in found.rows), default=0) for i in range(len(found.right))]
    long = [w and n > WRAPPED for w, n in zip(found.wraps, longest, strict=True)]
    width = WRAPPED
    if any(long) and found.width > PAGE_WIDTH:
        width = max(WRAPPED // 3, WRAPPED - -(-(found.width - PAGE_WIDTH) // sum(long)))
    letters = ["r" if right else "l" for right in found.right]
    return "".join(f"p{{{width}ex}}" if w else x for w, x in zip(long, letters, strict=True))


def _long(spec: str, caption: str, header: str, body: list[str]) -> list[str]:
    return [
        r"\small\setlength{\tabcolsep}{4pt}",
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


def _header(found: Cells) -> str:
    """Return the header on as many lines as its longest title needs, aligned at the bottom."""
    columns = [found.header_lines(i) for i in range(len(found.titles))]
    height = max(map(len, columns))
    padded = [[""] * (height - len(lines)) + lines for lines in columns]
    return "\n".join(_row(line) for line in zip(*padded, strict=True))


def _row(texts: Iterable[str]) -> str:
    line = " & ".join(map(escape, texts)) + r" \\"
    return (
        "{}" + line if line.lstrip()[0] in "[*" else line
    )  # or the rule above takes it for its option


def escape(text: str) -> str:
    """Return ``text`` for pdflatex; what its fonts lack loses its accent or is ``?``."""
    apart = "{}".join  # two marks that TeX would join to a dash, a quote or an inverted mark
    return apart(map(_characters, re.split(r"(?<=-)(?=-)|(?<=')(?=')|(?<=,)(?=,)", visible(text))))


def _characters(text: str) -> str:
    return "".join(_SPECIAL.get(char) or _plain(char) for char in text)


def _plain(char: str) -> str:
    if " " <= char <= "~":
        return char
    ascii_only = unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode()
    return "".join(_SPECIAL.get(c, c) for c in ascii_only) or "?"
