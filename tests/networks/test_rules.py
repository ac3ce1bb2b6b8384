"""Each rule, by its three readers: text that is typed, a value of a file, JSON Schema."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any, NamedTuple, get_args

import jsonschema
import pytest

from mbcost.errors import MbcostError
from mbcost.networks import rules
from mbcost.networks.rules import As, Field, Rule, Scalar, fields_of, parse
from mbcost.networks.yaml.check import check
from mbcost.networks.yaml.document import Document
from mbcost.networks.yaml.schema import schema


class Point(NamedTuple):
    """What a record is read as."""

    x: Annotated[int, rules.Whole(0, 9, "from the left")]
    y: Annotated[int, rules.Whole(0, 9, "from above"), As("up", nullable=True)] = 5
    note: str = "no key"


class Note(NamedTuple):
    """What a text alone is read as."""

    text: Annotated[str, rules.Text("")]


POINT = rules.Keys(fields_of(Point))
SHAPE = {"shape": Field("shape", rules.Text(""), required=True)}
SHAPES = {"point": rules.Keys({**SHAPE, **fields_of(Point)}), "dot": rules.Keys(SHAPE)}

READ: list[tuple[Rule, list[tuple[Any, Any]], list[Any]]] = [
    (rules.Whole(1, 9, ""), [(1, 1), (9, 9)], [0, 10, 1.5, True, "3", None]),
    (rules.Width(1, 9, ""), [(4, 4)], [0]),
    (rules.Number(2, ""), [(2, 2), (0.5, 0.5)], [0, -1, 2.1, True, "1", float("nan")]),
    (rules.Number(2, "", low=0), [(0, 0), (2, 2)], [-0.1, 3]),
    (rules.OneOf(("relu", "none"), ""), [("relu", "relu")], ["rel", "", 1, ["relu"]]),
    (rules.Truth(""), [(True, True), (False, False)], [0, "true", None]),
    (rules.Sides(""), [(224, 224), ("224x160", "224x160")], [0, 65537, "x", 1.5, None]),
    (rules.Inputs(""), [("1x3:int64", (((1, 3), "int64", ""),))], [[1], None]),
    (rules.Text(""), [("", ""), ("a b", "a b")], [1, None, ["a"]]),
    (rules.Name(""), [("c4", "c4")], ["", "  ", 4]),
    (rules.PrintedCount(""), [("569M", "569M"), ("12", "12")], [569, "lots", "1MB", "-1"]),
    (rules.Count(""), [("3.5M", 3_500_000), (12, 12)], [-1, 1.5, True, "1MB", None]),
    (rules.Bytes(""), [("4MB", 4 * 10**6), ("1KiB", 1024), (12, 12)], [-1, 1.5, True, "4M"]),
    (rules.Percent(""), [("1%", Fraction(1, 100)), ("0.5 %", Fraction(1, 200))], [1, "1", "-1%"]),
    (rules.Chw(""), [([3, 8, 9], (3, 8, 9))], [[3, 8], [3, 8, 65537], [0, 8, 8], 3, []]),
    (rules.Anything(), [(None, None), ([1, {}], [1, {}])], []),
    (rules.Names(1, 1, ""), [(["a"], ("a",))], [[], [1], "a"]),
    (rules.OrWord("all", rules.Whole(1, 9, "")), [("all", "all"), (2, 2)], ["al", 0]),
    (rules.OrList(rules.Whole(1, 9, "")), [(2, 2), ([2, 3], (2, 3))], [0, [], [0], [1, None]]),
    (rules.Values(), [(1, "1"), ("1:3", "1:3"), ([1, "a"], "1,a")], [[], None, [[1]], {}]),
    (
        rules.Typed(""),
        [("a\nb", ("a b",)), (3, ("3",)), (["a", 0.5], ("a", "0.5")), ({"x": 1}, ("x=1",))],
        [True, None, [], {}, [[1]], {"x": None}],
    ),
    (rules.ListOf(rules.Truth(""), most=2), [([True], (True,))], [[], [1], True, [True] * 3]),
    (rules.MappingOf(rules.Truth("")), [({}, {}), ({"": True}, {"": True})], [{"a": 1}, []]),
    (
        rules.MappingOf(rules.Truth(""), empty="is empty", names=True),
        [({"a": True}, {"a": True})],
        [{}, {" ": True}],
    ),
    (POINT, [({"x": 1, "up": 2}, {"x": 1, "y": 2}), ({"x": 1, "up": None}, {"x": 1})], [{}, []]),
    (
        rules.Record(Point),
        [({"x": 1}, Point(1)), ({"x": 1, "up": 2}, Point(1, 2))],
        [{"up": 2}, {"x": None}, {"x": 1, "y": 2}, {"x": 1, "note": "n"}, {"x": 10}, "x"],
    ),
    (rules.Record(Note, short="text"), [("hm", Note("hm")), ({"text": "a"}, Note("a"))], [1, {}]),
    (
        rules.Tagged("shape", tuple(SHAPES), SHAPES.__getitem__),
        [({"shape": "point", "x": 1}, {"shape": "point", "x": 1}), ({"shape": "dot"},) * 2],
        [{}, {"shape": "poin", "x": 1}, {"shape": "dot", "x": 1}, {"shape": "point"}],
    ),
]
TYPED: list[tuple[Scalar, list[tuple[str, Any]], list[str]]] = [
    (rules.Whole(1, 9, ""), [("3", 3)], ["0", "x", "1.5"]),
    (rules.Width(1, 9, ""), [("3", 3)], ["0"]),
    (rules.Number(2, ""), [("0.5", 0.5)], ["0", "3", "nan"]),
    (rules.Number(2, "", low=0), [("0", 0.0), ("1", 1.0)], ["-1"]),
    (rules.OneOf(("relu",), ""), [("relu", "relu")], ["rel"]),
    (rules.Truth(""), [("yes", True), ("0", False)], ["2", ""]),
    (rules.Sides(""), [("8", (8, 8)), ("8x9", (8, 9))], ["0", "x"]),
    (rules.Inputs(""), [("1x3", (((1, 3), "float32", ""),))], ["x"]),
    (rules.Text(""), [("a", "a")], []),
    (rules.Name(""), [("a", "a")], []),
    (rules.PrintedCount(""), [("1k", 1000)], ["k"]),
    (rules.Count(""), [("1k", 1000)], ["1kB"]),
    (rules.Bytes(""), [("1kB", 1000)], ["1k"]),
    (rules.Percent(""), [("1%", Fraction(1, 100))], ["1"]),
]
SOURCE = Document("mine.yaml", None, {})


@pytest.mark.parametrize(("rule", "good", "bad"), READ, ids=lambda x: type(x).__name__)
def test_a_file_and_its_schema_take_and_refuse_the_same(
    rule: Rule, good: list[tuple[Any, Any]], bad: list[Any]
) -> None:
    validator = jsonschema.Draft202012Validator(schema(rule))
    for value, expected in good:
        assert check(rule, value, SOURCE, "key") == expected
        assert validator.is_valid(value), value
    for value in bad:
        with pytest.raises(MbcostError, match=r"mine\.yaml: key"):
            check(rule, value, SOURCE, "key")
        # JSON has no NaN
        assert value != value or not validator.is_valid(value), value


@pytest.mark.parametrize(("rule", "good", "bad"), TYPED, ids=lambda x: type(x).__name__)
def test_a_typed_text_is_read_by_its_rule(
    rule: Scalar, good: list[tuple[str, Any]], bad: list[str]
) -> None:
    for text, expected in good:
        assert parse(rule, text) == expected
    for text in bad:
        with pytest.raises(MbcostError, match="--here"):
            parse(rule, text, "--here")


def test_every_rule_is_among_the_cases() -> None:
    assert {type(rule) for rule, _, _ in READ} == {*get_args(Rule), rules.Width}
    assert {type(rule) for rule, _, _ in TYPED} == {*get_args(Scalar), rules.Width}


def test_a_class_says_its_keys() -> None:
    x, y = fields_of(Point).items()
    assert x == ("x", Field("x", rules.Whole(0, 9, "from the left"), required=True))
    assert y == ("up", Field("y", rules.Whole(0, 9, "from above"), nullable=True, default=5))
    described = schema(POINT)
    assert described["required"] == ["x"]
    assert described["properties"]["up"]["default"] == 5
    assert described["properties"]["up"]["description"] == "from above"
