"""``mbcost report``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from mbcost.cli.app import app
from mbcost.cli.counting import Counting, conclude
from mbcost.cli.groups import Group
from mbcost.cli.messages import say
from mbcost.cli.options import CounterNames, Fast, Settings, Strict, Targets
from mbcost.cli.output import check_writable, write_files
from mbcost.errors import MbcostError, did_you_mean, missing

PageOutput = Annotated[
    list[str] | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="Write the page to FILE, which ends in .html. Repeatable.",
        show_default=False,
    ),
]


def pages(output: PageOutput = None) -> tuple[Path, ...]:
    """Return the files of the page, checked before any work: suffixes, directories, jinja2."""
    from mbcost.output.page import SUFFIXES, require

    if not output:
        raise MbcostError("no file for the page", place="-o", way_out="-o page.html")
    found = tuple(map(Path, output))
    for file, path in zip(output, found, strict=True):
        if path.suffix.lower() not in SUFFIXES:
            raise MbcostError(
                f"unknown suffix {path.suffix!r}",
                place=f"-o {file}",
                way_out=f"{did_you_mean(path.suffix.lower(), SUFFIXES)}; tables are written by "
                "`mbcost compare` and `mbcost model`",
            )
    check_writable(found)
    require()
    return found


@dataclass(frozen=True)
class Counters:
    """Who counts."""

    counter: CounterNames = None
    fast: Fast = False
    strict: Strict = False


@app.command()
def report(
    *,
    targets: Targets = None,
    counters: Counters,
    reference: Annotated[
        str | None,
        typer.Option(
            "--reference",
            metavar="NAME",
            help="Target that the others are compared with; default the first.",
        ),
    ] = None,
    files: Annotated[tuple[Path, ...], Group(pages)],
    settings: Settings,
) -> None:
    """One page to share: summary, blocks, layers, figures and formulas in one HTML file.

    It needs no network and no other file. Tables sort and filter, blocks fold, and it prints. Of
    several targets also what differs layer by layer. Without a TARGET the three blocks.

    mbcost report v2 -o v2.html

    mbcost report v1 v2@alpha=0.5 v3-small --fast -o page.html
    """
    from mbcost.output.page import render
    from mbcost.studies.compare.comparison import DEFAULT_BLOCKS
    from mbcost.studies.page import NO_FIGURES, page_of

    counting = Counting(counters.counter, counters.fast, counters.strict)
    *_, found = counting.comparison(targets or DEFAULT_BLOCKS, settings, reference).verify()
    text = render(page_of(found))
    write_files(dict.fromkeys(files, text))
    if missing(["matplotlib"]):
        say(f"mbcost: {NO_FIGURES}")
    conclude(found, counters.counter, counters.strict)
