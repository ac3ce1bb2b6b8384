"""Cost against top-1, published or measured: the trade-off figure of the MobileNet papers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mbcost.errors import visible
from mbcost.output.plots.fonts import emphasis, short
from mbcost.output.plots.page import count_axis, settle
from mbcost.output.plots.room import Labeller, box_of
from mbcost.output.plots.style import FRONT_COLOUR, Pen, pens, text_colour
from mbcost.output.table import Column, Record, Table
from mbcost.units import number, round_below, round_count

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COSTS = {"mult_adds": "mult-adds", "params": "params"}
POINT_KEYS = ("target", "alpha", "size", "params", "mult_adds", "top1", "on_curve", "on_front")
_LARGEST_PT2 = 55.0
"""Area of the largest bubble in square points; the others are in proportion to their params."""
_KEY_LINE_IN = 0.15
_NOTE_REACH_PT = 9.0
"""How far from its point α or size may stand; a point without such room goes without."""


@dataclass(frozen=True)
class Accuracy:
    """Points of several networks, in order; rows hold ``native_size`` and the keys of
    ``columns``."""

    columns: tuple[Column, ...]
    rows: tuple[Record, ...]
    cost: str = "mult_adds"
    score: str = "top1"
    """The key of what stands on the other axis: published and measured ones never share one."""
    label_y: str = "published top-1 (%)"

    @property
    def networks(self) -> list[str]:
        """Return the networks in the order of their curves."""
        return list(dict.fromkeys(row["target"] for row in self.rows))

    def curve(self, network: str) -> list[Record]:
        """Return what one would choose from a network: its points no other of its own beats."""
        rows = [row for row in self.rows if row["target"] == network and row["on_curve"]]
        return sorted(rows, key=lambda row: (row[self.cost], row[self.score]))

    def front(self) -> list[Record]:
        """Return the points that no point of any network beats, cheapest first."""
        rows = [row for row in self.rows if row["on_front"]]
        return sorted(rows, key=lambda row: (row[self.cost], row[self.score]))

    def table(self) -> Table:
        """Return one row per point."""
        keys = tuple(column.key for column in self.columns)
        rows = [{key: row[key] for key in keys} for row in self.rows]
        return Table(self.columns, rows, keys, rows, rows)

    def height(self, width: float) -> float:
        """Return three quarters of the width, and no less than two inches."""
        return max(2.0, 0.78 * width)

    def areas(self) -> list[float]:
        """Return the area of each row's bubble in square points, in proportion to its params."""
        largest = max(row["params"] for row in self.rows)
        return [_LARGEST_PT2 * row["params"] / largest for row in self.rows]

    def draw(self, figure: Figure) -> None:
        """Draw the front behind everything, then a curve and its bubbles per network."""
        axes = figure.subplots()
        axes.set_xscale("log")
        front = self.front()
        axes.plot(
            [row[self.cost] for row in front],
            [row[self.score] for row in front],
            color=FRONT_COLOUR,
            linewidth=4.5,
            solid_capstyle="round",
            zorder=1,
            label="Pareto front",
        )
        areas = self.areas()
        for network, pen in zip(self.networks, pens(len(self.networks)), strict=True):
            curve = self.curve(network)
            axes.plot(
                [row[self.cost] for row in curve],
                [row[self.score] for row in curve],
                color=pen.colour,
                linestyle=pen.dash,
                zorder=2,
                gid=visible(f"curve {network}"),
            )
            own = [i for i, row in enumerate(self.rows) if row["target"] == network]
            rows = [self.rows[i] for i in own]
            axes.scatter(
                [row[self.cost] for row in rows],
                [row[self.score] for row in rows],
                s=[areas[i] for i in own],
                marker=pen.marker,
                facecolors=[pen.colour if row["on_curve"] else "white" for row in rows],
                edgecolors=pen.colour,
                linewidths=0.6,
                zorder=3,
                gid=visible(f"points {network}"),
            )
        self._axes(axes)
        self._key(axes)

    def _axes(self, axes: Axes) -> None:
        costs = [row[self.cost] for row in self.rows]
        if max(costs) / min(costs) < 3:  # or a single point would stand on an axis without ticks
            axes.set_xlim(min(costs) / 2.2, max(costs) * 2.2)
        axes.margins(x=0.08, y=0.1)
        count_axis(axes.xaxis, costs, COSTS[self.cost], log=True)
        axes.set_ylabel(self.label_y)
        axes.grid(True)

    def _key(self, axes: Axes) -> None:
        """Say what the grey line and the areas mean, below right, where no trade-off reaches."""
        largest = max(row["params"] for row in self.rows)
        for params in (round_below(largest), round_below(largest / 4)):
            axes.scatter(
                [],
                [],
                s=_LARGEST_PT2 * params / largest,
                color="0.45",
                label=f"{round_count(params)} params",
                gid="key",
            )
        axes.scatter(
            [], [], s=14, facecolors="white", edgecolors="0.3", label="dominated", gid="key"
        )
        axes.legend(loc="lower right", handlelength=1.6, labelspacing=0.35, borderpad=0.1)

    def label(self, figure: Figure) -> None:
        """Write each network's name near its curve, then α or size at the points with room.

        Names that do not all find room go into a key above instead.
        """
        axes = figure.axes[0]
        named = list(zip(self.networks, pens(len(self.networks)), strict=True))
        labeller = self._labeller(axes)
        fits = [
            labeller.write(
                short(network),
                [(row[self.cost], row[self.score]) for row in reversed(self.curve(network))],
                {"color": text_colour(pen.colour), "fontweight": emphasis()},
            )
            for network, pen in named
        ]
        if not all(fits):
            for text in list(axes.texts):
                text.remove()
            self._name_above(figure, named)
            labeller = self._labeller(axes)
        for network, pen in named:
            for row in reversed(self.curve(network)):
                at = [(row[self.cost], row[self.score])]
                style = {"color": text_colour(pen.colour)}
                labeller.write(_setting(row), at, style, _NOTE_REACH_PT)

    def _name_above(self, figure: Figure, named: Sequence[tuple[str, Pen]]) -> None:
        """Put the names with their markers and dashes above the axes, on a taller page."""
        handles = [
            figure.axes[0].plot(
                [],
                [],
                color=pen.colour,
                linestyle=pen.dash,
                marker=pen.marker,
                markersize=4,
                label=short(network),
                gid="key",
            )[0]
            for network, pen in named
        ]
        width, height = figure.get_size_inches()
        longest = max(len(short(network)) for network, _ in named)
        columns = max(1, min(len(named), int(72 * width / (longest * 4.6 + 30))))
        lines = -(-len(named) // columns)
        figure.set_size_inches(width, height + _KEY_LINE_IN * lines)
        figure.legend(
            handles=handles,
            loc="outside upper center",
            ncols=columns,
            columnspacing=1.0,
            handlelength=2.4,
            labelspacing=0.3,
        )
        figure.set_layout_engine("constrained")
        settle(figure)

    def _labeller(self, axes: Axes) -> Labeller:
        """Return a labeller that keeps off bubbles, curves, the front and the key."""
        labeller = Labeller(axes)
        for row, area in zip(self.rows, self.areas(), strict=True):
            labeller.keep_off_bubble(row[self.cost], row[self.score], area)
        for line in (self.front(), *map(self.curve, self.networks)):
            labeller.keep_off_line([(row[self.cost], row[self.score]) for row in line], 1.5)
        legend = axes.get_legend()
        if legend is not None:
            labeller.taken.append(box_of(legend.get_window_extent()))
        return labeller


def _setting(row: Record) -> str:
    """Return what sets a point apart from the network as published: α, its size, or both."""
    alpha = number(row["alpha"])
    if row["size"] == row["native_size"]:
        return alpha
    return str(row["size"]) if row["alpha"] == 1 else f"{alpha}, {row['size']}"
