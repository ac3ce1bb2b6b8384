from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mbcost.errors import MbcostError
from mbcost.graph.arena import arena
from mbcost.graph.deployed import deployed
from mbcost.graph.kernels import Fusion
from mbcost.graph.liveness import Operator, Schedule, Storage, live_sets, peak, spans
from mbcost.networks.yaml import builtin
from tests.graph.test_order import drawn

FIGURES: dict[tuple[str, Fusion], int] = {
    ("v1", "tflite"): 1_204_224,
    ("v2", "tflite"): 1_505_280,
    ("v3-large", "tflite"): 1_003_520,
    ("v3-small", "tflite"): 401_408,
    ("v3-small", "all"): 351_232,
    ("resnet50", "tflite"): 2_408_448,
    ("mobilenet-edgetpu", "tflite"): 702_464,
    ("proxyless-mobile", "tflite"): 852_992,
}


@pytest.mark.parametrize(("name", "fuse"), FIGURES)
def test_the_planned_head_of_a_network_in_int8(name: str, fuse: Fusion) -> None:
    assert arena(deployed(builtin(name).graph(), fuse=fuse, itemsize=1)).size == FIGURES[name, fuse]


def test_a_plan_can_need_a_third_more_than_the_largest_live_set() -> None:
    graph = builtin("v1").graph({"alpha": 0.25, "size": (192, 192)})
    schedule = deployed(graph, itemsize=1)
    assert (peak(schedule).size, arena(schedule).size) == (221_184, 294_912)


def first_fit(schedule: Schedule, align: int) -> list[int]:
    """Return offsets by their definition: the lowest that is free, of every offset there is."""
    alive, found = spans(schedule), dict[int, int]()
    ends = [-(-storage.size // align) * align for storage in schedule.storages]
    for i in sorted(range(len(ends)), key=lambda i: (-ends[i], -i)):
        offset = 0
        while any(
            alive[i][0] <= alive[j][1]
            and alive[j][0] <= alive[i][1]
            and offset < found[j] + ends[j]
            and found[j] < offset + ends[i]
            for j in found
        ):
            offset += align
        found[i] = offset
    return [found[i] for i in range(len(ends))]


def test_each_storage_lies_at_the_lowest_offset_that_is_free() -> None:
    for seed in range(500):
        draw = Random(seed)
        schedule, align = drawn(draw), draw.choice((1, 2, 4, 16))
        assert list(arena(schedule, align).offsets) == first_fit(schedule, align), seed


@settings(deadline=None, max_examples=300)
@given(st.randoms(use_true_random=False), st.integers(1, 32))
def test_what_is_alive_together_does_not_overlap(draw: Random, align: int) -> None:
    schedule = drawn(draw)
    plan = arena(schedule, align)
    ends = [o + s.size for o, s in zip(plan.offsets, schedule.storages, strict=True)]
    assert all(offset % align == 0 for offset in plan.offsets)
    for there in live_sets(schedule):
        placed = sorted((plan.offsets[s], ends[s]) for s in there)
        for (_, end), (start, _) in pairwise(placed):
            assert end <= start
    assert peak(schedule).size <= plan.size
    assert max(ends) <= plan.size < max(ends) + align
    assert plan.size <= sum(-(-s.size // align) * align for s in schedule.storages)


def test_of_one_size_the_later_storage_lies_lower() -> None:
    sizes = (16, 16, 16)
    storages = tuple(Storage(f"map{i}", size, "activation") for i, size in enumerate(sizes))
    operators = (Operator("a", (0,), (1,)), Operator("b", (0, 1), (2,)))
    assert arena(Schedule(storages, operators, (0,), (2,))).offsets == (32, 16, 0)


def test_storages_begin_at_multiples_of_the_alignment() -> None:
    storages = (Storage("input", 17, "input"), Storage("a", 5, "activation"))
    schedule = Schedule(storages, (Operator("a", (0,), (1,)),), (0,), (1,))
    assert arena(schedule) == (48, (0, 32))
    assert arena(schedule, 1) == (22, (0, 17))


def test_an_alignment_below_a_byte_is_refused() -> None:
    with pytest.raises(MbcostError, match="an alignment of 0 bytes"):
        arena(deployed(builtin("v1").graph()), 0)


def test_nothing_takes_nothing() -> None:
    assert arena(Schedule((), (), (), ())) == (0, ())
    assert arena(Schedule((Storage("input", 3, "input"),), (), (0,), (0,))) == (16, (0,))
