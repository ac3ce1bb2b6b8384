"""Design spaces from YAML: a network in which a field of a row may be a list of choices.

``settings`` lists or ranges over α, size and the like; ``per_layer`` of a row names the fields that
each of its layers chooses for itself. A plain network is a space with one config.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mbcost.errors import MbcostError
from mbcost.networks.rows import OF_ROW, ROW, Row, row_keys
from mbcost.networks.rules import (
    Anything,
    Field,
    Keys,
    ListOf,
    MappingOf,
    OneOf,
    OrList,
    Text,
    Values,
    fields_of,
)
from mbcost.networks.settings import YAML_SUFFIXES, parse_values
from mbcost.networks.yaml.catalog import configs_dir, find_builtin
from mbcost.networks.yaml.check import check
from mbcost.networks.yaml.document import Document, read_document
from mbcost.networks.yaml.specs import NETWORK, network_of, row_of
from mbcost.studies.spaces.space import MAX_AXES, Axis, Slot, Space
from mbcost.targets.elsewhere import SOURCES, Model, runs_code
from mbcost.targets.names import builtin_name
from mbcost.targets.resolve import resolve_one
from mbcost.units import thousands

FIXED = tuple(key for key in fields_of(Row) if key not in (*OF_ROW, "inputs"))
"""What a row says only once."""


@cache
def space_keys(block: str) -> Keys:
    """Return the keys of a row whose fields may be lists of choices."""
    fields = {
        key: known
        if key in fields_of(Row) and key not in OF_ROW
        else known._replace(rule=OrList(known.rule))
        for key, known in row_keys(block).fields.items()
    }
    chosen = ListOf(Text(""), "the fields that each layer of the row chooses for itself")
    return Keys({**fields, "per_layer": Field("per_layer", chosen)}, row_keys(block).doc)


SPACE = Keys(
    {
        **NETWORK.fields,
        "rows": Field("rows", ListOf(ROW._replace(keys_of=space_keys)), required=True),
        "settings": Field("settings", MappingOf(Values(), "choices of alpha, size and the like")),
    },
    "a design space: a network with choices",
    like=NETWORK.like,
)


@cache
def space_files() -> dict[str, Path]:
    """Return the files of the spaces that ship with mbcost, by name."""
    return {path.stem: path for path in sorted((configs_dir() / "spaces").glob("*.yaml"))}


def find_space(name: str) -> Path | None:
    """Return the file of the built-in space of that name; kebab and snake case are the same."""
    return space_files().get(name.replace("_", "-").lower())


def load_space(name: str) -> Space:
    """Return the space that ``name`` names: a space or target by name, or a YAML file."""
    shipped = space_files().get(_plain(name))
    if shipped:
        return read_space(read_document(shipped, f"configs/spaces/{shipped.name}"), shipped.stem)
    if name.endswith(YAML_SUFFIXES):
        document = read_document(Path(name))
        if isinstance(document.data, dict) and "rows" in document.data:
            return read_space(document, Path(name).stem)
    elif name.partition(":")[0] in SOURCES or runs_code(name):
        raise MbcostError(
            "has no rows to vary", place=name, way_out="a name of `mbcost list` or a YAML file"
        )
    spec = resolve_one(name).spec
    assert not isinstance(spec, Model)  # those have other names
    return Space(name, spec)


def _plain(name: str) -> str:
    """Return the built-in space or target that ``name`` means where it is typed in another way.

    Paths, members of files and models from elsewhere stay as they are.
    """
    if find_space(name):
        return name.replace("_", "-").lower()
    other = not name.strip() or ":" in name or "/" in name or name.endswith(YAML_SUFFIXES)
    if other or find_builtin(name) or Path(name).is_dir():
        return name
    return builtin_name(name, tuple(space_files()))


def read_space(document: Document, stem: str) -> Space:
    """Return the space in a document; each choice is checked as a network's field would be."""
    _refuse_lists(document)
    values = check(SPACE, document.data, document)
    texts, rows = values.pop("settings", {}), values["rows"]
    firsts = [_first(row) for row in rows]
    network = network_of(document, {**values, "rows": firsts}, stem)
    axes: list[Axis] = []
    for i, row in enumerate(rows):
        axes += _row_axes(document, row, network.classes, i)
        if len(axes) > MAX_AXES:
            raise document.error(
                "too many fields vary",
                "rows",
                i,
                way_out=f"at most {thousands(MAX_AXES)}: fewer per_layer",
            )
    space = Space(document.path if stem not in space_files() else stem, network, {}, tuple(axes))
    for key, text in texts.items():
        try:
            if key in network.accepts:
                parse_values(network.accepts[key], text, "")
            space.narrowed({key: text})
        except MbcostError as error:
            raise document.error(error.problem, "settings", key, way_out=error.way_out) from None
    try:
        return space.narrowed(texts)
    except MbcostError as error:
        raise document.error(error.problem, "settings", way_out=error.way_out) from None


def _refuse_lists(document: Document) -> None:
    """Raise where a list of choices stands for what cannot vary."""
    data = check(MappingOf(Anything()), document.data, document)
    rows = check(ListOf(MappingOf(Anything())), data.get("rows"), document, "rows")
    for i, row in enumerate(rows):
        for key in row:
            if key in FIXED and isinstance(row[key], list):
                problem = "is a list, but cannot vary"
                raise document.error(problem, "rows", i, key, way_out="give one")


def _choices(row: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Return the values of the fields that vary."""
    lists = ("inputs", "per_layer")
    return {k: v for k, v in row.items() if isinstance(v, tuple) and k not in lists}


def _first(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row with the first of each choice."""
    plain = {key: value for key, value in row.items() if key != "per_layer"}
    return plain | {key: values[0] for key, values in _choices(row).items()}


def _row_axes(
    document: Document, row: Mapping[str, Any], classes: int | None, i: int
) -> list[Axis]:
    choices, first = _choices(row), _first(row)
    per_layer = row.get("per_layer", ())
    named = OneOf(tuple(key for key in choices if key not in OF_ROW), "")
    for j, name in enumerate(per_layer):
        check(named, name, document, "rows", i, "per_layer", j)
        if name in per_layer[:j]:
            problem = f"names {name!r} twice"
            raise document.error(problem, "rows", i, "per_layer", j, way_out="keep one")
    for key, values in choices.items():
        for value in values:
            row_of(document, {**first, key: value}, classes, "rows", i)
        choices[key] = tuple(dict.fromkeys(values))
    axes = [
        Axis(f"rows.{i}.{key}", values, (Slot(i, None, key),))
        for key, values in choices.items()
        if key not in per_layer
    ]
    for repeat in range(max(choices.get("n", (first.get("n", 1),)))):
        axes += [
            Axis(f"rows.{i}.{repeat}.{key}", choices[key], (Slot(i, repeat, key),))
            for key in per_layer
        ]
    return axes
