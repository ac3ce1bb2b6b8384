"""Which fields of rows vary: what ``--set PATH=VALUES`` names, as an axis of a space.

A path is a row's field (``rows.3.t``), one of its repeats' (``rows.3.1.k``), or that of all rows
that have it (``*.k``), or of a block's (``inverted_residual.k``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mbcost.errors import MbcostError, did_you_mean
from mbcost.networks.blocks import BLOCKS, MERGES, block_fields
from mbcost.networks.network import Network
from mbcost.networks.rows import OF_ROW, Row
from mbcost.networks.rules import SettingRule, fields_of
from mbcost.networks.settings import parse_values
from mbcost.studies.spaces.space import Axis, Slot, Space

ROW_RULES: dict[str, SettingRule] = {key: fields_of(Row)[key].rule for key in OF_ROW}
"""What a row says of itself that can vary."""


def space_of(target: str, settings: Mapping[str, str], sets: Sequence[str] = ()) -> Space:
    """Return the space that a target names, its settings and fields narrowed to what was typed."""
    from mbcost.networks.settings import split_inline
    from mbcost.studies.spaces.space_file import load_space

    name, inline = split_inline(target)
    return with_fields(load_space(name).narrowed(inline).narrowed(settings), sets)


def with_fields(space: Space, texts: Sequence[str]) -> Space:
    """Return the space with ``PATH=VALUES`` for fields of rows: ``rows.3.t=3,4,6``.

    ``*.k`` is one axis over every row that has the field, ``BLOCK.k`` over the rows of that
    block; both leave alone a k or t that is 1, a pointwise convolution or no expansion.
    """
    seen: set[str] = set()
    for text in texts:
        place = f"--set {text}"
        path, equals, values = text.partition("=")
        if not equals or not path.strip():
            raise MbcostError("is not a choice", place=place, way_out="like rows.3.t=3,4,6")
        axis = field_axis(space, path.strip(), values, place)
        if axis.key in seen:
            raise MbcostError("is set twice", place=place, way_out="keep one")
        seen.add(axis.key)
        space = space.with_axis(axis)
    return space


def field_axis(space: Space, path: str, values: str, place: str) -> Axis:
    """Return the axis that ``path`` names, its values parsed by the field's own rule."""
    slots = _slots(space, path, place)
    rows = _rows(space)
    rules = dict.fromkeys(_rules(rows[slot.row])[slot.field] for slot in slots)
    parsed = [parse_values(rule, values, place) for rule in rules]
    return Axis(path, parsed[0], slots)


def _rules(row: Row) -> dict[str, SettingRule]:
    if row.block in MERGES:
        return {}
    return ROW_RULES | {name: f.rule for name, f in block_fields(BLOCKS[row.block]).items()}


def _rows(space: Space) -> tuple[Row, ...]:
    if not isinstance(space.spec, Network):
        raise MbcostError(
            "a block has no rows", place=space.target, way_out="its fields are options: --expand"
        )
    return space.spec.rows


def _slots(space: Space, path: str, place: str) -> tuple[Slot, ...]:
    rows = _rows(space)
    parts = path.split(".")
    if parts[0] == "rows" and len(parts) in (3, 4) and all(p.isdigit() for p in parts[1:-1]):
        repeat = int(parts[2]) if len(parts) == 4 else None
        return (_slot(space, int(parts[1]), repeat, parts[-1], place),)
    if len(parts) != 2:
        raise MbcostError(
            f"{path!r} names no field", place=place, way_out="rows.3.t, *.k or inverted_residual.k"
        )
    block, name = parts[0].replace("-", "_"), parts[1]
    if block not in ("*", *BLOCKS):
        raise MbcostError(
            f"unknown block {parts[0]!r}", place=place, way_out=did_you_mean(block, ("*", *BLOCKS))
        )
    named = [(i, row) for i, row in enumerate(rows) if block in ("*", row.block)]
    fitting = tuple(Slot(i, None, name) for i, row in named if _has(row, name, named=block != "*"))
    if not fitting:
        known = {key for _, row in named for key in _rules(row)}
        raise MbcostError(
            f"no row of {parts[0]} has a {name!r} to choose",
            place=place,
            way_out=did_you_mean(name, sorted(known)),
        )
    return fitting


def _slot(space: Space, index: int, repeat: int | None, name: str, place: str) -> Slot:
    rows = _rows(space)
    if index >= len(rows):
        raise MbcostError(f"there is no row {index}", place=place, way_out=f"0 to {len(rows) - 1}")
    row = rows[index]
    known = set(_rules(row)) - (set() if repeat is None else set(ROW_RULES))
    if name not in known:
        raise MbcostError(
            f"{row.block} has no field {name!r}",
            place=place,
            way_out=did_you_mean(name, sorted(known)),
        )
    depth = space.depth_axis.get(index)
    n = row.n if depth is None else max(space.axes[depth].values)
    if repeat is not None and repeat >= n:
        raise MbcostError(f"row {index} repeats {n} times", place=place, way_out="from 0 on")
    return Slot(index, repeat, name)


def _has(row: Row, name: str, *, named: bool) -> bool:
    """Return whether a wildcard reaches this row; ``named``: it names the row's block."""
    if row.block in MERGES:
        return False
    if name in ROW_RULES:
        return True
    known = block_fields(BLOCKS[row.block]).get(name)
    if known is None or row.fields.get(name) == "classes":
        return False
    value = row.fields.get(name, known.default)
    if name in ("k", "t") and value == 1:
        return False
    return named or value is not None
