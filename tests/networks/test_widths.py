"""Widths, beside their definitions by exact fractions."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mbcost.errors import LayerError
from mbcost.networks.widths import Rounding, make_divisible, truncated


@given(quarters=st.integers(1, 4000), divisor=st.integers(1, 32))
@example(quarters=44, divisor=8)  # 11 is nearest to 8, which is less than 90 % of it
@example(quarters=38, divisor=8)  # 9.5, too
@example(quarters=40, divisor=9)  # 9 is 90 % of 10
@example(quarters=4 * 12, divisor=8)  # as near to 8 as to 16
@example(quarters=1, divisor=8)
def test_a_divisible_width_is_the_nearest_multiple_that_keeps_nine_tenths(
    quarters: int, divisor: int
) -> None:
    value = Fraction(quarters, 4)
    multiples = [divisor * i for i in range(1, quarters // divisor + 2)]
    nearest = min(multiples, key=lambda m: (abs(m - value), -m))
    if nearest < value * Fraction(9, 10):
        nearest += divisor
    assert make_divisible(float(value), divisor) == nearest


def test_eight_is_the_divisor_unless_said() -> None:
    assert [make_divisible(value) for value in (1, 8, 11, 12, 16.8, 24)] == [8, 8, 16, 16, 16, 24]


def test_a_truncated_width_is_its_whole_part_and_never_none() -> None:
    assert [truncated(value) for value in (1, 1.99, 8.5)] == [1, 1, 8]
    with pytest.raises(LayerError, match="no channel is left"):
        truncated(0.99)


def test_a_rounding_is_one_of_the_two() -> None:
    assert Rounding("divisible", 4).of(9.1) == 12  # 8 is less than 90 % of it
    assert Rounding("divisible", 16).of(9.1) == 16
    assert Rounding("truncate", 4).of(9.9) == 9
    assert Rounding("none", 4).of(9.9) == 9
