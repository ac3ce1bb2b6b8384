"""What a real run keeps in memory, beside the closed form: ``mbcost memory --verify``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from mbcost.errors import CheckFailedError, MbcostError
from mbcost.graph.liveness import peak
from mbcost.output.table import Record
from mbcost.studies.memory.figures import Memory
from mbcost.studies.memory.how import How
from mbcost.targets.subject import Subject
from mbcost.units import bytes_in_words, thousands

LIMIT_BYTES = 8 * 10**9
"""A run that would take more is not started."""


class Measured(NamedTuple):
    """A figure as predicted and as measured; nothing measured where it was ``skipped``."""

    figure: str
    predicted: int
    measured: int | None = None
    skipped: str = ""

    @property
    def agrees(self) -> bool | None:
        """Whether both are the same; None where nothing was measured."""
        return None if self.measured is None else self.measured == self.predicted


class Ran(NamedTuple):
    """What was measured of one subject."""

    figures: tuple[Measured, ...]
    persistent: int | None = None
    """Bytes that TFLite Micro keeps besides the arena's head; None where it did not run."""

    @property
    def agrees(self) -> bool | None:
        """Whether all that was measured is as predicted; None where nothing was."""
        found = [figure.agrees for figure in self.figures if figure.agrees is not None]
        return all(found) if found else None


def verify(subject: Subject, how: How) -> Ran:
    """Run a subject and return each of its figures, predicted and measured."""
    if subject.traced:
        return Ran(tuple(_traced(subject)))
    memory = Memory(subject.graph, subject.batch, how)
    figures = [*_inference(memory), *(_training(memory) if how.train else ())]
    head, persistent = _arena(memory)
    return Ran((*figures, head), persistent)


def verify_all(subjects: Sequence[Subject], how: How) -> Iterator[tuple[Ran | None, ...]]:
    """Run subjects one after the other; yield what is known of each, first nothing."""
    found: list[Ran | None] = [None for _ in subjects]
    yield tuple(found)
    for i, subject in enumerate(subjects):
        found[i] = verify(subject, how)
        yield tuple(found)


def _measured(figure: str, predicted: int, needed: int, run: Callable[[], int]) -> Measured:
    """Return a figure measured by ``run``, unless the run would take too many bytes."""
    if needed > LIMIT_BYTES:
        limit = bytes_in_words(LIMIT_BYTES)
        return Measured(figure, predicted, None, f"takes {bytes_in_words(needed)}, above {limit}")
    try:
        return Measured(figure, predicted, run())
    except MbcostError as error:
        return Measured(figure, predicted, None, str(error))


def _inference(memory: Memory) -> Iterator[Measured]:
    from mbcost.modules.memory import TORCH_DTYPES, verify_inference

    how, predicted = memory.how, peak(memory.eager).size
    image = how.image or "held"
    if how.dtype not in TORCH_DTYPES:
        yield Measured("peak", predicted, None, f"torch runs no network in {how.dtype}")
    elif image == "excluded":
        yield Measured("peak", predicted, None, "a run has an image")
    else:
        yield _measured(
            "peak",
            predicted,
            predicted + memory.weight_bytes,
            lambda: verify_inference(memory.graph, memory.batch, image, dtype=how.dtype).peak.size,
        )


def _training(memory: Memory) -> Iterator[Measured]:
    from mbcost.modules.memory.saved import saved_storages
    from mbcost.modules.memory.steps import PHASES, profiled_step

    step, graph, batch, how = memory.training, memory.graph, memory.batch, memory.how
    needed = step.train_peak_bytes
    yield _measured(
        "saved",
        step.saved_bytes,
        needed,
        lambda: sum(saved_storages(graph, batch, how.amp).values()),
    )
    ran: dict[str, int] = {}

    def peak_of(name: str) -> int:
        if not ran:
            found = profiled_step(graph, batch, how.optimizer, how.amp)
            ran.update({phase: found[phase].peak for phase in PHASES})
        return ran[name]

    for phase in PHASES:
        yield _measured(
            phase, getattr(step, f"peak_{phase}_bytes"), needed, partial(peak_of, phase)
        )


def _arena(memory: Memory) -> tuple[Measured, int | None]:
    """Return the arena's head and what is kept besides, where TFLite Micro runs this."""
    from mbcost.modules.exported.micro import planned

    how, size = memory.how, memory.arena.size
    chosen = (how.image or "released", how.in_place, how.align)
    if chosen != ("released", (), 16):
        return Measured("arena", size, None, "TFLite Micro plans it otherwise"), None
    order = memory.ordered.order if memory.ordered else None
    found = planned(memory.graph, how.dtype, how.fuse, memory.batch, order)
    if isinstance(found, str):
        return Measured("arena", size, None, found), None
    return Measured("arena", size, found.head), found.persistent


def _traced(subject: Subject) -> Iterator[Measured]:
    from mbcost.studies.memory.traced import traced

    found = traced(subject)
    needed = found.peak.size + subject.report.param_bytes
    yield _measured("peak", found.peak.size, needed, lambda: traced(subject, real=True).peak.size)


def added(row: Record, ran: Ran) -> Record:
    """Return a record with what was verified of it."""
    measured = {f.figure: f.measured for f in ran.figures if f.measured is not None}
    return {
        **row,
        "arena_persistent_bytes": ran.persistent,
        "verified": ran.agrees,
        "measured": measured,
    }


def lines(subject: Subject, ran: Ran) -> list[str]:
    """Return what was measured of a subject, and what was not and why."""
    same = [f"{f.figure} {thousands(f.predicted)}" for f in ran.figures if f.agrees]
    found = [f"{subject.target}: measured the same: {', '.join(same)} bytes"] if same else []
    skipped = (f"{f.figure} not measured: {f.skipped}" for f in ran.figures if f.skipped)
    return [*found, *(f"{subject.target}: {why}" for why in skipped)]


def raise_if_different(subjects: Sequence[Subject], ran: Sequence[Ran | None]) -> None:
    """Raise ``CheckFailedError`` naming each figure that a run has not as predicted."""
    wrong = [
        f"{subject.target}: {f.figure} {thousands(f.predicted)} bytes, measured "
        f"{thousands(f.measured or 0)}"
        for subject, found in zip(subjects, ran, strict=True)
        for f in (found.figures if found else ())
        if f.agrees is False
    ]
    if wrong:
        raise CheckFailedError("; ".join(wrong))
