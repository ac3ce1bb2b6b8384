"""The door to yaml: a file as plain data, with the line of every key for error messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from mbcost.errors import MbcostError
from mbcost.networks.yaml.events import EventReader, Key, too_deep
from mbcost.paths import read_whole

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
