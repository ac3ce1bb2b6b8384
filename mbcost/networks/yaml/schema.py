"""The JSON schema of the YAML, derived from the same rules that validate it."""

from __future__ import annotations

from typing import Any

from mbcost.cost import DTYPES, PARAMS
from mbcost.networks.blocks import BLOCKS, MERGES, BlockField, Merge, block_fields
from mbcost.networks.blocks.fields import MAX_CHANNELS, MAX_KERNEL, Number, OneOf, Truth, Whole
from mbcost.networks.network import EXPANSIONS, WIDTHS
from mbcost.networks.rows import MAX_REPEATS, SCALES
from mbcost.networks.settings import MAX_MULTIPLIER
from mbcost.networks.yaml.specs import MAX_ROWS
from mbcost.studies.guard.budget import LIMITS
from mbcost.units import BYTES, MAX_SIZE, parse_bytes

Schema = dict[str, Any]

_FOLD: Schema = {
    "type": "boolean",
    "default": False,
    "description": "as deployed: each batch-norm folded into the convolution before it",
}
_COUNT: Schema = {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*[kKMGBT]?\s*$"}
_BYTES: Schema = {"type": "string", "pattern": rf"^\s*\d+(\.\d+)?\s*({'|'.join(BYTES)})\s*$"}
_PERCENT: Schema = {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*%\s*$"}


def json_schema() -> Schema:
    """Return the schema of a network, of a set of blocks and of a file of budgets."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mbcost config: a network, a set of blocks, or budgets",
        "oneOf": [_network(), _block_set(), _budget_file()],
    }


def _object(properties: Schema, required: list[str]) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _whole(low: int, high: int) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high}


def _shape() -> Schema:
    sides = [_whole(1, MAX_CHANNELS), _whole(1, MAX_SIZE), _whole(1, MAX_SIZE)]
    return {"type": "array", "prefixItems": sides, "minItems": 3, "maxItems": 3}


def _network() -> Schema:
    published = _object(
        {
            "alpha": {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_MULTIPLIER},
            "size": {
                "anyOf": [
                    _whole(1, MAX_SIZE),
                    {"type": "string", "pattern": r"^\s*\d+([xX×]\d+)?\s*$"},
                ]
            },
            "classes": _whole(1, MAX_CHANNELS),
            "reduced_tail": {"type": "boolean"},
            "output_stride": _whole(1, MAX_KERNEL),
            "mult_adds": _COUNT,
            "params": _COUNT,
            "top1": {"type": "number", "minimum": 0, "maximum": 100},
            "reason": {"type": "string"},
        },
        ["alpha", "size"],
    )
    rows = {
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_ROWS,
        "items": {
            "oneOf": [
                *(_row(name) for name in BLOCKS),
                *(_merge(name, merge) for name, merge in MERGES.items()),
            ]
        },
    }
    return _object(
        {
            "name": {"type": "string"},
            "source": {"type": "string"},
            "published_source": {"type": "string"},
            "published_params": {"enum": list(PARAMS)},
            "published": {"type": "array", "minItems": 1, "items": published},
            "input": _shape(),
            "classes": _whole(1, MAX_CHANNELS),
            "width": {"enum": list(WIDTHS)},
            "divisor": _whole(1, MAX_CHANNELS),
            "expansion": {"enum": list(EXPANSIONS)},
            "output_stride": {
                **_whole(1, MAX_KERNEL),
                "description": "strides beyond it become dilations",
            },
            "fold_bn": _FOLD,
            "rows": rows,
        },
        ["input", "rows"],
    )


def _block_set() -> Schema:
    blocks = {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {"oneOf": [_block(name, in_row=False) for name in BLOCKS]},
    }
    return _object(
        {
            "name": {"type": "string"},
            "source": {"type": "string"},
            "input": _shape(),
            "c": _whole(1, MAX_CHANNELS),
            "fold_bn": _FOLD,
            "blocks": blocks,
        },
        ["blocks"],
    )


def _budget_file() -> Schema:
    number: Schema = {"type": "integer", "minimum": 0}
    limits: Schema = {
        key: {"anyOf": [number, _BYTES if limit.parse is parse_bytes else _COUNT]}
        | {"description": limit.doc}
        for key, limit in LIMITS.items()
    }
    common: Schema = {
        "dtype": {"enum": list(DTYPES), "default": "fp32"},
        "fold_bn": {"type": "boolean", "default": False},
        "max_growth": _PERCENT,
    }
    budgets = {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": _object({**limits, **common}, []),
    }
    return _object({"baseline": {"type": "string"}, **common, "budgets": budgets}, ["budgets"])


def _row(name: str) -> Schema:
    schema = _block(name, in_row=True)
    fields = {key: _field(known) for key, known in block_fields(BLOCKS[name]).items()}
    schema["properties"] |= {
        "n": _whole(1, MAX_REPEATS),
        "scale": {"enum": list(SCALES)},
        "reduced_tail": _object(fields, []),
        "tap": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": r"\S"},
            "additionalProperties": {"type": "string"},
            "description": "name of a tap: the stage of the block it is taken at, {c4: expand}",
        },
        **_wiring(1, 1),
    }
    return schema


def _merge(name: str, merge: type[Merge]) -> Schema:
    properties = {"block": {"enum": [name]}, **_wiring(merge.least, merge.most)}
    schema = _object(properties, ["block", "inputs"])
    schema["description"] = _summary(merge)
    return schema


def _wiring(least: int, most: int) -> Schema:
    inputs = {"type": "array", "items": {"type": "string"}, "minItems": least, "maxItems": most}
    return {
        "name": {
            "type": "string",
            "pattern": r"\S",
            "description": "a name by which later rows read this one",
        },
        "inputs": {**inputs, "description": "names of rows and taps above; or input, the image"},
        "output": {"type": "boolean", "description": "put out beside the last row's map"},
    }


def _summary(documented: object) -> str:
    return " ".join((documented.__doc__ or "").split("\n\n")[0].split())


def _block(name: str, *, in_row: bool) -> Schema:
    fields = block_fields(BLOCKS[name])
    spellings = list(dict.fromkeys((name, name.replace("_", "-"))))
    properties: Schema = {"block": {"enum": spellings}}
    properties |= {key: _field(known) for key, known in fields.items()}
    if in_row and "c" in properties:
        properties["c"] = {"anyOf": [properties["c"], {"const": "classes"}]}
    required = ["block"]
    if in_row:
        required += [key for key, known in fields.items() if known.required]
    schema = _object(properties, required)
    schema["description"] = _summary(BLOCKS[name])
    return schema


def _field(known: BlockField) -> Schema:
    schema: Schema
    match known.rule:
        case Whole(low, high):
            schema = _whole(low, high)
        case Number(high, zero=zero):
            schema = {"type": "number", "maximum": high}
            schema["minimum" if zero else "exclusiveMinimum"] = 0
        case OneOf(words):
            schema = {"enum": list(words)}
        case Truth():
            schema = {"type": "boolean"}
    if known.nullable:
        schema = {"anyOf": [schema, {"type": "null"}]}
    schema["description"] = known.rule.doc
    if not known.required and known.default is not None:
        schema["default"] = known.default
    return schema
