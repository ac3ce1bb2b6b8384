"""CSV, cell by cell: read back by Python's own reader."""

from __future__ import annotations

import csv
import io

import pytest

from mbcost.output.formats.csv import cell, line, plain, to_csv
from mbcost.output.table import Table


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (0, "0"),
        (-3, "-3"),
        (0.25, "0.25"),
        (True, "True"),
        ("plain", "plain"),
        ("a,b", '"a,b"'),
        ('say "a"', '"say ""a"""'),
        ("=1+1", "'=1+1"),
        (" -x", "' -x"),
        ("+1,2", '"\'+1,2"'),
        ([64, 7, 8], "64x7x8"),
        ([[1, 2, 3], [4, 5]], "1x2x3;4x5"),
        ({"alpha": 0.5, "fold_bn": True, "v": "1.0"}, '"alpha 0.5, fold_bn true, v 1.0"'),
    ],
)
def test_a_value_is_a_cell(value: object, text: str) -> None:
    assert cell(value) == text


@pytest.mark.parametrize("text", ["a", 'a "b", c', "=x", "'", "'=x", "@", " +y", "", "'a"])
def test_text_is_read_back_as_it_was(text: str) -> None:
    ((found, last),) = csv.reader(io.StringIO(line([text, 1])))
    assert (plain(found), last) == (text, "1")


def test_a_table_is_its_fields_and_then_its_data_whatever_people_see() -> None:
    data: list[dict[str, object]] = [{"a": 1, "b": None, "c": 9}, {"b": "x"}]
    table = Table((), [], ("a", "b"), data, None)
    assert to_csv(table) == "a,b\n1,\n,x\n"
    assert to_csv(table._replace(fields=("b",))) == 'b\n""\nx\n'  # no line is empty
