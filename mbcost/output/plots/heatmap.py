"""A grid of settings as a heat map: from a sweep's CSV, or counted directly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mbcost.errors import MbcostError
from mbcost.output.plots.fonts import short
from mbcost.output.plots.page import count_axis
from mbcost.output.plots.style import FONT_PT, ink_on
from mbcost.output.table import Column, Record, Table
from mbcost.units import in_prefix, number, prefix_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CELL_IN = 0.24
_DIGIT_PT = 0.64 * FONT_PT
"""Width of a digit in DejaVu Sans."""
_MARGIN_IN = 0.75
_BELOW_IN = 0.62
MOST_CELLS = 40_000
_MOST_PATHS = 5_000
"""With more cells the map is an image within the SVG or PDF, or the file would be huge."""


@dataclass(frozen=True)
class HeatMap:
    """``rows`` of one value each: ``y`` and ``x`` name its cell, ``key`` is the value.

    ``columns`` give the titles of those that have one.
    """

    rows: Sequence[Record]
    x: str = "size"
    y: str = "alpha"
    key: str = "mult_adds"
    columns: Mapping[str, Column] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse an empty grid, one too fine to see, and two values for one cell."""
        seen: dict[tuple[Any, Any], Any] = {}
        if not self.rows:
            raise MbcostError("no row to draw", way_out="a grid of at least one cell")
        for row in self.rows:
            cell = (row[self.y], row[self.x])
            if cell in seen:
                raise MbcostError(
                    f"two values of {self.key} for {self.y} {cell[0]} and {self.x} {cell[1]}",
                    way_out="one network and one value per cell: --only target=v2",
                )
            seen[cell] = row[self.key]
        if len(self.ticks(self.x)) * len(self.ticks(self.y)) > MOST_CELLS:
            raise MbcostError(
                f"{len(self.ticks(self.y))} × {len(self.ticks(self.x))} cells cannot be told apart",
                way_out=f"at most {MOST_CELLS}; other columns with --x and --y, or --only",
            )

    def ticks(self, name: str) -> list[Any]:
        """Return an axis's values: numbers rising, words in the order in which they appear."""
        values = list(dict.fromkeys(row[name] for row in self.rows))
        return sorted(values) if all(isinstance(v, int | float) for v in values) else values

    def table(self) -> Table:
        """Return one row per cell."""
        fields = (self.y, self.x, self.key)
        rows = list(self.rows)
        columns = tuple(
            Column(name, self._title(name))
            if any(isinstance(row[name], str) for row in rows)
            else self.columns.get(name) or Column(name, name)
            for name in fields
        )
        return Table(columns, rows, fields, rows, rows)

    @cached_property
    def grid(self) -> list[list[float]]:
        """Return the values by row and column; NaN where the sweep has none."""
        known = {(row[self.y], row[self.x]): row[self.key] for row in self.rows}
        nan = float("nan")
        columns = self.ticks(self.x)
        return [[known.get((y, x), nan) for x in columns] for y in self.ticks(self.y)]

    @cached_property
    def prefix(self) -> str:
        """Return the one prefix of all cells."""
        return prefix_for([row[self.key] for row in self.rows])

    def text(self, value: float) -> str:
        """Return a cell's value with three digits."""
        return in_prefix(value, self.prefix)

    def has_texts(self, width: float) -> bool:
        """Return whether the values fit in their cells on a page of this width."""
        longest = max(len(self.text(row[self.key])) for row in self.rows)
        return (longest + 1) * _DIGIT_PT / 72 <= self._cell(width) and len(
            self.ticks(self.y)
        ) * _CELL_IN <= 2 * width

    def _cell(self, width: float) -> float:
        return (width - _MARGIN_IN) / len(self.ticks(self.x))

    def height(self, width: float) -> float:
        """Return a line of text per row, or a square map where there are too many."""
        if self.has_texts(width):
            return _BELOW_IN + _CELL_IN * len(self.ticks(self.y))
        return min(0.85 * width, max(1.5, _BELOW_IN + _CELL_IN * len(self.ticks(self.y))))

    def draw(self, figure: Figure) -> None:
        """Draw the cells, light for little and dark for much; a colour bar where no text fits."""
        from matplotlib.colors import LogNorm, Normalize

        axes = figure.subplots()
        values = [row[self.key] for row in self.rows]
        low, high = min(values), max(values)
        norm = LogNorm(low, high) if 0 < low < high else Normalize(low, high)
        texts = self.has_texts(figure.get_figwidth())
        mesh = axes.pcolormesh(
            self.grid,
            norm=norm,
            cmap="cividis_r",
            edgecolors="white" if texts else "none",
            linewidth=0.4 * texts,
            rasterized=len(self.rows) > _MOST_PATHS,
        )
        self._name(axes, figure)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        if texts:
            unit = f" ({self.prefix})" if self.prefix else ""
            axes.set_title(self._title(self.key) + unit, loc="left", pad=3)
        else:
            bar = figure.colorbar(mesh, ax=axes, pad=0.02)
            count_axis(bar.ax.yaxis, values, self._title(self.key), log=0 < low < high)
            bar.outline.set_linewidth(0.4)

    def _name(self, axes: Axes, figure: Figure) -> None:
        """Name as many rows and columns as have room."""
        for axis, name, length, needed in (
            (axes.xaxis, self.x, figure.get_figwidth() - _MARGIN_IN, None),
            (axes.yaxis, self.y, figure.get_figheight() - _BELOW_IN, FONT_PT * 1.3),
        ):
            names = [_tick(value) for value in self.ticks(name)]
            if needed is None:
                needed = (max(map(len, names)) + 1) * _DIGIT_PT
            every = _step(needed, 72 * length / len(names))
            axis.set_ticks([i + 0.5 for i in range(len(names))][::every], names[::every])
            axis.set_label_text(self._title(name))

    def _title(self, name: str) -> str:
        return self.columns[name].title if name in self.columns else short(name)

    def label(self, figure: Figure) -> None:
        """Write the values where they fit."""
        if self.has_texts(figure.get_figwidth()):
            self._write(figure.axes[0])

    def _write(self, axes: Axes) -> None:
        (mesh,) = axes.collections
        columns = len(self.ticks(self.x))
        for i, line in enumerate(self.grid):
            for j, value in enumerate(line):
                if value == value:  # not NaN
                    r, g, b, _ = mesh.get_facecolors()[i * columns + j]  # type: ignore[attr-defined]
                    colour = "#" + "".join(f"{round(part * 255):02X}" for part in (r, g, b))
                    axes.text(
                        j + 0.5,
                        i + 0.5,
                        self.text(value),
                        ha="center",
                        va="center_baseline",
                        color=ink_on(colour),
                    )


def _step(needed: float, free: float) -> int:
    """Return k so that every k-th label has room."""
    return max(1, -int(-needed // free))


def _tick(value: Any) -> str:
    return number(value) if isinstance(value, int | float) else short(str(value), 12)
