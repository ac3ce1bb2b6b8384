"""The Pareto front against its definition."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbcost.studies.pareto import pareto_front

Points = list[tuple[float, ...]]


def brute_force(points: Points) -> list[int]:
    """Compare every point with every other, by the definition."""
    columns = [np.array(column) for column in zip(*points, strict=True)]

    def dominated(point: tuple[float, ...]) -> bool:
        pairs = list(zip(columns, point, strict=True))
        as_good = np.logical_and.reduce([column >= value for column, value in pairs])
        better = np.logical_or.reduce([column > value for column, value in pairs])
        return bool((as_good & better).any())

    return [i for i, point in enumerate(points) if not dominated(point)]


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("values", [50, 10**9])
def test_ten_thousand_random_points(dimensions: int, values: int) -> None:
    draw = random.Random(dimensions)
    points: Points = [
        tuple(draw.randrange(values) for _ in range(dimensions)) for _ in range(10_000)
    ]
    assert pareto_front(points) == brute_force(points)


@given(st.lists(st.tuples(*[st.integers(0, 4)] * 3), max_size=40))
def test_three_objectives_with_many_ties(points: Points) -> None:
    assert pareto_front(points) == brute_force(points)


@given(st.lists(st.tuples(st.integers(-3, 3)), max_size=20))
def test_one_objective_keeps_every_largest(points: Points) -> None:
    assert pareto_front(points) == brute_force(points)


class Counted(float):
    """A number that counts how often it is compared."""

    comparisons = 0

    def __lt__(self, other: float) -> bool:
        Counted.comparisons += 1
        return super().__lt__(other)

    def __le__(self, other: float) -> bool:
        Counted.comparisons += 1
        return super().__le__(other)


@pytest.mark.parametrize("on_the_front", [False, True])
def test_comparisons_grow_as_n_log_n(on_the_front: bool) -> None:
    def comparisons(n: int) -> int:
        draw = random.Random(n)
        xs = [draw.random() for _ in range(n)]
        points = [(Counted(x), Counted(1 - x if on_the_front else draw.random())) for x in xs]
        Counted.comparisons = 0
        assert len(pareto_front(points)) == n if on_the_front else pareto_front(points)
        return Counted.comparisons

    small, large = comparisons(1000), comparisons(16_000)
    assert large < 30 * small  # 16 · log(16,000) / log(1,000) is 22; n² would be 256
