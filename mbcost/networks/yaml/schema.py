"""JSON Schema of what a YAML file may hold, from the rules that check it."""

from __future__ import annotations

from typing import Any, assert_never

from mbcost.networks import rules
from mbcost.networks.rules import MAX_CHANNELS, Field, Rule, Scalar, fields_of
from mbcost.units import BYTES, MAX_SIZE

Schema = dict[str, Any]

_WHOLE: Schema = {"type": "integer", "minimum": 0}
_TEXT: Schema = {"type": "string"}
_VALUE: Schema = {"type": ["string", "number", "boolean"]}
_WORD: Schema = {"type": ["string", "number"]}
_COUNT: Schema = {**_TEXT, "pattern": r"^\s*\d+(\.\d+)?\s*[kKMGBT]?\s*$"}
_POWER: Schema = {**_TEXT, "pattern": r"^\s*\d+(\.\d+)?\s*([kKMGBT]?|[eE]\+?\d+)\s*$"}
_BYTES: Schema = {**_TEXT, "pattern": rf"^\s*\d+(\.\d+)?\s*({'|'.join(BYTES)})\s*$"}
_PERCENT: Schema = {**_TEXT, "pattern": r"^\s*\d+(\.\d+)?\s*%\s*$"}
_SIDES: Schema = {**_TEXT, "pattern": r"^\s*\d+([xX×]\d+)?\s*$"}


def schema(rule: Rule) -> Schema:
    """Return the schema of what obeys ``rule``."""
    match rule:
        case rules.Anything():
            return {}
        case rules.Chw():
            sides = [_whole(1, high) for high in (MAX_CHANNELS, MAX_SIZE, MAX_SIZE)]
            return {"type": "array", "prefixItems": sides, "minItems": 3, "maxItems": 3}
        case rules.Names(least, most):
            return {"type": "array", "items": _TEXT, "minItems": least, "maxItems": most}
        case rules.OrWord(word, of):
            return {"anyOf": [schema(of), {"const": word}]}
        case rules.OrList(of):
            return {"anyOf": [schema(of), _array(schema(of))]}
        case rules.Values():
            return {"anyOf": [_VALUE, _array(_VALUE)]}
        case rules.Typed():
            some = {"type": "object", "minProperties": 1, "additionalProperties": _WORD}
            return {"anyOf": [_WORD, _array(_WORD), some]}
        case rules.ListOf(of, most=most):
            return _array(schema(of)) | ({} if most is None else {"maxItems": most})
        case rules.MappingOf(of):
            names: Schema = {"propertyNames": schema(rules.Name(""))} if rule.names else {}
            filled: Schema = {"minProperties": 1} if rule.empty else {}
            return {"type": "object", **filled, **names, "additionalProperties": schema(of)}
        case rules.Keys(fields):
            return {
                "type": "object",
                "properties": {key: _described(field) for key, field in fields.items()},
                "required": [key for key, field in fields.items() if field.required],
                "additionalProperties": False,
            }
        case rules.Record(of, short=short):
            found = schema(rules.Keys(fields_of(of)))
            return {"anyOf": [_TEXT, found]} if short else found
        case rules.Tagged():
            return {"oneOf": [_tagged(rule, word) for word in rule.words]}
        case _:
            return _scalar(rule)


def _scalar(rule: Scalar) -> Schema:
    match rule:
        case rules.Whole(low, high):
            return _whole(low, high)
        case rules.Number(high, low=low):
            least = "exclusiveMinimum" if low is None else "minimum"
            return {"type": "number", least: low or 0, "maximum": high}
        case rules.OneOf(words):
            return {"enum": list(words)}
        case rules.Truth():
            return {"type": "boolean"}
        case rules.Sides():
            return {"anyOf": [_whole(1, MAX_SIZE), _SIDES]}
        case rules.Text() | rules.Inputs():
            return _TEXT
        case rules.Name():
            return {**_TEXT, "pattern": r"\S"}
        case rules.PrintedCount():
            return _COUNT
        case rules.Count():
            return {"anyOf": [_WHOLE, _POWER]}
        case rules.Bytes():
            return {"anyOf": [_WHOLE, _BYTES]}
        case rules.Percent():
            return _PERCENT
        case _:
            assert_never(rule)


def _array(items: Schema) -> Schema:
    return {"type": "array", "minItems": 1, "items": items}


def _whole(low: int, high: int) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high}


def _tagged(rule: rules.Tagged, word: str) -> Schema:
    keys = rule.keys_of(word)
    found = schema(keys)
    spellings = list(dict.fromkeys((word, word.replace("_", "-"))))
    found["properties"] = {**found["properties"], rule.tag: {"enum": spellings}}
    return {**found, "description": keys.doc}


def _described(field: Field[Rule]) -> Schema:
    """Return the schema of a key with what it means and what holds without it."""
    found = schema(field.rule)
    if field.nullable:
        found = {"anyOf": [found, {"type": "null"}]}
    if field.rule.doc:
        found = {**found, "description": field.rule.doc}
    if field.default not in (None, "", ()):
        found = {**found, "default": field.default}
    return found
