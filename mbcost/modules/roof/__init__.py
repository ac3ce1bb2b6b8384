"""How fast this machine multiplies and moves bytes at most: calls are timed, the best counts.

``compute`` has calls that multiply, ``onnx`` those of ONNX Runtime, ``bandwidth`` those that move
bytes within a cache or beyond all of them, ``caches`` knows which there are. To add a call: its
``Case`` there. A ceiling is a maximum: a case that is slower than another changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import NamedTuple

from mbcost.errors import MbcostError
from mbcost.modules.roof.case import Call, Case

Clock = Callable[[], int]
"""Nanoseconds: of CPU that this process has used, or of the wall clock."""

PASSES = 3
"""How often each case has its turn: what slows the machine for a while slows no case alone."""
SHORTEST_S = 0.001
"""Calls are repeated until a sample is no shorter."""
LEAST_SAMPLES = 4
"""Of a turn, however short it is."""
PATIENCE = 4
"""A case whose call would take so many times its turn is left to a longer measurement."""


class Timed(NamedTuple):
    """A case and the rates of its samples, in mult-adds or bytes a second."""

    case: Case
    rates: tuple[float, ...]

    @property
    def best(self) -> float:
        """Return the largest rate."""
        return max(self.rates)

    @property
    def spread(self) -> float:
        """Return by which share of it the median falls short of the best."""
        return 1 - median(self.rates) / self.best


def cases_of(threads: int) -> list[Case]:
    """Return every call that this machine can be timed by."""
    from mbcost.modules.roof import bandwidth, compute, onnx

    return [*compute.cases(), *onnx.cases(threads), *bandwidth.cases(threads)]


def measure(
    cases: Sequence[Case], threads: int, seconds: float, clock: Clock | None = None
) -> Iterator[tuple[int, tuple[Timed, ...]]]:
    """Time the cases for so many seconds in all; yield how many turns are over, and the rates.

    At one thread the CPU's clock counts, which stands still while others run; at several the
    wall's. Each ceiling has a few samples, however little time there is; a case that would take far
    longer than its turn, or is half as fast as another of its ceiling, is not timed again.
    """
    clock = clock or (time.process_time_ns if threads == 1 else time.perf_counter_ns)
    turn = seconds / (PASSES * len(cases))
    rates: list[list[float]] = [[] for _ in cases]
    best: dict[str, float] = {}
    with _threads(threads):
        for done in range(PASSES * len(cases)):
            i = done % len(cases)
            case = cases[i]
            known = best.get(case.of)
            if known is None or (case.amount <= known * turn * PATIENCE and _near(rates[i], known)):
                rates[i] += _turn(case, turn, clock)
                best[case.of] = max(known or 0.0, *rates[i])
            found = zip(cases, rates, strict=True)
            yield done + 1, tuple(Timed(case, tuple(each)) for case, each in found if each)


def _near(rates: Sequence[float], best: float) -> bool:
    """Return whether a case may still become the best of its ceiling: twice as fast as it was."""
    return not rates or 2 * max(rates) >= best


def _turn(case: Case, seconds: float, clock: Clock) -> list[float]:
    """Return the rate of each sample of a turn. What a case needs is there for its turn alone."""

    def spent(call: Call) -> float:
        begun = clock()
        call()
        return max(clock() - begun, 1) / 1e9

    end = time.perf_counter_ns() + round(seconds * 1e9)
    try:
        call = case.make()
        call()  # the first makes plans and touches memory
        calls = max(1, round(SHORTEST_S / spent(call)))
    except (RuntimeError, MemoryError) as error:
        raise MbcostError(f"{case.name}: {_first_line(error)}", way_out="fewer --threads") from None

    def repeated() -> None:
        for _ in range(calls):
            call()

    found: list[float] = []
    while len(found) < LEAST_SAMPLES or time.perf_counter_ns() < end:
        found.append(case.amount * calls / spent(repeated))
    return found


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


@contextmanager
def _threads(threads: int) -> Iterator[None]:
    """Let torch use so many threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
