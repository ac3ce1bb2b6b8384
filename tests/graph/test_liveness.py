"""What is alive when, beside the definition: each storage asked for anew at each operator."""

from __future__ import annotations

from math import prod
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbcost.graph.graph import Node
from mbcost.graph.liveness import (
    Operator,
    Schedule,
    Storage,
    alive_bytes,
    freed_after,
    frees,
    largest_activation,
    live_sets,
    peak,
    spans,
)
from mbcost.graph.primitives import Add, Shape
from tests.oracles import peak_activation

IMAGE: Shape = (3, 4, 5)


def drawn(draw: Random) -> tuple[list[Node], tuple[int, ...]]:
    """Return nodes that read any nodes before them, or the image, and which of them are put out."""
    nodes = []
    for i in range(draw.randint(1, 7)):
        inputs = tuple(draw.choices(range(-1, i), k=draw.randint(1, 3)))
        y = (draw.randint(1, 9), draw.randint(1, 3), draw.randint(1, 3))
        nodes.append(Node(str(i), "", Add(), inputs, IMAGE, y))
    several = draw.sample(range(len(nodes)), draw.randint(0, len(nodes)))
    return nodes, tuple(several) if draw.random() < 0.5 else ()


def needed(nodes: list[Node], outputs: tuple[int, ...], i: int) -> set[int]:
    """Return the maps that are there when node ``i`` has just run: its own, and of those before it
    each that it reads, that a later node reads, or that is put out."""
    kept = outputs or (len(nodes) - 1,)
    before = range(-1, i)
    read = {source for node in nodes[i:] for source in node.inputs}
    found = {source for source in before if source in read or source in kept} | {i}
    unread_image = -1 not in {source for node in nodes for source in node.inputs}
    return found | ({-1} if unread_image and i == 0 else set())  # given, and freed at once


@given(st.randoms(use_true_random=False))
def test_a_map_is_alive_while_it_is_read_or_put_out(draw: Random) -> None:
    nodes, outputs = drawn(draw)
    alive, seen = {-1}, []
    for i, gone in enumerate(freed_after(nodes, outputs)):
        alive.add(i)
        seen.append(set(alive))
        assert alive >= set(gone)
        alive -= set(gone)
    assert seen == [needed(nodes, outputs, i) for i in range(len(nodes))]
    assert alive == set(outputs or (len(nodes) - 1,))


@given(st.randoms(use_true_random=False))
def test_the_peak_is_the_most_that_is_alive_at_once(draw: Random) -> None:
    nodes, outputs = drawn(draw)
    sizes = {-1: prod(IMAGE)} | {i: prod(node.y) for i, node in enumerate(nodes)}
    alive = [sum(sizes[j] for j in needed(nodes, outputs, i)) for i in range(len(nodes))]
    assert peak_activation(IMAGE, nodes, outputs) == max(sizes[-1], *alive)
    assert largest_activation(IMAGE, nodes) == max(sizes.values())


def test_of_nothing_the_image_is_the_peak() -> None:
    assert peak_activation(IMAGE, []) == largest_activation(IMAGE, []) == 60


def test_a_small_layer_on_a_large_image() -> None:
    nodes = [Node("a", "", Add(), (-1,), IMAGE, (1, 2, 2)), Node("b", "", Add(), (0,), IMAGE, (5,))]
    assert largest_activation(IMAGE, nodes) == 60
    assert peak_activation(IMAGE, nodes) == 64
    assert freed_after(nodes) == [[-1], [0]]
    assert freed_after(nodes, (0, 1)) == [[-1], []]


def schedule_of(draw: Random) -> Schedule:
    """Return operators that read storages before them and write new ones, some never read."""
    given = tuple(range(draw.randint(1, 2)))
    count, operators = len(given), []
    for i in range(draw.randint(1, 6)):
        written = tuple(range(count, count + draw.randint(0, 2)))
        reads = tuple(draw.sample(range(count), draw.randint(0, min(3, count))))
        operators.append(Operator(str(i), reads, written))
        count += len(written)
    storages = tuple(Storage(str(i), draw.randint(1, 99), "activation") for i in range(count))
    kept = tuple(draw.sample(range(count), draw.randint(0, count)))
    return Schedule(storages, tuple(operators), given, kept)


def alive_at(schedule: Schedule, i: int) -> set[int]:
    """Return what is there when operator ``i`` has just run, each storage asked for by itself."""
    first = dict.fromkeys(schedule.given, 0)
    first |= {s: at for at, operator in enumerate(schedule.operators) for s in operator.writes}
    found = set()
    for storage, start in first.items():
        readers = [at for at, o in enumerate(schedule.operators) if storage in o.reads]
        end = len(schedule.operators) if storage in schedule.kept else max([start, *readers])
        if start <= i <= end:
            found.add(storage)
    return found


@given(st.randoms(use_true_random=False))
def test_a_schedule_frees_after_the_last_reader(draw: Random) -> None:
    schedule = schedule_of(draw)
    expected = [alive_at(schedule, i) for i in range(len(schedule.operators))]
    assert list(map(set, live_sets(schedule))) == expected
    sizes = [sum(schedule.storages[s].size for s in alive) for alive in expected]
    assert alive_bytes(schedule) == sizes
    assert peak(schedule) == (max(sizes), sizes.index(max(sizes)))
    gone = [s for each in frees(schedule) for s in each]
    assert sorted(gone) == sorted(set(range(len(schedule.storages))) - set(schedule.kept))
    assert spans(schedule) == [
        (min(at), max(at))
        for s in range(len(schedule.storages))
        for at in [[i for i, alive in enumerate(expected) if s in alive]]
    ]


@pytest.mark.parametrize(("start", "stop", "expected"), [(0, None, (9, 1)), (2, 3, (7, 2))])
def test_a_peak_of_a_part_is_the_first_of_its_largest(
    start: int, stop: int | None, expected: tuple[int, int]
) -> None:
    storages = tuple(Storage(str(i), size, "activation") for i, size in enumerate((2, 3, 4, 1, 4)))
    operators = tuple(Operator(str(i), (i,), (i + 1,)) for i in range(4))
    schedule = Schedule(storages, operators, (0,), (0, 3))
    assert alive_bytes(schedule) == [5, 9, 7, 7]
    assert peak(schedule, start, stop) == expected
    assert peak(schedule, 4) == (2, 4)  # of none, what is given
