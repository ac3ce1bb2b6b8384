"""What a figure is drawn on: how wide and how high, and in which font."""

from __future__ import annotations

from typing import NamedTuple

COLUMN_IN = 3.5
"""Width of a column of a two-column paper, 89 mm."""
FONT = "DejaVu Sans"
"""Ships with matplotlib, so that a figure is the same on every machine."""


class Sheet(NamedTuple):
    """Width and height in inches, and the family of the words."""

    width: float = COLUMN_IN
    height: float | None = None
    """None where the figure has the height that suits its width."""
    font: str = FONT
