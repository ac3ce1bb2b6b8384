"""Measured times as bars: runs side by side, and where the time of one goes beside its work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mbcost.errors import MbcostError
from mbcost.output.plots.bars import make_room
from mbcost.output.plots.fonts import short
from mbcost.output.plots.style import OKABE_ITO
from mbcost.output.table import Column, Record, Table
from mbcost.units import milliseconds, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GAP_PT = 3.0
_ROW_IN = 0.19
_AXIS_IN = 0.45
TIME_COLUMNS = (
    Column("name", "run"),
    Column("runtime", "runtime"),
    Column("seconds", "ms", "milliseconds"),
    Column("seconds_low", "from", "milliseconds"),
    Column("seconds_high", "to", "milliseconds"),
)
_COLOURS = {
    "eager": OKABE_ITO["sky blue"],
    "compile": OKABE_ITO["blue"],
    "onnx": OKABE_ITO["orange"],
    "litert": OKABE_ITO["yellow"],
}
_HATCHES = {"compile": "////", "onnx": "....", "litert": "xxxx"}


@dataclass(frozen=True)
class Times:
    """Medians with their 95 % intervals, a row per run: the keys of ``TIME_COLUMNS``."""

    rows: Sequence[Record]

    def table(self) -> Table:
        """Return one row per bar."""
        fields = tuple(column.key for column in TIME_COLUMNS)
        return Table(TIME_COLUMNS, self.rows, fields, self.rows, self.rows)

    def height(self, width: float) -> float:
        """Return the room of a line of text per bar."""
        return _AXIS_IN + _ROW_IN * max(2, len(self.rows))

    def draw(self, figure: Figure) -> None:
        """Draw a bar per run, the first on top, with the ends of its interval."""
        axes = figure.subplots()
        for i, row in enumerate(self.rows):
            axes.barh(
                i,
                1e3 * row["seconds"],
                height=0.7,
                color=_COLOURS[row["runtime"]],
                hatch=_HATCHES.get(row["runtime"], ""),
                edgecolor="black",
                linewidth=0.5,
                gid=row["name"],
            )
            if row["seconds_low"] is not None:
                ends = [1e3 * row["seconds_low"], 1e3 * row["seconds_high"]]
                axes.plot(ends, [i, i], color="black", linewidth=1.5, marker="|", markersize=5)
        axes.set_yticks(range(len(self.rows)), [short(row["name"], 36) for row in self.rows])
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("ms, median and 95 % interval")
        axes.set_ylim(len(self.rows) - 0.45, -0.55)

    def label(self, figure: Figure) -> None:
        """Write each time at the end of its bar or interval."""
        (axes,) = figure.axes
        ends = [1e3 * (row["seconds_high"] or row["seconds"]) for row in self.rows]
        texts = [
            axes.annotate(
                milliseconds(row["seconds"]),
                (end, i),
                (_GAP_PT, 0),
                textcoords="offset points",
                va="center_baseline",
            )
            for i, (row, end) in enumerate(zip(self.rows, ends, strict=True))
        ]
        make_room(axes, ends, [text.get_window_extent().width for text in texts])


SHARE_KEYS = {"mult_adds_share": "mult-adds", "time_share": "time"}


@dataclass(frozen=True)
class TimeShares:
    """Share of mult-adds against share of time, two bars a row; ``by`` is the key of its name."""

    rows: Sequence[Record]
    by: str

    def __post_init__(self) -> None:
        """Refuse what has no bar to draw."""
        if not self.rows:
            raise MbcostError("nothing to draw", way_out="another TARGET")

    def table(self) -> Table:
        """Return one row per pair of bars."""
        columns = (
            Column(self.by, self.by),
            *(Column(key, f"share of {title}", "share") for key, title in SHARE_KEYS.items()),
        )
        fields = tuple(column.key for column in columns)
        rows = [{key: row[key] for key in fields} for row in self.rows]
        return Table(columns, rows, fields, rows, rows)

    def height(self, width: float) -> float:
        """Return the room of two bars a row, and of the legend."""
        return 0.75 + 0.27 * len(self.rows)

    def draw(self, figure: Figure) -> None:
        """Draw mult-adds above time in each row."""
        axes = figure.subplots()
        fills = {"mult_adds_share": ("white", "////"), "time_share": (OKABE_ITO["orange"], "")}
        for offset, (key, title) in zip((-0.2, 0.2), SHARE_KEYS.items(), strict=True):
            colour, hatch = fills[key]
            axes.barh(
                [i + offset for i in range(len(self.rows))],
                [100 * (row[key] or 0) for row in self.rows],
                height=0.38,
                color=colour,
                hatch=hatch,
                edgecolor="black",
                linewidth=0.5,
                label=f"share of {title}",
                gid=key,
            )
        axes.set_yticks(range(len(self.rows)), [short(row[self.by]) for row in self.rows])
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("%")
        axes.set_ylim(len(self.rows) - 0.5, -0.5)
        figure.legend(loc="outside upper center", ncols=2, handlelength=1.2, columnspacing=1.2)

    def label(self, figure: Figure) -> None:
        """Write each share at the end of its bar."""
        (axes,) = figure.axes
        texts, ends = [], []
        for offset, key in zip((-0.2, 0.2), SHARE_KEYS, strict=True):
            for i, row in enumerate(self.rows):
                share = row[key] or 0.0
                ends.append(100 * share)
                texts.append(
                    axes.annotate(
                        percent(share),
                        (100 * share, i + offset),
                        (_GAP_PT, 0),
                        textcoords="offset points",
                        va="center_baseline",
                    )
                )
        make_room(axes, ends, [text.get_window_extent().width for text in texts])
