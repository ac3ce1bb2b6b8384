"""A value of a YAML file read by its rule: what it stands for, or the mistake with its place."""

from __future__ import annotations

from typing import Any, assert_never

from mbcost import units
from mbcost.errors import did_you_mean
from mbcost.networks import rules
from mbcost.networks.rules import MAX_CHANNELS, Rule, Scalar, fields_of, parse
from mbcost.networks.yaml.document import Document
from mbcost.networks.yaml.events import Key

_CHW = tuple(rules.Whole(1, high, "") for high in (MAX_CHANNELS, units.MAX_SIZE, units.MAX_SIZE))
MAX_EXACT = 2**53
"""To here every whole number is a float."""


def check(rule: Rule, value: Any, document: Document, *keys: Key) -> Any:
    """Return what ``value``, which stands under ``keys``, is by ``rule``, or raise."""
    match rule:
        case rules.Anything():
            return value
        case rules.Chw():
            sides = _list(value, document, *keys)
            if len(sides) != len(_CHW):
                way_out = "C, H, W like [3, 224, 224]"
                raise document.error(f"{len(sides)} numbers", *keys, way_out=way_out)
            return tuple(check(_CHW[i], n, document, *keys, i) for i, n in enumerate(sides))
        case rules.Names():
            return check(rules.ListOf(rules.Text("")), value, document, *keys)
        case rules.OrWord(word, of):
            return word if value == word else check(of, value, document, *keys)
        case rules.OrList(of):
            return _choices(of, value, document, *keys)
        case rules.Values():
            items = value if isinstance(value, list) else [value]
            if not items or not all(isinstance(item, str | int | float) for item in items):
                problem = "must be a value, a range or a list of those"
                raise document.error(problem, *keys, way_out="like [0.5, 0.75] or 0.5:1:0.25")
            return ",".join(map(str, items))
        case rules.Typed():
            return _typed(value, document, *keys)
        case rules.ListOf():
            return _items(rule, value, document, *keys)
        case rules.MappingOf():
            return _named(rule, value, document, *keys)
        case rules.Keys():
            return _values(rule, value, document, *keys)
        case rules.Record(of, short=short):
            given = {short: value} if short and isinstance(value, str) else value
            return of(**_values(rules.Keys(fields_of(of), like=rule.like), given, document, *keys))
        case rules.Tagged():
            return _tagged(rule, value, document, *keys)
        case _:
            return _scalar(rule, value, document, *keys)


def _scalar(rule: Scalar, value: Any, document: Document, *keys: Key) -> Any:
    match rule:
        case rules.Whole():
            return _whole(rule, value, document, *keys)
        case rules.Number():
            return _number(rule, value, document, *keys)
        case rules.OneOf(words):
            word = _text(value, document, *keys)
            if word not in words:
                way_out = did_you_mean(word, words)
                raise document.error(f"unknown value {word!r}", *keys, way_out=way_out)
            return word
        case rules.Truth():
            if not isinstance(value, bool):
                raise document.error("is neither true nor false", *keys, way_out="true or false")
            return value
        case rules.Sides():
            if not isinstance(value, str):
                return _whole(rules.Whole(1, units.MAX_SIZE, ""), value, document, *keys)
            parse(rule, value, document.place(*keys))
            return value
        case rules.Text():
            return _text(value, document, *keys)
        case rules.Name():
            if not _text(value, document, *keys).strip():
                raise document.error("is an empty name", *keys, way_out="like c4")
            return value
        case rules.PrintedCount():
            parse(rule, _text(value, document, *keys), document.place(*keys))
            return value
        case rules.Count() | rules.Bytes() | rules.Percent() | rules.Inputs():
            whole = isinstance(value, int) and not isinstance(value, bool)
            if isinstance(rule, rules.Count) and isinstance(value, float):  # 3.5e6
                whole = value.is_integer() and abs(value) <= MAX_EXACT
            text = str(int(value)) if whole else _text(value, document, *keys)
            return parse(rule, text, document.place(*keys))
        case _:
            assert_never(rule)


def _whole(rule: rules.Whole, value: Any, document: Document, *keys: Key) -> int:
    way_out = f"{rule.low} to {rule.high}"
    if isinstance(value, bool) or not isinstance(value, int):
        problem = f"must be a whole number, not {_type(value)}"
        raise document.error(problem, *keys, way_out=way_out)
    if not rule.low <= value <= rule.high:
        raise document.error(f"{value} is out of range", *keys, way_out=way_out)
    return value


def _number(rule: rules.Number, value: Any, document: Document, *keys: Key) -> float:
    low = rule.low or 0
    way_out = f"{units.number(low)} to {units.number(rule.high)}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise document.error(f"must be a number, not {_type(value)}", *keys, way_out=way_out)
    if not low <= value <= rule.high:  # false for NaN too
        raise document.error(f"{value} is out of range", *keys, way_out=way_out)
    if value == 0 and rule.low is None:
        way_out = f"above 0, at most {units.number(rule.high)}"
        raise document.error("must be above 0", *keys, way_out=way_out)
    return value


def _text(value: Any, document: Document, *keys: Key) -> str:
    if not isinstance(value, str):
        problem = f"must be text, not {_type(value)}"
        raise document.error(problem, *keys, way_out="put it in quotes")
    return value


def _list(value: Any, document: Document, *keys: Key) -> list[Any]:
    if not isinstance(value, list) or not value:
        what = "an empty list" if value == [] else _type(value)
        raise document.error(f"must be a list, not {what}", *keys, way_out="like [3, 224, 224]")
    return value


def _mapping(value: Any, document: Document, *keys: Key) -> dict[str, Any]:
    if not isinstance(value, dict):
        problem = f"must be a mapping of keys to values, not {_type(value)}"
        raise document.error(problem, *keys, way_out="`mbcost show v2` prints an example")
    return value


def _items(rule: rules.ListOf, value: Any, document: Document, *keys: Key) -> tuple[Any, ...]:
    items = _list(value, document, *keys)
    if rule.most is not None and len(items) > rule.most:
        way_out = f"at most {rule.most}{rule.hint}"
        raise document.error(f"{len(items)} {keys[-1]}", *keys, way_out=way_out)
    return tuple(check(rule.of, each, document, *keys, i) for i, each in enumerate(items))


def _choices(of: Rule, value: Any, document: Document, *keys: Key) -> Any:
    """Return a value, or the values of a list as a tuple."""
    if not isinstance(value, list):
        return check(of, value, document, *keys)
    for i, each in enumerate(_list(value, document, *keys)):
        if each is None:
            raise document.error("holds an empty value", *keys, i, way_out="write it out")
    return tuple(check(of, each, document, *keys) for each in value)


def _typed(value: Any, document: Document, *keys: Key) -> tuple[str, ...]:
    """Return the words that would be typed, each in one line."""
    if isinstance(value, dict):
        pairs = ((key, _word(each, document, *keys, key)) for key, each in value.items())
        words = tuple(f"{key}={word}" for key, word in pairs)
    else:
        items = value if isinstance(value, list) else [value]
        at = [(*keys, i) if items is value else keys for i in range(len(items))]
        words = tuple(_word(each, document, *at[i]) for i, each in enumerate(items))
    if not words:
        raise document.error("is empty", *keys, way_out="leave it out, or give it a value")
    return words


def _word(value: Any, document: Document, *keys: Key) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        problem = f"must be text or a number, not {_type(value)}"
        raise document.error(problem, *keys, way_out="as it would be typed, in quotes")
    return " ".join(str(value).split("\n")).strip()


def _named(rule: rules.MappingOf, value: Any, document: Document, *keys: Key) -> dict[str, Any]:
    given = _mapping(value, document, *keys)
    if rule.empty and not given:
        raise document.error(rule.empty, *keys, way_out=rule.like)
    for name in given if rule.names else ():
        check(rules.Name(""), name, document, *keys, name)
    return {name: check(rule.of, each, document, *keys, name) for name, each in given.items()}


def _values(rule: rules.Keys, value: Any, document: Document, *keys: Key) -> dict[str, Any]:
    """Return the values of a mapping, by the attributes that hold them."""
    given = _mapping(value, document, *keys)
    for key in given:
        if key not in rule.fields:
            way_out = did_you_mean(key, rule.fields)
            raise document.error(f"unknown key {key!r}", *keys, key, way_out=way_out)
    found = {}
    for key, item in given.items():
        field = rule.fields[key]
        if field.name in found:
            problem = f"means the same as {field.name!r}, which is there too"
            raise document.error(problem, *keys, key, way_out="keep one")
        if item is not None or not field.nullable:
            found[field.name] = check(field.rule, item, document, *keys, key)
    for key, field in rule.fields.items():
        if field.required and key not in given and not isinstance(field.rule, rules.Names):
            way_out = rule.like or field.rule.doc
            raise document.error(f"the key {key!r} is missing", *keys, way_out=way_out)
    return found


def _tagged(rule: rules.Tagged, value: Any, document: Document, *keys: Key) -> dict[str, Any]:
    given = _mapping(value, document, *keys)
    if rule.tag not in given:
        way_out = f"one of: {', '.join(rule.words)}"
        raise document.error(f"the key {rule.tag!r} is missing", *keys, way_out=way_out)
    word = _text(given[rule.tag], document, *keys, rule.tag)
    known = word.replace("-", "_")
    if known not in rule.words:
        way_out = did_you_mean(known, rule.words)
        raise document.error(f"unknown {rule.tag} {word!r}", *keys, rule.tag, way_out=way_out)
    return {**_values(rule.keys_of(known), value, document, *keys), rule.tag: known}


def _type(value: Any) -> str:
    names = {dict: "a mapping", list: "a list", str: "text", bool: "true/false"}
    if value is None:
        return "nothing"
    if isinstance(value, bool | str | int | float):
        return f"{names.get(type(value), 'a number')} {value!r}"
    return names.get(type(value), f"a {type(value).__name__}")
