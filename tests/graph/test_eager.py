"""What a forward keeps, operator by operator, on graphs small enough to add up by hand.

``tests/modules/test_memory.py`` holds it against torch.
"""

from __future__ import annotations

from typing import Any

import pytest

from mbcost.graph.eager import eager
from mbcost.graph.graph import Graph, Node, Step, wire
from mbcost.graph.liveness import alive_bytes, moments, peak
from mbcost.graph.primitives import (
    Activation,
    Add,
    ChannelShuffle,
    Concat,
    Conv2d,
    Flatten,
    Layer,
    Linear,
    LocalResponseNorm,
    Pool2d,
    Scale,
    Slice,
    pair,
)
from mbcost.networks.yaml import builtin

X = (4, 6, 6)
MAP = 4 * 4 * 6 * 6
"""Bytes of a map of shape ``X``."""


def graph_of(*steps: Step | Layer, x: tuple[int, ...] = X, outputs: tuple[int, ...] = ()) -> Graph:
    named = [s if isinstance(s, Step) else Step(f"l{i}", s) for i, s in enumerate(steps)]
    nodes: list[Node] = []
    wire(nodes, named, "", "", -1, x)
    return Graph(x, tuple(nodes), outputs)


def alive(graph: Graph, **options: Any) -> list[float]:
    """Return what is alive after each operator, in maps of shape ``X``."""
    return [size / MAP for size in alive_bytes(eager(graph, **options))]


RELU = Activation("relu")


def test_the_image_is_held_or_freed_after_its_last_reader() -> None:
    graph = graph_of(RELU, RELU, RELU)
    assert alive(graph) == [2, 3, 3]
    assert alive(graph, image="released") == [2, 2, 2]
    assert alive(graph, batch=3) == [6, 9, 9]
    assert alive(graph, batch=3, itemsize=2) == [3, 4.5, 4.5]


def test_a_view_owns_nothing_and_keeps_what_is_below_it() -> None:
    graph = graph_of(Slice(0, 1), RELU, RELU, RELU)
    assert alive(graph, image="released") == [1.25, 0.5, 0.5]
    graph = graph_of(RELU, Step("half", Slice(0, 2)), Step("sum", Add(), ("half", "half")))
    assert alive(graph, image="released") == [2, 1.5]
    assert len(eager(graph_of(RELU, Flatten())).operators) == 1
    assert len(eager(graph_of(ChannelShuffle(1))).operators) == 0
    assert len(eager(graph_of(ChannelShuffle(4))).operators) == 0
    assert len(eager(graph_of(ChannelShuffle(2))).operators) == 1


def test_views_alone_run_no_operator_and_put_out_the_image() -> None:
    schedule = eager(graph_of(Flatten()), image="released")
    assert schedule.kept == (0,)
    assert peak(schedule) == (MAP, 0)


def test_a_maximum_comes_with_int64_places_whatever_the_type() -> None:
    pool = Pool2d("max", pair(2), pair(2))
    assert alive(graph_of(pool, RELU), image="released") == [1 + 0.25 + 0.5, 0.5]
    assert alive(graph_of(pool, RELU), itemsize=1) == [0.25 * 1.25 + 0.5, 0.25 * 1.5]
    assert alive(graph_of(Pool2d("avg", pair(2), pair(2)))) == [1.25]


def test_a_sum_of_three_is_two_additions_and_its_caller_holds_all_three() -> None:
    graph = graph_of(
        Step("a", RELU), Step("b", RELU), Step("c", RELU), Step("sum", Add(), ("a", "b", "c"))
    )
    assert alive(graph, image="released") == [2, 2, 3, 4, 5]
    assert [o.path for o in eager(graph).operators] == ["a", "b", "c", "sum", "sum"]
    assert [s.category for s in eager(graph).storages[-2:]] == ["temporary", "activation"]


def test_local_response_norm_is_seven_operators() -> None:
    padded = 6 / 4  # two more channels
    found = alive(graph_of(LocalResponseNorm(3)), image="released")
    held = 1  # the image
    assert found == [
        held + 1,  # x²
        held + 1 + padded,
        held + padded + 1,  # the mean
        held + 1 + 1,  # times α
        held + 1 + 1 + 1,  # plus k
        held + 1 + 1 + 1,  # to the power of β
        held + 1 + 1,  # x divided
    ]


def test_several_outputs_are_kept() -> None:
    two = graph_of(RELU, RELU, RELU, outputs=(0, 2))
    assert alive(two, image="released") == [2, 2, 3]
    joined = graph_of(
        Step("a", RELU),
        Step("gate", Scale(), ("a", "@0")),
        Step("both", Concat(), ("a", "gate")),
    )
    assert alive(joined, image="released") == [2, 3, 4]


def test_moments_say_what_is_alive_and_what_frees() -> None:
    graph = graph_of(
        Step("conv", Conv2d(4, 2, pair(1))), Step("flat", Flatten()), Step("fc", Linear(72, 9))
    )
    first, last = moments(eager(graph, image="released"))
    assert (first.path, first.size) == ("conv", MAP + MAP // 2)
    assert [storage.name for storage in first.alive] == ["input", "conv"]
    assert [storage.name for storage in first.freed] == ["input"]
    assert (last.path, last.size) == ("fc", MAP // 2 + 36)
    assert [storage.name for storage in last.freed] == ["conv"]
    held, _ = moments(eager(graph))
    assert held.freed == ()


AT_224 = {
    "v1": 7_024_640,
    "v2": 10_235_904,
    "v3-large": 7_024_640,
    "v3-small": 2_408_448,
    "resnet50": 10_235_904,
}
"""Bytes, batch 1, the image held; measured with torch 2.14 on a CPU."""


@pytest.mark.parametrize("name", AT_224)
def test_peaks_at_224(name: str) -> None:
    graph = builtin(name).graph({})
    assert peak(eager(graph)).size == AT_224[name]
    assert peak(eager(graph, batch=4)).size == 4 * AT_224[name]
    image = 4 * 3 * 224 * 224
    assert peak(eager(graph, image="released")).size == AT_224[name] - image


def test_the_peak_says_where() -> None:
    schedule = eager(builtin("v2").graph({}))
    found = peak(schedule)
    assert schedule.operators[found.at].path == "rows.2.0.expand.bn"
