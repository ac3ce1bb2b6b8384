"""Figures for papers: PNG, SVG and PDF by suffix, the same bytes from the same data.

To add a figure: a module beside these with a frozen dataclass that is a ``Plot``, and its command
in ``cli/plot.py``. Only ``page`` opens matplotlib; the values (``table``) need none of it.
"""

from mbcost.output.plots.accuracy import Accuracy, accuracy_plot
from mbcost.output.plots.bars import Bars
from mbcost.output.plots.heatmap import HeatMap, heat_map_of_csv, heat_map_of_grid
from mbcost.output.plots.layers import Layers
from mbcost.output.plots.page import (
    COLUMN_IN,
    FIGURE_SUFFIXES,
    Plot,
    check_figure_path,
    render,
    require,
    write_figure,
)
from mbcost.output.plots.share import Share

__all__ = [
    "COLUMN_IN",
    "FIGURE_SUFFIXES",
    "Accuracy",
    "Bars",
    "HeatMap",
    "Layers",
    "Plot",
    "Share",
    "accuracy_plot",
    "check_figure_path",
    "heat_map_of_csv",
    "heat_map_of_grid",
    "render",
    "require",
    "write_figure",
]
