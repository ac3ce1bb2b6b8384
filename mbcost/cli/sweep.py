"""``mbcost sweep``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mbcost.cli.app import app
from mbcost.cli.budgets import ColumnBudgets
from mbcost.cli.look import LookGiven
from mbcost.cli.messages import say
from mbcost.cli.options import Rows, Settings, SpaceOf, Workers
from mbcost.cli.output import Outputs, write_files
from mbcost.cli.streams import failure
from mbcost.cli.trainings import Sweep, TrainingsGiven
from mbcost.errors import MbcostError
from mbcost.units import thousands

if TYPE_CHECKING:
    from mbcost.output.files import Content
    from mbcost.output.table import Table
    from mbcost.studies.spaces.chunks import Chunks
    from mbcost.studies.spaces.verify import Verifier


@dataclass(frozen=True)
class Pivot:
    """One figure over two axes, or none."""

    axes: Annotated[
        str | None,
        typer.Option("--pivot", metavar="A,B", help="One figure over two axes: alpha,size."),
    ] = None
    figure: Annotated[
        str, typer.Option("--figure", metavar="KEY", help="The figure of --pivot.")
    ] = "mult_adds"


@app.command()
def sweep(
    *,
    of: SpaceOf,
    budgets: ColumnBudgets,
    pivot: Pivot,
    trainings: TrainingsGiven,
    workers: Workers = 1,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with an interrupted sweep: to a file, or of --run."),
    ] = False,
    rows: Rows,
    outputs: Outputs,
    look: LookGiven,
    settings: Settings,
) -> None:
    """Every network of a grid or a design space, counted exactly; those over a budget are left out.

    Every option of a setting takes a list or a range with both ends: --alpha 0.35:1.4:0.05, --size
    96:224:32, --classes 10,1000. A CSV or Parquet file (-o) takes millions, a chunk at a time.

    mbcost sweep v2 --alpha 0.35:1.4:0.05 --size 96:224:32 --pivot alpha,size

    mbcost sweep ofa-mobilenetv3 --samples 1000000 --max-mult-adds 300M -o ofa.parquet

    With --train the configs that are left are trained on your images, the cheapest first, on Dask:

    mbcost sweep v1-cifar10 --alpha 0.25,0.5,1 --train --data digits --run DIR --workers 2
    """
    if trainings.check():
        how = Sweep(of, budgets, trainings, settings, rows, outputs, look.look(), workers, resume)
        how.run(pivot.axes)
        return
    from mbcost.studies.spaces.chunks import Chunks, locked
    from mbcost.studies.spaces.columns import Layout
    from mbcost.studies.spaces.plan import UNIT, UNIT_OF_WHOLE, Plan
    from mbcost.studies.spaces.sweep.resumable import whole
    from mbcost.studies.spaces.verify import Verifier

    whole_figures = budgets.whole(rows.columns, rows.sort, pivot.figure if pivot.axes else None)
    plan = Plan(
        of.space(settings),
        of.samples,
        of.seed,
        budgets.by_column(),
        UNIT_OF_WHOLE if whole_figures else UNIT,
        budgets.stated,
        whole_figures,
        of.predicted,
    )
    layout = Layout(plan)
    tabular = any(option is not None for option in (rows.sort, rows.columns, pivot.axes))
    files, rest = _split(outputs.output or (), tabular, resume)
    where = outputs.sink(rest)._replace(look=look.look()) if rest or not files else None
    verifier = Verifier(layout, of.verify)
    chunked = [Chunks(path, layout) for path in files]
    streamed = where is None or (outputs.format == "csv" and not tabular and rest in ([], ["-"]))
    with locked(chunked):
        kept = [_count(chunks, workers, resume) for chunks in chunked]

        def joined() -> dict[Path, Content]:
            return {chunks.path: verifier.file(whole(chunks)) for chunks in chunked}

        if where is None or streamed:
            write_files(joined())
        else:
            table = _table(verifier, workers, pivot, rows)
            where.show(lambda: table, beside=joined)
        for chunks, n in zip(chunked, kept, strict=True):
            chunks.remove()
            say(f"{chunks.path}: {thousands(n)} of {thousands(plan.total)} configs")
    if streamed:
        if where is not None:
            _to_stdout(verifier, workers)
        say(f"mbcost: {verifier.line()}")


def _split(outputs: Sequence[str], tabular: bool, resume: bool) -> tuple[list[Path], list[str]]:
    """Return the files that are streamed, and the outputs that take a table."""
    from mbcost.output.files import check_writable
    from mbcost.studies.spaces.sweep.writers import WRITERS

    files = list(dict.fromkeys(Path(n) for n in outputs if Path(n).suffix in WRITERS))
    if tabular:
        if any(path.suffix == ".parquet" for path in files):
            raise MbcostError(
                "a Parquet file holds every config and column",
                place="-o",
                way_out="leave out --sort, --columns and --pivot, or write .csv",
            )
        files = []
    if resume and not files:
        raise MbcostError(
            "needs a file to go on with", place="--resume", way_out="-o FILE.csv or .parquet"
        )
    check_writable(*files)
    return files, [name for name in outputs if Path(name) not in files]


def _count(chunks: Chunks, workers: int, resume: bool) -> int:
    """Count the configs into the parts of a file; return how many are kept."""
    from mbcost.output.progress import progress
    from mbcost.studies.spaces.sweep.resumable import to_chunks

    with closing(to_chunks(chunks, workers, resume=resume)) as steps:
        *_, (_, kept) = progress(steps, chunks.layout.plan.total)
    return kept


def _to_stdout(verifier: Verifier, workers: int) -> None:
    from mbcost.output.progress import progress
    from mbcost.studies.spaces.sweep.resumable import stream_csv

    layout = verifier.layout
    steps = progress(stream_csv(layout, workers), layout.plan.total)
    for text in verifier.passing(text for _, text in steps):
        sys.stdout.write(text)
        if failure(sys.stdout):  # nobody reads on, so nothing is left to do
            raise typer.Exit


def _table(verifier: Verifier, workers: int, pivot: Pivot, rows: Rows) -> Table:
    from mbcost.output.progress import progress
    from mbcost.studies.spaces.sweep.resumable import stream
    from mbcost.studies.spaces.sweep.table import few_records, pivot_table, sweep_table

    layout, plan = verifier.layout, verifier.layout.plan
    batches = progress(stream(plan, workers), plan.total)
    records = few_records(layout, (batch for _, batch in batches))
    verifier.rows(records)
    notes = [verifier.line()]
    if plan.at_most:
        notes.insert(
            0, f"{thousands(len(records))} of {thousands(plan.total)} configs are within the budget"
        )
    if pivot.axes:
        return pivot_table(layout, records, notes, pivot.axes, pivot.figure)
    return sweep_table(layout, records, notes, rows.columns, rows.sort)
