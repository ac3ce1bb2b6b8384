"""How a row is edited, taken apart and wired."""

from __future__ import annotations

import pytest

from mbcost.errors import LayerError
from mbcost.networks.rows import Row, edited, layer_of, overridden, wired

BLOCK = "inverted_residual"
"""Whose expansion is said by ``t`` or by ``exp``."""


def test_of_two_ways_to_say_one_thing_the_new_one_stays() -> None:
    fields = {"t": 6, "c": 40, "k": 3}
    assert overridden(BLOCK, fields, {"exp": 240}) == {"exp": 240, "c": 40, "k": 3}
    assert overridden(BLOCK, fields, {"t": 4}) == {"t": 4, "c": 40, "k": 3}
    assert overridden(BLOCK, fields, {"k": 5}) == {"t": 6, "c": 40, "k": 5}
    assert overridden("window_pool", {"k": 2}, {"s": 2}) == {"k": 2, "s": 2}
    assert fields == {"t": 6, "c": 40, "k": 3}
    with pytest.raises(LayerError, match="exp and t both set the width"):
        overridden(BLOCK, fields, {"t": 4, "exp": 240})


def test_repeats_and_scale_are_the_rows_all_else_its_blocks() -> None:
    row = Row(BLOCK, {"t": 6, "c": 40}, n=3, name="low", output=True)
    assert edited(row, {}) == row
    assert edited(row, {"n": 2, "scale": "fixed", "exp": 240}) == Row(
        BLOCK, {"exp": 240, "c": 40}, n=2, scale="fixed", name="low", output=True
    )


def test_one_repeat_as_a_row_of_its_own_strides_only_if_it_is_the_first() -> None:
    tail = {"c": 20, "s": 3}
    row = Row(BLOCK, {"t": 6, "c": 40, "s": 2}, n=3, reduced_tail=tail)
    first, second = (layer_of(row, repeat, {"k": 5}) for repeat in (0, 1))
    assert (first.n, first.fields, first.reduced_tail) == (
        1,
        {"t": 6, "c": 40, "s": 2, "k": 5},
        tail,
    )
    assert (second.n, second.fields, second.reduced_tail) == (
        1,
        {"t": 6, "c": 40, "s": 1, "k": 5},
        {"c": 20},
    )
    alone = Row("window_pool", {"k": 3, "s": 2, "sw": 3}, n=2, reduced_tail={"s": 1})
    assert layer_of(alone, 1, {}) == Row("window_pool", {"k": 3, "s": 1, "sw": 1})


def test_rows_that_stand_for_one_read_and_are_read_as_it_was() -> None:
    row = Row("conv", {"c": 1}, name="low", taps=(("a", "conv"),), inputs=("input",), output=True)
    parts = [Row("conv", {"c": c}, name="other", inputs=("x",), output=True) for c in (2, 3, 4)]
    assert wired(parts, row) == [
        Row("conv", {"c": 2}, inputs=("input",)),
        Row("conv", {"c": 3}),
        Row("conv", {"c": 4}, name="low", taps=(("a", "conv"),), output=True),
    ]
    assert wired(parts[:1], row) == [row._replace(fields={"c": 2})]
