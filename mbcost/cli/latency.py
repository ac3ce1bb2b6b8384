"""``mbcost latency``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from mbcost.cli.app import app
from mbcost.cli.options import Rows, Settings, Targets
from mbcost.cli.output import ExactSink, say
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

        rounds = None if self.rounds == "auto" else _at("--rounds", self.rounds)
        runtimes = _words("--runtime", self.runtime, tuple(RUNTIMES))
        dtypes = _words("--dtype", self.dtype, _DTYPES)
        return Asked(runtimes, dtypes, self.threads, rounds, self.reference, self.seed)


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
    rows: Rows,
    where: ExactSink,
    settings: Settings,
) -> None:
    """How long networks and blocks take on this machine, each with a 95 % interval.

    Targets run in turn, round by round; a ratio is the median of the rounds' ratios. At one thread
    CPU time is measured, which others on the machine hardly change. Ctrl-C ends it: the rounds that
    were finished are shown, exit code 130.

    mbcost latency v1 v2 v3-small --runtime onnx

    mbcost latency v2 --by kind

    mbcost latency standard depthwise-separable inverted-residual --in 64 --out 128 --size 56
    """
    from mbcost.output.progress import drawn
    from mbcost.studies.compare.comparison import DEFAULT_BLOCKS
    from mbcost.studies.device import latency as study
    from mbcost.studies.device import latency_table as tables
    from mbcost.studies.device import parts
    from mbcost.targets.resolve import resolve
    from mbcost.units import thousands, three_digits

    asked = how.asked()
    if by is not None and by not in tables.VIEWS:
        raise MbcostError(
            f"unknown view {by!r}", place="--by", way_out=did_you_mean(by, tables.VIEWS)
        )
    tables.check_columns(by, rows.columns, rows.sort)
    runs = study.runs_of(resolve(targets or DEFAULT_BLOCKS, settings), asked)
    study.reference_of(runs, asked.reference)
    if by is not None:
        parts.check_by(runs)
    with drawn(asked.rounds or study.MOST_ROUNDS) as draw:

        def told(done: int) -> None:
            draw(done, f"{thousands(done)} rounds", lambda speed: f"{three_digits(speed)}/s")

        try:
            if by is None:
                made = study.timing(runs, asked, told)
            else:
                shares = parts.shares(runs[0], asked, told)
                made = shares.timing
        except study.Interrupted:
            say("mbcost: interrupted before the first round was finished: nothing to show")
            raise typer.Exit(130) from None
    if by is None:
        where.show(lambda: tables.latency_table(made, rows.columns, rows.sort))
    else:
        where.show(lambda: tables.shares_table(shares, by, rows.columns, rows.sort))
    if made.measured.stopped == "interrupted":
        raise typer.Exit(130)
