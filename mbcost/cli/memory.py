"""``mbcost memory``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from mbcost.cli.app import app
from mbcost.cli.groups import Group
from mbcost.cli.options import Rows, Settings, Targets
from mbcost.cli.output import ExactSink
from mbcost.errors import MbcostError, did_you_mean
from mbcost.studies.memory.how import RULES, How, how

_METAVARS = {
    "in_place": "none|add|depthwise",
    "align": "BYTES",
    "fit": "BYTES",
}
_HELP = {
    "in_place": "Deployed layers that write over their input; several with commas. Default none."
}
_FLAGS = ("train", "amp")


def _option(name: str) -> tuple[Any, Any]:
    """Return the option of a choice, and its default."""
    flag = f"--{name.replace('_', '-')}"
    if name in _FLAGS:
        return Annotated[bool, typer.Option(flag, help=_sentence(name))], False
    words = getattr(RULES.get(name), "words", ())
    option = typer.Option(
        flag,
        metavar=_METAVARS.get(name) or "|".join(words),
        help=_sentence(name),
        show_default=False,
    )
    return Annotated[str | None, option], None


def _sentence(name: str) -> str:
    if name in _HELP:
        return _HELP[name]
    doc = RULES[name].doc
    default = getattr(How, name)
    shown = f" Default {default}." if isinstance(default, str | int) and name not in _FLAGS else ""
    return f"{doc[:1].upper()}{doc[1:]}.{shown}"


def _made(**given: Any) -> How:
    return how({name: value or None for name, value in given.items()})


HowGiven = Annotated[How, Group(_made, {name: _option(name) for name in How.__dataclass_fields__})]


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
    from mbcost.studies.memory.table import VIEWS, memory_table, steps_table
    from mbcost.targets.resolve import resolve, resolve_one

    if by is not None:
        if by not in VIEWS:
            raise MbcostError(f"unknown view {by!r}", place="--by", way_out=did_you_mean(by, VIEWS))
        if verify or len(targets or ()) != 1:
            raise MbcostError(
                "shows the steps of one target",
                place="--by",
                way_out="one TARGET, without --verify",
            )
        subject = resolve_one((targets or [""])[0], settings)
        where.show(lambda: steps_table(subject, under, rows.columns, rows.sort))
        return
    subjects = resolve(targets or DEFAULT_BLOCKS, settings)
    if not verify:
        where.show(lambda: memory_table(subjects, under, None, rows.columns, rows.sort))
        return
    from mbcost.studies.memory import verify as runs

    waiting: list[runs.Ran | None] = [None for _ in subjects]

    def run() -> Iterator[list[runs.Ran | None]]:
        yield waiting
        done: list[runs.Ran] = []
        for subject in subjects:
            done.append(runs.verify(subject, under))
            yield [*done, *waiting[len(done) :]]

    ran = where.fill_in(
        run(), lambda found: memory_table(subjects, under, found, rows.columns, rows.sort)
    )
    runs.raise_if_different(subjects, [found for found in ran if found])
