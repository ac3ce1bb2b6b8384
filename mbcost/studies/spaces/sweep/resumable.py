"""A sweep as a stream, or as a file that keeps what is done.

``stream`` yields results in order. ``to_chunks`` writes each unit to ``FILE.parts/`` as soon as it
is counted, so that an interrupted run loses nothing and ``resume`` goes on; ``whole`` joins them.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from mbcost.studies.spaces.chunks import Chunk, Chunks
from mbcost.studies.spaces.columns import Layout
from mbcost.studies.spaces.plan import Batch, Plan
from mbcost.studies.spaces.sweep.workers import Make, each_unit
from mbcost.studies.spaces.sweep.writers import CsvWriter


def _batches() -> Make[Batch]:
    return lambda batch, unit: batch


def stream(plan: Plan, workers: int = 1) -> Iterator[tuple[int, Batch]]:
    """Yield (configs looked at, results) unit by unit, in order."""
    for unit, batch in each_unit(plan, range(plan.units), _batches, workers):
        yield min((unit + 1) * plan.unit, plan.total), batch


def _texts(layout: Layout) -> Make[str]:
    writer = CsvWriter(layout)
    return lambda batch, unit: writer.text(batch)


def stream_csv(layout: Layout, workers: int = 1) -> Iterator[tuple[int, str]]:
    """Yield (configs done, text) of the CSV, header first."""
    yield 0, CsvWriter(layout).header
    plan = layout.plan
    for unit, text in each_unit(plan, range(plan.units), partial(_texts, layout), workers):
        yield min((unit + 1) * plan.unit, plan.total), text


def _parts(chunks: Chunks) -> Make[Chunk]:
    writer = chunks.writer()
    return lambda batch, unit: chunks.keep(unit, batch, writer)


def to_chunks(
    chunks: Chunks, workers: int = 1, *, resume: bool = False
) -> Generator[tuple[int, int]]:
    """Count a sweep into its chunks, which are locked; yields (configs looked at, configs kept).

    An output that cannot be written raises ``MbcostError``; what was finished stays for a resume.
    """
    plan = chunks.layout.plan
    chunks.writer()  # a missing package is an error before any work
    with chunks.told():
        found = chunks.begin(resume=resume)
        looked = min(len(found) * plan.unit, plan.total)
        kept = sum(chunk.rows for chunk in found.values())
        yield looked, kept
        waiting = [unit for unit in range(plan.units) if unit not in found]
        with closing(each_unit(plan, waiting, partial(_parts, chunks), workers)) as counted:
            for _, chunk in counted:
                looked = min(looked + plan.unit, plan.total)
                kept += chunk.rows
                yield looked, kept


def whole(chunks: Chunks) -> Path:
    """Join the chunks, and return the file that is to be moved to its place."""
    return chunks.join(chunks.writer())
