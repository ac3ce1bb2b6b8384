from __future__ import annotations

import ast
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbcost import units
from mbcost.errors import MbcostError
from tests import ROOT


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (73.984, "74.0"),
        (9.152, "9.15"),
        (568.74, "569"),
        (0.0642, "0.0642"),
        (9.999, "10.0"),
        (999.9, "1,000"),
        (0.9999, "1.00"),
        (1234.5, "1,234"),
    ],
)
def test_three_digits_without_an_exponent(value: float, text: str) -> None:
    assert units.three_digits(value) == text


@given(st.floats(1e-6, 1e6))
def test_three_digits_are_within_half_a_unit_of_the_third(value: float) -> None:
    shown = float(units.three_digits(value).replace(",", ""))
    assert abs(shown - value) <= value * 0.00501


def test_one_prefix_serves_the_largest_value() -> None:
    assert units.prefix_for([41_000_000, 15_300_000_000, None]) == "G"
    assert units.prefix_for([9_152, 73_984]) == "k"
    assert units.prefix_for([12]) == units.prefix_for([]) == ""


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (1, "1×"),
        (0.1237, "8.1× fewer"),
        (1.5, "1.5× more"),
        (1.02, "1.02× more"),
        (1 / 640, "640× fewer"),
        (0, "none"),
    ],
)
def test_ratios_say_their_direction(ratio: float, words: str) -> None:
    assert units.ratio_in_words(ratio) == words


def test_bars_fill_in_eighths() -> None:
    assert [units.bar(share, 2) for share in (0, 0.25, 0.5, 0.9375, 1, 2)] == [
        "",
        "▌",
        "█",
        "█▉",
        "██",
        "██",
    ]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("300M", 300000000),
        ("3.4 M", 3400000),
        ("59.2M", 59200000),
        ("0.6G", 600000000),
        ("219k", 219000),
        ("1234", 1234),
        ("1,234", 1234),
        ("1.2B", 1200000000),
        ("301e6", 301000000),
        ("3.55E+6", 3550000),
        ("0.1e1", 1),
        ("1e18", 10**18),
        ("123456789.123456789e9", 123456789123456789),
    ],
)
def test_counts_parse_exactly(text: str, count: int) -> None:
    assert units.parse_count(text) == count


@pytest.mark.parametrize(
    "text", ["", "M", "-3M", "3.4.5", "1e-6", "e6", "1e6M", "1e", "1e19", "1e99", "1e1.5", "3 X"]
)
def test_what_is_not_a_count_says_so(text: str) -> None:
    with pytest.raises(MbcostError, match="is not a count"):
        units.parse_count(text)


def test_a_printed_count_has_no_power_of_ten() -> None:
    with pytest.raises(MbcostError, match="is not a count"):
        units.parse_count("301e6", powers=False)


@given(st.integers(1, units.MAX_SIZE), st.integers(1, units.MAX_SIZE))
def test_sizes_survive_a_round_trip(height: int, width: int) -> None:
    assert units.parse_size(str(units.size_value(height, width))) == (height, width)


@pytest.mark.parametrize("text", ["", "x", "224x", "x224", "0", "224x0", "65537", "1e3", "-1"])
def test_bad_sizes_are_refused(text: str) -> None:
    with pytest.raises(MbcostError):
        units.parse_size(text)


ELSEWHERE = {
    "errors.py": "codes of characters; it stands below units",
    "graph/graph.py": "stands below units",
    "output/plots/heatmap.py": "a colour",
    "output/plots/style.py": "a colour",
    "studies/papers/printed.py": "as many digits as a paper prints; the part of units for papers",
    "studies/spaces/chunks.py": "names of files, which sort by number",
}
"""Files that format a number although they are not ``units``, and why."""


def number_formats(text: str) -> list[str]:
    """Return the format specs of f-strings that are for numbers: not ``>8``, not ``.40``."""
    found = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FormattedValue))
    specs = [ast.unparse(node.format_spec)[2:-1] for node in found if node.format_spec]
    return [spec for spec in specs if re.search(r"[,_%bcdeEfFgGnxX]$", spec)]


def test_only_units_formats_numbers() -> None:
    package = ROOT / "mbcost"
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if number_formats(path.read_text("utf-8"))
    }
    assert found == {"units.py", *ELSEWHERE}


def test_a_number_format_is_found() -> None:
    text = """f"{a:,} {b:.1f} {c:g} {d:.{n}f} {e:+.2%} {f!r:.40} {g:>{w}} {h:<8} {i}" """
    assert number_formats(text) == [",", ".1f", "g", ".{n}f", "+.2%"]


FAR_OFF = ("0:1e-300", "-1e39:1", "1:1.0000001", "0:1e10")


def test_a_span_has_two_ends() -> None:
    assert units.parse_span("-1:1") == (-1, 1)
    assert units.parse_span("0:255") == (0, 255)
    assert units.parse_span("1e-3:.5") == (0.001, 0.5)
    for text in ("", "1", "1:", ":1", "1:2:3", "a:b", "1:1", "2:1", "0:inf", "nan:1", *FAR_OFF):
        with pytest.raises(MbcostError, match=r"like 0:1 or -1:1"):
            units.parse_span(text)


def test_small_numbers_have_two_digits_in_one_width() -> None:
    assert [units.scientific(x) for x in (6.54e-7, 0, 0.05)] == ["6.5e-07", "0.0e+00", "5.0e-02"]
