"""Counts a plan's units, in one process or several, and keeps what is done.

``stream`` yields results in order. ``to_parts`` writes each unit to ``FILE.parts/`` as soon as it
is counted, so that an interrupted run loses nothing and ``resume`` goes on; ``whole`` joins them.
"""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

from mbcost.errors import MbcostError, from_system, require_directory
from mbcost.export.files import destination
from mbcost.sweep.fields import Layout
from mbcost.sweep.reader import Reader
from mbcost.sweep.units import Batch, Plan, count_unit
from mbcost.sweep.writers import WRITERS, Writer

Result = TypeVar("Result")
Work = Callable[[Batch, int], Result]


class _Counting:
    """A process's own reader of a plan, made at the first unit and kept for the next."""

    plan: Plan | None = None
    reader: Reader | None = None


def _one(plan: Plan | None, work: Work[Result], unit: int) -> Result:
    if plan is not None and plan is not _Counting.plan:
        _Counting.plan, _Counting.reader = plan, Reader(plan.space)
    assert _Counting.plan is not None
    assert _Counting.reader is not None
    return work(count_unit(_Counting.plan, _Counting.reader, unit), unit)


def _start(plan: Plan) -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops everyone
    _Counting.plan, _Counting.reader = plan, Reader(plan.space)


def each_unit(
    plan: Plan, units: Sequence[int], work: Work[Result], workers: int = 1
) -> Iterator[tuple[int, Result]]:
    """Yield (unit, what ``work`` makes of it) in order; ``workers`` processes count ahead."""
    if workers <= 1 or len(units) <= 1:
        for unit in units:
            yield unit, _one(plan, work, unit)
        return
    require_directory()
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(
        min(workers, len(units)), context, initializer=_start, initargs=(plan,)
    )
    waiting: deque[tuple[int, Future[Result]]] = deque()
    try:
        for unit in units:
            waiting.append((unit, pool.submit(_one, None, work, unit)))
            if len(waiting) > 2 * workers:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    except BrokenProcessPool:
        raise MbcostError(
            "a worker process died; what was finished is kept",
            place="--workers",
            way_out="did it run out of memory? with -o FILE, --resume goes on",
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


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
    if known is None or known[0].dtype != layout.dtype or known[0].plan != layout.plan:
        known = _WRITERS[suffix] = (layout, WRITERS[suffix](layout))
    return known[1]


@dataclass(frozen=True)
class Target:
    """The file of a sweep, and the parts beside it while it is not yet whole."""

    path: Path
    layout: Layout

    @cached_property
    def parts(self) -> Path:
        """The directory of the parts, on the disk of the file itself."""
        place = destination(self.path)
        return place.with_name(place.name + ".parts")

    @property
    def plan_file(self) -> Path:
        """What the parts are parts of."""
        return self.parts / "plan.json"

    @property
    def done_file(self) -> Path:
        """A line per finished unit: its number, configs and bytes."""
        return self.parts / "done.jsonl"

    def part(self, unit: int) -> Path:
        """The file of one unit."""
        return self.parts / f"{unit:08d}{self.path.suffix}"

    def identity(self) -> dict[str, Any]:
        """Return what must be equal for parts to belong together."""
        import mbcost

        return {
            "target": self.layout.plan.space.target,
            "plan": self.layout.plan.fingerprint,
            "dtype": self.layout.dtype,
            "mbcost": mbcost.__version__,
        }

    def begin(self, *, resume: bool) -> dict[int, int]:
        """Return the finished units with their configs; a new run has none."""
        if self.parts.exists() and not resume:
            raise MbcostError(
                "an interrupted sweep left its parts here",
                place=str(self.parts),
                way_out="--resume goes on with it; or delete the directory",
            )
        if not self.parts.exists():
            self.parts.mkdir()
            self.plan_file.write_text(json.dumps(self.identity()), "utf-8")
            self.done_file.touch()
            return {}
        return self._finished()

    def _finished(self) -> dict[int, int]:
        way_out = f"delete {self.parts} and start anew"
        try:
            known = dict(json.loads(self.plan_file.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            raise MbcostError(
                "the resume file cannot be read", place=str(self.plan_file), way_out=way_out
            ) from None
        if known != self.identity():
            different = [key for key, value in self.identity().items() if known.get(key) != value]
            raise MbcostError(
                f"belongs to another sweep: {' and '.join(different)} differ",
                place=str(self.plan_file),
                way_out=f"give the same target and options; or {way_out}",
            )
        found = {}
        text = self.done_file.read_text("utf-8") if self.done_file.exists() else ""
        whole, _, torn = text.rpartition("\n")
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                entry = json.loads(line)
                unit, rows, size = int(entry["unit"]), int(entry["rows"]), int(entry["bytes"])
            except (ValueError, KeyError, TypeError):
                raise MbcostError(
                    "a line of the resume file is broken",
                    place=f"{self.done_file}:{number}",
                    way_out=way_out,
                ) from None
            part = self.part(unit)
            if part.is_file() and part.stat().st_size == size:
                found[unit] = rows
        if torn:
            self.done_file.write_text(whole + "\n" if whole else "", "utf-8")
        return found

    def whole(self) -> Path:
        """Join the parts, and return the file that is to be moved to ``path``."""
        joined = self.parts / f"whole{self.path.suffix}"
        writer = _writer(self.path.suffix, self.layout)
        with _told(self):
            writer.join((self.part(unit) for unit in range(self.layout.plan.units)), joined)
        return joined

    def remove_parts(self) -> None:
        """Forget the parts: the file is in its place."""
        shutil.rmtree(self.parts)


def _write_part(target: Target, batch: Batch, unit: int) -> tuple[int, int]:
    """Write one unit's part whole or not at all; return its configs and bytes."""
    path = target.part(unit)
    temporary = path.with_name(f".{path.name}")
    try:
        _writer(path.suffix, target.layout).write_part(batch, temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return batch.choices.shape[1], path.stat().st_size


def to_parts(
    target: Target, workers: int = 1, *, resume: bool = False
) -> Iterator[tuple[int, int]]:
    """Count a sweep into its parts; yields (configs looked at, configs kept) as it goes on.

    An output that cannot be written raises ``MbcostError``; what was finished stays for a resume.
    """
    plan = target.layout.plan
    _writer(target.path.suffix, target.layout)  # a missing package is an error before any work
    with _told(target):
        finished = target.begin(resume=resume)
        looked, kept = min(len(finished) * plan.unit, plan.total), sum(finished.values())
        yield looked, kept
        waiting = [unit for unit in range(plan.units) if unit not in finished]
        with target.done_file.open("a", encoding="utf-8") as done:
            work = partial(_write_part, target)
            for unit, (rows, size) in each_unit(plan, waiting, work, workers):
                done.write(json.dumps({"unit": unit, "rows": rows, "bytes": size}) + "\n")
                done.flush()
                looked = min(looked + plan.unit, plan.total)
                kept += rows
                yield looked, kept


@contextmanager
def _told(target: Target) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise from_system(error).at(str(target.path)) from None
        raise MbcostError(
            f"cannot be written: {error.strerror or error}",
            place=str(target.path),
            way_out="free some space or correct the path; then --resume goes on",
        ) from None
