"""From a YAML document to a ``Network`` or a set of ``SingleBlock``s, with every value checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mbcost import units
from mbcost.cost import PARAMS
from mbcost.errors import MbcostError, did_you_mean
from mbcost.graph.primitives import Shape
from mbcost.networks.blocks import BLOCKS, MERGES, ONE_OF, block_fields
from mbcost.networks.blocks.fields import (
    MAX_CHANNELS,
    MAX_KERNEL,
    BlockField,
    Number,
    OneOf,
    Truth,
    Whole,
)
from mbcost.networks.network import (
    EXPANSIONS,
    MAX_REPEATS,
    SCALES,
    WIDTHS,
    Network,
    Published,
    Row,
    SingleBlock,
    Spec,
)
from mbcost.networks.settings import MAX_MULTIPLIER
from mbcost.networks.yaml.document import (
    Document,
    Key,
    int_of,
    known_keys,
    list_of,
    mapping_of,
    number_of,
    read_document,
    text_of,
    truth_of,
    word_of,
)
from mbcost.networks.yaml.wiring import check_arity, check_wiring, read_wiring

MAX_ROWS = 1000

NETWORK_KEYS = (
    "name",
    "source",
    "published_source",
    "published_params",
    "published",
    "input",
    "classes",
    "width",
    "divisor",
    "expansion",
    "output_stride",
    "fold_bn",
    "rows",
)
BLOCK_SET_KEYS = ("name", "source", "input", "c", "fold_bn", "blocks")
WIRING_KEYS = ("name", "inputs", "output")
ROW_KEYS = ("block", "n", "scale", "reduced_tail", "tap", *WIRING_KEYS)
PUBLISHED_KEYS = (
    "alpha",
    "size",
    "classes",
    "reduced_tail",
    "output_stride",
    "mult_adds",
    "params",
    "top1",
    "reason",
)


def load_specs(path: Path, shown: str | None = None) -> dict[str, Spec]:
    """Return what a YAML file defines by name: one network, or each block of a set."""
    return read_specs(read_document(path, shown), path.stem)


def read_specs(document: Document, stem: str) -> dict[str, Spec]:
    """Return what a document defines by name; a network is called ``stem``."""
    data = mapping_of(document, document.data)
    if "rows" in data:
        return {stem: read_network(document, data, stem)}
    if "blocks" in data:
        return read_blocks(document, data)
    raise document.error(
        "holds neither rows (a network) nor blocks (a set of blocks)",
        way_out="`mbcost show v2` and `mbcost show standard` print one of each",
    )


def read_network(document: Document, data: dict[str, Any], stem: str) -> Network:
    """Return the network in ``data``; it is called ``stem``."""
    known_keys(document, data, NETWORK_KEYS)
    rows = list_of(document, data["rows"], "rows")
    if len(rows) > MAX_ROWS:
        raise document.error(f"{len(rows)} rows", "rows", way_out=f"at most {MAX_ROWS}; use n")
    if "input" not in data:
        raise document.error("the key 'input' is missing", way_out="input: [3, 224, 224]")
    classes = data.get("classes")
    if classes is not None:
        int_of(document, classes, 1, MAX_CHANNELS, "classes")
    read = tuple(read_row(document, row, classes, "rows", i) for i, row in enumerate(rows))
    check_wiring(document, read)
    return Network(
        name=stem,
        title=text_of(document, data.get("name", stem), "name"),
        x=read_shape(document, data["input"], "input"),
        rows=read,
        classes=classes,
        width=word_of(document, data.get("width", "truncate"), WIDTHS, "width"),
        divisor=int_of(document, data.get("divisor", 8), 1, MAX_CHANNELS, "divisor"),
        expansion=word_of(document, data.get("expansion", "absolute"), EXPANSIONS, "expansion"),
        source=text_of(document, data.get("source", ""), "source"),
        published=read_published(document, data.get("published")),
        published_params=word_of(
            document,
            data.get("published_params", "trainable"),
            PARAMS,
            "published_params",
        ),
        published_source=text_of(document, data.get("published_source", ""), "published_source"),
        place=document.path,
        output_stride=int_of(document, data["output_stride"], 1, MAX_KERNEL, "output_stride")
        if "output_stride" in data
        else None,
        fold_bn=truth_of(document, data.get("fold_bn", False), "fold_bn"),
    )


def read_shape(document: Document, value: Any, *keys: Key) -> Shape:
    """Return C, H, W."""
    shape = list_of(document, value, *keys)
    if len(shape) != 3:
        raise document.error(f"{len(shape)} numbers", *keys, way_out="C, H, W like [3, 224, 224]")
    limits = (MAX_CHANNELS, units.MAX_SIZE, units.MAX_SIZE)
    return tuple(int_of(document, n, 1, limits[i], *keys, i) for i, n in enumerate(shape))


def read_row(document: Document, value: Any, classes: int | None, *keys: Key) -> Row:
    """Return a row; its block's fields are checked but not yet scaled."""
    data = mapping_of(document, value, *keys)
    block = read_block_name(document, data, (*BLOCKS, *MERGES), *keys)
    if block in MERGES:
        known_keys(document, data, ("block", *WIRING_KEYS), *keys)
        wiring = read_wiring(document, data, *keys)
        check_arity(document, block, wiring.get("inputs", ()), *keys)
        return Row(block, {}, place=document.place(*keys), **wiring)
    fields = block_fields(BLOCKS[block])
    known_keys(document, data, (*ROW_KEYS, *fields), *keys)
    values = read_fields(document, data, fields, classes, *keys)
    check_complete(document, block, values, *keys)
    tail = None
    if "reduced_tail" in data:
        tail_keys = (*keys, "reduced_tail")
        tail_data = mapping_of(document, data["reduced_tail"], *tail_keys)
        known_keys(document, tail_data, tuple(fields), *tail_keys)
        tail = read_fields(document, tail_data, fields, classes, *tail_keys)
    return Row(
        block,
        values,
        n=int_of(document, data.get("n", 1), 1, MAX_REPEATS, *keys, "n"),
        scale=word_of(document, data.get("scale", "full"), SCALES, *keys, "scale"),
        reduced_tail=tail,
        place=document.place(*keys),
        **read_wiring(document, data, *keys),
    )


def check_complete(document: Document, block: str, values: Mapping[str, Any], *keys: Key) -> None:
    """Raise where a field that a block needs is missing, or one thing is said in two ways."""
    for name, known in block_fields(BLOCKS[block]).items():
        if known.required and name not in values:
            raise document.error(f"the key {name!r} is missing", *keys, way_out=known.rule.doc)
    rivals = ONE_OF.get(block, ())
    if rivals and sum(name in values for name in rivals) != 1:
        one, other = rivals
        raise document.error(
            f"needs exactly one of {one!r} and {other!r}",
            *keys,
            way_out="drop one of them" if one in values else f"like {other}: 6",
        )


def read_block_name(
    document: Document, data: dict[str, Any], known: Sequence[str], *keys: Key
) -> str:
    """Return the block of a row, in snake case; one of ``known``."""
    if "block" not in data:
        raise document.error(
            "the key 'block' is missing", *keys, way_out=f"one of: {', '.join(known)}"
        )
    word = text_of(document, data["block"], *keys, "block")
    block = word.replace("-", "_")
    if block not in known:
        raise document.error(
            f"unknown block {word!r}", *keys, "block", way_out=did_you_mean(block, known)
        )
    return block


def read_fields(
    document: Document,
    data: dict[str, Any],
    fields: dict[str, BlockField],
    classes: int | None,
    *keys: Key,
) -> dict[str, Any]:
    """Return the values of a block's fields, each checked by its rule."""
    values = {}
    for name, value in data.items():
        if name not in fields:
            continue
        known = fields[name]
        if value is None and known.nullable:
            continue
        if name == "c" and value == "classes":
            if classes is None:
                raise document.error(
                    "'classes' is not set",
                    *keys,
                    name,
                    way_out="a number, or classes: 1000 at the top of a network",
                )
            values[name] = value
            continue
        values[name] = read_field(document, known, value, *keys, name)
    return values


def read_field(document: Document, known: BlockField, value: Any, *keys: Key) -> Any:
    """Return one value of a block's field."""
    match known.rule:
        case Whole(low, high):
            return int_of(document, value, low, high, *keys)
        case Number(high, zero=zero):
            number = number_of(document, value, 0, high, *keys)
            if number == 0 and not zero:
                way_out = f"above 0, at most {units.number(high)}"
                raise document.error("must be above 0", *keys, way_out=way_out)
            return number
        case OneOf(words):
            return word_of(document, value, words, *keys)
        case Truth():
            return truth_of(document, value, *keys)


def read_published(document: Document, value: Any) -> tuple[Published, ...]:
    """Return the printed figures of a network."""
    if value is None:
        return ()
    rows = []
    for i, item in enumerate(list_of(document, value, "published")):
        keys = ("published", i)
        data = mapping_of(document, item, *keys)
        known_keys(document, data, PUBLISHED_KEYS, *keys)
        for needed in ("alpha", "size"):
            if needed not in data:
                raise document.error(
                    f"the key {needed!r} is missing", *keys, way_out="alpha: 1.0, size: 224"
                )
        figures = {}
        for key in ("mult_adds", "params"):
            if key in data:
                figures[key] = text_of(document, data[key], *keys, key)
                try:
                    units.parse_count(figures[key])
                except MbcostError as error:
                    raise error.at(document.place(*keys, key)) from None
        rows.append(
            Published(
                alpha=number_of(document, data["alpha"], 1e-9, MAX_MULTIPLIER, *keys, "alpha"),
                size=read_size(document, data["size"], *keys, "size"),
                mult_adds=figures.get("mult_adds"),
                params=figures.get("params"),
                top1=number_of(document, data["top1"], 0, 100, *keys, "top1")
                if "top1" in data
                else None,
                reason=text_of(document, data["reason"], *keys, "reason")
                if "reason" in data
                else None,
                classes=int_of(document, data["classes"], 1, MAX_CHANNELS, *keys, "classes")
                if "classes" in data
                else None,
                reduced_tail=truth_of(document, data["reduced_tail"], *keys, "reduced_tail")
                if "reduced_tail" in data
                else None,
                output_stride=int_of(
                    document, data["output_stride"], 1, MAX_KERNEL, *keys, "output_stride"
                )
                if "output_stride" in data
                else None,
            )
        )
    return tuple(rows)


def read_size(document: Document, value: Any, *keys: Key) -> int | str:
    """Return a printed input size: 224, or ``1024x2048`` (height × width)."""
    if not isinstance(value, str):
        return int_of(document, value, 1, units.MAX_SIZE, *keys)
    try:
        units.parse_size(value)
    except MbcostError as error:
        raise error.at(document.place(*keys)) from None
    return value


def read_blocks(document: Document, data: dict[str, Any]) -> dict[str, Spec]:
    """Return each block of a set by its key."""
    known_keys(document, data, BLOCK_SET_KEYS)
    source = text_of(document, data.get("source", ""), "source")
    shape = read_shape(document, data["input"], "input") if "input" in data else SingleBlock.x
    c = int_of(document, data.get("c", SingleBlock.c), 1, MAX_CHANNELS, "c")
    fold = truth_of(document, data.get("fold_bn", False), "fold_bn")
    specs: dict[str, Spec] = {}
    blocks = mapping_of(document, data["blocks"], "blocks")
    if not blocks:
        raise document.error("no block is defined", "blocks", way_out="name: {block: conv, k: 3}")
    for name, value in blocks.items():
        keys = ("blocks", name)
        row = mapping_of(document, value, *keys)
        block = read_block_name(document, row, tuple(BLOCKS), *keys)
        fields = block_fields(BLOCKS[block])
        known_keys(document, row, ("block", *fields), *keys)
        values = read_fields(document, row, fields, None, *keys)
        by_t = block == "conv" and "t" in values
        check_complete(document, block, values if by_t else {"c": c, **values}, *keys)
        specs[name] = SingleBlock(
            name, block, values, shape, c, source, place=document.place(*keys), fold_bn=fold
        )
    return specs
