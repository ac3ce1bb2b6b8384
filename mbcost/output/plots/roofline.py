"""Mult-adds a second over mult-adds per byte: the roofs of a device, and layers below them.

The figure of Williams, Waterman and Patterson (Communications of the ACM 52, 2009), with a sloping
roof for each cache and memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from mbcost.errors import MbcostError
from mbcost.output.plots.page import count_axis, count_text
from mbcost.output.plots.room import Labeller, box_of
from mbcost.output.plots.style import kind_fills, pens
from mbcost.output.table import Column, Record, Table

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

POINT_COLUMNS = (
    Column("target", "target"),
    Column("path", "layer"),
    Column("kind", "kind"),
    Column("mult_adds", "mult-adds", "count"),
    Column("moved_bytes", "bytes moved", "memory"),
    Column("mult_adds_per_byte", "mult-adds/byte", "digits"),
    Column("seconds", "ms", "milliseconds"),
    Column("mult_adds_per_second", "mult-adds/s", "count"),
)
POINT_KEYS = tuple(column.key for column in POINT_COLUMNS)
"""What a row holds: ``seconds`` are measured, or those of a bound."""
_LARGEST_PT2 = 60.0
"""Area of the point that takes longest in square points; the others in proportion to their time."""
_LEAST_PT2 = 3.0
_KEY_PT2 = 18.0
_ROOM = 1.6
"""Factor of the axes beyond the outermost points."""
_NAMES = 0.25
"""Height that the names above the peak have, of the height below it."""
_GAP_PT = 2.5
_NEAR = 1.25
"""Roofs whose bandwidths differ by less than this factor lie too near for a name each."""
_DECADES = 2
"""From here on an axis has its ticks at powers of ten alone."""


@dataclass(frozen=True)
class Roofline:
    """Layers that multiply as points, rows of ``POINT_KEYS``, under the roofs of a device.

    ``peak`` is in mult-adds a second; ``bandwidths`` are (name, bytes a second), those known. Where
    the seconds were not ``measured`` each point is a bound, which no run exceeds.
    """

    rows: Sequence[Record]
    device: str
    dtype: str
    peak: int
    bandwidths: Sequence[tuple[str, int]] = ()
    measured: bool = False

    def __post_init__(self) -> None:
        """Refuse what has no point to draw."""
        if not self.rows:
            raise MbcostError("nothing to draw", way_out="a TARGET with layers that multiply")

    @property
    def kinds(self) -> list[str]:
        """Return the kinds of the layers, in order."""
        return list(dict.fromkeys(row["kind"] for row in self.rows))

    def table(self) -> Table:
        """Return one row per layer; JSON has the roofs too."""
        columns: tuple[Column, ...] = POINT_COLUMNS
        if not self.measured:
            titles = {"seconds": "at least ms", "mult_adds_per_second": "at most mult-adds/s"}
            columns = tuple(c._replace(title=titles.get(c.key, c.title)) for c in columns)
        rows = [{key: row[key] for key in POINT_KEYS} for row in self.rows]
        document = {
            "device": self.device,
            "dtype": self.dtype,
            "measured": self.measured,
            "mult_adds_per_s": self.peak,
            "bytes_per_s": dict(self.bandwidths),
            "layers": rows,
        }
        return Table(columns, rows, POINT_KEYS, rows, document)

    def height(self, width: float) -> float:
        """Return four fifths of the width, and no less than 2.4 inches."""
        return max(2.4, 0.8 * width)

    def roof(self, x: float, rate: int) -> float:
        """Return the most mult-adds a second at ``x`` mult-adds per byte and a bandwidth."""
        return min(float(self.peak), x * rate)

    @property
    def areas(self) -> list[float]:
        """Return the area of each row's point in square points."""
        longest = max(row["seconds"] for row in self.rows)
        return [max(_LEAST_PT2, _LARGEST_PT2 * row["seconds"] / longest) for row in self.rows]

    @cached_property
    def limits(self) -> tuple[float, float, float, float]:
        """Return the ends of both axes: all points, and where each roof has its corner."""
        xs = [row["mult_adds_per_byte"] for row in self.rows]
        xs += [self.peak / rate for _, rate in self.bandwidths]
        ys = [row["mult_adds_per_second"] for row in self.rows] + [self.peak]
        low, high = min(ys) / _ROOM, max(ys)
        names = max(_ROOM, (high / low) ** _NAMES)
        return min(xs) / _ROOM, max(xs) * _ROOM, low, high * names

    def draw(self, figure: Figure) -> None:
        """Draw the roofs, then the points of each kind; what takes long is large."""
        from matplotlib.collections import PathCollection

        axes = figure.subplots()
        axes.set_xscale("log")
        axes.set_yscale("log")
        left, right, low, high = self.limits
        for name, rate in self.bandwidths:
            xs, ys = self._line(rate)
            axes.plot(xs, ys, color="black", linewidth=0.8, zorder=1, gid=f"roof {name}")
        corners = [self.peak / rate for _, rate in self.bandwidths]
        axes.plot(
            [left, right], [self.peak] * 2, color="0.5", linewidth=0.5, dashes=(3, 2), zorder=1
        )
        axes.plot(
            [min(corners, default=left), right],
            [self.peak] * 2,
            color="black",
            linewidth=1.2,
            zorder=1,
            gid="peak",
        )
        areas = self.areas
        fills = kind_fills(self.kinds)
        for kind, pen in zip(self.kinds, pens(len(self.kinds)), strict=True):
            which = [i for i, row in enumerate(self.rows) if row["kind"] == kind]
            own = [self.rows[i] for i in which]
            axes.scatter(
                [row["mult_adds_per_byte"] for row in own],
                [row["mult_adds_per_second"] for row in own],
                s=[areas[i] for i in which],
                marker=pen.marker,
                facecolors=fills[kind].colour,
                edgecolors="black",
                linewidths=0.4,
                alpha=0.85,
                zorder=3,
                label=kind,
                gid=kind,
            )
        axes.set_xlim(left, right)
        axes.set_ylim(low, high)
        how = "measured" if self.measured else "at most"
        _axis(axes.xaxis, (left, right), "mult-adds per byte")
        _axis(axes.yaxis, (low, high), how, "mult-adds/s")
        axes.grid(True)
        legend = figure.legend(
            loc="outside upper center",
            ncols=min(len(self.kinds), 4),
            columnspacing=1.0,
            handlelength=1.0,
            title=f"{self.device}, {self.dtype}",
        )
        for handle in legend.legend_handles:
            if isinstance(handle, PathCollection):
                handle.set_sizes([_KEY_PT2])

    def _line(self, rate: int) -> tuple[list[float], list[float]]:
        """Return where the sloping roof of a bandwidth begins and ends within the axes."""
        left, right, low, _ = self.limits
        begin = max(left, low / rate)
        end = min(right, self.peak / rate)
        return [begin, end], [self.roof(begin, rate), self.roof(end, rate)]

    def label(self, figure: Figure) -> None:
        """Name the peak above its line and each bandwidth beside its slope, where there is room."""
        axes = figure.axes[0]
        left, right, _, _ = self.limits
        peak = axes.annotate(
            f"peak {count_text(self.peak)} mult-adds/s",
            (right, self.peak),
            (-1, math.sqrt(_LARGEST_PT2) / 2 + _GAP_PT),
            textcoords="offset points",
            ha="right",
            va="bottom",
            gid="peak",
        )
        labeller = Labeller(axes, [box := box_of(peak.get_window_extent())], [box])
        for row, area in zip(self.rows, self.areas, strict=True):
            labeller.keep_off_bubble(row["mult_adds_per_byte"], row["mult_adds_per_second"], area)
        labeller.keep_off_line([(left, self.peak), (right, self.peak)], 1.2)
        for _, rate in self.bandwidths:
            labeller.keep_off_line(list(zip(*self._line(rate), strict=True)), 0.8)
        for text, rate in self.names():
            labeller.write(text, self._places(rate), {})

    def names(self) -> list[tuple[str, int]]:
        """Return what is written beside which slope, the steepest first; near ones share a name."""
        groups: list[list[tuple[str, int]]] = []
        for each in sorted(self.bandwidths, key=lambda bandwidth: bandwidth[1]):
            if groups and each[1] < _NEAR * groups[-1][-1][1]:
                groups[-1].append(each)
            else:
                groups.append([each])
        return [
            (
                ", ".join(f"{name} {count_text(rate)}B/s" for name, rate in group),
                group[-1][1],
            )
            for group in reversed(groups)
        ]

    def _places(self, rate: int) -> list[tuple[float, float]]:
        """Return points of a bandwidth's roof from which its name is not far."""
        (x0, x1), (y0, y1) = self._line(rate)
        shares = (0.4, 0.3, 0.5, 0.2, 0.6, 0.7, 0.1)
        return [(x0 * (x1 / x0) ** share, y0 * (y1 / y0) ** share) for share in shares]


def _axis(axis: Axis, ends: Iterable[float], title: str, unit: str = "") -> None:
    """Give a logarithmic axis its ticks: at 1, 2 and 5, or at powers of ten where it is long."""
    from matplotlib.ticker import LogLocator

    low, high = ends
    count_axis(axis, [high], title, log=True, unit=unit)
    if math.log10(high / low) > _DECADES:
        axis.set_major_locator(LogLocator(10))
