"""One network layer by layer: mult-adds, params and activation as bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mbcost.output.plots.page import count_axis
from mbcost.output.plots.style import Fill, kind_fills
from mbcost.output.table import Column, Record, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FIGURES = {
    "mult_adds": "mult-adds",
    "params": "params",
    "activation_elements": "activation",
}
UNITS = {"mult_adds": "", "params": "", "activation_elements": "elements"}
_COLUMNS = (
    Column("path", "layer"),
    Column("block", "block"),
    Column("kind", "kind"),
    *(Column(key, title, "count") for key, title in FIGURES.items()),
)
_FIELDS = tuple(column.key for column in _COLUMNS)


@dataclass(frozen=True)
class Layers:
    """A row per layer with weights, in the order in which they run."""

    rows: Sequence[Record]

    def table(self) -> Table:
        """Return one row per group of bars."""
        return Table(_COLUMNS, self.rows, _FIELDS, self.rows, self.rows)

    def height(self, width: float) -> float:
        """Return the height of three panels and the key above them."""
        return max(3.0, 0.95 * width)

    def draw(self, figure: Figure) -> None:
        """Draw a panel per figure, the kinds of layers told apart by colour and hatch."""
        fills = kind_fills(row["kind"] for row in self.rows)
        panels = figure.subplots(len(FIGURES), sharex=True)
        for axes, (key, title) in zip(panels, FIGURES.items(), strict=True):
            for kind, fill in fills.items():
                self._bars(axes, key, kind, fill)
            count_axis(axes.yaxis, [row[key] for row in self.rows], f"{title}\n", unit=UNITS[key])
        figure.align_ylabels(panels)
        panels[0].set_xlim(-0.8, len(self.rows) - 0.2)
        panels[-1].set_xlabel("layer, by row of the network's table" if self.starts() else "layer")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(
            handles,
            [label.replace("_", " ") for label in labels],
            loc="outside upper center",
            ncols=len(labels),
            columnspacing=1.2,
            handlelength=1.0,
        )

    def _bars(self, axes: Axes, key: str, kind: str, fill: Fill) -> None:
        at = [i for i, row in enumerate(self.rows) if row["kind"] == kind]
        axes.bar(
            at,
            [self.rows[i][key] for i in at],
            width=0.85,
            color=fill.colour,
            hatch=fill.hatch,
            edgecolor="black",
            linewidth=0.25,
            label=kind,
        )

    def starts(self) -> dict[int, str]:
        """Return where each row of the network's table starts, by the bar's index."""
        found: dict[str, int] = {}
        for i, row in enumerate(self.rows):
            parts = row["block"].split(".")
            if parts[0] == "rows" and len(parts) > 1:
                found.setdefault(parts[1], i)
        return {i: name for name, i in found.items()}

    def label(self, figure: Figure) -> None:
        """Number the rows of the table below the bars, as many as have room."""
        bottom = figure.axes[len(FIGURES) - 1]
        starts = self.starts()
        if not starts:
            return
        pixels_per_bar = bottom.bbox.width / (len(self.rows) + 0.6)
        digit = 0.72 * 7 * figure.dpi / 72
        free_from = -1e9
        kept = []
        for i, name in starts.items():
            half = len(name) * digit / 2
            right = bottom.bbox.x0 + (i + 0.8) * pixels_per_bar + half
            if i * pixels_per_bar - half >= free_from and right <= figure.bbox.width:
                kept.append(i)
                free_from = i * pixels_per_bar + half + digit / 2
        bottom.set_xticks(kept, [starts[i] for i in kept])
        bottom.set_xticks([i for i in starts if i not in kept], minor=True)
