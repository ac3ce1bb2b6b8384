"""How an author wants a table: headings, caption, digits, prefixes, bold, rules and width.

Of tables for people; CSV and JSON hold the raw values whatever was chosen here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

LINE_WIDTHS = {1: 50, 2: 104}
"""Characters of the small font across one and two columns of a page of two."""


class Look(NamedTuple):
    """What was chosen; as it is, a table looks as it ever did."""

    headings: Mapping[str, str] = {}
    """By key of a column."""
    caption: str | None = None
    title: str | None = None
    tex_label: str = ""
    tabular_only: bool = False
    plain: bool = False
    """Rules of LaTeX itself instead of booktabs."""
    siunitx: bool = False
    """Figures in S columns, aligned at the point."""
    bold: bool = False
    """The best figure of each column."""
    digits: int | None = None
    prefixes: Mapping[str, str] = {}
    """SI prefix by key of a column; under an empty key that of all counts."""
    span: int | None = None
    """Columns of a page of two that the table is as wide as."""

    def prefix_of(self, key: str) -> str | None:
        """Return the prefix that was chosen for a column; None for its own."""
        return self.prefixes.get(key, self.prefixes.get(""))


AS_EVER = Look()


def direction(key: str) -> int:
    """Return −1 where less of a column is better, 1 where more is, 0 where neither."""
    if key in ("top1", "trained_top1"):
        return 1
    costs = ("params", "params_weights", "params_all", "mult_adds", "flops")
    less = key in costs or key.endswith(("_bytes", "params_ratio", "mult_adds_ratio"))
    return -1 if less else 0
