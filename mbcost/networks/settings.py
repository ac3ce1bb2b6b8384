"""What a user can set on a target, by the same names on the command line, inline and in Python.

``compare v2@alpha=0.5``, ``--alpha 0.5`` and ``count("v2", alpha=0.5)`` are one setting. To add
one: its line in ``SETTINGS``, and the target that accepts it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, assert_never

from mbcost import units
from mbcost.errors import MbcostError, did_you_mean
from mbcost.graph.primitives import ACTIVATIONS
from mbcost.networks.rules import (
    MAX_CHANNELS,
    MAX_KERNEL,
    MAX_MULTIPLIER,
    Inputs,
    Number,
    OneOf,
    SettingRule,
    Sides,
    Truth,
    Whole,
    parse,
)

YAML_SUFFIXES = (".yaml", ".yml")
MAX_VALUES = 10_000
"""In one list or range."""


Settings = Mapping[str, Any]
"""Parsed values by setting name."""

SETTINGS: dict[str, SettingRule] = {
    "in": Whole(1, MAX_CHANNELS, "input channels"),
    "out": Whole(1, MAX_CHANNELS, "output channels of a block"),
    "size": Sides("input size in pixels, 224 or 224x160 (height × width)"),
    "kernel": Whole(1, MAX_KERNEL, "kernel size of a block"),
    "stride": Whole(1, MAX_KERNEL, "stride of a block"),
    "padding": Whole(0, MAX_KERNEL, "padding of a block; by default (kernel-1)//2"),
    "expand": Number(1024, "expansion ratio t of an inverted residual"),
    "act": OneOf((*ACTIVATIONS, "none"), "activation of a block"),
    "alpha": Number(MAX_MULTIPLIER, "width multiplier α of a network"),
    "rho": Number(MAX_MULTIPLIER, "resolution multiplier ρ: size = round(ρ · native size)"),
    "classes": Whole(1, MAX_CHANNELS, "classes of a network"),
    "reduced_tail": Truth("V3 with its last stage halved (torchvision's argument of that name)"),
    "round_nearest": Whole(1, MAX_CHANNELS, "widths are a multiple of this; 8 in V2 and V3"),
    "fold_bn": Truth("as deployed: each batch-norm folded into the convolution before it"),
    "output_stride": Whole(
        1, MAX_KERNEL, "stride at which dilation takes over, in networks that state one: 8, 16, 32"
    ),
    "batch": Whole(1, 2**20, "images per batch"),
    "input": Inputs(
        "input of a traced model with its batch, 1x3x512x512 or 1x77:int64; several, by name: "
        "x=1x3x224x224,mask=1x10:bool"
    ),
}

FIELD_OF = {"kernel": "k", "stride": "s", "padding": "p", "expand": "t", "out": "c"}
"""The settings that are a block's field under a longer name."""


def parse_values(rule: SettingRule, text: str, place: str) -> tuple[Any, ...]:
    """Return the values in ``text``, each once: a list like ``3,5,7`` of values and ranges.

    A range is ``low:high:step`` with both ends, ``0.35:1.4:0.05``.
    """
    found: dict[Any, None] = {}
    for item in text.split(","):
        if not item.strip():
            raise MbcostError(
                f"{text!r} has an empty item", place=place, way_out="values with commas between"
            )
        try:
            items = units.expand_range(item.strip(), MAX_VALUES)
        except MbcostError as error:
            raise error.at(place) from None
        found.update((parse(rule, each, place), None) for each in items)
        if len(found) > MAX_VALUES:
            raise MbcostError(
                f"more than {units.thousands(MAX_VALUES)} values",
                place=place,
                way_out="fewer, or a coarser step",
            )
    return tuple(found)


def canonical(name: str) -> str:
    """Return a setting's name in snake case; kebab case is the same word."""
    return name.strip().replace("-", "_")


def as_text(value: object) -> str:
    """Return a value given in Python as the text that would be typed for it."""
    try:
        if isinstance(value, tuple | list):
            if value and (isinstance(value[0], tuple | list | str) or hasattr(value[0], "shape")):
                return "+".join(item if isinstance(item, str) else as_text(item) for item in value)
            return _sides(value)
        if isinstance(value, Mapping):
            return "+".join(f"{name}={as_text(item)}" for name, item in value.items())
        if hasattr(value, "shape") and hasattr(value, "item"):  # a tensor, an array, its number
            return _of_array(value) if value.shape else str(value.item())
        return str(value)
    except (ValueError, RecursionError):  # too many digits, or a list that holds itself
        raise MbcostError(
            f"a {type(value).__name__} that cannot be written", way_out="a number or a word"
        ) from None


def _of_array(value: Any) -> str:
    """Return the shape and type of a tensor as they would be typed: ``1x3x64x64:float32``."""
    return f"{_sides(tuple(value.shape))}:{str(value.dtype).rpartition('.')[2]}"


def _sides(value: object) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def as_record(settings: Settings) -> dict[str, Any]:
    """Return parsed settings as plain data, each as it could be typed: 224 or ``224x160``.

    The arguments of a model's builder stand among them.
    """
    flat = {**settings, **settings.get("options", {})}
    flat.pop("options", None)
    return {name: _plain(name, value) for name, value in flat.items()}


def _plain(name: str, value: Any) -> Any:
    match SETTINGS.get(name):
        case Sides():
            return units.size_value(*value)
        case Inputs():
            return units.inputs_text(value)
        case Whole() | Number() | OneOf() | Truth() | None:
            return value
        case _ as rule:
            assert_never(rule)


def parse_all(
    accepts: Mapping[str, SettingRule], given: Mapping[str, object], place: str
) -> dict[str, Any]:
    """Return the parsed settings, or raise for one that ``accepts`` does not hold.

    Values may be text or what Python has for them; ``in_`` stands for the keyword ``in``.
    ``place`` is where they were given: a target, or ``--`` for the command line's options.
    """
    settings = {}
    for raw, value in given.items():
        name = canonical(raw).rstrip("_")
        if name not in accepts:
            raise MbcostError(
                f"no setting {raw!r} here", place=place, way_out=did_you_mean(name, accepts)
            )
        where = _place(place, name)
        try:
            text = as_text(value)
        except MbcostError as error:
            raise error.at(where) from None
        settings[name] = parse(accepts[name], text, where)
    return settings


def _place(place: str, name: str) -> str:
    return f"--{name.replace('_', '-')}" if place == "--" else f"{place}: {name}"


def split_label(target: str) -> tuple[str, str]:
    """Return (target, label) of ``v2@alpha=0.5 as MobileNetV2 0.5×``; a label may be empty."""
    typed, word, label = target.rpartition(" as ")
    if not word or target.endswith(YAML_SUFFIXES):
        return target, ""
    if not typed.strip() or not label.strip():
        raise MbcostError(
            "has no name behind `as`", place=target, way_out="like 'v2 as MobileNetV2'"
        )
    return typed.strip(), label.strip().strip("\"'")


def split_inline(target: str) -> tuple[str, dict[str, str]]:
    """Return (name, settings) of ``v2@alpha=0.5,size=160``; a path may hold an @ of its own."""
    name, inline = _split_at(target)
    settings: dict[str, str] = {}
    for item in inline.split(",") if inline is not None else []:
        key, equals, value = item.partition("=")
        if not equals or not key.strip() or not value.strip():
            raise MbcostError(
                f"{item!r} is not a setting", place=target, way_out="like v2@alpha=0.5,size=160"
            )
        if canonical(key) in settings:
            raise MbcostError(f"{key.strip()!r} is set twice", place=target, way_out="keep one")
        settings[canonical(key)] = value.strip()
    return name, settings


def _split_at(target: str) -> tuple[str, str | None]:
    """Return what stands before and behind the @ that begins the settings: the first one that has
    no part of a path behind it."""
    start = 0
    while (at := target.find("@", start)) >= 0:
        key = target[at + 1 :].partition("=")[0].partition(",")[0]
        if "/" not in key and not _names_a_file(key):
            whole = target.endswith(YAML_SUFFIXES) and os.path.isfile(target)
            return (target, None) if whole else (target[:at], target[at + 1 :])
        start = at + 1
    return target, None


def _names_a_file(text: str) -> bool:
    """Return whether ``text``, up to the next @ or member, ends as a file that is a target."""
    file = text.partition("@")[0].partition(":")[0]
    return file.endswith((*YAML_SUFFIXES, ".py", ".json"))
