"""One run taken apart: where its time goes, beside where its mult-adds are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import NamedTuple

from mbcost.errors import MbcostError
from mbcost.modules.latency import BETWEEN, RUNTIMES, Parts
from mbcost.modules.latency.machine import this_machine
from mbcost.modules.latency.rounds import Plan, measure
from mbcost.modules.latency.statistics import Estimate
from mbcost.studies.device.latency import (
    Asked,
    Run,
    Timing,
    call_of,
    finished,
    first_run,
    ready,
    runnable,
)
from mbcost.targets.subject import Subject


class Share(NamedTuple):
    """A layer, a kind or a block, or what a runtime does beside them: its part of time and work."""

    path: str
    kind: str | None
    """None of what is no layer."""
    samples: tuple[float, ...] | None
    """Seconds of each run; None of a layer that has no time of its own: it was fused into another,
    or is a function that a module calls itself."""
    mult_adds: int
    moved_bytes: int

    @property
    def seconds(self) -> float | None:
        """The median of the runs."""
        return None if self.samples is None else median(self.samples)


@dataclass(frozen=True)
class Shares:
    """One run taken apart, beside the whole measured without taking it apart, round by round."""

    timing: Timing
    """Of the whole; the call beside it is the one that was taken apart."""
    rows: tuple[Share, ...]

    @property
    def run(self) -> Run:
        """What was taken apart."""
        return self.timing.runs[0]

    @property
    def clock(self) -> str:
        """The clock of the parts: ONNX Runtime's profile has the wall clock alone."""
        return "wall" if self.run.runtime.file else self.timing.measured.clock

    @property
    def parts_seconds(self) -> float:
        """What the parts come to, without what lies between them."""
        return sum(row.seconds or 0.0 for row in self.rows if row.path != BETWEEN)

    @property
    def of_whole(self) -> float:
        """Parts ÷ whole, not scaled: below one by what lies between, above by what timing costs."""
        return self.parts_seconds / self.timing.time(0).median

    @property
    def longer(self) -> Estimate:
        """How often as long a run takes that is taken apart."""
        return self.timing.measured.ratio(1)


def check_by(runs: Sequence[Run]) -> None:
    """Raise where there is not one run, or one that does not tell where its time goes."""
    if len(runs) != 1:
        raise MbcostError(
            "takes one target apart, in one runtime and dtype", place="--by", way_out="one TARGET"
        )
    if not runs[0].runtime.by_layer:
        raise MbcostError(
            f"the runtime {runs[0].runtime.name} does not tell where its time goes",
            place="--by",
            way_out=" or ".join(f"--runtime {r.name}" for r in RUNTIMES.values() if r.by_layer),
        )


def shares(run: Run, asked: Asked, told: Callable[[int], None] = lambda rounds: None) -> Shares:
    """Return where the time of a run goes, a row per layer in the order in which they run.

    Each round runs it whole and taken apart. Ctrl-C is as in ``timing``.
    """
    plan = Plan(asked.rounds, asked.threads, 0, asked.seed)
    with ready([run]):
        whole = first_run(run, partial(call_of, run, asked.threads))
        parts = first_run(run, partial(_parts, run, asked.threads))
        measured = finished(measure([whole, parts], plan, told=told))
        before = 1 + measured.warm_up
        spent = parts.runs()[before : before + len(measured.rounds)]
    return Shares(Timing((run,), measured, this_machine()), tuple(_rows(run, spent)))


def _rows(run: Run, spent: Sequence[Mapping[str, float]]) -> Iterator[Share]:
    report = run.counted.report
    left = dict.fromkeys(path for each in spent for path in each)
    times = {path: tuple(each.get(path, 0.0) for each in spent) for path in left}
    for row, moved in zip(report.layers, run.moved_bytes, strict=True):
        path = row.path if row.path in times else row.module
        samples = times.pop(path, None)
        yield Share(row.path, row.kind, samples, row.mult_adds * report.scale, moved)
    between = times.pop(BETWEEN)
    for path, samples in (*times.items(), (BETWEEN, between)):
        yield Share(path, None, samples, 0, 0)


def grouped(rows: Sequence[Share], name_of: Callable[[Share], str]) -> list[Share]:
    """Return the rows of one name added up, run by run, in the order in which names appear."""
    found: dict[str, Share] = {}
    for row in rows:
        name = name_of(row)
        had = found.get(name)
        found[name] = (
            row._replace(path=name)
            if had is None
            else had._replace(
                samples=_added(had.samples, row.samples),
                mult_adds=had.mult_adds + row.mult_adds,
                moved_bytes=had.moved_bytes + row.moved_bytes,
            )
        )
    return list(found.values())


def _added(
    one: tuple[float, ...] | None, other: tuple[float, ...] | None
) -> tuple[float, ...] | None:
    if one is None or other is None:
        return other if one is None else one
    return tuple(a + b for a, b in zip(one, other, strict=True))


def blocks_of(subject: Subject) -> Mapping[str, str]:
    """Return the block of each layer, by path."""
    return {row.path: row.block or subject.name for row in subject.report.layers}


def _parts(run: Run, threads: int) -> Parts:
    return run.runtime.parts(runnable(run.subject, run.weights), run.dtype, threads)
