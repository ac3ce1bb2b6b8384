"""Bytes over the steps of a run: what is alive when, and where a planned arena puts it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from mbcost.errors import MbcostError, visible
from mbcost.output.plots.fonts import short
from mbcost.output.plots.page import count_axis, count_text
from mbcost.output.plots.style import OKABE_ITO, Fill, ink_on
from mbcost.output.table import Column, Record, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FILLS = {
    "parameter": Fill(OKABE_ITO["black"]),
    "buffer": Fill(OKABE_ITO["black"], "...."),
    "optimizer": Fill(OKABE_ITO["green"]),
    "gradient": Fill(OKABE_ITO["vermillion"]),
    "input": Fill(OKABE_ITO["purple"]),
    "target": Fill(OKABE_ITO["purple"], "||||"),
    "saved": Fill(OKABE_ITO["blue"]),
    "activation": Fill(OKABE_ITO["sky blue"]),
    "temporary": Fill(OKABE_ITO["yellow"], "////"),
}
"""How each category of storage is drawn, the lowest first."""


@dataclass(frozen=True)
class Memory:
    """Bytes alive at each step, stacked by category.

    A row per step: ``step``, ``path``, ``phase``, ``alive_bytes``, and ``<category>_bytes`` of each
    category.
    """

    rows: Sequence[Record]

    def __post_init__(self) -> None:
        """Refuse what has no step to draw."""
        if not self.rows:
            raise MbcostError("nothing to draw", way_out="a TARGET with layers")

    @cached_property
    def categories(self) -> list[str]:
        """Return the categories that hold a byte at some step, the lowest of the stack first."""
        return [name for name in _FILLS if any(row[f"{name}_bytes"] for row in self.rows)]

    @property
    def peak(self) -> Record:
        """Return the first row with the most bytes alive."""
        return max(self.rows, key=lambda row: int(row["alive_bytes"]))

    def table(self) -> Table:
        """Return one row per step."""
        columns = (
            Column("step", "step", "whole"),
            Column("path", "layer"),
            Column("phase", "phase"),
            Column("alive_bytes", "alive", "bytes"),
            *(Column(f"{name}_bytes", name, "bytes") for name in self.categories),
        )
        fields = tuple(column.key for column in columns)
        rows = [{key: row[key] for key in fields} for row in self.rows]
        return Table(columns, rows, fields, rows, rows)

    def height(self, width: float) -> float:
        """Return the height of one panel and the key above it."""
        return max(2.4, 0.7 * width)

    def draw(self, figure: Figure) -> None:
        """Draw the stack, a step as wide as any other."""
        axes = figure.subplots()
        edges = [row["step"] - 0.5 for row in self.rows] + [self.rows[-1]["step"] + 0.5]
        below = [0] * len(self.rows)
        for name in self.categories:
            fill = _FILLS[name]
            top = [base + row[f"{name}_bytes"] for base, row in zip(below, self.rows, strict=True)]
            axes.fill_between(
                edges,
                [*below, below[-1]],
                [*top, top[-1]],
                step="post",
                facecolor=fill.colour,
                hatch=fill.hatch,
                edgecolor="white" if fill.colour == OKABE_ITO["black"] else "black",
                linewidth=0.0,
                label=name,
                gid=name,
            )
            below = top
        axes.set_xlim(edges[0], edges[-1])
        axes.set_ylim(0, 1.18 * self.peak["alive_bytes"] or 1)
        count_axis(axes.yaxis, [row["alive_bytes"] for row in self.rows], "alive", unit="B")
        axes.set_xlabel("step")
        figure.legend(
            loc="outside upper center",
            ncols=min(len(self.categories), 4),
            columnspacing=1.2,
            handlelength=1.0,
        )

    def label(self, figure: Figure) -> None:
        """Name the peak above it, and where one phase ends and the next begins."""
        axes = figure.axes[0]
        peak = self.peak
        name_on(axes, peak["step"], peak["alive_bytes"], _peak_words(peak))
        for row, after in pairwise(self.rows):
            if row["phase"] != after["phase"]:
                axes.axvline(after["step"] - 0.5, color="0.4", linewidth=0.5, dashes=(3, 2))


def _peak_words(row: Record) -> str:
    where = f" ({row['phase']})" if row["phase"] != "forward" else ""
    return f"{count_text(row['alive_bytes'])}B at {short(row['path'])}{where}"


def name_on(axes: Axes, x: float, y: float, words: str) -> None:
    """Write ``words`` above the point (x, y), kept within the axes."""
    note = axes.annotate(
        words,
        (x, y),
        (0, 7),
        textcoords="offset points",
        ha="center",
        va="bottom",
        arrowprops={"arrowstyle": "-|>", "linewidth": 0.5, "color": "black", "shrinkB": 0.0},
    )
    extent, room = note.get_window_extent(), axes.bbox
    shift = max(room.x0 - extent.x0, 0) or min(room.x1 - extent.x1, 0)
    note.set_position((shift * 72 / axes.figure.dpi, 7))


@dataclass(frozen=True)
class ArenaMap:
    """Where a planned arena puts each tensor, and for how long.

    A row per tensor: ``name``, ``first``, ``last`` (steps, both included), ``offset_bytes``,
    ``size_bytes``. ``size`` is the arena's, ``lower_bound`` the most bytes alive at once.
    """

    rows: Sequence[Record]
    size: int
    lower_bound: int

    def __post_init__(self) -> None:
        """Refuse what has no tensor to draw."""
        if not self.rows:
            raise MbcostError("nothing to draw", way_out="a TARGET with layers")

    def table(self) -> Table:
        """Return one row per tensor."""
        columns = (
            Column("name", "tensor"),
            Column("first", "first", "whole"),
            Column("last", "last", "whole"),
            Column("offset_bytes", "offset", "bytes"),
            Column("size_bytes", "size", "bytes"),
        )
        fields = tuple(column.key for column in columns)
        return Table(columns, self.rows, fields, self.rows, self.rows)

    def height(self, width: float) -> float:
        """Return the height of one panel."""
        return max(2.4, 0.7 * width)

    def draw(self, figure: Figure) -> None:
        """Draw a rectangle per tensor, and lines at the arena's size and at the lower bound."""
        axes = figure.subplots()
        for row, colour in zip(self.rows, self._colours(), strict=True):
            axes.bar(
                row["first"] - 0.5,
                row["size_bytes"],
                width=row["last"] - row["first"] + 1,
                bottom=row["offset_bytes"],
                align="edge",
                color=colour,
                edgecolor="black",
                linewidth=0.3,
                gid=visible(row["name"]),
            )
        axes.axhline(self.size, color="black", linewidth=0.8)
        if self.lower_bound < self.size:
            axes.axhline(self.lower_bound, color="black", linewidth=0.8, dashes=(4, 2))
        axes.set_xlim(-0.5, max(row["last"] for row in self.rows) + 0.5)
        axes.set_ylim(0, 1.15 * self.size or 1)
        count_axis(axes.yaxis, [self.size], "offset", unit="B")
        axes.set_xlabel("step")

    def label(self, figure: Figure) -> None:
        """Write the arena's size on its line, and names into rectangles that have the room."""
        axes = figure.axes[0]
        words = f"arena {count_text(self.size)}B"
        if self.lower_bound < self.size:
            words += f", lower bound {count_text(self.lower_bound)}B (dashed)"
        axes.annotate(
            words,
            (1, self.size),
            (0, 2),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="right",
            va="bottom",
        )
        for bar, row, colour in zip(axes.patches, self.rows, self._colours(), strict=True):
            text = axes.annotate(
                short(row["name"]),
                (
                    (row["first"] + row["last"]) / 2,
                    row["offset_bytes"] + row["size_bytes"] / 2,
                ),
                ha="center",
                va="center",
                color=ink_on(colour),
            )
            room, extent = bar.get_window_extent(), text.get_window_extent()
            if extent.width > room.width - 2 or extent.height > room.height:
                text.remove()

    def _colours(self) -> list[str]:
        """Return a colour per tensor; neighbours in time differ."""
        names = ("sky blue", "orange", "green", "yellow", "purple")
        return [OKABE_ITO[names[i % len(names)]] for i in range(len(self.rows))]
