"""Calls measured round by round: every call once a round, in an order drawn anew.

The clock is given, so that what is said of the samples is tested on clocks that are known.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, NamedTuple

from mbcost.modules.latency import Call
from mbcost.modules.latency.statistics import Estimate, drifts, estimate, ratio

DISTURBED = 1.05
"""Wall ÷ CPU above which others ran in a call's place: the wall clock is no evidence then."""
LOOKS = (50, 100, 200, 500, 1000)
"""Rounds after which ``auto`` looks whether it may stop; after the last it does. They are few:
who stops at the first interval that pleases has not 95 %."""
SHORT_S = 0.010
"""Calls shorter than this need the second look at least."""
WINDOW = 5
"""Rounds of the windows that are compared for drift."""

Stop = Literal["asked", "precise", "bound", "interrupted"]
"""Why no further round was run: as many as asked for, ``auto`` is satisfied, or is not but has
come to its bound, or Ctrl-C."""


class Clock(NamedTuple):
    """Nanoseconds of CPU that this process has used, all its threads, and of the wall clock."""

    cpu: Callable[[], int] = time.process_time_ns
    wall: Callable[[], int] = time.perf_counter_ns


class Sample(NamedTuple):
    """What one call took, in seconds."""

    cpu_s: float
    wall_s: float


@dataclass(frozen=True)
class Plan:
    """How often calls are measured, and to which of them ratios are taken."""

    rounds: int | None = None
    """None for as many as it takes."""
    threads: int = 1
    reference: int = 0
    seed: int = 0
    """Of the order within rounds."""
    margin: float = 0.02
    """At which ``auto`` is satisfied: of each ratio, or of a single call's own time."""
    longest_s: float = 60.0
    """Wall time after which ``auto`` stops anyway; ``rounds`` that were asked for are all run."""
    longest_warm_up_s: float = 20.0


@dataclass(frozen=True)
class Measured:
    """The samples, by round and call, and how they came about."""

    plan: Plan
    rounds: tuple[tuple[Sample, ...], ...]
    stopped: Stop
    warm_up: int = 0
    """Rounds before the first that counts."""
    drifting: bool = False
    """Whether these ended at their bound, with the drift not gone."""

    @property
    def clock(self) -> Literal["cpu", "wall"]:
        """The clock of the estimates: at several threads CPU time is no latency."""
        return "cpu" if self.plan.threads == 1 else "wall"

    def times(self, call: int) -> list[float]:
        """Return what a call took in each round, in seconds on that clock."""
        return [getattr(samples[call], f"{self.clock}_s") for samples in self.rounds]

    def time(self, call: int) -> Estimate:
        """Return what a call takes, in seconds."""
        return estimate(self.times(call))

    def ratio(self, call: int) -> Estimate:
        """Return a call's time ÷ the reference's, of the same round."""
        return ratio(self.times(call), self.times(self.plan.reference))

    def disturbed(self, call: int) -> float:
        """Return wall ÷ CPU of all rounds: 1 where nobody else ran in its place. At several
        threads each should run all the time, so it is the wall of all of them."""
        cpu = sum(samples[call].cpu_s for samples in self.rounds)
        return self.plan.threads * sum(samples[call].wall_s for samples in self.rounds) / cpu

    def evidence(self, call: int) -> bool:
        """Return whether its time is one to build on.

        On the CPU clock it is, whoever else runs, unless threads were used beyond the one that is
        allowed: then CPU time is more than latency. The wall clock counts others' time too.
        """
        found = self.disturbed(call)
        return found >= 1 / DISTURBED if self.clock == "cpu" else found <= DISTURBED

    @property
    def precise(self) -> bool:
        """Whether every ratio, or a single call's own time, is known to the plan's margin."""
        if not self.rounds:
            return False
        calls = range(len(self.rounds[0]))
        others = [i for i in calls if i != self.plan.reference]
        found = [self.ratio(i) for i in others] or [self.time(0)]
        return all(each.within(self.plan.margin) for each in found)


def timed(call: Call, clock: Clock) -> Sample:
    """Return what a call takes; the wall clock is read outside the other."""
    wall, cpu = clock.wall(), clock.cpu()
    call()
    used = clock.cpu() - cpu
    return Sample(used / 1e9, (clock.wall() - wall) / 1e9)


def measure(
    calls: Sequence[Call],
    plan: Plan,
    clock: Clock | None = None,
    told: Callable[[int], None] = lambda rounds: None,
) -> Measured:
    """Return what the calls take. Ctrl-C ends it and keeps the rounds that were finished.

    ``told`` is called after each round that counts with how many there are.
    """
    return _Measurement(calls, plan, clock or Clock(), told).result()


class _Measurement:
    """Rounds as they are run."""

    def __init__(
        self, calls: Sequence[Call], plan: Plan, clock: Clock, told: Callable[[int], None]
    ) -> None:
        self.calls = calls
        self.told = told
        self.plan = plan
        self.clock = clock
        self.order = Random(plan.seed)
        self.warm_up: list[tuple[Sample, ...]] = []
        self.rounds: list[tuple[Sample, ...]] = []
        self.drifting = False

    def result(self) -> Measured:
        try:
            self._warm_up()
            stopped = self._run()
        except KeyboardInterrupt:
            stopped = "interrupted"
        return self._so_far(stopped)

    def _so_far(self, stopped: Stop) -> Measured:
        return Measured(
            self.plan, tuple(self.rounds), stopped, len(self.warm_up), drifting=self.drifting
        )

    def _round(self) -> tuple[Sample, ...]:
        order = list(range(len(self.calls)))
        self.order.shuffle(order)
        found = {i: timed(self.calls[i], self.clock) for i in order}
        return tuple(found[i] for i in range(len(order)))

    def _count(self) -> None:
        self.rounds.append(self._round())
        self.told(len(self.rounds))

    def _warm_up(self) -> None:
        """Run rounds until no call drifts any more, or the time for that is over."""
        end = self.clock.wall() + round(self.plan.longest_warm_up_s * 1e9)
        while len(self.warm_up) < 2 * WINDOW or len(self.warm_up) % WINDOW or self._drifts():
            if self.warm_up and self.clock.wall() >= end:
                self.drifting = len(self.warm_up) < 2 * WINDOW or self._drifts()
                return
            self.warm_up.append(self._round())

    def _drifts(self) -> bool:
        windows = self.warm_up[-2 * WINDOW : -WINDOW], self.warm_up[-WINDOW:]
        for i in range(len(self.calls)):
            before, after = ([samples[i].cpu_s for samples in window] for window in windows)
            if drifts(before, after):
                return True
        return False

    def _run(self) -> Stop:
        if self.plan.rounds is not None:
            while len(self.rounds) < self.plan.rounds:
                self._count()
            return "asked"
        end = self.clock.wall() + round(self.plan.longest_s * 1e9)
        while True:
            self._count()
            late = self.clock.wall() >= end
            if not late and len(self.rounds) not in LOOKS:
                continue
            found = self._so_far("precise")
            short = any(found.time(i).median < SHORT_S for i in range(len(self.calls)))
            if found.precise and (len(self.rounds) >= LOOKS[short] or late):
                return "precise"
            if late or len(self.rounds) == LOOKS[-1]:
                return "bound"
