"""What a machine does at most: the best of what was timed, by a clock that is known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from mbcost.errors import MbcostError, missing
from mbcost.modules.roof import (
    LEAST_SAMPLES,
    PASSES,
    Timed,
    bandwidth,
    cases_of,
    compute,
    measure,
    onnx,
)
from mbcost.modules.roof.bandwidth import BEYOND, LEAST, SHARES, Level, levels
from mbcost.modules.roof.caches import Cache, caches
from mbcost.modules.roof.case import Call, Case

torch = pytest.importorskip("torch")

MS = 10**6


class Clock:
    """A clock that only calls move on."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now

    def case(self, of: str, name: str, amount: int, times: Iterator[int]) -> Case:
        """Return a case whose calls take so many milliseconds, one after the other."""

        def call() -> None:
            self.now += next(times) * MS

        return Case(of, name, amount, lambda: call)


def forever(*times: int) -> Iterator[int]:
    while True:
        yield from times


def last(cases: list[Case], clock: Clock, seconds: float = 0.0) -> tuple[Timed, ...]:
    steps = list(measure(cases, 1, seconds, clock))
    assert [done for done, _ in steps] == list(range(1, PASSES * len(cases) + 1))
    return steps[-1][1]


def test_the_best_sample_is_the_ceiling_and_the_median_its_spread() -> None:
    clock = Clock()
    # two calls before the first sample
    times = iter([9, 9, 10, 5, 10, 20])
    (found,) = last([clock.case("fp32", "a", 1000, times)], clock)
    assert found.rates == (1e5, 2e5, 1e5, 5e4)
    assert (found.best, found.spread) == (2e5, 0.5)


def test_short_calls_are_repeated_until_a_sample_can_be_read() -> None:
    ran = []

    class Fine(Clock):
        def case(self, of: str, name: str, amount: int, times: Iterator[int]) -> Case:
            def call() -> None:
                ran.append(1)
                self.now += 10_000  # 10 µs: 100 of them are a millisecond

            return Case(of, name, amount, lambda: call)

    clock = Fine()
    (found,) = last([clock.case("L1", "a", 50, forever(1))], clock)
    assert set(found.rates) == {5e6}
    assert len(ran) == 2 + 100 * LEAST_SAMPLES


def test_a_case_that_is_far_below_another_or_too_long_is_not_timed_again() -> None:
    clock = Clock()
    fast = clock.case("fp32", "fast", 1000, forever(1))
    slow = clock.case("fp32", "slow", 1000, forever(3))
    long = clock.case("fp32", "long", 10**9, forever(1))
    other = clock.case("int8", "other", 1, forever(1))
    found = {
        each.case.name: len(each.rates) for each in last([fast, slow, long, other], clock, 0.1)
    }
    assert set(found) == {"fast", "slow", "other"}
    assert found["fast"] > 2 * LEAST_SAMPLES
    assert found["fast"] > found["slow"]
    short = {each.case.name for each in last([fast, slow, other], clock)}
    assert short == {"fast", "other"}  # each ceiling has samples


def test_what_cannot_run_is_one_message() -> None:
    def make() -> Call:
        raise RuntimeError("no memory\nat all")

    with pytest.raises(MbcostError, match="mine: no memory") as error:
        list(measure([Case("fp32", "mine", 1, make)], 1, 0.0))
    assert "at all" not in str(error.value)


def test_torch_has_its_threads_back() -> None:
    before = torch.get_num_threads()
    case = Case("fp32", "a", 1, lambda: lambda: seen.append(torch.get_num_threads()))
    seen: list[int] = []
    list(measure([case], 3, 0.0))
    assert set(seen) == {3}
    assert torch.get_num_threads() == before


def test_products_and_convolutions_count_as_torch_counts_them() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    for case in compute.cases():
        if case.amount > 2 * 10**8:
            continue
        call = case.make()
        with FlopCounterMode(display=False) as counter:
            call()
        assert counter.get_total_flops() == 2 * case.amount, case.name


@pytest.mark.skipif(bool(missing(onnx.PACKAGES)), reason="no ONNX Runtime")
def test_onnx_runtime_computes_what_the_case_says() -> None:
    for case in onnx.cases(1):
        if case.amount > 2 * 10**8:
            continue
        y = cast(Any, case.make()())[0]
        channels = y.shape[1]  # each output element is a sum over a row, or a window
        kernel = 3 if "3×3" in case.name else 1
        assert y.size * channels * kernel**2 == case.amount, case.name


@pytest.mark.parametrize("move", [bandwidth._add, bandwidth._sum, bandwidth._fill])
@pytest.mark.parametrize("size", [20_000, 400_000])
def test_bytes_are_those_of_the_tensors_that_are_moved(move: Any, size: int) -> None:
    if move is bandwidth._fill and size < bandwidth.SMALL:
        return
    case = move("L1", size)
    result = case.make()()
    times = bandwidth.TIMES if size < bandwidth.SMALL else 1
    arrays = 3 if move is bandwidth._add else 1
    assert 0.99 * size * times < case.amount <= size * times
    assert case.amount % (arrays * 4) == 0
    if move is bandwidth._add:
        assert result.numel() * 3 * 4 == case.amount
        assert (result == 2).all()
    elif move is bandwidth._sum:
        assert float(result) * 4 == pytest.approx(case.amount, rel=1e-6)


def write_cache(folder: Path, level: str, kind: str, size: str, shared: str) -> None:
    folder.mkdir(parents=True)
    told = {"level": level, "type": kind, "size": size, "shared_cpu_list": shared}
    for name, text in told.items():
        (folder / name).write_text(text + "\n")


def test_caches_are_as_the_system_tells_them(tmp_path: Path) -> None:
    for cpu in range(4):
        cache = tmp_path / f"cpu{cpu}" / "cache"
        write_cache(cache / "index0", "1", "Data", "32K", f"{cpu}")
        write_cache(cache / "index1", "1", "Instruction", "64K", f"{cpu}")
        write_cache(cache / "index2", "2", "Unified", "1024K", f"{cpu // 2 * 2}-{cpu // 2 * 2 + 1}")
        write_cache(cache / "index3", "3", "Unified", "32M", "0-3")
    write_cache(tmp_path / "cpu0" / "cache" / "index4", "4", "Unified", "unknown", "0-3")
    assert caches(tmp_path) == [
        Cache(1, 32 * 2**10, 4),
        Cache(2, 2**20, 2),
        Cache(3, 32 * 2**20, 1),
    ]
    assert caches(tmp_path / "nowhere") == []


CACHES = [Cache(1, 32 * 2**10, 4), Cache(2, 2**20, 4), Cache(3, 32 * 2**20, 1)]


def test_a_level_is_moved_in_sets_that_the_one_before_cannot_hold() -> None:
    l1, l2, l3, memory = levels(1, CACHES, 2**36)
    assert [level.bytes for level in (l1, l2, l3)] == [2**15, 2**15 + 2**20, 2**15 + 33 * 2**20]
    assert l1.sets == tuple(int(2**15 * share) for share in SHARES)
    for inner, level, own in ((l1, l2, 2**20), (l2, l3, 2**25)):
        assert level.sets
        assert all((inner.bytes or 0) < size < own for size in level.sets)
    assert memory == Level("memory", None, (BEYOND * (l3.bytes or 0),))


def test_at_several_threads_caches_of_the_cores_add_up_and_the_first_is_not_timed() -> None:
    l1, l2, l3, _ = levels(2, CACHES, 2**36)
    assert (l1.bytes, l1.sets) == (2 * 2**15, ())
    assert l2.bytes == 2 * 2**15 + 2 * 2**20
    assert all(size < 2 * 2**20 for size in l2.sets)
    assert l3.bytes == (l2.bytes or 0) + 32 * 2**20  # the cores share it
    assert levels(64, CACHES, 2**36)[1].bytes == 4 * 2**15 + 4 * 2**20


def test_where_the_system_tells_none_a_cache_of_unknown_rate_stands_before_the_memory() -> None:
    assert levels(1, [], 2**36) == [
        Level("caches", LEAST, ()),
        Level("memory", None, (BEYOND * LEAST,)),
    ]


def test_memory_is_not_timed_where_there_is_too_little_of_it() -> None:
    assert levels(1, CACHES, 2**29)[-1] == Level("memory", None, ())


def test_this_machine_has_a_case_for_each_ceiling() -> None:
    of = {case.of for case in cases_of(1)}
    assert of >= {"fp32", "fp16", "bf16"}
    assert ("int8" in of) is not bool(missing(onnx.PACKAGES))
    assert of - {"fp32", "fp16", "bf16", "int8"} == {x.name for x in levels(1) if x.sets}
