"""What a block is, and the fields that many blocks have."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, ClassVar, Protocol, get_args, get_type_hints

from mbcost.graph.graph import Step
from mbcost.graph.primitives import ACTIVATIONS, Shape
from mbcost.networks.rules import (
    MAX_CHANNELS,
    MAX_KERNEL,
    BlockRule,
    Field,
    OneOf,
    Whole,
    Width,
    fields_of,
)


class Block(Protocol):
    """A block of the row language: ``steps`` lowers it for an input of shape ``x``."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def __hash__(self) -> int:
        """Blocks are frozen, and equal ones have one hash."""
        ...

    def steps(self, x: Shape) -> tuple[Step, ...]:
        """Return the block's layers for an input of shape ``x``."""
        ...


Channels = Annotated[int, Whole(1, MAX_CHANNELS, "output channels")]
InnerChannels = Annotated[int, Width(1, MAX_CHANNELS, "output channels of this convolution")]
Kernel = Annotated[int, Whole(1, MAX_KERNEL, "kernel size")]
Stride = Annotated[int, Whole(1, MAX_KERNEL, "stride")]
Padding = Annotated[int | None, Whole(0, MAX_KERNEL, "padding; left out it is (k-1)//2")]
Dilation = Annotated[int, Whole(1, MAX_KERNEL, "dilation of the k×k convolution")]
Act = Annotated[str, OneOf((*ACTIVATIONS, "none"), "activation")]


@cache
def block_fields(block: type[Block]) -> dict[str, Field[BlockRule]]:
    """Return the fields of a block by name; one that may be None may be left empty."""
    hints = get_type_hints(block)
    return {
        name: field._replace(nullable=type(None) in get_args(hints[name]))
        for name, field in fields_of(block).items()
    }


@cache
def stride_fields(block: type[Block]) -> tuple[str, ...]:
    """Return the names of a block's strides: the first layer of a row has them, its repeats 1."""
    return tuple(name for name in ("s", "sw") if name in block_fields(block))


@cache
def width_fields(block: type[Block]) -> tuple[str, ...]:
    """Return the names of a block's ``Width`` fields."""
    return tuple(n for n, known in block_fields(block).items() if isinstance(known.rule, Width))
