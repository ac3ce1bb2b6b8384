"""Blocks drawn at random from the rules of their own fields: a new block is drawn as soon as it is
in ``BLOCKS``, with all of its fields.

All of it draws from a ``Random``: one of a seed in proofs, one of hypothesis's (``st.randoms()``)
where a failure is to be made small.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any, assert_never

from mbcost.errors import MbcostError
from mbcost.graph.graph import Graph, Node, wire
from mbcost.graph.primitives import Shape
from mbcost.networks.blocks import BLOCKS, ONE_OF, Block, block_fields
from mbcost.networks.network import Network
from mbcost.networks.rules import (
    MAX_CHANNELS,
    BlockRule,
    Field,
    Number,
    OneOf,
    Truth,
    Whole,
)

WIDTHS = (8, 12, 16, 17, 20, 24, 24, 24, 32, 48)
"""Few, so that one is often the other's multiple, or the same; and an odd one."""
RATIOS = (0.25, 0.5, 1, 1.5, 2, 3, 6)
TRIES = 2000
"""Draws at most until one fits; of a shuffle unit about one in 12 does."""
LAST = ("global_pool", "linear", "activation", "predictor", "window_pool", "crop")
MIDDLE = tuple(name for name in BLOCKS if name not in LAST)
"""Blocks that others usually follow."""


def values(known: Field[BlockRule]) -> tuple[Any, ...]:
    """Return valid values of a block's field, those that fit small maps."""
    match known.rule:
        case Whole(low, high) if high == MAX_CHANNELS and known.default is None:
            if known.required:
                return (*range(low, 1), *WIDTHS)
            return (*range(low, low + 4), *WIDTHS)
        case Whole(low):  # kernels, strides, paddings, groups
            usual = () if known.default is None else (known.default, known.default)
            return (*usual, *range(low, low + 5))
        case Number():
            return RATIOS if known.default is None else (known.default, *RATIOS)
        case OneOf(words):
            return words
        case Truth():
            return (False, True)
        case _:
            assert_never(known.rule)


def fields(draw: Random, block: str, share: float = 0.4) -> dict[str, Any]:
    """Return fields of a block: those it needs, and of the others about so large a share."""
    either = ONE_OF.get(block, ())
    kept = draw.choice(either) if either else ""
    return {
        name: draw.choice(values(known))
        for name, known in block_fields(BLOCKS[block]).items()
        if name == kept or (name not in either and (known.required or draw.random() < share))
    }


def lowered(block: Block, x: Shape) -> Graph:
    """Return the graph of one block."""
    nodes: list[Node] = []
    wire(nodes, block.steps(x), "", "", -1, x)
    return Graph(x, tuple(nodes))


def with_few_boxes(network: Network) -> Network:
    """Return a network that crops 2 boxes where it crops 300, which take a minute on the CPU."""
    rows = [
        row._replace(fields={**row.fields, "boxes": 2}) if row.block == "crop" else row
        for row in network.rows
    ]
    return replace(network, rows=tuple(rows))


def fitting(draw: Random, block: str) -> tuple[dict[str, Any], Shape]:
    """Return fields of a block and an input that they fit."""
    for _ in range(TRIES):
        found = fields(draw, block)
        x = (draw.choice(WIDTHS), draw.randint(5, 13), draw.randint(5, 13))
        if output(block, found, x) is not None:
            return found, x
    raise AssertionError(f"{block}: none of {TRIES} draws fits")


def fitting_next(draw: Random, x: Shape) -> tuple[str, dict[str, Any], Shape]:
    """Return a block that may follow on maps of shape ``x``, its fields, and what it puts out."""
    for _ in range(TRIES):
        block = draw.choice(MIDDLE)
        found = fields(draw, block)
        y = output(block, found, x)
        if y is not None:
            return block, found, y
    raise AssertionError(f"none of {TRIES} draws fits {x}")


def output(block: str, found: dict[str, Any], x: Shape) -> Shape | None:
    """Return what a block puts out, or None where it does not fit ``x``."""
    try:
        return lowered(BLOCKS[block](**found), x).y
    except MbcostError:
        return None  # a kernel larger than its map, or maps that cannot be joined
