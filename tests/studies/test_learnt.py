"""Numbers that stand for combinations."""

from __future__ import annotations

from itertools import product

from mbcost.studies.spaces.learnt import unravelled


def test_combinations_are_numbered_in_the_order_of_a_product() -> None:
    values = [("a", "b", "c"), (1, 2), (True,), ("w", "x", "y", "z")]
    expected = [*product(*values)]
    assert [unravelled(i, values) for i in range(len(expected))] == expected
