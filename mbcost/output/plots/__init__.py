"""Figures for papers: PNG, SVG and PDF by suffix, the same bytes from the same data.

A figure draws rows and knows no network. To add one: a module beside these with a frozen dataclass
that is a ``Plot``, its rows in ``studies.figures``, its command in ``cli/plot.py``. Only ``page``
opens matplotlib; the values (``table``) need none of it.
"""

from mbcost.output.plots.accuracy import Accuracy
from mbcost.output.plots.bars import Bars
from mbcost.output.plots.heatmap import HeatMap
from mbcost.output.plots.layers import Layers
from mbcost.output.plots.memory import ArenaMap, Memory
from mbcost.output.plots.page import (
    FIGURE_SUFFIXES,
    Plot,
    check_figure_path,
    render,
    require,
    sheet_of,
    write_figure,
)
from mbcost.output.plots.roofline import Roofline
from mbcost.output.plots.share import Share
from mbcost.output.plots.sheet import COLUMN_IN, Sheet

__all__ = [
    "COLUMN_IN",
    "FIGURE_SUFFIXES",
    "Accuracy",
    "ArenaMap",
    "Bars",
    "HeatMap",
    "Layers",
    "Memory",
    "Plot",
    "Roofline",
    "Share",
    "Sheet",
    "check_figure_path",
    "render",
    "require",
    "sheet_of",
    "write_figure",
]
