"""``mbcost memory``."""

from __future__ import annotations

from typing import Annotated

import typer

from mbcost.cli.app import app
from mbcost.cli.memory_options import HowGiven
from mbcost.cli.options import Rows, Settings, Targets
from mbcost.cli.output import ExactSink
from mbcost.errors import MbcostError, did_you_mean


@app.command()
def memory(
    *,
    targets: Targets = None,
    under: HowGiven,
    by: Annotated[
        str | None,
        typer.Option(
            "--by",
            metavar="layer",
            help="What is alive at each step, of one TARGET.",
            show_default=False,
        ),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Really run it on the CPU, watch its storages, and compare."),
    ] = False,
    rows: Rows,
    where: ExactSink,
    settings: Settings,
) -> None:
    """The memory of networks and blocks, to the byte: to run, to be deployed, to be trained.

    By closed form; torch is not imported without --verify. Peak: the most bytes of maps alive when
    a layer has run and freed nothing yet. Bound: the same of the deployed network, its activations
    fused. Arena: where a planner places those maps. With --train, a step of training.

    mbcost memory v1 v2 v3-small --dtype int8

    mbcost memory v2 --train --optimizer adam --batch 4 --verify

    mbcost memory v2 --size 96 --train --optimizer adam --fit 200MB
    """
    from mbcost.studies.compare.comparison import DEFAULT_BLOCKS
    from mbcost.studies.memory.table import VIEWS, memory_table, parts_table
    from mbcost.targets.resolve import resolve, resolve_one

    if by is not None:
        if by not in VIEWS:
            raise MbcostError(f"unknown view {by!r}", place="--by", way_out=did_you_mean(by, VIEWS))
        if verify or len(targets or ()) != 1:
            raise MbcostError(
                "shows the steps or tensors of one target",
                place="--by",
                way_out="one TARGET, without --verify",
            )
        subject = resolve_one((targets or [""])[0], settings)
        where.show(lambda: parts_table(subject, under, by, rows.columns, rows.sort))
        return
    subjects = resolve(targets or DEFAULT_BLOCKS, settings)
    if not verify:
        where.show(lambda: memory_table(subjects, under, None, rows.columns, rows.sort))
        return
    from mbcost.studies.memory import verify as runs

    ran = where.fill_in(
        runs.verify_all(subjects, under),
        lambda ran: memory_table(subjects, under, ran, rows.columns, rows.sort),
    )
    runs.raise_if_different(subjects, ran)
