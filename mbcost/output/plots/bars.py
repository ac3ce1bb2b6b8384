"""Blocks or networks side by side as bars: the figure of ``mbcost compare --plot``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mbcost.errors import MbcostError
from mbcost.output.plots.fonts import short
from mbcost.output.plots.page import count_axis, count_text
from mbcost.output.plots.style import OKABE_ITO
from mbcost.output.table import Column, Record, Table
from mbcost.units import ratio_in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FIGURES = {"params": "params", "mult_adds": "mult-adds"}
BAR_KEYS = ("target", "params", "mult_adds", "params_ratio", "mult_adds_ratio")
"""What a row of bars holds; ratios are to the reference."""
_REFERENCE_COLOUR = OKABE_ITO["black"]
_COLOUR = OKABE_ITO["sky blue"]
_GAP_PT = 3.0


@dataclass(frozen=True)
class Bars:
    """Params and mult-adds of each row, the reference in black; ``columns`` are ``BAR_KEYS``.

    A row may hold a ``label``, by which people know it.
    """

    columns: tuple[Column, ...]
    rows: Sequence[Record]
    reference: int = 0
    title: str = FIGURES["mult_adds"]
    """What the mult-adds are called, which may be restated."""

    def __post_init__(self) -> None:
        """Refuse what has no bar to draw."""
        if not self.rows:
            raise MbcostError("nothing to draw", way_out="name a TARGET")

    def table(self) -> Table:
        """Return one row per bar pair."""
        return Table(self.columns, self.rows, BAR_KEYS, self.rows, self.rows)

    def height(self, width: float) -> float:
        """Return the room of two panels with a line of text per bar."""
        key = 0.2 if len(self.rows) > 1 else 0.0
        return key + 2 * (0.42 + 0.19 * len(self.rows))

    def draw(self, figure: Figure) -> None:
        """Draw a panel per figure, first target on top."""
        panels = figure.subplots(len(FIGURES), sharey=True)
        for axes, (key, title) in zip(panels, FIGURES.items(), strict=True):
            values = [record[key] for record in self.rows]
            axes.barh(
                range(len(values)),
                values,
                height=0.7,
                color=[
                    _REFERENCE_COLOUR if i == self.reference else _COLOUR
                    for i in range(len(values))
                ],
                edgecolor="black",
                linewidth=0.5,
                gid=key,
            )
            axes.set_yticks(range(len(values)), [short(name_of(record)) for record in self.rows])
            axes.tick_params(axis="y", length=0)
            count_axis(axes.xaxis, values, self.title if key == "mult_adds" else title)
            axes.set_xlim(0, (max(values) or 1) * 1.5)
        panels[0].set_ylim(len(self.rows) - 0.45, -0.55)
        if len(self.rows) > 1:
            self._key(figure)

    def _key(self, figure: Figure) -> None:
        """Say what the ratios compare with."""
        from matplotlib.patches import Patch

        words = {"reference": _REFERENCE_COLOUR, "compared with it": _COLOUR}
        figure.legend(
            handles=[
                Patch(facecolor=colour, edgecolor="black", linewidth=0.5, label=word)
                for word, colour in words.items()
            ],
            loc="outside upper center",
            ncols=len(words),
            handlelength=1.0,
            columnspacing=1.2,
        )

    def label(self, figure: Figure) -> None:
        """Write each value at the end of its bar, and make the axis long enough for it."""
        for axes, key in zip(figure.axes, FIGURES, strict=True):
            texts = [
                axes.annotate(
                    self._words(i, key),
                    (record[key], i),
                    (_GAP_PT, 0),
                    textcoords="offset points",
                    va="center_baseline",
                )
                for i, record in enumerate(self.rows)
            ]
            widths = [text.get_window_extent().width for text in texts]
            make_room(axes, [record[key] for record in self.rows], widths)

    def _words(self, i: int, key: str) -> str:
        record = self.rows[i]
        ratio = record[f"{key}_ratio"]
        words = count_text(record[key])
        if i == self.reference or ratio is None or not record[key]:
            return words
        return f"{words}, {'the same' if ratio == 1 else ratio_in_words(ratio)}"


def name_of(row: Record) -> str:
    """Return the name of a row's target as people read it: its label where it has one."""
    return str(row.get("label") or row["target"])


def make_room(axes: Axes, values: Sequence[float], widths: Sequence[float]) -> None:
    """Set the x axis so that a label ``widths`` pixels wide fits beyond each bar; its line ends
    with the longest bar, and its name stands below that line."""
    whole = float(axes.bbox.width)
    gap = 2 * _GAP_PT * axes.figure.dpi / 72
    room = [max(whole - width - gap, whole / 20) for width in widths]
    ends = [value * whole / free for value, free in zip(values, room, strict=True)]
    longest = max(values)
    end = max(*ends, longest) or 1
    axes.set_xlim(0, end)
    axes.set_xticks([at for at in axes.get_xticks() if 0 <= at <= longest])
    axes.spines["bottom"].set_bounds(0, longest)
    name = axes.xaxis.label
    before = float(axes.bbox.x0) / whole  # of the page, where it may begin
    half = float(name.get_window_extent().width) / whole / 2
    name.set_x(max(longest / end / 2, half - before))
