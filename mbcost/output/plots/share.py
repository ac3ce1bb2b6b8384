"""Where the cost sits: stacked shares by kind of layer or by block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast

from mbcost.errors import visible
from mbcost.output.plots.bars import name_of
from mbcost.output.plots.fonts import short
from mbcost.output.plots.style import Fill, ink_on, kind_fills
from mbcost.output.table import Column, Record, Table
from mbcost.units import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

FIGURES = {"mult_adds": "mult-adds", "params": "params"}
GROUPS = ("kind", "block")
_PAD_PT = 1.5


@dataclass(frozen=True)
class Share:
    """Shares of each target's mult-adds and params, a row per segment; ``by`` is one of
    ``GROUPS`` and the key of a segment's name."""

    rows: Sequence[Record]
    by: str = "kind"
    settings_differ: bool = False
    """Whether the rows hold ``settings``, and they tell targets apart."""

    @cached_property
    def targets(self) -> list[str]:
        """Return the targets in order, a bar each."""
        return list(dict.fromkeys(row["target"] for row in self.rows))

    def _names(self) -> list[str]:
        """Return the name of each bar."""
        names = {row["target"]: short(name_of(row)) for row in self.rows}
        return [names[target] for target in self.targets]

    def table(self) -> Table:
        """Return one row per segment."""
        columns: tuple[Column, ...] = (
            Column("target", "target"),
            Column(self.by, self.by),
            Column("mult_adds", "mult-adds", "count"),
            Column("params", "params", "count"),
            Column("mult_adds_share", "share of mult-adds", "share"),
            Column("params_share", "share of params", "share"),
        )
        if self.settings_differ:
            columns += (Column("settings", "settings", "settings"),)
        fields = tuple(column.key for column in columns)
        document = [{key: row[key] for key in fields} for row in self.rows]
        return Table(columns, self.rows, fields, self.rows, document)

    def height(self, width: float) -> float:
        """Return the room of two panels; names of blocks stand upright in taller bars."""
        bar = 0.22 if self.by == "kind" else 0.62
        return 1.2 + 2 * bar * len(self.targets)

    def draw(self, figure: Figure) -> None:
        """Draw a panel per figure and a bar per target."""
        panels = figure.subplots(len(FIGURES), sharex=True, sharey=True)
        for axes, (key, title) in zip(panels, FIGURES.items(), strict=True):
            for y, target in enumerate(self.targets):
                self._stack(axes, key, y, target)
            axes.set_title(title, loc="left", pad=3)
            axes.set_yticks(range(len(self.targets)), self._names())
            axes.tick_params(axis="y", length=0)
            axes.spines["left"].set_visible(False)
        panels[0].set_xlim(0, 1)
        panels[0].set_ylim(len(self.targets) - 0.5, -0.5)
        panels[-1].set_xticks([0, 0.25, 0.5, 0.75, 1])
        panels[-1].xaxis.set_major_formatter(lambda share, _: percent(share, 0))
        if self.by == "kind":
            self._key(figure, panels[0])
        else:
            panels[-1].set_xlabel("share, from the first block (light) to the last (dark)")

    def _stack(self, axes: Axes, key: str, y: int, target: str) -> None:
        rows = [row for row in self.rows if row["target"] == target]
        left = 0.0
        for row, fill in zip(rows, self._fills(rows), strict=True):
            share = row[f"{key}_share"] or 0.0
            axes.barh(
                y,
                share,
                left=left,
                height=0.8,
                color=fill.colour,
                hatch=fill.hatch,
                edgecolor="white" if self.by == "block" else "black",
                linewidth=0.4,
                gid=visible(f"{key} {row[self.by]}"),
            )
            left += share

    def _fills(self, rows: Sequence[Record]) -> list[Fill]:
        if self.by == "kind":
            known = kind_fills(row["kind"] for row in self.rows)
            return [known[row["kind"]] for row in rows]
        from matplotlib import colormaps
        from matplotlib.colors import to_hex

        ramp = colormaps["cividis"]
        return [Fill(to_hex(ramp(1 - i / max(1, len(rows) - 1)))) for i in range(len(rows))]

    def _key(self, figure: Figure, axes: Axes) -> None:
        fills = kind_fills(row["kind"] for row in self.rows)
        handles = [
            axes.barh(
                [0],
                [0],
                color=fill.colour,
                hatch=fill.hatch,
                edgecolor="black",
                linewidth=0.4,
                gid="key",
            ).patches[0]
            for fill in fills.values()
        ]
        figure.legend(
            handles,
            [kind.replace("_", " ") for kind in fills],
            loc="outside upper center",
            ncols=min(5, len(fills)),
            columnspacing=1.0,
            handlelength=1.0,
            handletextpad=0.5,
        )

    def label(self, figure: Figure) -> None:
        """Write each segment's share, or its block's name, inside it where that fits."""
        for axes, key in zip(figure.axes, FIGURES, strict=True):
            bars = [patch for patch in axes.patches if (patch.get_gid() or "").startswith(key)]
            for row, bar in zip(self.rows, bars, strict=True):
                self._name(axes, row, key, cast("Rectangle", bar))

    def _name(self, axes: Axes, row: Record, key: str, bar: Rectangle) -> None:
        words = percent(row[f"{key}_share"] or 0, 0) if self.by == "kind" else short(row["block"])
        colour = to_hex_of(bar)
        text = axes.text(
            bar.get_x() + bar.get_width() / 2,
            bar.get_y() + bar.get_height() / 2,
            words,
            ha="center",
            va="center",
            rotation=0 if self.by == "kind" else 90,
            color=ink_on(colour),
            bbox={"boxstyle": "square,pad=0.1", "facecolor": colour, "edgecolor": "none"}
            if bar.get_hatch()
            else None,
        )
        room, free = text.get_window_extent(), bar.get_window_extent()
        pad = _PAD_PT * axes.figure.dpi / 72
        if room.width + 2 * pad > free.width or room.height > free.height:
            text.remove()


def to_hex_of(bar: Rectangle) -> str:
    """Return a bar's colour as #RRGGBB."""
    from matplotlib.colors import to_hex

    return to_hex(bar.get_facecolor())
