"""What a block is, and the rules its fields carry: read by validation and by the JSON schema.

A field is ``Annotated[type, rule]``; its rule says what is valid and what it means.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Annotated, Any, ClassVar, NamedTuple, Protocol, get_args, get_type_hints

from mbcost.graph.graph import Step
from mbcost.graph.primitives import ACTIVATIONS, Shape

MAX_CHANNELS = 2**20
MAX_KERNEL = 65536


class Block(Protocol):
    """A block of the row language: ``steps`` lowers it for an input of shape ``x``."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def __hash__(self) -> int:
        """Blocks are frozen, and equal ones have one hash."""
        ...

    def steps(self, x: Shape) -> tuple[Step, ...]:
        """Return the block's layers for an input of shape ``x``."""
        ...


class Whole(NamedTuple):
    """A whole number in [low, high]."""

    low: int
    high: int
    doc: str


class Width(Whole):
    """A number of channels inside a block; in a network it scales with α as ``c``
    does. Such a field has no default."""

    __slots__ = ()


class Number(NamedTuple):
    """A number in (0, high]; with ``zero``, 0 is valid too."""

    high: float
    doc: str
    zero: bool = False


class OneOf(NamedTuple):
    """One of a few words."""

    words: tuple[str, ...]
    doc: str


class Truth(NamedTuple):
    """True or false."""

    doc: str


Rule = Whole | Number | OneOf | Truth

Channels = Annotated[int, Whole(1, MAX_CHANNELS, "output channels")]
InnerChannels = Annotated[int, Width(1, MAX_CHANNELS, "output channels of this convolution")]
Kernel = Annotated[int, Whole(1, MAX_KERNEL, "kernel size")]
Stride = Annotated[int, Whole(1, MAX_KERNEL, "stride")]
Padding = Annotated[int | None, Whole(0, MAX_KERNEL, "padding; left out it is (k-1)//2")]
Dilation = Annotated[int, Whole(1, MAX_KERNEL, "dilation of the k×k convolution")]
Act = Annotated[str, OneOf((*ACTIVATIONS, "none"), "activation")]


class BlockField(NamedTuple):
    """A field of a block as the YAML sees it."""

    name: str
    rule: Rule
    required: bool
    nullable: bool
    default: object


@cache
def block_fields(block: type[Block]) -> dict[str, BlockField]:
    """Return the fields of a block by name, in the order of the dataclass."""
    hints = get_type_hints(block, include_extras=True)
    found = {}
    for field in dataclasses.fields(block):
        annotated, rule = get_args(hints[field.name])[:2]
        required = field.default is dataclasses.MISSING
        found[field.name] = BlockField(
            field.name,
            rule,
            required,
            type(None) in get_args(annotated),
            None if required else field.default,
        )
    return found


@cache
def stride_fields(block: type[Block]) -> tuple[str, ...]:
    """Return the names of a block's strides: the first layer of a row has them, its repeats 1."""
    return tuple(name for name in ("s", "sw") if name in block_fields(block))


@cache
def width_fields(block: type[Block]) -> tuple[str, ...]:
    """Return the names of a block's ``Width`` fields."""
    return tuple(n for n, known in block_fields(block).items() if isinstance(known.rule, Width))
