"""``mbcost plot``: figures for papers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mbcost.cli.app import App, app
from mbcost.cli.easel import DrawnFigure
from mbcost.cli.memory_options import HowGiven
from mbcost.cli.messages import Quiet, say
from mbcost.cli.options import Settings, Target, Targets
from mbcost.errors import MbcostError, did_you_mean
from mbcost.studies.memory.how import ITEM_BYTES
from mbcost.units import parse_word

if TYPE_CHECKING:
    from mbcost.output.plots import Plot
    from mbcost.studies.memory.how import How
    from mbcost.targets.subject import Subject

plot_app = App(
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(plot_app, name="plot")


@plot_app.callback()
def plot(quiet: Quiet = False) -> None:
    """Figures for papers: PNG, SVG or PDF by the suffix of -o."""


@plot_app.command()
def accuracy(
    *,
    targets: Targets = None,
    x: Annotated[
        str, typer.Option("--x", metavar="mult_adds|params", help="The cost on the x axis.")
    ] = "mult_adds",
    runs: Annotated[
        str | None,
        typer.Option(
            "--runs",
            metavar="DIR",
            help="The top-1 measured by the trainings in DIR, instead of published ones.",
            show_default=False,
        ),
    ] = None,
    where: DrawnFigure,
) -> None:
    """Cost against published top-1, one curve per network; without a TARGET all that have one.

    Only points that a paper printed are shown; their costs are counted. A curve joins the points
    that no other of the same network beats, the grey line those that no network beats.

    mbcost plot accuracy v1 v2 v3-large v3-small -o accuracy.pdf
    """
    from mbcost.studies import figures

    cost = x.replace("-", "_")
    if runs is None:
        where.show(figures.accuracy(targets or (), cost))
    else:
        from mbcost.studies.training.figure import trained_accuracy

        where.show(trained_accuracy(targets or (), runs, cost))


@plot_app.command()
def share(
    *,
    targets: Annotated[
        list[str], typer.Argument(metavar="TARGET...", help="Names or YAML paths: v1 v2@alpha=0.5.")
    ],
    by: Annotated[
        str, typer.Option("--by", metavar="kind|block", help="What a segment of a bar is.")
    ] = "kind",
    where: DrawnFigure,
    settings: Settings,
) -> None:
    """Where mult-adds and params sit: stacked shares by kind of layer or by block.

    mbcost plot share v1 v2 v3-large --by kind -o share.pdf
    """
    from mbcost.cli.counting import report_uncounted
    from mbcost.studies import figures
    from mbcost.studies.compare.conditions import partly
    from mbcost.targets.resolve import resolve

    subjects = resolve(list(dict.fromkeys(targets)), settings)
    where.show(figures.share(subjects, by))
    for sentence in partly(subjects):
        say(f"mbcost: {sentence}")
    report_uncounted(subjects)


@plot_app.command()
def layers(
    *,
    target: Target,
    where: DrawnFigure,
    settings: Settings,
) -> None:
    """Mult-adds, params and activation of each layer with weights, as bars.

    A batch-norm's params stand with the layer it follows.

    mbcost plot layers v2 -o layers.pdf
    """
    from mbcost.cli.counting import report_uncounted
    from mbcost.studies import figures
    from mbcost.targets.resolve import resolve_one

    subject = resolve_one(target, settings)
    where.show(figures.layers(subject))
    report_uncounted([subject])


@plot_app.command()
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
    where: DrawnFigure,
    settings: Settings,
) -> None:
    """A heat map over α and size, of a sweep's CSV or counted directly.

    For a network, --alpha and --size take lists and ranges with both ends: 0.35:1.4:0.35.

    mbcost plot sweep v2 --alpha 0.35,0.5,0.75,1,1.4 --size 96,128,160,192,224 -o sweep.pdf

    mbcost plot sweep grid.csv --key params -o sweep.pdf
    """
    from mbcost.studies import figures

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


@plot_app.command()
def memory(
    *,
    target: Target,
    by: Annotated[
        str,
        typer.Option(
            "--by", metavar="layer|tensor", help="Bytes at each step, or the map of the arena."
        ),
    ] = "layer",
    under: HowGiven,
    where: DrawnFigure,
    settings: Settings,
) -> None:
    """Bytes alive at each step, stacked by category; or where the arena puts each tensor.

    mbcost plot memory v2 --train --optimizer adam --batch 4 -o memory.pdf

    mbcost plot memory v3-small --by tensor --dtype int8 -o arena.pdf
    """
    from mbcost.studies import figures
    from mbcost.targets.resolve import resolve_one

    drawn: dict[str, Callable[[Subject, How], Plot]]
    drawn = {"layer": figures.memory, "tensor": figures.arena_map}
    if by not in drawn:
        raise MbcostError(f"unknown view {by!r}", place="--by", way_out=did_you_mean(by, drawn))
    where.show(drawn[by](resolve_one(target, settings), under))


@plot_app.command()
def roofline(
    *,
    targets: Annotated[
        list[str], typer.Argument(metavar="TARGET...", help="Names or YAML paths: v1 v2@alpha=0.5.")
    ],
    device: Annotated[
        str,
        typer.Option(
            "--device",
            metavar="NAME|FILE.yaml",
            help="A device by name (`mbcost list`), or a YAML that `mbcost roof -o` wrote.",
        ),
    ],
    dtype: Annotated[
        str,
        typer.Option("--dtype", metavar="|".join(ITEM_BYTES), help="Type of weights and maps."),
    ] = "fp32",
    where: DrawnFigure,
    settings: Settings,
) -> None:
    """Layers under the roofs of a device: mult-adds a second at most over mult-adds per byte.

    Each layer stands where its lower bound puts it, which no run exceeds; what takes longest is
    largest.

    mbcost plot roofline v1 v2 --device raspberry-pi-5 --dtype int8 -o roofline.pdf
    """
    from mbcost.studies.device.profile import load_device
    from mbcost.studies.device.roofline import bound_roofline
    from mbcost.targets.resolve import resolve

    try:
        known = parse_word(dtype, tuple(ITEM_BYTES))
    except MbcostError as error:
        raise error.at("--dtype") from None
    found = load_device(device)
    subjects = resolve(list(dict.fromkeys(targets)), settings)
    where.show(bound_roofline(subjects, found, known))
