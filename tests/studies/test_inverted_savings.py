"""What an inverted residual saves, against the same figures by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Cli

Json = Callable[..., Any]


@pytest.mark.parametrize(
    ("c", "out", "side", "s", "t", "k", "batch"),
    [
        (24, 24, 56, 1, 6, 3, 1),
        (16, 24, 112, 2, 6, 5, 2),
        (32, 16, 7, 1, 1, 3, 1),
        (8, 40, 15, 2, 3, 7, 3),
    ],
)
def test_savings_are_those_of_convolutions_added_by_hand(
    cli_json: Json, c: int, out: int, side: int, s: int, t: int, k: int, batch: int
) -> None:
    found = cli_json(
        *("explain", "inverted-residual", "--in", str(c), "--out", str(out), "--size", str(side)),
        *("--stride", str(s), "--expand", str(t), "--kernel", str(k), "--batch", str(batch)),
    )
    after = -(-side // s)
    wide = c * t
    expand = c * wide * side**2 if t > 1 else 0
    project = wide * out * after**2
    assert found["mult_adds"] == batch * (expand + k**2 * wide * after**2 + project)
    assert found["expanded_width"] == wide
    assert found["standard_inside_mult_adds"] == expand + k**2 * wide**2 * after**2 + project
    classic = wide * c * side**2 + k**2 * c**2 * after**2 + c * wide * after**2
    assert found["bottleneck_mult_adds"] == classic
    assert found["kept_elements"] == out * after**2
    assert found["bottleneck_kept_elements"] == wide * after**2


def test_squeeze_and_excite_stays_in_both(cli_json: Json) -> None:
    args = (
        "explain",
        "inverted-residual@se=0.25",
        "--in",
        "24",
        "--out",
        "24",
        "--size",
        "14",
        "--stride",
        "1",
    )
    found = cli_json(*args)
    wide = found["expanded_width"]
    apart = 9 * wide * (wide - 1) * 14**2
    assert found["standard_inside_mult_adds"] - found["mult_adds"] == apart


def test_it_is_said_in_words(cli: Cli) -> None:
    args = ("--in", "24", "--out", "24", "--size", "56", "--stride", "1")
    text = " ".join(cli("explain", "inverted-residual", *args).stdout.split())
    assert (
        "with a standard convolution at the expanded width of 48 in place of the depthwise one: "
        "72,253,440 mult-adds an image; this block has 8.4× fewer" in text
    )
    assert (
        "a classic bottleneck, 48 channels outside and 24 inside: 23,482,368 mult-adds an image, "
        "2.7× fewer here; between blocks it keeps 150,528 elements, this one 75,264" in text
    )


@pytest.mark.parametrize("target", ["standard", "depthwise-separable", "v2"])
def test_other_targets_have_none(cli_json: Json, target: str) -> None:
    assert "expanded_width" not in cli_json("explain", target)
