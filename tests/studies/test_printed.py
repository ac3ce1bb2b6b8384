"""When a figure of ours agrees with one that is printed."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbcost.errors import MbcostError
from mbcost.studies.papers.printed import Printed, parse_printed


@pytest.mark.parametrize(
    ("printed", "value", "agrees"),
    [
        ("569M", 568_740_352, True),  # rounds
        ("149M", 149_499_999, True),
        ("3.4M", 3_469_760, True),  # truncates
        ("3.5M", 3_469_760, True),  # rounds
        ("3.6M", 3_469_760, False),
        ("217M", 218_000_000, False),
        ("1.19%", Fraction("0.019056"), False),
        (">2.5x", Fraction("2.51"), True),
        (">2.5x", Fraction("2.5"), False),
        ("8 to 9x", Fraction("8.84"), True),
        ("8 to 9x", Fraction("9.1"), False),
        ("568M", 568_740_352, True),  # truncates
        ("570M", 568_740_352, False),
        ("0.39B", 385_814_752, True),
        ("4.2M", 4_249_999, True),
        ("4.2M", 4_300_000, False),
        ("4.2M", 4_199_999, True),
        ("720M", 724_406_816, False),  # a printed zero is a digit
        ("4383312", 4_383_312, True),
        ("4383312", 4_383_313, False),
    ],
)
def test_a_figure_agrees_when_it_rounds_or_truncates_to_the_print(
    printed: str, value: int | Fraction, agrees: bool
) -> None:
    assert parse_printed(printed).agrees(Fraction(value)) is agrees


@pytest.mark.parametrize(
    ("printed", "digits", "step"),
    [("1600kB", 2, 100_000), ("800kB", 2, 10_000), ("62kB", 2, 1000), ("100kB", 2, 10_000),
     ("199kB", 2, 1000), ("15300M", 3, 10**8), ("1.25M", 2, 10**4), ("300M", None, 10**6)],
)  # fmt: skip
def test_trailing_zeros_are_rounding_only_in_columns_that_say_so(
    printed: str, digits: int | None, step: int
) -> None:
    assert parse_printed(printed).step(digits) == step


@given(st.integers(1, 10**12), st.integers(0, 3), st.sampled_from(["", "k", "M", "B", "G"]))
def test_a_value_agrees_with_its_own_rounding_and_truncation_and_nothing_else(
    value: int, decimals: int, unit: str
) -> None:
    step = Printed(f"{0:.{decimals}f}", unit).step()
    down = value // step
    up = (value + step / 2) // step
    for count in range(max(0, int(down) - 3), int(down) + 4):
        text = f"{count // 10**decimals}"
        text += f".{count % 10**decimals:0{decimals}}" if decimals else ""
        assert parse_printed(text + unit).agrees(Fraction(value)) is (count in (down, up))


@pytest.mark.parametrize("bad", ["", "M", "4,2M", "1e6", "5 GB", "-3M", "4.M"])
def test_what_is_no_printed_figure_is_refused(bad: str) -> None:
    with pytest.raises(MbcostError, match="is not a printed figure"):
        parse_printed(bad)
