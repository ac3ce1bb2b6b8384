"""What people read of a table: formats by column, and the columns that fit a line."""

from __future__ import annotations

import pytest

from mbcost.output.cells import SHOW, cells, fitted, reasons_below
from mbcost.output.table import PENDING, Column, Record, Table


def table(*columns: Column, rows: list[Record], total: Record | None = None) -> Table:
    return Table(columns, rows, (), rows, rows, total=total)


def test_a_column_of_counts_has_one_prefix_also_for_its_total() -> None:
    rows: list[Record] = [{"n": 9_152}, {"n": 73_984}, {"n": None}, {"n": PENDING}, {}]
    found = cells(table(Column("n", "params", "count"), rows=rows, total={"n": 2_000_000}))
    assert found.headers == ["params (M)"]
    assert found.rows == [["0.00915"], ["0.0740"], [""], ["…"], [""]]
    assert found.total == ["2.00"]
    exact = cells(table(Column("n", "params", "count"), rows=rows[:2]), exact=True)
    assert (exact.headers, exact.rows) == (["params"], [["9,152"], ["73,984"]])
    assert exact.total is None


@pytest.mark.parametrize(
    ("kind", "values", "unit", "texts", "exact"),
    [
        ("delta", [-1_500, 20], "k", ["−1.50", "+0.0200"], ["−1,500", "+20"]),
        ("bytes", [4_200_000, 0], "MB", ["4.20", "0.00"], ["4,200,000", "0"]),
        ("percent", [71.84, 0.05], "%", ["71.8", "0.1"], None),
        ("share", [0.948, 0.001], "", ["94.8%", "0.1%"], None),
        ("ratio", [0.125, 1], "", ["8.0× fewer", "1×"], None),
        ("growth", [-0.5, 0.00973], "", ["−50.0%", "+0.973%"], None),
        ("shape", [[64, 7, 8], [[1, 2, 3], [4, 5, 6]]], "", ["64×7×8", "2 maps"], None),
        ("truth", [True, False], "", ["yes", "NO"], None),
        ("whole", [1234567, 0], "", ["1,234,567", "0"], None),
        ("key", ["mult_adds", "params_all"], "", ["mult-adds", "params all"], None),
    ],
)
def test_each_kind_is_shown_in_its_way(
    kind: str, values: list[object], unit: str, texts: list[str], exact: list[str] | None
) -> None:
    shown = table(Column("x", "x", kind), rows=[{"x": value} for value in values])
    found = cells(shown)
    assert (found.units, [row[0] for row in found.rows]) == ([unit], texts)
    assert [row[0] for row in cells(shown, exact=True).rows] == (exact or texts)


def test_numbers_stand_to_the_right_and_prose_wraps() -> None:
    kinds = ("text", "count", "ratio", "prose", "share", "settings", "shape")
    found = cells(table(*(Column(kind, kind, kind) for kind in kinds), rows=[]))
    assert found.right == [False, True, True, False, True, False, False]
    assert found.wraps == [False, False, False, True, False, True, False]


def test_bars_are_drawn_where_asked_for_and_measured_by_the_largest_row() -> None:
    columns = (Column("x", "share", "share"), Column("x", "bar", "bar"))
    rows: list[Record] = [{"x": 0.5}, {"x": 0.25}, {"x": None}]
    assert cells(table(*columns, rows=rows)).titles == ["share"]
    drawn = cells(table(columns[0], rows=rows, total={"x": 1.0}), bars=True)
    assert drawn.rows == [[" 50.0% ████████"], [" 25.0% ████    "], [f"{'':>6} {'':<8}"]]
    assert drawn.total == [f"100.0% {'':<8}"]
    assert drawn.right == [False]
    assert SHOW["bar"](0.5) == "████"


COLUMNS = (
    Column("a", "aaaa"),
    Column("b", "bbbb", rank=1),
    Column("c", "cccc", rank=3),
    Column("d", "dddd", rank=2),
    Column("e", "eeee", rank=3),
    Column("f", "ffff"),
)


@pytest.mark.parametrize(
    ("width", "kept", "hidden"),
    [
        (36, "abcdef", []),  # four letters and a gap of two, six times
        (35, "abcdf", ["eeee"]),  # of the highest rank the last one first
        (30, "abcdf", ["eeee"]),
        (29, "abdf", ["cccc", "eeee"]),
        (23, "abf", ["dddd", "cccc", "eeee"]),
        (17, "af", ["bbbb", "dddd", "cccc", "eeee"]),
        (1, "af", ["bbbb", "dddd", "cccc", "eeee"]),  # rank 0 stays
    ],
)
def test_the_highest_rank_is_left_out_first(width: int, kept: str, hidden: list[str]) -> None:
    found, gone = fitted(table(*COLUMNS, rows=[{"a": "1"}]), width)
    assert "".join(column.key for column in found.columns) == kept
    assert gone == hidden


def test_a_bar_that_is_not_drawn_is_no_column_to_leave_out() -> None:
    bar = Column("x", "", "bar", rank=1)
    columns = (COLUMNS[0], bar, *COLUMNS[1:])
    for width in (36, 35, 29, 23, 17, 1):
        kept, hidden = fitted(table(*columns, rows=[{"a": "1", "x": 0.5}]), width)
        plain, named = fitted(table(*COLUMNS, rows=[{"a": "1"}]), width)
        assert hidden == named
        assert [c for c in kept.columns if c is not bar] == list(plain.columns)


def test_a_line_is_as_wide_as_its_widest_cells_and_prose_as_it_wraps() -> None:
    rows: list[Record] = [{"a": "1" * 7, "p": "word " * 20}]
    found = cells(table(Column("a", "a"), Column("p", "p", "prose"), rows=rows, total={"a": "12"}))
    assert found.width == 7 + 30 + 2 * 2
    assert found.width_with(50) == 7 + 50 + 2 * 2
    assert (found.longest_word(0), found.longest_word(1)) == (7, 4)


def test_a_long_title_breaks_at_vs_over_its_unit() -> None:
    column = Column("n", "params vs v1", "count")
    found = cells(table(column, rows=[{"n": 5_000}]))
    assert found.header_lines(0) == ["params", "vs v1", "(k)"]
    assert found.width == 6 + 2


def test_reasons_without_a_column_stand_below_with_the_rows_that_share_them() -> None:
    columns = (Column("a", "a"), Column("b", "b"), Column("why", "why", "reason", rank=1))
    rows: list[Record] = [
        {"a": "x", "b": "1", "why": "so"},
        {"a": "y", "b": "2", "why": None},
        {"a": "z", "b": "3", "why": "so"},
    ]
    whole = table(*columns, rows=rows)
    assert reasons_below(whole, whole) == []
    kept = whole._replace(columns=columns[:2])
    assert reasons_below(whole, kept) == ["x, 1, so; z, 3, so: so"]
