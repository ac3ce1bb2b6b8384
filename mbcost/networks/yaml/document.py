"""The door to yaml: a file as plain data, with the line of every key for error messages."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

from mbcost.errors import MbcostError, did_you_mean
from mbcost.networks.yaml.events import EventReader, too_deep
from mbcost.networks.yaml.events import Key as Key
from mbcost.paths import read_whole
from mbcost.units import number

MAX_BYTES = 10**6


class Document(NamedTuple):
    """A YAML file: its data, and where each value stands."""

    path: str
    data: Any
    lines: dict[tuple[Key, ...], int]

    def place(self, *keys: Key) -> str:
        """Return ``file:line: rows[2].block`` for the value under ``keys``."""
        dotted = ""
        for key in keys:
            dotted += f"[{key}]" if isinstance(key, int) else f".{key}" if dotted else key
        known = keys
        while known and known not in self.lines:
            known = known[:-1]
        line = self.lines.get(known)
        where = f"{self.path}:{line}" if line else self.path
        return f"{where}: {dotted}" if dotted else where

    def error(self, problem: str, *keys: Key, way_out: str = "") -> MbcostError:
        """Return an error about the value under ``keys``."""
        return MbcostError(problem, place=self.place(*keys), way_out=way_out)


def read_document(path: Path, shown: str | None = None) -> Document:
    """Return the YAML file at ``path``; ``shown`` is its name in messages."""
    name = shown or str(path)
    text = _read_text(path, name)
    return parse_document(text, name)


def _read_text(path: Path, name: str) -> str:
    raw = read_whole(path, MAX_BYTES, "YAML", "check path and permissions", name)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise MbcostError("is not a text file", place=name, way_out="a YAML config in UTF-8")
    return text


def parse_document(text: str, name: str) -> Document:
    """Return ``text`` as a document called ``name`` in messages."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    reader = EventReader(name, yaml.parse(text, Loader=loader))
    try:
        return Document(name, reader.document(), reader.lines)
    except yaml.YAMLError as error:
        raise _syntax_error(error, name) from None


def _syntax_error(error: Exception, name: str) -> MbcostError:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    place = f"{name}:{mark.line + 1}" if mark else name
    if "nesting depth" in problem:  # newer libyaml has a bound of its own and looks ahead
        return too_deep(place)
    return MbcostError(f"is not valid YAML: {problem}", place=place, way_out="correct the syntax")


def mapping_of(document: Document, value: Any, *keys: Key) -> dict[str, Any]:
    """Return ``value`` if it is a mapping, or raise."""
    if not isinstance(value, dict):
        raise document.error(
            f"must be a mapping of keys to values, not {_type(value)}",
            *keys,
            way_out="`mbcost show v2` prints an example",
        )
    return value


def list_of(document: Document, value: Any, *keys: Key) -> list[Any]:
    """Return ``value`` if it is a list with something in it, or raise."""
    if not isinstance(value, list) or not value:
        what = "an empty list" if value == [] else _type(value)
        raise document.error(f"must be a list, not {what}", *keys, way_out="like [3, 224, 224]")
    return value


def text_of(document: Document, value: Any, *keys: Key) -> str:
    """Return ``value`` if it is text, or raise."""
    if not isinstance(value, str):
        raise document.error(f"must be text, not {_type(value)}", *keys, way_out="put it in quotes")
    return value


def int_of(document: Document, value: Any, low: int, high: int, *keys: Key) -> int:
    """Return ``value`` if it is a whole number in [low, high], or raise."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise document.error(
            f"must be a whole number, not {_type(value)}", *keys, way_out=f"{low} to {high}"
        )
    if not low <= value <= high:
        raise document.error(f"{value} is out of range", *keys, way_out=f"{low} to {high}")
    return value


def number_of(document: Document, value: Any, low: float, high: float, *keys: Key) -> float:
    """Return ``value`` if it is a number in [low, high], or raise."""
    way_out = f"{number(low)} to {number(high)}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise document.error(f"must be a number, not {_type(value)}", *keys, way_out=way_out)
    if not low <= value <= high:  # false for NaN too
        raise document.error(f"{value} is out of range", *keys, way_out=way_out)
    return value


def truth_of(document: Document, value: Any, *keys: Key) -> bool:
    """Return ``value`` if it is true or false, or raise."""
    if not isinstance(value, bool):
        raise document.error("is neither true nor false", *keys, way_out="true or false")
    return value


def word_of(document: Document, value: Any, words: Collection[str], *keys: Key) -> str:
    """Return ``value`` if it is one of ``words``, or raise with the nearest."""
    word = text_of(document, value, *keys)
    if word not in words:
        raise document.error(f"unknown value {word!r}", *keys, way_out=did_you_mean(word, words))
    return word


def known_keys(
    document: Document, data: dict[str, Any], known: tuple[str, ...], *keys: Key
) -> None:
    """Raise for the first key of ``data`` that is not known."""
    for key in data:
        if key not in known:
            raise document.error(
                f"unknown key {key!r}", *keys, key, way_out=did_you_mean(key, known)
            )


def _type(value: Any) -> str:
    names = {dict: "a mapping", list: "a list", str: "text", bool: "true/false"}
    if value is None:
        return "nothing"
    if isinstance(value, bool | str | int | float):
        return f"{names.get(type(value), 'a number')} {value!r}"
    return names.get(type(value), f"a {type(value).__name__}")
