from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from mbcost.errors import MbcostError
from mbcost.graph.deployed import deployed
from mbcost.graph.graph import Graph, Node, Step, wire
from mbcost.graph.liveness import Operator, Schedule, Storage, peak
from mbcost.graph.order import MAX_OPERATORS, best_order, reordered
from mbcost.graph.primitives import Add, Conv2d
from mbcost.networks.yaml import builtin, builtins


def drawn(draw: Random) -> Schedule:
    """Return a small schedule: branches, several outputs, maps that nothing reads."""
    given = draw.randint(1, 2)
    storages = [Storage(f"given{i}", draw.randint(1, 9), "input") for i in range(given)]
    operators = []
    for i in range(draw.randint(1, 6)):
        reads = draw.sample(range(len(storages)), min(len(storages), draw.choice((1, 1, 1, 2, 3))))
        writes = range(len(storages), len(storages) + draw.choice((1, 1, 1, 2)))
        storages += [Storage(f"map{i}", draw.choice((1, 2, 5, 20)), "activation") for _ in writes]
        operators.append(Operator(f"layer{i}", tuple(reads), tuple(writes)))
    kept = {len(storages) - 1, *(s for s in range(len(storages)) if draw.random() < 0.1)}
    return Schedule(tuple(storages), tuple(operators), tuple(range(given)), tuple(sorted(kept)))


def orders(schedule: Schedule, run: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """Yield every order in which each operator finds what it reads."""
    if len(run) == len(schedule.operators):
        yield run
        return
    there = {*schedule.given, *(s for i in run for s in schedule.operators[i].writes)}
    for i, operator in enumerate(schedule.operators):
        if i not in run and there.issuperset(operator.reads):
            yield from orders(schedule, (*run, i))


def peak_of(schedule: Schedule, run: tuple[int, ...]) -> int:
    """Return the peak by its definition: of each storage, whether it is there and still needed."""
    most = 0
    for at, i in enumerate(run):
        made = {*schedule.given, *(s for j in run[: at + 1] for s in schedule.operators[j].writes)}
        needed = {*schedule.kept, *schedule.operators[i].writes}
        needed |= {s for j in run[at:] for s in schedule.operators[j].reads}
        if at == 0:
            needed |= {*schedule.given}
        most = max(most, sum(schedule.storages[s].size for s in made & needed))
    return most


def test_the_best_order_is_that_of_brute_force_on_a_thousand_small_graphs() -> None:
    branching = better = 0
    for seed in range(1000):
        schedule = drawn(Random(seed))
        found = best_order(schedule)
        possible = {run: peak_of(schedule, run) for run in orders(schedule)}
        assert found.exact, seed
        assert found.order in possible, seed
        assert found.size == min(possible.values()) == possible[found.order], seed
        branching += len(possible) > 1
        better += found.size < peak(schedule).size
    assert branching > 600, "of a thousand, most have a choice"
    assert better > 200


@pytest.mark.parametrize("name", builtins())
def test_the_best_order_of_a_built_in_is_found_and_no_worse(name: str) -> None:
    graph = builtin(name).graph()
    schedule = deployed(graph, itemsize=1)
    found = best_order(schedule)
    assert found.exact
    assert found.size <= peak(schedule).size
    assert found.schedule == deployed(graph, itemsize=1, order=found.order)
    assert best_order(found.schedule).size == found.size


def test_a_network_whose_branches_are_written_in_a_bad_order_gets_a_smaller_peak() -> None:
    schedule = deployed(builtin("v2-projection").graph(), itemsize=1)
    assert (peak(schedule).size, best_order(schedule).size) == (1_705_984, 1_580_544)


def branches(count: int) -> Graph:
    """Return ``count`` branches of two layers each off one map, added up in pairs."""
    steps = [Step("stem", Conv2d(3, 8, (1, 1)), ("@0",))]
    for i in range(count):
        steps += [
            Step(f"wide{i}", Conv2d(8, 16 + i % 5, (1, 1)), ("stem",)),
            Step(f"narrow{i}", Conv2d(16 + i % 5, 8, (1, 1)), (f"wide{i}",)),
        ]
    steps += [Step("sum", Add(), tuple(f"narrow{i}" for i in range(count)))]
    nodes: list[Node] = []
    wire(nodes, steps, "", "", -1, (3, 4, 4))
    return Graph((3, 4, 4), tuple(nodes))


def test_a_search_that_gives_up_says_so_and_keeps_the_order() -> None:
    schedule = deployed(branches(8))
    found = best_order(schedule, max_states=3)
    assert (found.exact, found.states) == (False, 3)
    assert found.schedule == schedule
    assert best_order(schedule).exact


def test_a_graph_with_more_branches_than_can_be_searched_keeps_its_order_at_once() -> None:
    found = best_order(deployed(branches(MAX_OPERATORS // 2 + 1)))
    assert (found.exact, found.states) == (False, 0)


def test_an_order_renames_storages_as_they_are_written() -> None:
    schedule = deployed(branches(2))
    order = (0, 3, 4, 1, 2, 5)
    there = reordered(schedule, order)
    assert [storage.name for storage in there.storages] == [
        "input", "stem", "wide1", "narrow1", "wide0", "narrow0", "sum",
    ]  # fmt: skip
    assert there.operators[-1].reads == (5, 3)
    assert reordered(there, order) == schedule


def test_operators_in_place_cannot_be_ordered() -> None:
    graph = builtin("v2").graph()
    with pytest.raises(MbcostError, match="order first, then in place"):
        best_order(deployed(graph, in_place={"add"}))
    with pytest.raises(MbcostError, match="order first, then in place"):
        best_order(deployed(graph, in_place={"depthwise"}))


def test_an_empty_graph_has_one_order() -> None:
    found = best_order(deployed(Graph((3, 4, 4), ())))
    assert (found.order, found.size, found.exact) == ((), 192, True)
