"""The statistics of measured times, on clocks that are made up: no test here takes its time."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from random import Random

import pytest

from mbcost.modules.latency import Call
from mbcost.modules.latency.rounds import (
    LOOKS,
    WINDOW,
    Clock,
    Measured,
    Plan,
    Sample,
    measure,
)
from mbcost.modules.latency.statistics import FEWEST, Estimate, drifts, estimate, rank, ratio

MS = 1_000_000
"""Nanoseconds."""


class Machine:
    """Clocks that only calls move: each takes its CPU time × what the machine does to all, and
    waits for others as long as it is told."""

    def __init__(self, slow: Callable[[int], float] = lambda call: 1.0, wait: float = 0) -> None:
        self.cpu = self.wall = self.calls = 0
        self.slow = slow
        self.wait = wait
        self.ran: list[str] = []

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.cpu, lambda: self.wall)

    def call(self, name: str, took: Callable[[], float]) -> Call:
        """Return a call of so many milliseconds."""

        def run() -> None:
            used = round(took() * self.slow(self.calls) * MS)
            self.calls += 1
            self.ran.append(name)
            self.cpu += used
            self.wall += round(used * (1 + self.wait))

        return run


def noisy(draw: Random, ms: float, sigma: float = 0.1) -> Callable[[], float]:
    return lambda: ms * draw.lognormvariate(0, sigma)


def outside(n: int, k: int) -> Fraction:
    """The probability that fewer than k of n coins fall on one side, by counting all throws."""
    far = sum(min(sum(coins), n - sum(coins)) < k for coins in product((0, 1), repeat=n))
    return Fraction(far, 2**n)


@pytest.mark.parametrize("n", range(1, 15))
def test_the_interval_is_the_narrowest_that_covers_95_per_cent(n: int) -> None:
    k = rank(n)
    assert (k is None) == (n < FEWEST)
    if k is not None:
        assert outside(n, k) <= Fraction(1, 20) < outside(n, k + 1)


def test_ranks_are_those_of_the_sign_test() -> None:
    """Its critical values at 5 %, both sides, as tables print them, are a rank less."""
    printed = {6: 0, 10: 1, 15: 3, 20: 5, 25: 7, 30: 9, 40: 13, 50: 17, 51: 18, 100: 39}
    assert {n: (rank(n) or 0) - 1 for n in printed} == printed


def test_the_interval_is_two_of_the_samples() -> None:
    draw = Random(0)
    samples = [draw.random() for _ in range(51)]
    found = estimate(samples)
    assert found.median == statistics.median(samples) == sorted(samples)[25]
    assert (found.low, found.high) == (sorted(samples)[18], sorted(samples)[32])
    assert estimate(samples[:5]) == Estimate(statistics.median(samples[:5]))


@pytest.mark.parametrize("n", [6, 25, 50, 100])
@pytest.mark.parametrize("spread", ["lognormal", "two humps", "long tail"])
def test_the_interval_covers_the_true_median(n: int, spread: str) -> None:
    draw = Random(n)
    take: Callable[[], float] = {
        "lognormal": lambda: draw.lognormvariate(0, 0.5),
        "two humps": lambda: draw.gauss(1 if draw.random() < 0.5 else 3, 0.5),
        "long tail": lambda: draw.paretovariate(0.7),  # without a mean
    }[spread]
    truth = {"lognormal": 1.0, "two humps": 2.0, "long tail": 2 ** (1 / 0.7)}[spread]
    covered = 0
    for _ in range(1000):
        found = estimate([take() for _ in range(n)])
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= truth <= found.high
    assert covered >= 940  # 950 less what 1000 draws are off by


def test_the_margin_is_that_of_the_farther_end() -> None:
    assert Estimate(2.0, 1.9, 2.5).margin == 0.25
    assert Estimate(2.0, 1.0, 2.1).margin == 0.5
    assert Estimate(2.0).margin is None
    assert not Estimate(2.0).within(1)
    assert Estimate(2.0, 1.96, 2.04).within(0.0201)


def test_a_ratio_is_of_the_same_round() -> None:
    slow = [1.0, 5.0, 1.0, 9.0, 2.0, 1.0, 1.0]
    found = ratio([3 * x for x in slow], slow)
    assert found == Estimate(3.0, 3.0, 3.0)


def test_drift_is_seen_where_no_sample_overlaps() -> None:
    assert drifts([5, 6, 7], [2, 3, 4])
    assert drifts([1, 2], [3, 4])
    assert not drifts([5, 6, 7], [5, 1, 1])


def burst(seed: int) -> Callable[[int], float]:
    """A machine that for stretches of some ten calls is up to five times as slow."""
    draw = Random(seed)
    state = {"left": 0, "slow": 1.0}

    def slow(call: int) -> float:
        if not state["left"]:
            busy = draw.random() < 0.4
            state.update(left=draw.randint(4, 20), slow=draw.uniform(1.5, 5) if busy else 1.0)
        state["left"] -= 1
        return state["slow"] * draw.lognormvariate(0, 0.03)

    return slow


def slower(slow: Callable[[int], float]) -> Callable[[int], float]:
    """That machine as it gets hot."""
    return lambda call: slow(call) * (1 + call / 100)


def steady(ms: float) -> Callable[[], float]:
    return lambda: ms


def test_bursts_and_drift_leave_the_paired_ratio() -> None:
    """40 times a call against itself, 50 rounds, on a machine with bursts that gets slower."""
    covered, widths, in_turn = 0, [], []
    for seed in range(40):
        machine = Machine(slower(burst(seed)))
        calls = [machine.call(name, lambda: 20.0) for name in "ab"]
        measured = measure(calls, Plan(rounds=50, seed=seed), machine.clock)
        found = measured.ratio(1)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 1 <= found.high
        widths.append(found.margin)
        first, then = ([m.cpu_s for m, _ in measured.rounds[i : i + 25]] for i in (0, 25))
        in_turn.append(abs(statistics.median(then) / statistics.median(first) - 1))
    assert covered >= 35
    assert statistics.median(w for w in widths if w is not None) < 0.05
    assert statistics.median(in_turn) > 0.15, "one after the other they err by far more"


def test_every_round_runs_every_call_once_in_an_order_of_its_own() -> None:
    machine = Machine()
    calls = [machine.call(name, lambda: 1.0) for name in "abc"]
    measured = measure(calls, Plan(rounds=200), machine.clock)
    rounds = ["".join(machine.ran[i : i + 3]) for i in range(0, len(machine.ran), 3)]
    assert len(rounds) == 200 + measured.warm_up
    assert {"".join(sorted(each)) for each in rounds} == {"abc"}
    assert len(set(rounds)) == 6
    again = Machine()
    measure([again.call(name, lambda: 1.0) for name in "abc"], Plan(rounds=200), again.clock)
    assert again.ran == machine.ran, "the seed decides"
    other = Machine()
    calls = [other.call(name, lambda: 1.0) for name in "abc"]
    measure(calls, Plan(rounds=200, seed=1), other.clock)
    assert other.ran != machine.ran


def test_samples_are_of_their_call_whatever_the_order() -> None:
    machine = Machine(wait=0.5)
    calls = [machine.call(str(ms), steady(ms)) for ms in (1.0, 2.0, 4.0)]
    measured = measure(calls, Plan(rounds=20, reference=1), machine.clock)
    assert [measured.time(i).median for i in range(3)] == [0.001, 0.002, 0.004]
    assert [measured.ratio(i).median for i in range(3)] == [0.5, 1.0, 2.0]
    assert measured.rounds[0][2] == Sample(0.004, 0.006)
    assert measured.stopped == "asked"


def test_warm_up_lasts_until_the_drift_is_gone() -> None:
    machine = Machine(lambda call: 1 + 8 * max(0, 1 - call / 24))  # falls for 24 calls
    measured = measure([machine.call("a", noisy(Random(3), 1.0, 0.01))], Plan(20), machine.clock)
    assert (measured.warm_up, measured.drifting) == (6 * WINDOW, False)
    assert max(measured.times(0)) < 1.1e-3
    steady = Machine()
    measured = measure([steady.call("a", lambda: 1.0)], Plan(rounds=20), steady.clock)
    assert (measured.warm_up, measured.drifting) == (2 * WINDOW, False)


def test_warm_up_has_a_bound_and_says_that_it_came_to_it() -> None:
    machine = Machine(lambda call: 1 + call)
    plan = Plan(rounds=6, longest_warm_up_s=1)
    measured = measure([machine.call("a", lambda: 1.0)], plan, machine.clock)
    assert measured.drifting
    assert sum(range(1, measured.warm_up + 1)) >= 1000 > sum(range(1, measured.warm_up))
    huge = Machine()
    measured = measure([huge.call("a", lambda: 30_000.0)], plan, huge.clock)
    assert (measured.warm_up, measured.drifting, len(measured.rounds)) == (1, True, 6)


def test_auto_stops_at_the_first_look_that_is_precise() -> None:
    for ms, expected in ((20.0, LOOKS[0]), (2.0, LOOKS[1])):
        machine = Machine()
        calls = [machine.call(name, noisy(Random(1), ms, 0.01)) for name in "ab"]
        measured = measure(calls, Plan(), machine.clock)
        assert (len(measured.rounds), measured.stopped) == (expected, "precise")


def test_auto_goes_on_where_it_is_not_precise_yet() -> None:
    machine, draw = Machine(), Random(5)
    calls = [machine.call(name, noisy(draw, 20.0, 0.06)) for name in "ab"]
    measured = measure(calls, Plan(), machine.clock)
    assert measured.stopped == "precise"
    assert len(measured.rounds) in LOOKS[1:]
    assert measured.ratio(1).within(0.02)
    early = Measured(measured.plan, measured.rounds[: LOOKS[0]], "precise")
    assert not early.precise


@pytest.mark.parametrize("ms", [1.0, 500.0])
def test_auto_says_that_it_did_not_get_there(ms: float) -> None:
    machine, draw = Machine(), Random(2)
    calls = [machine.call(name, noisy(draw, ms, 0.8)) for name in "ab"]
    measured = measure(calls, Plan(), machine.clock)
    assert (measured.stopped, measured.precise) == ("bound", False)
    if ms == 1.0:
        assert len(measured.rounds) == LOOKS[-1]
    else:  # sixty seconds of wall, and not a round more
        walls = [sum(sample.wall_s for sample in samples) for samples in measured.rounds]
        assert sum(walls) >= 60 > sum(walls[:-1])


def test_auto_stops_early_where_a_single_call_is_known() -> None:
    machine = Machine()
    measured = measure([machine.call("a", lambda: 20.0)], Plan(), machine.clock)
    assert (len(measured.rounds), measured.stopped) == (LOOKS[0], "precise")
    machine = Machine()
    loud = measure([machine.call("a", noisy(Random(1), 1.0, 2.0))], Plan(), machine.clock)
    assert loud.stopped == "bound"


def test_looking_often_leaves_the_interval_of_auto_near_95_per_cent() -> None:
    covered = 0
    for seed in range(200):
        machine, draw = Machine(), Random(seed)
        calls = [machine.call(name, noisy(draw, 20.0, 0.05)) for name in "ab"]
        found = measure(calls, Plan(seed=seed), machine.clock).ratio(1)
        covered += found.low is not None and found.low <= 1 <= (found.high or 0)
    assert covered >= 182  # 190 less two standard deviations and a little


@pytest.mark.parametrize("after", [0, 3, 2 * 2 * WINDOW, 2 * 2 * WINDOW + 41])
def test_an_interrupt_keeps_the_rounds_that_were_finished(after: int) -> None:
    machine = Machine()

    def took() -> float:
        if machine.calls == after:
            raise KeyboardInterrupt
        return 1.0

    calls = [machine.call(name, took) for name in "ab"]
    measured = measure(calls, Plan(rounds=50), machine.clock)
    whole = after // 2
    assert measured.stopped == "interrupted"
    assert measured.warm_up == min(whole, 2 * WINDOW)
    assert len(measured.rounds) == max(0, whole - 2 * WINDOW)
    assert not measured.precise or measured.rounds


def of(samples: list[tuple[float, float]], threads: int) -> Measured:
    rounds = tuple((Sample(*each),) for each in samples)
    return Measured(Plan(threads=threads), rounds, "asked")


def test_one_thread_is_timed_by_the_cpu_clock_and_others_do_not_disturb_it() -> None:
    measured = of([(1.0, 3.0), (2.0, 6.0)], threads=1)
    assert (measured.clock, measured.times(0)) == ("cpu", [1.0, 2.0])
    assert (measured.disturbed(0), measured.evidence(0)) == (3.0, True)


def test_hidden_threads_make_the_cpu_clock_no_evidence() -> None:
    assert not of([(2.0, 1.1)], threads=1).evidence(0)
    assert of([(1.0, 0.999)], threads=1).evidence(0)


def test_several_threads_are_timed_by_the_wall_clock_unless_disturbed() -> None:
    calm, loud = of([(2.0, 1.02)], threads=2), of([(2.0, 1.1)], threads=2)
    assert (calm.clock, calm.times(0)) == ("wall", [1.02])
    assert (calm.disturbed(0), calm.evidence(0)) == (1.02, True)
    assert not loud.evidence(0)
