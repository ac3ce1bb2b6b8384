"""Rows of a network as data: what one holds, and how one is edited and wired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Any, NamedTuple

from mbcost.errors import LayerError
from mbcost.networks.blocks import BLOCKS, MERGES, ONE_OF, block_fields
from mbcost.networks.blocks.fields import stride_fields
from mbcost.networks.rules import (
    As,
    Field,
    Keys,
    MappingOf,
    Name,
    Names,
    OneOf,
    OrWord,
    Rule,
    Tagged,
    Text,
    Truth,
    Whole,
    fields_of,
)

SCALES = ("full", "widen", "fixed", "truncate")
MAX_REPEATS = 1000
OF_ROW = ("n", "scale")
"""What can be set on a row beside its block's fields."""


READS = "names of rows and taps above; or input, the image"
TAIL = "the fields that differ with reduced_tail"
TAPS = MappingOf(
    Text("a stage of the block"),
    "name of a tap: the stage of the block it is taken at, {c4: expand}",
    empty="taps nothing",
    like="like tap: {c4: expand}",
    names=True,
)


class Row(NamedTuple):
    """A row of a network's table: a block, its fields unscaled, and how often it repeats.

    It reads the row before, or the taps that ``inputs`` names: ``name`` makes one of its output,
    ``taps`` of stages inside its block (``c4``, ``expand``). ``output`` puts its map out.
    """

    block: Annotated[str, Name("what the row is made of")]
    fields: Mapping[str, Any]
    n: Annotated[int, Whole(1, MAX_REPEATS, "repeats of a row")] = 1
    scale: Annotated[str, OneOf(SCALES, "how a row's width scales with alpha")] = "full"
    reduced_tail: Annotated[Mapping[str, Any] | None, Keys({}, TAIL)] = None
    taps: Annotated[tuple[tuple[str, str], ...], TAPS, As("tap")] = ()
    name: Annotated[str, Name("a name by which later rows read this one")] = ""
    inputs: Annotated[tuple[str, ...], Names(1, 1, READS)] = ()
    output: Annotated[bool, Truth("put out beside the last row's map")] = False
    place: str = ""


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


@cache
def row_keys(block: str) -> Keys:
    """Return the keys of a row with this block or merge."""
    own = fields_of(Row)
    if block in MERGES:
        merge = MERGES[block]
        read = Field("inputs", Names(merge.least, merge.most, READS), required=True)
        named = {key: own[key] for key in ("block", "name")}
        return Keys({**named, "inputs": read, "output": own["output"]}, summary(merge))
    fields: dict[str, Field[Rule]] = {**block_fields(BLOCKS[block])}
    if "c" in fields:
        fields["c"] = fields["c"]._replace(rule=OrWord("classes", fields["c"].rule))
    tail = {name: known._replace(required=False) for name, known in fields.items()}
    halved = own["reduced_tail"]._replace(rule=Keys(tail, TAIL))
    return Keys({**own, "reduced_tail": halved, **fields}, summary(BLOCKS[block]))


def set_keys(block: str) -> Keys:
    """Return the keys of a block in a set; its ``c`` may be left to the set."""
    fields = dict(block_fields(BLOCKS[block]))
    if "c" in fields:
        fields["c"] = fields["c"]._replace(required=False)
    return Keys({"block": fields_of(Row)["block"], **fields}, summary(BLOCKS[block]))


def summary(documented: type) -> str:
    """Return the first paragraph of a class's docstring."""
    return " ".join((documented.__doc__ or "").split("\n\n")[0].split())


ROW = Tagged("block", (*BLOCKS, *MERGES), row_keys)
