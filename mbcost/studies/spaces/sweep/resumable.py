"""Counts a plan's units, in one process or several, and keeps what is done.

``stream`` yields results in order. ``to_chunks`` writes each unit to ``FILE.parts/`` as soon as it
is counted, so that an interrupted run loses nothing and ``resume`` goes on; ``whole`` joins them.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

from mbcost.errors import MbcostError, from_system, require_directory
from mbcost.output.files import write_whole
from mbcost.studies.spaces.chunks import Chunk, Chunks
from mbcost.studies.spaces.columns import Layout
from mbcost.studies.spaces.plan import Batch, Counting, Plan
from mbcost.studies.spaces.sweep.writers import WRITERS, Writer

Result = TypeVar("Result")
Work = Callable[[Batch, int], Result]


class _Worker:
    """What a worker process does with each unit."""

    count: Counting
    work: Work[Any]


def _start(plan: Plan, work: Work[Any], lifeline: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops everyone
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()
    _Worker.count, _Worker.work = Counting(plan), work


def _end_with(lifeline: Connection) -> None:
    """End this process when the parent closes its end, or dies, which closes it too."""
    try:
        lifeline.recv_bytes()
    except (EOFError, OSError):
        os._exit(1)


def _one(unit: int) -> Any:
    return _Worker.work(_Worker.count(unit), unit)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold back Ctrl-C; processes that start meanwhile never see it, so that only this one does."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Crew:
    """Worker processes that end with this one, whatever ends it."""

    def __init__(self, plan: Plan, work: Work[Any], workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        if hasattr(resource_tracker, "ensure_running"):
            resource_tracker.ensure_running()  # its start would let Ctrl-C through
        with uninterrupted(), _starting():
            self.theirs, self.lifeline = context.Pipe(duplex=False)
            arguments = (plan, work, self.theirs)
            self.pool = ProcessPoolExecutor(
                workers, context, initializer=_start, initargs=arguments
            )

    def submit(self, unit: int) -> Future[Any]:
        with uninterrupted(), _starting():
            return self.pool.submit(_one, unit)

    def dismiss(self, *, finished: bool) -> None:
        """End the workers: at once, unless they have ``finished``."""
        with uninterrupted():
            if not finished:
                self.lifeline.close()
            self.pool.shutdown(wait=True, cancel_futures=True)
            self.lifeline.close()
            self.theirs.close()


@contextmanager
def _starting() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise from_system(error).at("--workers") from None


def each_unit(
    plan: Plan, units: Sequence[int], work: Work[Result], workers: int = 1
) -> Generator[tuple[int, Result]]:
    """Yield (unit, what ``work`` makes of it) in order; ``workers`` processes count ahead."""
    if workers <= 1 or len(units) <= 1:
        count = Counting(plan)
        for unit in units:
            yield unit, work(count(unit), unit)
        return
    require_directory()
    crew = _Crew(plan, work, min(workers, len(units)))
    waiting: deque[tuple[int, Future[Result]]] = deque()
    finished = False
    try:
        for unit in units:
            waiting.append((unit, crew.submit(unit)))
            if len(waiting) > 2 * workers:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
        finished = True
    except BrokenProcessPool:
        raise MbcostError(
            "a worker process died; what was finished is kept",
            place="--workers",
            way_out="did it run out of memory? with -o FILE, --resume goes on",
        ) from None
    finally:
        crew.dismiss(finished=finished)


def _batch(batch: Batch, unit: int) -> Batch:
    return batch


def stream(plan: Plan, workers: int = 1) -> Iterator[tuple[int, Batch]]:
    """Yield (configs looked at, results) unit by unit, in order."""
    for unit, batch in each_unit(plan, range(plan.units), _batch, workers):
        yield min((unit + 1) * plan.unit, plan.total), batch


def _text(layout: Layout, batch: Batch, unit: int) -> str:
    return _writer(".csv", layout).text(batch)  # type: ignore[attr-defined, no-any-return]


def stream_csv(layout: Layout, workers: int = 1) -> Iterator[tuple[int, str]]:
    """Yield (configs done, text) of the CSV, header first."""
    yield 0, _writer(".csv", layout).header  # type: ignore[attr-defined]
    plan = layout.plan
    for unit, text in each_unit(plan, range(plan.units), partial(_text, layout), workers):
        yield min((unit + 1) * plan.unit, plan.total), text


_WRITERS: dict[str, tuple[Layout, Writer]] = {}


def _writer(suffix: str, layout: Layout) -> Writer:
    """Return this process's writer for the layout, made once."""
    known = _WRITERS.get(suffix)
    if known is None or known[0] is not layout:
        known = _WRITERS[suffix] = (layout, WRITERS[suffix](layout))
    return known[1]


def _keep(chunks: Chunks, batch: Batch, unit: int) -> Chunk:
    layout = chunks.layout
    return chunks.keep(unit, batch, _writer(chunks.path.suffix, layout))


def to_chunks(
    chunks: Chunks, workers: int = 1, *, resume: bool = False
) -> Generator[tuple[int, int]]:
    """Count a sweep into its chunks, which are locked; yields (configs looked at, configs kept).

    An output that cannot be written raises ``MbcostError``; what was finished stays for a resume.
    """
    plan = chunks.layout.plan
    _writer(chunks.path.suffix, chunks.layout)  # a missing package is an error before any work
    with chunks.told():
        found = chunks.begin(resume=resume)
        looked = min(len(found) * plan.unit, plan.total)
        kept = sum(chunk.rows for chunk in found.values())
        yield looked, kept
        waiting = [unit for unit in range(plan.units) if unit not in found]
        with closing(each_unit(plan, waiting, partial(_keep, chunks), workers)) as counted:
            for _, chunk in counted:
                looked = min(looked + plan.unit, plan.total)
                kept += chunk.rows
                yield looked, kept


def whole(chunks: Chunks) -> Path:
    """Join the chunks, and return the file that is to be moved to its place."""
    return chunks.join(_writer(chunks.path.suffix, chunks.layout))


def to_file(
    path: Path, layout: Layout, workers: int = 1, *, resume: bool = False
) -> Generator[tuple[int, int]]:
    """Write a sweep to ``path``; yields as ``to_chunks`` does."""
    chunks = Chunks(path, layout)
    with chunks.locked():
        with closing(to_chunks(chunks, workers, resume=resume)) as steps:
            yield from steps
        write_whole(path, whole(chunks))
        chunks.remove()
