"""Markdown, line by line."""

from __future__ import annotations

from mbcost.output.formats.markdown import escape, to_markdown
from mbcost.output.table import Column, Record, Table

COLUMNS = (Column("name", "na|me"), Column("n", "params", "count"))
ROWS: list[Record] = [{"name": "a*b", "n": 1_000}, {"name": "c", "n": None}]
HEAD = ["| na\\|me | params (k) |", "| :-- | --: |", "| a\\*b | 1.00 |", "| c |  |"]


def test_a_table_is_its_lines() -> None:
    table = Table(COLUMNS, ROWS, (), ROWS, ROWS)
    assert to_markdown(table).splitlines() == HEAD
    assert to_markdown(table, exact=True).splitlines()[2] == "| a\\*b | 1,000 |"


def test_the_total_is_bold_and_its_empty_cells_are_empty() -> None:
    table = Table(COLUMNS, ROWS, (), ROWS, ROWS, total={"n": 1_000})
    assert to_markdown(table).splitlines() == [*HEAD, "|  | **1.00** |"]


def test_words_stand_around_it_each_a_paragraph() -> None:
    table = Table(COLUMNS, ROWS, (), ROWS, ROWS, "# one", "- two", notes=("3. three", "four"))
    expected = ["### \\# one", "", *HEAD, "", "- 3\\. three", "- four", "", "\\- two"]
    assert to_markdown(table).splitlines() == expected


def test_what_markdown_would_read_is_escaped() -> None:
    assert escape("a_b [c](d) <e> `f` & &amp; &#1;") == (
        "a\\_b \\[c\\](d) \\<e\\> \\`f\\` & \\&amp; \\&\\#1;"
    )
