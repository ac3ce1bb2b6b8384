"""Design spaces from YAML: a network in which a field of a row may be a list of choices.

``settings`` lists or ranges over α, size and the like; ``per_layer`` of a row names the fields that
each of its layers chooses for itself. A plain network is a space with one config.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from mbcost.errors import MbcostError, did_you_mean
from mbcost.networks.network import Row
from mbcost.networks.settings import YAML_SUFFIXES, parse_values
from mbcost.networks.yaml.catalog import builtin, configs_dir, find_builtin
from mbcost.networks.yaml.document import Document, Key, list_of, mapping_of, read_document, word_of
from mbcost.networks.yaml.specs import ROW_KEYS, load_specs, read_network, read_row
from mbcost.studies.spaces.space import MAX_AXES, ROW_RULES, Axis, Slot, Space
from mbcost.units import thousands

SPACE_KEYS = ("settings",)
FIXED_KEYS = tuple(key for key in ROW_KEYS if key not in ROW_RULES and key != "inputs")
"""What a row says only once."""


@cache
def space_files() -> dict[str, Path]:
    """Return the files of the spaces that ship with mbcost, by name."""
    return {path.stem: path for path in sorted((configs_dir() / "spaces").glob("*.yaml"))}


def find_space(name: str) -> Path | None:
    """Return the file of the built-in space of that name; kebab and snake case are the same."""
    return space_files().get(name.replace("_", "-").lower())


def load_space(name: str) -> Space:
    """Return the space that ``name`` names: a built-in space, network or block, or a YAML file."""
    shipped = find_space(name)
    if shipped:
        return read_space(read_document(shipped, f"configs/spaces/{shipped.name}"), shipped.stem)
    if find_builtin(name):
        return Space(name, builtin(name))
    if name.endswith(YAML_SUFFIXES):
        path = Path(name)
        document = read_document(path)
        if isinstance(document.data, dict) and "rows" in document.data:
            return read_space(document, path.stem)
    file, _, member = name.rpartition(":")
    if file.endswith(YAML_SUFFIXES) or name.endswith(YAML_SUFFIXES):
        specs = load_specs(Path(file if file.endswith(YAML_SUFFIXES) else name))
        if len(specs) == 1:
            member = next(iter(specs))
        if member not in specs:
            raise MbcostError(
                f"holds {len(specs)} blocks", place=name, way_out=did_you_mean(member, specs)
            )
        return Space(name, specs[member])
    if ":" in name or "/" in name:
        raise MbcostError(
            "has no rows to vary", place=name, way_out="a name of `mbcost list` or a YAML file"
        )
    known = [*space_files(), *_names()]
    raise MbcostError(
        f"no space, network or block is called {name!r}",
        way_out=f"{did_you_mean(name.replace('_', '-'), known)}; `mbcost list` shows all",
    )


def _names() -> list[str]:
    from mbcost.networks.yaml.catalog import builtins

    return list(builtins())


def read_space(document: Document, stem: str) -> Space:
    """Return the space in a document; each choice is checked as a network's field would be."""
    data = mapping_of(document, document.data)
    rows = [
        mapping_of(document, row, "rows", i)
        for i, row in enumerate(list_of(document, data.get("rows"), "rows"))
    ]
    firsts = [_first(document, row, i) for i, row in enumerate(rows)]
    plain = {key: value for key, value in data.items() if key not in SPACE_KEYS}
    network = read_network(document, {**plain, "rows": firsts}, stem)
    axes: list[Axis] = []
    for i, row in enumerate(rows):
        axes += _row_axes(document, row, firsts[i], network.classes, i)
        if len(axes) > MAX_AXES:
            raise document.error(
                "too many fields vary",
                "rows",
                i,
                way_out=f"at most {thousands(MAX_AXES)}: fewer per_layer",
            )
    space = Space(document.path if stem not in space_files() else stem, network, {}, tuple(axes))
    if "settings" not in data:
        return space
    settings = mapping_of(document, data["settings"], "settings")
    texts = {}
    for key, value in settings.items():
        try:
            texts[key] = _text(value)
            if key in network.accepts:
                parse_values(network.accepts[key], texts[key], "")
            space.narrowed({key: texts[key]})
        except MbcostError as error:
            raise document.error(error.problem, "settings", key, way_out=error.way_out) from None
    try:
        return space.narrowed(texts)
    except MbcostError as error:
        raise document.error(error.problem, "settings", way_out=error.way_out) from None


def _text(value: Any) -> str:
    items = value if isinstance(value, list) else [value]
    if not items or not all(isinstance(item, str | int | float) for item in items):
        raise MbcostError(
            "must be a value, a range or a list of those", way_out="like [0.5, 0.75] or 0.5:1:0.25"
        )
    return ",".join(map(str, items))


def _choices(document: Document, row: dict[str, Any], i: int) -> dict[str, list[Any]]:
    """Return the fields that are lists, which only what varies can be."""
    choices = {}
    for key, value in row.items():
        if not isinstance(value, list) or key in ("per_layer", "inputs"):
            continue
        if key in FIXED_KEYS:
            raise document.error("is a list, but cannot vary", "rows", i, key, way_out="give one")
        choices[key] = list_of(document, value, "rows", i, key)
        if None in value:
            raise document.error(
                "holds an empty value", "rows", i, key, value.index(None), way_out="write it out"
            )
    return choices


def _first(document: Document, row: dict[str, Any], i: int) -> dict[str, Any]:
    """Return the row with the first of each choice."""
    plain = {key: value for key, value in row.items() if key != "per_layer"}
    return plain | {key: values[0] for key, values in _choices(document, row, i).items()}


def _row_axes(
    document: Document, row: dict[str, Any], first: dict[str, Any], classes: int | None, i: int
) -> list[Axis]:
    choices = _choices(document, row, i)
    keys: tuple[Key, ...] = ("rows", i, "per_layer")
    per_layer = list_of(document, row["per_layer"], *keys) if "per_layer" in row else []
    for j, name in enumerate(per_layer):
        word_of(document, name, tuple(key for key in choices if key not in ROW_RULES), *keys, j)
        if name in per_layer[:j]:
            raise document.error(f"names {name!r} twice", *keys, j, way_out="keep one")
    parsed: dict[str, tuple[Any, ...]] = {}
    for key, values in choices.items():
        found = []
        for value in values:
            known = read_row(document, {**first, key: value}, classes, "rows", i)
            found.append(_value(known, key))
        parsed[key] = tuple(dict.fromkeys(found))
    axes = [
        Axis(f"rows.{i}.{key}", values, (Slot(i, None, key),))
        for key, values in parsed.items()
        if key not in per_layer
    ]
    most = max(parsed.get("n", (first.get("n", 1),)))
    for repeat in range(most):
        axes += [
            Axis(f"rows.{i}.{repeat}.{key}", parsed[key], (Slot(i, repeat, key),))
            for key in per_layer
        ]
    return axes


def _value(row: Row, key: str) -> Any:
    return getattr(row, key) if key in ("block", "n", "scale") else row.fields[key]
