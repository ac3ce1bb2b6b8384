"""YAML's events as plain data: words, truths, decimal numbers, lists and mappings of words.

What YAML reads as something else without saying so is refused with its place: tags, numbers to
other bases (``010``, ``1:30``), a key that stands twice. Depth and number of values are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from mbcost.errors import MbcostError
from mbcost.units import thousands

MAX_VALUES = 100_000
"""A small file can name far more values through aliases of aliases."""
MAX_DEPTH = 64
MAX_DIGITS = 60

Key = str | int

_WORDS: dict[str, float | None] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_WORDS |= {
    f"{sign}{word}": float(f"{sign}inf")
    for sign in ("", "+", "-")
    for word in (".inf", ".Inf", ".INF")
}
_WORDS |= {word: float("nan") for word in (".nan", ".NaN", ".NAN")}
_TRUTHS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_NUMBER = r"[-+]?\.?[0-9][0-9._]*"
_WHOLE = r"[-+]?(?:0|[1-9][0-9]*(?:_[0-9]+)*)"
_FRACTION = r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]{1,9})?"
_OCTAL = r"([-+]?)0o?([0-9][0-9_]*)"
_SIXTIES = r"([-+]?)([1-9][0-9]{0,9}(?::[0-5]?[0-9]){1,4})(\.[0-9]{0,9})?"
_PREFIXED = r"[-+]?0(?:x[0-9a-fA-F][0-9a-fA-F_]{0,30}|b[01][01_]{0,99})"


def too_deep(place: str) -> MbcostError:
    """Return the error of brackets in brackets in brackets."""
    return MbcostError(
        f"is nested more than {MAX_DEPTH} deep", place=place, way_out="no config needs more than 8"
    )


class _Extent(NamedTuple):
    """An anchored value, and how many values deep and in all an alias of it brings."""

    value: Any
    depth: int
    values: int


class EventReader:
    """Turns yaml's events into plain data, refusing what YAML silently reads as something else.

    Events, not nodes: libyaml composes nodes by recursion in C, which a file of brackets overruns.
    """

    def __init__(self, name: str, events: Iterator[Any]) -> None:
        self.name = name
        self.events = events
        self.lines: dict[tuple[Key, ...], int] = {}
        self.anchors: dict[str, _Extent | None] = {}
        """None while the value is still open."""
        self.count = 0
        self.deepest = 0

    def document(self) -> Any:
        """Return the data of the only document."""
        import yaml

        next(self.events)  # the stream starts
        if isinstance(next(self.events), yaml.StreamEndEvent):
            raise MbcostError(
                "is empty", place=self.name, way_out="`mbcost show v2` prints an example"
            )
        data = self.value(next(self.events), ())
        next(self.events)  # the document ends
        more = next(self.events)
        if not isinstance(more, yaml.StreamEndEvent):
            raise MbcostError(
                "holds a second document", place=self.name, way_out="keep one; drop the line ---"
            )
        return data

    def error(self, problem: str, event: Any, way_out: str) -> MbcostError:
        """Return an error at the line of an event."""
        place = f"{self.name}:{_line(event)}"
        return MbcostError(problem, place=place, way_out=way_out)

    def value(self, event: Any, keys: tuple[Key, ...]) -> Any:
        """Return the value that begins with ``event`` and stands under ``keys``."""
        import yaml

        self.lines.setdefault(keys, _line(event))
        self.grow(1, len(keys), event)
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, len(keys))
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            raise self.error(f"the tag {tag!r} is not read", event, "leave it out")
        count, deepest, self.deepest = self.count, self.deepest, len(keys)
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        value: Any
        if isinstance(event, yaml.ScalarEvent):
            value = self.scalar(event) if event.implicit[0] else event.value
        elif isinstance(event, yaml.SequenceStartEvent):
            value = []
            while not isinstance(item := next(self.events), yaml.SequenceEndEvent):
                value.append(self.value(item, (*keys, len(value))))
        else:
            value = self.mapping(keys)
        if event.anchor is not None:
            extent = _Extent(value, self.deepest - len(keys), self.count - count)
            self.anchors[event.anchor] = extent
        self.deepest = max(self.deepest, deepest)
        return value

    def grow(self, count: int, depth: int, event: Any) -> None:
        """Count values and how deep they stand; a small file names far more through aliases."""
        self.count += count
        self.deepest = max(self.deepest, depth)
        if depth > MAX_DEPTH:
            raise too_deep(f"{self.name}:{_line(event)}")
        if self.count > MAX_VALUES:
            raise MbcostError(
                f"holds more than {MAX_VALUES} values", place=self.name, way_out="fewer aliases"
            )

    def alias(self, event: Any, depth: int) -> Any:
        """Return the value of an anchor above."""
        if event.anchor not in self.anchors:
            raise self.error(
                f"no anchor is called {event.anchor!r}", event, "an alias repeats an anchor above"
            )
        extent = self.anchors[event.anchor]
        if extent is None:
            raise self.error("an alias contains itself", event, "write it out")
        self.grow(extent.values, depth + extent.depth, event)
        return extent.value

    def scalar(self, event: Any) -> Any:
        """Return an unquoted scalar: nothing, true or false, a decimal number, or else text."""
        text: str = event.value
        if text in _WORDS:
            return _WORDS[text]
        if text.lower() in _TRUTHS:
            return _TRUTHS[text.lower()]
        if text[0] not in "0123456789+-.":
            return text
        if len(text) < 10 and (plain := _plain_number(text)) is not None:
            return plain
        if len(text) > MAX_DIGITS and re.fullmatch(_NUMBER, text):
            raise self.error(
                f"a number of {thousands(len(text))} characters", event, f"at most {MAX_DIGITS}"
            )
        if re.fullmatch(_WHOLE, text):
            return int(text.replace("_", ""))
        if re.fullmatch(_FRACTION, text):
            return float(text.replace("_", ""))
        meanings = _other_base(text)
        if meanings:
            raise self.error(
                f"{text} is {meanings[0]} to some readers of YAML",
                event,
                f"write {' or '.join(map(str, meanings))} in decimal, or '{text}' as text",
            )
        return text

    def mapping(self, keys: tuple[Key, ...]) -> dict[str, Any]:
        """Return a mapping, whose keys are words and stand once."""
        import yaml

        data: dict[str, Any] = {}
        event: Any
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent) or event.tag is not None:
                raise self.error("a key must be a word", event, "like `block: conv`")
            key: str = event.value
            if key in data:
                raise self.error(f"duplicate key {key!r}", event, "keep one")
            self.lines[(*keys, key)] = _line(event)
            data[key] = self.value(next(self.events), (*keys, key))
        return data


def _plain_number(text: str) -> int | float | None:
    """Return the number in ``24`` or ``0.25``: most are such, and need no pattern compiled."""
    whole, dot, fraction = text.partition(".")
    if not f"{whole}{fraction}".isdecimal() or not text.isascii():
        return None
    if dot:
        return float(text) if whole else None
    return int(text) if text[0] != "0" or text == "0" else None


def _line(event: Any) -> int:
    line: int = event.start_mark.line
    return line + 1


def _other_base(text: str) -> list[int | float]:
    """Return what readers make of ``010`` (8 or 10), ``1:30`` (90), ``0x10`` (16) and the like."""
    if found := re.fullmatch(_OCTAL, text):
        digits = found[2].replace("_", "")
        bases = (10,) if {"8", "9"} & {*digits} else (8,) if "o" in text else (8, 10)
        return list(dict.fromkeys(int(f"{found[1]}{digits}", base) for base in bases))
    if found := re.fullmatch(_SIXTIES, text):
        value = 0.0 if found[3] else 0
        for part in f"{found[2]}{found[3] or ''}".split(":"):
            value = value * 60 + (float(part) if "." in part else int(part))
        return [-value if found[1] == "-" else value]
    return [int(text.replace("_", ""), 0)] if re.fullmatch(_PREFIXED, text) else []
