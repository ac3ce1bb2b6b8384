"""Plain text: the table as a terminal shows it, at its full width, for pipes and ``.txt`` files.

Laid out here: rich would spend longer on measuring the cells than mbcost on computing them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from textwrap import wrap
from unicodedata import east_asian_width

from mbcost.errors import visible
from mbcost.output.cells import BROAD, GAP, Cells, cells
from mbcost.output.table import Table

LINE = 100
"""A title breaks after so many characters, or where a wider table ends."""


def to_text(table: Table, *, exact: bool = False) -> str:
    """Return title, header, rows, total and notes; prose breaks after ``BROAD`` characters."""
    found = cells(table, exact=exact, bars=True)
    lines: list[str] = []
    if found.titles:
        headers = [found.header_lines(i) for i in range(len(found.titles))]
        height = max(map(len, headers))
        header = [[""] * (height - len(column)) + column for column in headers]
        widths = [_column_width(found, i) for i in range(len(found.titles))]
        total_width = sum(widths) + GAP * (len(widths) - 1)
        lines += wrap(visible(table.title), max(total_width, LINE))
        lines += _row(header, widths, found.right)
        lines.append("─" * total_width)
        rows = [*found.rows, *([[""] * len(widths), found.total] if found.total else [])]
        for row in rows:
            broken = [
                _broken(text, BROAD) if wraps else [text]
                for text, wraps in zip(row, found.wraps, strict=True)
            ]
            lines += _row(broken, widths, found.right)
    return "\n".join([*lines, *map(visible, table.notes), ""]).lstrip("\n")


def _row(
    columns: Sequence[Sequence[str]], widths: Sequence[int], right: Sequence[bool]
) -> list[str]:
    """Return the lines of a row whose cells have several each."""
    lines = []
    for texts in zip_longest(*columns, fillvalue=""):
        padded = []
        for text, width, to_right in zip(texts, widths, right, strict=True):
            space = " " * (width - _width(text))
            padded.append(space + text if to_right else text + space)
        lines.append((" " * GAP).join(padded).rstrip())
    return lines


def _column_width(found: Cells, i: int) -> int:
    texts = [*found.header_lines(i), *(row[i] for row in found.rows)]
    if found.total:
        texts.append(found.total[i])
    longest = max(map(_width, texts))
    return min(longest, max(BROAD, found.longest_word(i))) if found.wraps[i] else longest


def _broken(text: str, width: int) -> list[str]:
    if len(text) <= width:
        return [text]
    return wrap(text, width, break_on_hyphens=False, break_long_words=False)


def _width(text: str) -> int:
    """Return the columns of a terminal that ``text`` takes: two for an East Asian wide letter."""
    if text.isascii():
        return len(text)
    return len(text) + sum(east_asian_width(letter) in "WF" for letter in text)
