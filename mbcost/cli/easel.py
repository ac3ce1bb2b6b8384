"""Where a figure and its values go."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from mbcost.cli.groups import Group
from mbcost.cli.options import FormatName
from mbcost.cli.output import Sink, parted, plain_sink, write_files
from mbcost.errors import MbcostError

if TYPE_CHECKING:
    from mbcost.output.files import Content
    from mbcost.output.plots import Plot, Sheet

FigureOutput = Annotated[
    list[str] | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="Draw to FILE; the suffix decides: .png .svg .pdf, or .csv .json .md .tex .txt for "
        "the plotted values. Repeatable.",
        show_default=False,
    ),
]
Width = Annotated[
    str,
    typer.Option(
        "--width",
        metavar="LENGTH",
        help="Width of the figure, like 3.5in (a column), 180mm, 8.9cm or TeX's 252pt.",
    ),
]
Height = Annotated[
    str | None,
    typer.Option(
        "--height",
        metavar="LENGTH",
        help="Height of the figure, like 5cm, 2in or 240pt; by default what suits its width.",
        show_default=False,
    ),
]
FontName = Annotated[
    str | None,
    typer.Option(
        "--font",
        metavar="NAME",
        help="An installed font for all words, like 'STIXGeneral' or 'Times New Roman'; by "
        "default DejaVu Sans, which is the same on every machine.",
        show_default=False,
    ),
]
ShowData = Annotated[
    bool, typer.Option("--show-data", help="Print the plotted values (--format, default csv).")
]


class Easel(NamedTuple):
    """Where a figure and its values go, checked before any work."""

    figures: tuple[Path, ...]
    data: Sink | None
    sheet: Sheet

    def show(self, plot: Plot) -> None:
        """Draw the figure to its files and write its values: all files or none."""
        drawn = self.drawn(plot)
        if self.data:
            table = plot.table()
            self.data.show(lambda: table, beside=lambda: drawn)
        else:
            write_files(drawn)

    def drawn(self, plot: Plot) -> dict[Path, Content]:
        """Return the bytes of each file of the figure."""
        from mbcost.output.plots import render

        return {path: render(plot, path.suffix.lower(), self.sheet) for path in self.figures}


def easel(
    width: Width = "3.5in",
    height: Height = None,
    font: FontName = None,
    show_data: ShowData = False,
    format: FormatName = "csv",
    output: FigureOutput = None,
) -> Easel:
    """Return where figure and values go, or raise: no file, a wrong suffix, no matplotlib."""
    from mbcost.output.plots import FIGURE_SUFFIXES, Sheet, check_figure_path

    figures, data = parted(output, FIGURE_SUFFIXES)
    for path in figures:
        check_figure_path(path)
    if not (figures or data or show_data):
        raise MbcostError(
            "nowhere to draw to",
            place="-o",
            way_out="-o figure.pdf (or .svg, .png); --show-data prints the values",
        )
    sheet = drawable(width, height, font) if figures else Sheet()
    return Easel(figures, plain_sink(format, data) if data or show_data else None, sheet)


def drawable(width: str, height: str | None, font: str | None) -> Sheet:
    """Return what is drawn on, or raise: not a length, no such font, no matplotlib."""
    from mbcost.output.plots import require, sheet_of

    require()
    return sheet_of(width, height, font)


def figure_only(
    plot: Annotated[
        list[str] | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Draw params and mult-adds as bars too: .png .svg .pdf. Repeatable.",
            show_default=False,
        ),
    ] = None,
    width: Width = "3.5in",
    height: Height = None,
    font: FontName = None,
) -> Easel | None:
    """Return where a figure goes whose values are printed anyway; None if none was asked for."""
    if not plot:
        return None
    from mbcost.output.plots import check_figure_path

    paths = tuple(map(Path, plot))
    for path in paths:
        check_figure_path(path)
    return Easel(paths, None, drawable(width, height, font))


DrawnFigure = Annotated[Easel, Group(easel)]
FigureBeside = Annotated[Easel | None, Group(figure_only)]
