"""``mbcost plot``: figures for papers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from mbcost.cli.app import App, app
from mbcost.cli.options import FormatName, Target, Targets, with_settings
from mbcost.cli.output import Sink, say, sink, write_files
from mbcost.errors import MbcostError, did_you_mean
from mbcost.output.formats import FORMATS

if TYPE_CHECKING:
    from mbcost.output.files import Content
    from mbcost.output.plots import Plot

plot_app = App(
    help="Figures for papers: PNG, SVG or PDF by the suffix of -o.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(plot_app, name="plot")

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
        "--width", metavar="LENGTH", help="Width of the figure, like 3.5in (a column) or 180mm."
    ),
]
ShowData = Annotated[
    bool, typer.Option("--show-data", help="Print the plotted values (--format, default csv).")
]
_DATA_FORMAT = "csv"


class Easel(NamedTuple):
    """Where a figure and its values go, checked before any work."""

    figures: tuple[Path, ...]
    data: Sink | None
    width: float

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

        return {path: render(plot, path.suffix.lower(), self.width) for path in self.figures}


def easel(
    outputs: Sequence[str] | None,
    width: str,
    show_data: bool = False,
    format_name: str = _DATA_FORMAT,
) -> Easel:
    """Return where figure and values go, or raise: no file, a wrong suffix, no matplotlib."""
    from mbcost.output.plots import FIGURE_SUFFIXES, check_figure_path

    data_suffixes = [suffix for form in FORMATS.values() for suffix in form.suffixes]
    figures, data = [], []
    for output in outputs or []:
        suffix = Path(output).suffix
        if output == "-" or suffix in data_suffixes:
            data.append(output)
        elif suffix.lower() in FIGURE_SUFFIXES:
            check_figure_path(Path(output))
            figures.append(Path(output))
        else:
            raise MbcostError(
                f"unknown suffix {suffix!r}",
                place=f"-o {output}",
                way_out=did_you_mean(suffix.lower(), [*FIGURE_SUFFIXES, *data_suffixes]),
            )
    if not (figures or data or show_data):
        raise MbcostError(
            "nowhere to draw to",
            place="-o",
            way_out="-o figure.pdf (or .svg, .png); --show-data prints the values",
        )
    inches = drawable(width) if figures else 0.0
    return Easel(tuple(figures), sink(format_name, data) if data or show_data else None, inches)


def drawable(width: str) -> float:
    """Return the width in inches, or raise: not a width, no matplotlib."""
    from mbcost.output.plots import require
    from mbcost.units import parse_length

    require()
    try:
        return parse_length(width)
    except MbcostError as error:
        raise error.at("--width") from None


def figure_only(outputs: Sequence[str], width: str) -> Easel:
    """Return where a figure goes whose values are printed anyway."""
    from mbcost.output.plots import check_figure_path

    paths = tuple(map(Path, outputs))
    for path in paths:
        check_figure_path(path)
    return Easel(paths, None, drawable(width))


@plot_app.command()
def accuracy(
    *,
    targets: Targets = None,
    x: Annotated[
        str, typer.Option("--x", metavar="mult_adds|params", help="The cost on the x axis.")
    ] = "mult_adds",
    width: Width = "3.5in",
    show_data: ShowData = False,
    format: FormatName = _DATA_FORMAT,
    output: FigureOutput = None,
) -> None:
    """Cost against published top-1, one curve per network; without a TARGET all that have one.

    Only points that a paper printed are shown; their costs are counted. A curve joins the points
    that no other of the same network beats, the grey line those that no network beats.

    mbcost plot accuracy v1 v2 v3-large v3-small -o accuracy.pdf
    """
    from mbcost.studies import figures

    where = easel(output, width, show_data, format)
    where.show(figures.accuracy(targets or (), x.replace("-", "_")))


@plot_app.command()
@with_settings
def share(
    *,
    targets: Annotated[
        list[str], typer.Argument(metavar="TARGET...", help="Names or YAML paths: v1 v2@alpha=0.5.")
    ],
    by: Annotated[
        str, typer.Option("--by", metavar="kind|block", help="What a segment of a bar is.")
    ] = "kind",
    width: Width = "3.5in",
    show_data: ShowData = False,
    format: FormatName = _DATA_FORMAT,
    output: FigureOutput = None,
    settings: dict[str, str],
) -> None:
    """Where mult-adds and params sit: stacked shares by kind of layer or by block.

    mbcost plot share v1 v2 v3-large --by kind -o share.pdf
    """
    from mbcost.cli.run import report_uncounted
    from mbcost.studies import figures
    from mbcost.studies.compare.conditions import partly
    from mbcost.targets.resolve import resolve

    where = easel(output, width, show_data, format)
    subjects = resolve(list(dict.fromkeys(targets)), settings)
    where.show(figures.share(subjects, by))
    for sentence in partly(subjects):
        say(f"mbcost: {sentence}")
    report_uncounted(subjects)


@plot_app.command()
@with_settings
def layers(
    *,
    target: Target,
    width: Width = "3.5in",
    show_data: ShowData = False,
    format: FormatName = _DATA_FORMAT,
    output: FigureOutput = None,
    settings: dict[str, str],
) -> None:
    """Mult-adds, params and activation of each layer with weights, as bars.

    A batch-norm's params stand with the layer it follows.

    mbcost plot layers v2 -o layers.pdf
    """
    from mbcost.cli.run import report_uncounted
    from mbcost.studies import figures
    from mbcost.targets.resolve import resolve_one

    where = easel(output, width, show_data, format)
    subject = resolve_one(target, settings)
    where.show(figures.layers(subject))
    report_uncounted([subject])


@plot_app.command()
@with_settings
def sweep(
    *,
    source: Annotated[
        str, typer.Argument(metavar="FILE.csv|TARGET", help="A sweep's CSV, or a network.")
    ],
    key: Annotated[
        str, typer.Option("--key", metavar="KEY", help="The value of a cell: a record's key.")
    ] = "mult_adds",
    x: Annotated[str, typer.Option("--x", metavar="KEY", help="CSV: the column across.")] = "size",
    y: Annotated[
        str, typer.Option("--y", metavar="KEY", help="CSV: the column upwards.")
    ] = "alpha",
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", metavar="KEY=VALUE", help="CSV: only rows with this value. Repeatable."
        ),
    ] = None,
    width: Width = "3.5in",
    show_data: ShowData = False,
    format: FormatName = _DATA_FORMAT,
    output: FigureOutput = None,
    settings: dict[str, str],
) -> None:
    """A heat map over α and size, of a sweep's CSV or counted directly.

    For a network, --alpha and --size take lists and ranges with both ends: 0.35:1.4:0.35.

    mbcost plot sweep v2 --alpha 0.35,0.5,0.75,1,1.4 --size 96,128,160,192,224 -o sweep.pdf

    mbcost plot sweep grid.csv --key params -o sweep.pdf
    """
    from mbcost.studies import figures

    where = easel(output, width, show_data, format)
    value, across, up = (name.replace("-", "_") for name in (key, x, y))
    if source.lower().endswith(".csv"):
        if settings:
            raise MbcostError(
                "a CSV is counted already",
                place=f"--{next(iter(settings)).replace('_', '-')}",
                way_out="--only alpha=0.5 keeps rows; or name a network",
            )
        where.show(figures.heat_map_of_csv(Path(source), across, up, value, only or ()))
        return
    if only or (across, up) != ("size", "alpha"):
        raise MbcostError(
            "--only, --x and --y choose from a CSV", place=source, way_out="leave them out"
        )
    alphas, sizes = (_listed(name, settings.pop(name, "")) for name in ("alpha", "size"))
    where.show(figures.heat_map_of_grid(source, alphas, sizes, settings, value))


def _listed(name: str, text: str) -> list[str]:
    """Return the values in a list of values and ranges, as ``sweep`` reads it."""
    from mbcost.networks.settings import SETTINGS, as_text, parse_values

    values = parse_values(SETTINGS[name], text, f"--{name}") if text else ()
    return [as_text(value) for value in values]
