"""``mbcost latency``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from mbcost import errors
from mbcost.cli.app import app
from mbcost.cli.easel import Easel, FontName, Height, Width, figure_only
from mbcost.cli.groups import Group
from mbcost.cli.options import DeviceName, Rows, Settings, Targets
from mbcost.cli.output import ExactSink
from mbcost.errors import MbcostError, did_you_mean
from mbcost.modules.latency import RUNTIMES
from mbcost.units import parse_int, parse_words

if TYPE_CHECKING:
    from mbcost.studies.device.latency import Asked

_DTYPES = tuple(dict.fromkeys(d for runtime in RUNTIMES.values() for d in runtime.dtypes))


@dataclass(frozen=True)
class How:
    """What is measured, and how, as typed."""

    runtime: Annotated[
        str,
        typer.Option(
            "--runtime",
            metavar="NAME,...",
            help=f"What runs the network: {', '.join(RUNTIMES)}. Several with commas.",
        ),
    ] = "eager"
    dtype: Annotated[
        str,
        typer.Option(
            "--dtype",
            metavar="NAME,...",
            help=f"Types of weights: {', '.join(_DTYPES)}. Several with commas.",
        ),
    ] = "fp32"
    threads: Annotated[
        int,
        typer.Option(
            "--threads",
            metavar="N",
            min=1,
            max=1024,
            help="Threads. At one CPU time is measured, at several wall time.",
        ),
    ] = 1
    rounds: Annotated[
        str,
        typer.Option(
            "--rounds",
            metavar="N|auto",
            help="Rounds, in each of which every target runs once; auto: until each ratio is known "
            "to ± 2 %.",
        ),
    ] = "auto"
    seed: Annotated[
        int, typer.Option("--seed", metavar="S", min=0, help="Seed of the order within rounds.")
    ] = 0
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            metavar="FILE.pt|RUN",
            help="Weights of the targets, as deploy takes them. Default: random weights; a time "
            "hardly depends on them.",
            show_default=False,
        ),
    ] = None
    reference: Annotated[
        str | None,
        typer.Option(
            "--reference",
            metavar="TARGET",
            help="What ratios are to, the first by default: a target, or one with what runs it, "
            "'v2 onnx int8'.",
            show_default=False,
        ),
    ] = None

    def asked(self) -> Asked:
        """Return it checked."""
        from mbcost.studies.device.latency import Asked
        from mbcost.studies.training.run import weights_of

        rounds = None if self.rounds == "auto" else _at("--rounds", self.rounds)
        runtimes = _words("--runtime", self.runtime, tuple(RUNTIMES))
        dtypes = _words("--dtype", self.dtype, _DTYPES)
        weights = None if self.weights is None else weights_of(self.weights)
        return Asked(runtimes, dtypes, self.threads, rounds, self.reference, self.seed, weights)


def _words(option: str, text: str, words: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return parse_words(text, words)
    except MbcostError as error:
        raise error.at(option) from None


def _at(option: str, text: str) -> int:
    try:
        return parse_int(text, 1, 100_000)
    except MbcostError as error:
        raise error.at(option) from None


def figure_beside(
    plot: Annotated[
        list[str] | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Draw it too: times as bars; with --by shares of time and mult-adds; with --by "
            "layer and --device a roofline. .png .svg .pdf. Repeatable.",
            show_default=False,
        ),
    ] = None,
    width: Width = "3.5in",
    height: Height = None,
    font: FontName = None,
) -> Easel | None:
    """Return where a figure goes; None if none was asked for."""
    return figure_only(plot, width, height, font)


@app.command()
def latency(
    *,
    targets: Targets = None,
    how: How,
    by: Annotated[
        str | None,
        typer.Option(
            "--by",
            metavar="layer|kind|block",
            help="Where the time of one TARGET goes, beside where its mult-adds are.",
            show_default=False,
        ),
    ] = None,
    device: DeviceName = None,
    rows: Rows,
    where: ExactSink,
    beside: Annotated[Easel | None, Group(figure_beside)],
    settings: Settings,
) -> None:
    """How long networks and blocks take on this machine, each with a 95 % interval.

    Targets run in turn, round by round; a ratio is the median of the rounds' ratios. At one thread
    CPU time is measured, which others on the machine hardly change. Ctrl-C ends it: the rounds that
    were finished are shown, exit code 130.

    mbcost latency v1 v2 v3-small --runtime onnx

    mbcost latency v2 --by kind

    mbcost latency v1 v2 --device host.yaml   (which mbcost roof -o host.yaml measures)

    mbcost latency standard depthwise-separable inverted-residual --in 64 --out 128 --size 56
    """
    from mbcost.studies.compare.comparison import DEFAULT_BLOCKS
    from mbcost.studies.device import against, figures, parts, shares_table
    from mbcost.studies.device import latency as study
    from mbcost.studies.device.latency_table import latency_table
    from mbcost.studies.device.profile import load_device
    from mbcost.targets.resolve import resolve

    asked = how.asked()
    if by is not None and by not in shares_table.VIEWS:
        raise MbcostError(
            f"unknown view {by!r}", place="--by", way_out=did_you_mean(by, shares_table.VIEWS)
        )
    roof = None if device is None else load_device(device)
    shares_table.check_columns(by, rows.columns, rows.sort, roof=roof is not None)
    runs = study.runs_of(resolve(targets or DEFAULT_BLOCKS, settings), asked)
    study.reference_of(runs, asked.reference)
    if roof is not None:
        against.check(runs, roof, asked.threads)
    if beside and roof and by in ("kind", "block"):
        raise MbcostError("a roofline is of layers", place="--plot", way_out="--by layer")
    if by is None:
        made = _watched(asked, lambda told: study.timing(runs, asked, told))
        table = latency_table(made, rows.columns, rows.sort, roof)
        where.show(lambda: table, lambda: beside.drawn(figures.times(made)) if beside else {})
    else:
        parts.check_by(runs)
        shares = _watched(asked, lambda told: parts.shares(runs[0], asked, told))
        made = shares.timing
        table = shares_table.shares_table(shares, by, rows.columns, rows.sort, roof)
        plot = (lambda: beside.drawn(figures.parts(shares, by, roof))) if beside else dict
        where.show(lambda: table, plot)
    if made.measured.stopped == "interrupted":
        raise typer.Exit(130)


Made = TypeVar("Made")


def _watched(asked: Asked, measure: Callable[[Callable[[int], None]], Made]) -> Made:
    """Measure and draw how far it is; say so where Ctrl-C came before a first round."""
    from mbcost.output.progress import drawn
    from mbcost.studies.device.latency import MOST_ROUNDS, Interrupted
    from mbcost.units import thousands, three_digits

    with drawn(asked.rounds or MOST_ROUNDS) as draw:

        def told(done: int) -> None:
            draw(done, f"{thousands(done)} rounds", lambda speed: f"{three_digits(speed)}/s")

        try:
            return measure(told)
        except Interrupted:
            problem = "interrupted before the first round was finished: nothing to show"
            raise errors.Interrupted(problem) from None
