from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbcost.errors import MbcostError
from mbcost.units import (
    parse_bytes,
    parse_count,
    parse_percent,
    signed,
    signed_percent,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [("4MB", 4_000_000), ("512KiB", 524_288), ("65536", 65536), ("1.5 MiB", 1_572_864),
     ("1,024 B", 1024), ("2GB", 2 * 10**9), (" 3 kB ", 3000), ("0", 0)],
)  # fmt: skip
def test_bytes_are_read_by_their_unit(text: str, value: int) -> None:
    assert parse_bytes(text) == value


@pytest.mark.parametrize("text", ["4M", "-4MB", "", "MB", "4 mb", "1e6", "nan", "9" * 5000])
def test_what_is_not_a_size_in_bytes_is_an_error(text: str) -> None:
    with pytest.raises(MbcostError, match="is not a size in bytes"):
        parse_bytes(text)


@pytest.mark.parametrize(
    ("text", "share"),
    [("1%", Fraction(1, 100)), ("0.1 %", Fraction(1, 1000)), ("0%", Fraction(0))],
)
def test_a_percentage_is_exact(text: str, share: Fraction) -> None:
    assert parse_percent(text) == share


@pytest.mark.parametrize("text", ["1", "-1%", "%", "one%", "1%%", ""])
def test_what_is_not_a_percentage_is_an_error(text: str) -> None:
    with pytest.raises(MbcostError, match="is not a percentage"):
        parse_percent(text)


@given(st.integers(0, 10**15))
def test_a_whole_count_is_itself(value: int) -> None:
    assert parse_count(str(value)) == parse_bytes(str(value)) == value
    assert parse_count(f"{value:,}") == value


@pytest.mark.parametrize(
    ("value", "prefix", "text"),
    [(34112, "k", "+34.1"), (-34112, "k", "−34.1"), (0, "M", "0"), (-34112, None, "−34,112")],
)
def test_a_difference_has_its_sign(value: int, prefix: str | None, text: str) -> None:
    assert signed(value, prefix) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.00973, "+0.973%"), (-0.5, "−50.0%"), (0, "0%"), (-0.0000139, "−0.00139%")],
)
def test_a_growth_has_its_sign_and_never_rounds_to_nothing(share: float, text: str) -> None:
    assert signed_percent(share) == text
