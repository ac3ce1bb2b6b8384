"""Which columns a table has, and how its rows are sorted."""

from __future__ import annotations

import pytest

from mbcost.errors import MbcostError
from mbcost.output.table import Column, Record, choose_columns, sort_rows

KNOWN = {
    "name": Column("name", "name"),
    "mult_adds": Column("mult_adds", "mult-adds", "count", rank=2),
    "params": Column("params", "params", "count", rank=1),
}


def test_columns_are_those_asked_for_and_then_never_left_out() -> None:
    assert choose_columns(KNOWN, None, ("name", "params")) == (KNOWN["name"], KNOWN["params"])
    chosen = choose_columns(KNOWN, " mult-adds ,name", ("name",))
    assert chosen == (Column("mult_adds", "mult-adds", "count", rank=0), KNOWN["name"])


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ("", "names no column"),
        (" , ", "names no column"),
        ("name,,params", "'name,,params' has an empty item"),
        ("name,param", r"unknown column 'param' \(did you mean 'params'"),
    ],
)
def test_columns_that_are_not_there_are_refused(wanted: str, problem: str) -> None:
    with pytest.raises(MbcostError, match=f"--columns: {problem}"):
        choose_columns(KNOWN, wanted, ("name",))


ROWS: list[Record] = [
    {"name": "b", "params": 10},
    {"name": "none", "params": None},
    {"name": "c", "params": 9},
    {"name": "a", "params": 10},
    {"name": "absent"},
]


@pytest.mark.parametrize(
    ("key", "order"),
    [
        (None, ["b", "none", "c", "a", "absent"]),
        ("params", ["c", "b", "a", "none", "absent"]),  # 9 before 10: numbers; equal ones stay
        ("-params", ["b", "a", "c", "none", "absent"]),
        ("name", ["a", "absent", "b", "c", "none"]),
        ("-name", ["none", "c", "b", "absent", "a"]),
    ],
)
def test_rows_rise_or_fall_and_empty_values_come_last(key: str | None, order: list[str]) -> None:
    assert [row["name"] for row in sort_rows(list(ROWS), key)] == order


def test_values_of_several_kinds_are_sorted_as_text() -> None:
    rows: list[Record] = [{"of": "b"}, {"of": 2}, {"of": None}, {"of": "a"}]
    assert [row["of"] for row in sort_rows(rows, "of")] == [2, "a", "b", None]
    assert [row["of"] for row in sort_rows(rows, "-of")] == ["b", "a", 2, None]


def test_a_kebab_key_is_the_same_and_an_unknown_one_is_refused() -> None:
    rows: list[Record] = [{"mult_adds": 2}, {"mult_adds": 1}]
    assert sort_rows(rows, "mult-adds") == rows[::-1]
    with pytest.raises(MbcostError, match=r"--sort: unknown key 'mult' \(did you mean 'mult_adds'"):
        sort_rows(rows, "mult")
