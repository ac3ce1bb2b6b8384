"""How figures look: what survives colour blindness and grey print.

Colours are those of Okabe and Ito (2008). Whatever must be told apart differs in lightness, marker,
dash or hatch too, so that a black-and-white print loses nothing. To give a kind of layer its own
look: a line in ``KIND_FILLS``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

OKABE_ITO = {
    "black": "#000000",
    "orange": "#E69F00",
    "sky blue": "#56B4E9",
    "green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "purple": "#CC79A7",
}

FONT_PT = 7.0
"""The smallest text of a figure, in points at the printed width."""
FRONT_COLOUR = "#C8C8C8"
"""Of the Pareto front, which lies behind everything else."""


@dataclass(frozen=True, slots=True)
class Pen:
    """How one curve is drawn."""

    colour: str
    marker: str
    dash: str | tuple[int, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Fill:
    """How one kind of bar is filled."""

    colour: str
    hatch: str = ""


_LINE_COLOURS = ("black", "orange", "blue", "green", "vermillion", "sky blue", "purple")
"""Without yellow, which a thin line loses on white paper; the first four differ in lightness."""
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", "p", ">", "h")
_DASHES: tuple[str | tuple[int, tuple[float, ...]], ...] = (
    "-",
    (0, (4, 1.5)),
    (0, (1, 1)),
    (0, (6, 1.5, 1, 1.5)),
    (0, (8, 2)),
    (0, (3, 1.2, 1, 1.2, 1, 1.2)),
)

KIND_FILLS = {
    "depthwise": Fill(OKABE_ITO["orange"], ""),
    "pointwise": Fill(OKABE_ITO["blue"], ""),
    "conv": Fill(OKABE_ITO["yellow"], "////"),
    "linear": Fill(OKABE_ITO["black"], ""),
    "batch_norm": Fill(OKABE_ITO["green"], "\\\\\\\\"),
}
_OTHER_FILLS = tuple(
    Fill(OKABE_ITO[name], hatch)
    for hatch in ("xxxx", "----", "||||", "++++", "ooo")
    for name in ("sky blue", "vermillion")
)


def pens(count: int) -> list[Pen]:
    """Return a pen per curve: no two alike in marker and colour, neighbours differ in dash."""
    return [
        Pen(
            OKABE_ITO[_LINE_COLOURS[i % len(_LINE_COLOURS)]],
            _MARKERS[i % len(_MARKERS)],
            _DASHES[i % len(_DASHES)],
        )
        for i in range(count)
    ]


def kind_fills(kinds: Iterable[str]) -> dict[str, Fill]:
    """Return a fill per kind of layer: its own, or the next free one for a kind without."""
    spare = iter(_OTHER_FILLS * 10)
    return {kind: KIND_FILLS.get(kind) or next(spare) for kind in dict.fromkeys(kinds)}


def luminance(colour: str) -> float:
    """Return the relative luminance of ``#RRGGBB`` (WCAG 2): 0 is black, 1 is white."""
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours (WCAG 2): 1 to 21, text wants 4.5."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def ink_on(colour: str) -> str:
    """Return black or white, whichever reads better on ``colour``."""
    black, white = OKABE_ITO["black"], "#FFFFFF"
    return max((black, white), key=lambda ink: contrast(ink, colour))


def text_colour(colour: str) -> str:
    """Return ``colour``, darkened until text in it reads on white paper (contrast 4.5)."""
    for share in range(100, -1, -5):
        parts = (int(colour[i : i + 2], 16) * share // 100 for i in (1, 3, 5))
        darker = "#" + "".join(f"{part:02X}" for part in parts)
        if contrast(darker, "#FFFFFF") >= 4.5:
            return darker
    return OKABE_ITO["black"]
