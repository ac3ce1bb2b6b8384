"""The fields of rows that ``--set`` names."""

from __future__ import annotations

import pytest

from mbcost.errors import MbcostError
from mbcost.networks.blocks import MERGES
from mbcost.networks.network import Network
from mbcost.studies.spaces.selection import with_fields
from mbcost.studies.spaces.space_file import load_space


@pytest.mark.parametrize(
    ("path", "rows"),
    [
        ("rows.3.t", [3]),
        ("*.k", [0, 1, 2, 3, 4, 5, 6, 7]),  # not the pointwise convolution of row 8
        ("*.t", [2, 3, 4, 5, 6, 7]),  # not the unexpanded block of row 1
        ("inverted-residual.se", [1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_a_path_reaches_its_rows(path: str, rows: list[int]) -> None:
    (axis,) = with_fields(load_space("v2"), [f"{path}=2,3"]).axes
    assert [slot.row for slot in axis.slots] == rows


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rows.3.t", "is not a choice"),
        ("rows.99.t=1,2", "there is no row 99"),
        ("rows.3.tt=1,2", "no field 'tt'.*did you mean 't'"),
        ("rows.3.4.t=1,2", "row 3 repeats 3 times"),
        ("rows.3=1", "no row of rows|unknown block 'rows'"),
        ("t=3", "names no field"),
        ("*.zz=3", "has a 'zz'"),
        ("invert.t=3", "unknown block 'invert'"),
        ("rows.3.k=0,3", "0 is out of range"),
        ("rows.3.act=rellu", "did you mean 'relu'"),
        ("rows.3.t=", "empty item"),
    ],
)
def test_an_unknown_field_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(MbcostError, match=message):
        with_fields(load_space("v2"), [text])


def test_a_field_set_twice_is_an_error_and_a_new_axis_takes_its_slots_from_an_old_one() -> None:
    with pytest.raises(MbcostError, match="set twice"):
        with_fields(load_space("v2"), ["rows.2.t=1,2", "rows.2.t=3"])
    space = with_fields(load_space("v2"), ["*.t=3,6", "rows.2.t=4,5"])
    assert {axis.key: [slot.row for slot in axis.slots] for axis in space.axes} == {
        "*.t": [3, 4, 5, 6, 7],
        "rows.2.t": [2],
    }


def test_a_row_that_joins_others_has_nothing_to_vary() -> None:
    space = load_space("lraspp-v2")
    assert isinstance(space.spec, Network)
    joins = [i for i, row in enumerate(space.spec.rows) if row.block in MERGES]
    assert joins
    for axis in with_fields(space, ["*.n=1,2"]).axes:
        assert not {slot.row for slot in axis.slots} & set(joins)
    with pytest.raises(MbcostError, match="has no field 'n'"):
        with_fields(space, [f"rows.{joins[0]}.n=1,2"])
