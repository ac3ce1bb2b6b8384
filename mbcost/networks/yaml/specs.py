"""From a YAML document to a ``Network`` or a set of ``SingleBlock``s, with every value checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mbcost.networks.blocks import BLOCKS, MERGES, ONE_OF, block_fields
from mbcost.networks.network import Network
from mbcost.networks.rows import Row, set_keys
from mbcost.networks.rules import Anything, Field, Keys, MappingOf, Tagged, Text, fields_of
from mbcost.networks.single_block import SingleBlock
from mbcost.networks.spec import Spec
from mbcost.networks.yaml.check import check
from mbcost.networks.yaml.document import Document, read_document
from mbcost.networks.yaml.events import Key
from mbcost.networks.yaml.wiring import check_arity, check_taps, check_wiring

NETWORK = Keys(fields_of(Network), "a network: rows of blocks", like="input: [3, 224, 224]")
BLOCKS_OF_SET = MappingOf(
    Tagged("block", tuple(BLOCKS), set_keys),
    "blocks by name",
    empty="no block is defined",
    like="name: {block: conv, k: 3}",
)
BLOCK_SET = Keys(
    {
        "name": Field("title", Text("what the set is called")),
        **fields_of(SingleBlock),
        "blocks": Field("blocks", BLOCKS_OF_SET, required=True),
    },
    "a set of blocks",
)


def load_specs(path: Path, shown: str | None = None) -> dict[str, Spec]:
    """Return what a YAML file defines by name: one network, or each block of a set."""
    return read_specs(read_document(path, shown), path.stem)


def read_specs(document: Document, stem: str) -> dict[str, Spec]:
    """Return what a document defines by name; a network is called ``stem``."""
    data = check(MappingOf(Anything()), document.data, document)
    if "rows" in data:
        return {stem: read_network(document, data, stem)}
    if "blocks" in data:
        return read_blocks(document)
    raise document.error(
        "holds neither rows (a network) nor blocks (a set of blocks)",
        way_out="`mbcost show v2` and `mbcost show standard` print one of each",
    )


def read_network(document: Document, data: Mapping[str, Any], stem: str) -> Network:
    """Return the network in ``data``; it is called ``stem``."""
    return network_of(document, check(NETWORK, data, document), stem)


def network_of(document: Document, values: Mapping[str, Any], stem: str) -> Network:
    """Return the network that checked values make."""
    classes = values.get("classes")
    rows = tuple(row_of(document, r, classes, "rows", i) for i, r in enumerate(values["rows"]))
    check_wiring(document, rows)
    return Network(**{"title": stem, **values, "name": stem, "rows": rows, "place": document.path})


def row_of(document: Document, values: Mapping[str, Any], classes: int | None, *keys: Key) -> Row:
    """Return the row that checked values make; its block's fields are not yet scaled."""
    block = values["block"]
    known = block_fields(BLOCKS[block]) if block in BLOCKS else {}
    fields = {name: value for name, value in values.items() if name in known}
    wired = {name: value for name, value in values.items() if name not in known}
    wired["taps"] = tuple(wired.get("taps", {}).items())
    row = Row(fields=fields, place=document.place(*keys), **wired)
    if block in MERGES:
        check_arity(document, block, row.inputs, *keys)
    for where, given in (((), fields), (("reduced_tail",), row.reduced_tail or {})):
        if given.get("c") == "classes" and classes is None:
            raise document.error(
                "'classes' is not set",
                *keys,
                *where,
                "c",
                way_out="a number, or classes: 1000 at the top of a network",
            )
    check_rivals(document, block, fields, *keys)
    check_taps(document, row, *keys)
    return row


def check_rivals(document: Document, block: str, given: Mapping[str, Any], *keys: Key) -> None:
    """Raise where one thing is said in two ways, or in none."""
    rivals = ONE_OF.get(block, ())
    if rivals and sum(name in given for name in rivals) != 1:
        one, other = rivals
        raise document.error(
            f"needs exactly one of {one!r} and {other!r}",
            *keys,
            way_out="drop one of them" if one in given else f"like {other}: 6",
        )


def read_blocks(document: Document) -> dict[str, Spec]:
    """Return each block of a set by its key."""
    values = check(BLOCK_SET, document.data, document)
    values.pop("title", None)
    specs: dict[str, Spec] = {}
    for name, fields in values.pop("blocks").items():
        keys = ("blocks", name)
        block = fields.pop("block")
        spec = SingleBlock(name, block, fields, place=document.place(*keys), **values)
        said = {*ONE_OF.get(block, ())} & {*fields}
        check_rivals(document, block, fields if said else {"c": spec.c}, *keys)
        specs[name] = spec
    return specs
