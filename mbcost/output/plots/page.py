"""The door to matplotlib: a page of a given width, one style, and bytes that never change.

A ``Plot`` says what it shows as a ``Table`` and draws it in two steps: ``draw`` puts the artists on
the figure, ``label`` places words once the layout stands and their room can be measured.
"""

from __future__ import annotations

import io
import logging
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mbcost.errors import MbcostError, did_you_mean, not_installed, shown
from mbcost.output.plots.sheet import COLUMN_IN, FONT, Sheet
from mbcost.output.plots.style import FONT_PT
from mbcost.output.table import Table
from mbcost.units import MIN_HEIGHT_IN, MIN_WIDTH_IN, in_prefix, number, parse_length, prefix_for

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

FIGURE_SUFFIXES = (".png", ".svg", ".pdf")
PNG_DPI = 300

_COLUMN = Sheet()
_METADATA: dict[str, dict[str, None]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None},  # its creator stays: which matplotlib drew it
    ".pdf": {"CreationDate": None, "Producer": None, "Creator": None},
}
_STYLE: dict[str, Any] = {
    "font.size": FONT_PT,
    "axes.labelsize": FONT_PT + 1,
    "axes.titlesize": FONT_PT + 1,
    "xtick.labelsize": FONT_PT,
    "ytick.labelsize": FONT_PT,
    "legend.fontsize": FONT_PT,
    "legend.frameon": False,
    "legend.handlelength": 1.4,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "grid.linewidth": 0.4,
    "grid.color": "#DDDDDD",
    "hatch.linewidth": 0.5,
    "lines.linewidth": 1.0,
    "text.parse_math": False,  # a target may be called $5
    "text.hinting": "no_hinting",  # or a label's room would depend on the resolution
    "svg.fonttype": "path",
    "svg.hashsalt": "mbcost",
    "figure.constrained_layout.h_pad": 0.02,
    "figure.constrained_layout.w_pad": 0.02,
}


class Plot(Protocol):
    """A figure: what it shows as data, and how that is drawn."""

    def table(self) -> Table:
        """Return the plotted values."""
        ...

    def height(self, width: float) -> float:
        """Return the height in inches that suits this width."""
        ...

    def draw(self, figure: Figure) -> None:
        """Put the artists on the figure."""
        ...

    def label(self, figure: Figure) -> None:
        """Place words whose room had to be measured first; the layout stands still now."""
        ...


def require() -> None:
    """Raise if matplotlib is not installed, or cannot start in this environment."""
    import os
    from datetime import UTC, datetime

    date = os.environ.get("SOURCE_DATE_EPOCH")  # matplotlib reads it for every PDF
    if date:
        try:
            datetime.fromtimestamp(int(date), UTC)
        except (ValueError, OverflowError, OSError):
            raise MbcostError(
                f"{shown(date)} is not a time in seconds",
                place="SOURCE_DATE_EPOCH",
                way_out="unset it",
            ) from None
    try:
        import matplotlib  # noqa: F401
    except ValueError as error:
        raise MbcostError(
            f"matplotlib cannot start: {str(error).partition(';')[0]}",
            place="MPLBACKEND",
            way_out="unset it: figures are drawn without one",
        ) from None
    except ImportError:
        raise not_installed(
            "a figure",
            ["matplotlib"],
            install="'mbcost[plot]'",
            instead="; the values alone: --show-data",
        ) from None


def check_figure_path(path: Path) -> None:
    """Raise if ``path`` does not name a figure that can be written."""
    from mbcost.output.files import check_writable

    if path.suffix.lower() not in FIGURE_SUFFIXES:
        raise MbcostError(
            f"unknown suffix {path.suffix!r}",
            place=str(path),
            way_out=did_you_mean(path.suffix.lower(), FIGURE_SUFFIXES),
        )
    check_writable(path)


def sheet_of(width: str, height: str | None = None, font: str | None = None) -> Sheet:
    """Return the sheet that was asked for: ``3.5in``, ``5cm`` and an installed font, or raise.

    Only a font that is named opens matplotlib.
    """
    given = {"width": (width, MIN_WIDTH_IN), "height": (height, MIN_HEIGHT_IN)}
    sides: dict[str, float | None] = {}
    for side, (text, least) in given.items():
        try:
            sides[side] = None if text is None else parse_length(text, side, least)
        except MbcostError as error:
            raise error.at(f"--{side}") from None
    if font is None:
        return Sheet(sides["width"] or COLUMN_IN, sides["height"])
    from mbcost.output.plots.fonts import installed_family

    require()
    return Sheet(sides["width"] or COLUMN_IN, sides["height"], installed_family(font))


@contextmanager
def styled(words: Iterable[str] = (), font: str = FONT) -> Iterator[None]:
    """Draw in one style, whatever the user's matplotlibrc says, with fonts for ``words``."""
    import matplotlib

    from mbcost.output.plots.fonts import families, pdf_type

    own = {"font.family": families(font, words), "pdf.fonttype": pdf_type(font)}
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        for key, value in (_STYLE | own).items():
            matplotlib.rcParams[key] = value  # type: ignore[index]  # its stub wants literals
        yield


def paint(plot: Plot, sheet: Sheet = _COLUMN) -> Figure:
    """Return the drawn figure; only within ``styled``.

    Raises where a height or a font leaves its words no room.
    """
    width, height, font = sheet
    if height is None:
        figure = _painted(plot, width, plot.height(width))
    else:
        figure = _painted(plot, width, height)
        above = float(figure.get_figheight()) - height  # a key that was found to be needed
        if above > 0:
            figure = _painted(plot, width, max(height - above, MIN_HEIGHT_IN))
    if height is not None or font != FONT:
        from mbcost.output.plots.words import misplaced

        problem = misplaced(figure)
        if problem and height is not None:
            own = number(math.ceil(10 * plot.height(width)) / 10)
            raise MbcostError(
                problem, place="--height", way_out=f"without it the height is {own} in"
            )
        if problem:
            raise MbcostError(problem, place="--font", way_out="a larger --width, or another font")
    return figure


def _painted(plot: Plot, width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=PNG_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        # where there is no room for axes, their words say it; no number here is a formula
        warnings.filterwarnings("ignore", "constrained_layout not applied|cmr10 font should")
        plot.draw(figure)
        settle(figure)
        plot.label(figure)
    return figure


def settle(figure: Figure) -> None:
    """Lay the figure out and keep that layout, so that room on it can be measured."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


def words_of(plot: Plot) -> set[str]:
    """Return the texts among the plotted values: the words that are not mbcost's own."""
    return {value for row in plot.table().data for value in row.values() if isinstance(value, str)}


def render(plot: Plot, suffix: str, sheet: Sheet = _COLUMN) -> bytes:
    """Return the figure as a file's bytes; the same plot gives the same bytes."""
    require()
    buffer = io.BytesIO()
    with styled(words_of(plot), sheet.font):
        figure = paint(plot, sheet)
        logging.getLogger("fontTools").setLevel(logging.ERROR)  # the dates in a font are its own
        figure.savefig(buffer, format=suffix.lstrip("."), dpi=PNG_DPI, metadata=_METADATA[suffix])
    return buffer.getvalue()


def write_figure(plot: Plot, path: Path, sheet: Sheet = _COLUMN) -> None:
    """Draw to ``path``, whole or not at all; its suffix decides the format."""
    from mbcost.output.files import write_whole

    check_figure_path(path)
    write_whole(path, render(plot, path.suffix.lower(), sheet))


def count_axis(
    axis: Axis, values: Sequence[float], title: str, *, log: bool = False, unit: str = ""
) -> None:
    """Give ``axis`` ticks in one prefix, which stands with the title: mult-adds (M).

    The artists keep the raw values. A logarithmic axis has its ticks at 1, 2 and 5.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    prefix = prefix_for(values)
    scale = f"{prefix}B" if unit == "B" else f"{prefix} {unit}".strip()
    axis.set_label_text(f"{title} ({scale})" if scale else title)
    axis.set_major_formatter(FuncFormatter(lambda value, _: number(value, prefix)))
    if log:
        axis.set_major_locator(LogLocator(10, subs=(1, 2, 5)))
        axis.set_minor_locator(NullLocator())
    else:
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10], min_n_ticks=2))


def count_text(value: float) -> str:
    """Return one count with three digits and its own prefix: 9.15 k."""
    prefix = prefix_for([value])
    return f"{in_prefix(value, prefix)} {prefix}".rstrip()
