"""The door to matplotlib: a page of a given width, one style, and bytes that never change.

A ``Plot`` says what it shows as a ``Table`` and draws it in two steps: ``draw`` puts the artists on
the figure, ``label`` places words once the layout stands and their room can be measured.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mbcost.errors import MbcostError, did_you_mean, not_installed, shown
from mbcost.output.plots.style import FONT_PT
from mbcost.output.table import Table
from mbcost.units import in_prefix, number, prefix_for

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

FIGURE_SUFFIXES = (".png", ".svg", ".pdf")
COLUMN_IN = 3.5
"""Width of a column of a two-column paper, 89 mm."""
PNG_DPI = 300
FONT = "DejaVu Sans"
"""Ships with matplotlib, so that a figure is the same on every machine."""

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
    "pdf.fonttype": 42,  # TrueType: what publishers ask for
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


@contextmanager
def styled(words: Iterable[str] = ()) -> Iterator[None]:
    """Draw in one style, whatever the user's matplotlibrc says, with fonts for ``words``."""
    import matplotlib

    from mbcost.output.plots.fonts import families

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        for key, value in (_STYLE | {"font.family": families(FONT, words)}).items():
            matplotlib.rcParams[key] = value  # type: ignore[index]  # its stub wants literals
        yield


def paint(plot: Plot, width: float = COLUMN_IN) -> Figure:
    """Return the drawn figure, ``width`` inches wide; only within ``styled``."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, plot.height(width)), dpi=PNG_DPI, layout="constrained")
    FigureCanvasAgg(figure)
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


def render(plot: Plot, suffix: str, width: float = COLUMN_IN) -> bytes:
    """Return the figure as a file's bytes; the same plot gives the same bytes."""
    require()
    buffer = io.BytesIO()
    with styled(words_of(plot)):
        figure = paint(plot, width)
        figure.savefig(buffer, format=suffix.lstrip("."), dpi=PNG_DPI, metadata=_METADATA[suffix])
    return buffer.getvalue()


def write_figure(plot: Plot, path: Path, width: float = COLUMN_IN) -> None:
    """Draw to ``path``, whole or not at all; its suffix decides the format."""
    from mbcost.output.files import write_whole

    check_figure_path(path)
    write_whole(path, render(plot, path.suffix.lower(), width))


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
