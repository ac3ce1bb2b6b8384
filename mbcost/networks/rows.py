"""Rows of a network as data: what one holds, and how one is edited and wired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mbcost.errors import LayerError
from mbcost.networks.blocks import BLOCKS, ONE_OF
from mbcost.networks.blocks.fields import stride_fields

SCALES = ("full", "widen", "fixed", "truncate")
MAX_REPEATS = 1000
OF_ROW = ("n", "scale")
"""What can be set on a row beside its block's fields."""


class Row(NamedTuple):
    """A row of a network's table: a block, its fields unscaled, and how often it repeats.

    It reads the row before, or the taps that ``inputs`` names: ``name`` makes one of its output,
    ``taps`` of stages inside its block (``c4``, ``expand``). ``output`` puts its map out.
    """

    block: str
    fields: Mapping[str, Any]
    n: int = 1
    scale: str = "full"
    reduced_tail: Mapping[str, Any] | None = None
    place: str = ""
    name: str = ""
    taps: tuple[tuple[str, str], ...] = ()
    inputs: tuple[str, ...] = ()
    output: bool = False


def overridden(block: str, fields: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return a block's fields with new ones; of two ways to say one thing the new one stays."""
    rivals = set(ONE_OF.get(block, ()))
    given = sorted(rivals & set(new))
    if len(given) > 1:
        raise LayerError(f"{' and '.join(given)} both set the width", way_out="give one of them")
    gone = rivals - set(given) if given else ()
    return {name: value for name, value in fields.items() if name not in gone} | dict(new)


def edited(row: Row, own: Mapping[str, Any]) -> Row:
    """Return a row with these of its fields, its repeats and its scale set."""
    fields = {name: value for name, value in own.items() if name not in OF_ROW}
    return row._replace(
        fields=overridden(row.block, row.fields, fields),
        n=own.get("n", row.n),
        scale=own.get("scale", row.scale),
    )


def layer_of(row: Row, repeat: int, own: Mapping[str, Any]) -> Row:
    """Return one repeat of a row as a row by itself, with fields of its own set."""
    fields = overridden(row.block, row.fields, own)
    tail = dict(row.reduced_tail or {})
    for name in stride_fields(BLOCKS[row.block]) if repeat else ():
        fields[name] = 1
        tail.pop(name, None)
    return row._replace(fields=fields, n=1, reduced_tail=tail or None)


def wired(rows: Sequence[Row], row: Row) -> list[Row]:
    """Return ``rows`` that stand for ``row``, wired as it is: the first reads, the last is read."""
    first, *others = [each._replace(name="", taps=(), inputs=(), output=False) for each in rows]
    *before, last = (first._replace(inputs=row.inputs), *others)
    return [*before, last._replace(name=row.name, taps=row.taps, output=row.output)]
