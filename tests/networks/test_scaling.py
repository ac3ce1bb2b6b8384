"""What settings do to a row, and a row to its repeats: each number worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pytest

from mbcost.errors import LayerError
from mbcost.networks.rows import Row, Scale
from mbcost.networks.scaling import Feed, Scaling
from mbcost.networks.widths import Rounding

EIGHTHS = Rounding("divisible", 8)
FEED = Feed(4, (32, 16, 16), 64.0, stride=8)


def scaling(**changed: Any) -> Scaling:
    """Return the settings of a network as it is, but for what is changed."""
    plain = Scaling(1.0, EIGHTHS, "absolute", classes=None, tail=False, output_stride=None)
    return Scaling(**{**vars(plain), **changed})


def fields(row: Row, feed: Feed = FEED, repeat: int = 0, **changed: Any) -> Mapping[str, Any]:
    """Return the fields of the block that a row becomes."""
    return asdict(scaling(**changed).row(row).repeat(repeat, feed)[0])


def after(row: Row, feed: Feed = FEED, repeat: int = 0, **changed: Any) -> Feed:
    """Return what a row hands on."""
    return scaling(**changed).row(row).repeat(repeat, feed)[1]


@pytest.mark.parametrize(
    ("scale", "half", "double"),
    [("full", 24, 80), ("widen", 40, 80), ("fixed", 40, 80), ("truncate", 20, 80)],
)
def test_a_width_scales_by_its_rows_rule(scale: Scale, half: int, double: int) -> None:
    row = Row("conv", {"c": 40}, scale=scale)
    assert fields(row)["c"] == 40
    assert fields(row, alpha=0.5)["c"] == half  # 20 is nearest to 24
    assert fields(row, alpha=2.0)["c"] == (40 if scale == "fixed" else double)


def test_a_width_without_a_rule_loses_its_fraction() -> None:
    assert fields(Row("conv", {"c": 41}), alpha=0.5, rounding=Rounding("truncate", 1))["c"] == 20


def test_classes_are_not_scaled() -> None:
    row = Row("conv", {"c": "classes", "k": 1})
    assert fields(row, alpha=0.5, classes=10)["c"] == 10
    assert after(row, alpha=0.5, classes=10).nominal == 10


def test_every_width_of_a_block_without_c_scales() -> None:
    row = Row("fire", {"squeeze": 16, "expand1": 64, "expand3": 48})
    half = fields(row, alpha=0.5)
    assert [half[name] for name in ("squeeze", "expand1", "expand3")] == [8, 32, 24]
    assert after(row, alpha=0.5).nominal is None


def test_an_expansion_is_absolute_or_a_ratio_to_the_printed_width() -> None:
    row = Row("inverted_residual", {"exp": 240, "c": 40})
    assert fields(row)["exp"] == 240
    assert fields(row, alpha=0.5)["exp"] == 120
    # 240 are 3.75 of the 64 that are printed, of which 32 are left
    assert fields(row, expansion="ratio", alpha=0.5)["exp"] == 120
    narrow = FEED._replace(x=(24, 16, 16))
    assert fields(row, narrow, expansion="ratio", alpha=0.5)["exp"] == 88  # nearest to 90
    for nominal, problem in ((None, "that no row states"), (0, "that the rows before make 0")):
        with pytest.raises(LayerError, match=problem):
            fields(row, FEED._replace(nominal=nominal), expansion="ratio")


def test_the_printed_width_is_handed_on_not_the_built_one() -> None:
    assert after(Row("conv", {"c": 40}), alpha=0.5).nominal == 40
    assert after(Row("window_pool", {"k": 2, "s": 2})).nominal == 64
    assert after(Row("conv", {"t": 0.75})).nominal == 48
    assert after(Row("conv", {"t": 0.7}), FEED._replace(nominal=9.0)).nominal == 6  # whole
    assert after(Row("conv", {"t": 2.0}), FEED._replace(nominal=None)).nominal is None


def test_a_width_past_any_number_is_refused() -> None:
    for nominal in (1e308, 10**400):
        with pytest.raises(LayerError, match=r"hand on by 10, past any number \(a smaller t\)"):
            after(Row("conv", {"t": 10.0}), FEED._replace(nominal=nominal))


def test_a_repeat_has_stride_one() -> None:
    row = Row("inverted_residual", {"t": 2, "c": 40, "s": 2}, n=2)
    assert [fields(row, repeat=i)["s"] for i in (0, 1)] == [2, 1]
    pool = Row("window_pool", {"k": 3, "s": 2, "sw": 3}, n=2)
    assert [(fields(pool, repeat=i)["s"], fields(pool, repeat=i)["sw"]) for i in (0, 1)] == [
        (2, 3),
        (1, 1),
    ]


def test_without_an_output_stride_nothing_dilates() -> None:
    row = Row("conv", {"c": 40, "s": 2})
    feed = FEED._replace(stride=32, rate=2)
    assert (fields(row, feed)["s"], fields(row, feed)["dilation"]) == (2, 1)
    assert (after(row, feed).stride, after(row, feed).rate) == (32, 2)


def dilated(row: Row, feed: Feed, output_stride: int) -> tuple[int, int, int, int]:
    """Return (stride, dilation) of the block, (stride, rate) of what it hands on."""
    found = fields(row, feed, output_stride=output_stride)
    handed = after(row, feed, output_stride=output_stride)
    return found["s"], found["dilation"], handed.stride, handed.rate


def test_strides_are_kept_up_to_the_output_stride_and_dilate_behind_it() -> None:
    row = Row("conv", {"c": 40, "s": 2})
    assert dilated(row, FEED, 32) == (2, 1, 16, 1)
    assert dilated(row, FEED, 16) == (2, 1, 16, 1)  # just reached
    assert dilated(row, FEED, 8) == (1, 1, 8, 2)  # left out: those behind it dilate
    assert dilated(row, FEED._replace(rate=2), 8) == (1, 2, 8, 4)
    assert dilated(Row("conv", {"c": 40}), FEED._replace(rate=2), 8) == (1, 2, 8, 2)
    tripled = Row("conv", {"c": 40, "dilation": 3})  # in units of the rate
    assert dilated(tripled, FEED._replace(rate=2), 8) == (1, 6, 8, 2)


@pytest.mark.parametrize(("k", "dilation"), [(1, 1), (2, 2), (3, 2), (5, 2)])
def test_all_but_one_cell_kernels_dilate(k: int, dilation: int) -> None:
    row = Row("conv", {"c": 40, "k": k})
    assert dilated(row, FEED._replace(rate=2), 8) == (1, dilation, 8, 2)


def test_a_padding_that_is_given_dilates_too() -> None:
    row = Row("conv", {"c": 40, "p": 2})
    assert fields(row, FEED._replace(rate=3), output_stride=8)["p"] == 6
    assert fields(row, FEED, output_stride=8)["p"] == 2
    assert fields(Row("conv", {"c": 40}), FEED._replace(rate=3), output_stride=8)["p"] is None


def test_a_block_that_cannot_dilate_keeps_its_stride() -> None:
    row = Row("window_pool", {"k": 2, "s": 2})
    assert fields(row, FEED, output_stride=8)["s"] == 2
    assert after(row, FEED, output_stride=8).stride == 16


def test_a_reduced_tail_stands_in_for_the_rows_own_fields() -> None:
    row = Row("inverted_residual", {"t": 6, "c": 160}, reduced_tail={"exp": 480, "c": 80})
    assert (fields(row)["t"], fields(row)["exp"], fields(row)["c"]) == (6, None, 160)
    tail = fields(row, tail=True)
    assert (tail["t"], tail["exp"], tail["c"]) == (None, 480, 80)
    assert scaling(tail=True).tailed(Row("conv", {"c": 8})) == {"c": 8}
