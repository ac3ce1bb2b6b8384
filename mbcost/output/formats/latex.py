"""LaTeX: a booktabs table that pdflatex compiles, figures right-aligned, caption below the title.

Needs ``\\usepackage{booktabs}``, and ``longtable`` for more than a page of rows.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

from mbcost.errors import visible
from mbcost.output.cells import WRAPPED, Cells, cells, fitted, reasons_below
from mbcost.output.look import LINE_WIDTHS, Look
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

    Columns that do not fit the width of a text are left out by rank, and named in a comment; with
    ``--span`` they were chosen before, alike for every format.
    """
    whole, look = table, table.look
    width = LINE_WIDTHS[look.span] if look.span else PAGE_WIDTH
    table, hidden = fitted(table, width, exact=exact)
    found = cells(table, exact=exact)
    is_long = len(table.rows) > PAGE_ROWS and not look.tabular_only
    numeric = _numeric(found) if look.siunitx else {}
    spec = _alignments(found, numeric, width)
    rules = ("\\hline",) * 3 if look.plain else (r"\toprule", r"\midrule", r"\bottomrule")
    top, middle, bottom = rules
    header = _header(found, numeric)
    body = [_figures(found, i, row, numeric) for i, row in enumerate(found.rows)]
    if found.total:
        body += [middle, _figures(found, -1, found.total, numeric)]
    if look.tabular_only:
        lines = [rf"\begin{{tabular}}{{{spec}}}", top, header, middle, *body, bottom]
        return "\n".join([*lines, r"\end{tabular}"]) + "\n"
    verified = [note[:1].upper() + note[1:] + "." for note in table.notes if "verified" in note]
    own = look.caption is not None
    caption = escape(" ".join([table.words or table.title, *([] if own else verified)]))
    label = rf"\label{{{look.tex_label}}}" if look.tex_label else ""
    titled = rf"\caption{{{caption}}}{label}"
    below = [rf"\par\footnotesize\raggedright {escape(r)}" for r in reasons_below(whole, table)]
    comments = _comments(look, hidden, is_long)
    if is_long:
        lines = [*comments, *_long(spec, titled, header, body, rules)]
        return "\n".join([*lines, *(f"{{{line}\\par}}" for line in below)]) + "\n"
    float_ = "table*" if look.span == 2 else "table"
    lines = [
        *comments,
        rf"\begin{{{float_}}}",
        r"\centering\small\setlength{\tabcolsep}{4pt}",
        titled,
        rf"\begin{{tabular}}{{{spec}}}",
        top,
        header,
        middle,
        *body,
        bottom,
        r"\end{tabular}",
        *below,
        rf"\end{{{float_}}}",
    ]
    return "\n".join(lines) + "\n"


def _comments(look: Look, hidden: list[str], is_long: bool) -> list[str]:
    """Return what the table needs, and what was left out of it."""
    packages = [
        *([] if look.plain else ["booktabs"]),
        *(["longtable"] if is_long else []),
        *(["siunitx"] if look.siunitx else []),
    ]
    comments = [rf"% \usepackage{{{','.join(packages)}}}"] if packages else []
    if hidden:
        comments.append(f"% left out: {escape(', '.join(hidden))}; --columns chooses")
    return comments


_FIGURE = re.compile(r"[−-]?(\d[\d,]*)(?:\.(\d+))?")


def _numeric(found: Cells) -> dict[int, str]:
    """Return the columns that hold figures alone, each with the digits before and behind the
    point as siunitx wants them: ``3.2``."""
    formats = {}
    for j, right in enumerate(found.right):
        texts = [row[j] for row in (*found.rows, *([found.total] if found.total else []))]
        matches = [_FIGURE.fullmatch(text) for text in texts if text]
        if not right or not matches or not all(matches):
            continue
        whole = max(len(m[1].replace(",", "")) for m in matches if m)
        behind = max(len(m[2] or "") for m in matches if m)
        sign = "-" if any(text.startswith(("−", "-")) for text in texts) else ""
        formats[j] = f"{sign}{whole}.{behind}"
    return formats


def _figures(found: Cells, i: int, texts: list[str], numeric: Mapping[int, str]) -> str:
    """Return a row; the best figures are bold, and those of S columns are as siunitx reads them."""
    shown = []
    for j, text in enumerate(texts):
        is_best = (i, j) in found.best
        if j in numeric:
            plain = text.replace(",", "").replace("−", "-")
            shown.append(rf"\bfseries {plain}" if is_best else plain)
        else:
            shown.append(rf"\textbf{{{escape(text)}}}" if is_best else escape(text))
    return _line(shown)


def _alignments(found: Cells, numeric: Mapping[int, str], page: int) -> str:
    """Return a letter per column; long prose breaks, in what the others leave of the page."""
    longest = [max((len(row[i]) for row in found.rows), default=0) for i in range(len(found.right))]
    long = [w and n > WRAPPED for w, n in zip(found.wraps, longest, strict=True)]
    width = WRAPPED
    if any(long) and found.width > page:
        width = max(WRAPPED // 3, WRAPPED - -(-(found.width - page) // sum(long)))
    letters = ["r" if right else "l" for right in found.right]
    for i, digits in numeric.items():
        letters[i] = f"S[table-format={digits}]"
    return "".join(f"p{{{width}ex}}" if w else x for w, x in zip(long, letters, strict=True))


def _long(
    spec: str, titled: str, header: str, body: list[str], rules: tuple[str, str, str]
) -> list[str]:
    top, middle, bottom = rules
    return [
        r"\small\setlength{\tabcolsep}{4pt}",
        rf"\begin{{longtable}}{{{spec}}}",
        rf"{titled}\\",
        top,
        header,
        middle,
        r"\endfirsthead",
        top,
        header,
        middle,
        r"\endhead",
        bottom,
        r"\endfoot",
        *body,
        r"\end{longtable}",
    ]


def _header(found: Cells, numeric: Mapping[int, str]) -> str:
    """Return the header on as many lines as its longest title needs, aligned at the bottom."""
    columns = [found.header_lines(i) for i in range(len(found.titles))]
    height = max(map(len, columns))
    padded = [[""] * (height - len(lines)) + lines for lines in columns]
    return "\n".join(
        _line(f"{{{escape(t)}}}" if j in numeric and t else escape(t) for j, t in enumerate(line))
        for line in zip(*padded, strict=True)
    )


def _line(texts: Iterable[str]) -> str:
    """Return a line of cells that are TeX already."""
    line = " & ".join(texts) + r" \\"
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
