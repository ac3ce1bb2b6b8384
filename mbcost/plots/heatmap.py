"""A grid of settings as a heat map: from a sweep's CSV, or counted directly."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mbcost.errors import MbcostError, did_you_mean
from mbcost.export.csv import plain
from mbcost.paths import read_whole
from mbcost.plots.fonts import short
from mbcost.plots.page import count_axis
from mbcost.plots.style import FONT_PT, ink_on
from mbcost.records import COLUMNS, record
from mbcost.tables import Column, Record, Table
from mbcost.targets import resolve_one
from mbcost.units import in_prefix, parse_number, prefix_for, tick

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CELL_IN = 0.24
_DIGIT_PT = 0.64 * FONT_PT
"""Width of a digit in DejaVu Sans."""
_MARGIN_IN = 0.75
_BELOW_IN = 0.62
_MOST_CELLS = 40_000
_MOST_BYTES = 256 * 10**6
_LARGEST = 1e60
"""A figure beyond it is none of ours, and no axis shows it."""
_MOST_PATHS = 5_000
"""With more cells the map is an image within the SVG or PDF, or the file would be huge."""


@dataclass(frozen=True)
class HeatMap:
    """``rows`` of one value each: ``y`` and ``x`` name its cell, ``key`` is the value."""

    rows: Sequence[Record]
    x: str = "size"
    y: str = "alpha"
    key: str = "mult_adds"

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
        if len(self.ticks(self.x)) * len(self.ticks(self.y)) > _MOST_CELLS:
            raise MbcostError(
                f"{len(self.ticks(self.y))} × {len(self.ticks(self.x))} cells cannot be told apart",
                way_out=f"at most {_MOST_CELLS}; other columns with --x and --y, or --only",
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
            Column(name, _title(name))
            if any(isinstance(row[name], str) for row in rows)
            else COLUMNS.get(name) or Column(name, name)
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
            axes.set_title(_title(self.key) + unit, loc="left", pad=3)
        else:
            bar = figure.colorbar(mesh, ax=axes, pad=0.02)
            count_axis(bar.ax.yaxis, values, _title(self.key), log=0 < low < high)
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
            axis.set_label_text(_title(name))

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


def _title(name: str) -> str:
    return COLUMNS[name].title if name in COLUMNS else short(name)


def _tick(value: Any) -> str:
    return tick(value, "") if isinstance(value, int | float) else short(str(value), 12)


def heat_map_of_grid(
    target: str,
    alphas: Sequence[str],
    sizes: Sequence[str],
    settings: Mapping[str, str],
    key: str = "mult_adds",
) -> HeatMap:
    """Return the heat map of one network over α and size; an empty list leaves the default."""
    if len(alphas) * len(sizes) > _MOST_CELLS:
        raise MbcostError(
            f"{len(alphas)} × {len(sizes)} cells cannot be told apart",
            place="--alpha, --size",
            way_out=f"at most {_MOST_CELLS}; a coarser step",
        )
    rows = []
    for alpha in alphas or [""]:
        for size in sizes or [""]:
            chosen = {k: v for k, v in (("alpha", alpha), ("size", size)) if v}
            subject = resolve_one(target, {**settings, **chosen})
            found = record(subject)
            if key not in found or not isinstance(found[key], int | float):
                numeric = [k for k, v in found.items() if isinstance(v, int | float)]
                raise MbcostError(
                    f"cannot draw {key!r}", place="--key", way_out=did_you_mean(key, numeric)
                )
            rows.append({name: found[name] for name in ("alpha", "size", key)})
    return HeatMap(_unique(rows), key=key)


def heat_map_of_csv(
    path: Path, x: str = "size", y: str = "alpha", key: str = "mult_adds", only: Sequence[str] = ()
) -> HeatMap:
    """Return the heat map of a CSV with a header: a column for each axis and one of values.

    ``only`` are ``COLUMN=VALUE`` that a row must hold. Every error names the line.
    """
    rows = []
    wanted = [_condition(text) for text in only]
    for line, found in _csv_rows(path, (y, x, key, *(name for name, _ in wanted))):
        if all(found[name] == value for name, value in wanted):
            try:
                value = parse_number(found[key] or "")
            except MbcostError as error:
                raise error.at(f"{path}:{line}: {key}") from None
            if abs(value) > _LARGEST:
                raise MbcostError(
                    f"{found[key]} is out of range",
                    place=f"{path}:{line}: {key}",
                    way_out=f"at most {_LARGEST:g}",
                )
            rows.append({y: _axis_value(found[y]), x: _axis_value(found[x]), key: _whole(value)})
    try:
        return HeatMap(_unique(rows), x, y, key)
    except MbcostError as error:
        raise error.at(str(path)) from None


def _unique(rows: Sequence[Record]) -> list[Record]:
    """Return the rows without repetitions: the same cell said twice is still one cell."""
    return list({tuple(row.values()): row for row in rows}.values())


def _csv_rows(path: Path, needed: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    raw = read_whole(path, _MOST_BYTES, "CSV", "check the path")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise MbcostError("is not UTF-8 text", place=str(path), way_out="a CSV file") from None
    reader = csv.DictReader(text.splitlines())
    try:
        columns = list(reader.fieldnames or ())
        for name in needed:
            if name not in columns:
                raise MbcostError(
                    f"has no column {name!r}",
                    place=str(path),
                    way_out=did_you_mean(name, columns) if columns else "a header and rows",
                )
        return [(reader.line_num, {k: plain(row[k] or "") for k in needed}) for row in reader]
    except csv.Error as error:
        raise MbcostError(
            f"is not CSV: {error}",
            place=f"{path}:{reader.line_num}",
            way_out='commas between, " around what holds one',
        ) from None


def _condition(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise MbcostError(f"{text!r} is not a condition", place="--only", way_out="like target=v2")
    return name.strip().replace("-", "_"), value.strip()


def _axis_value(text: str) -> int | float | str:
    try:
        return _whole(parse_number(text))
    except MbcostError:
        return text


def _whole(value: float) -> int | float:
    return int(value) if abs(value) < 2**53 and value == int(value) else value
