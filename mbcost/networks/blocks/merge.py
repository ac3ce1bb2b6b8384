"""Rows that read several maps: what joins the branches of a network.

To add one: a class here and its line in ``MERGES``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

from mbcost.errors import LayerError
from mbcost.graph.graph import Step
from mbcost.graph.primitives import Add, Concat, Scale, Shape, Upsample
from mbcost.graph.shapes import shape_of


class Merge(Protocol):
    """A row with several inputs, at least ``least`` and at most ``most`` of them."""

    least: ClassVar[int]
    most: ClassVar[int]

    def steps(self, xs: Sequence[Shape]) -> tuple[Step, ...]:
        """Return the row's layers for inputs of the shapes ``xs``."""
        ...


def _inputs(xs: Sequence[Shape]) -> tuple[str, ...]:
    return tuple(f"@{i}" for i in range(len(xs)))


class Concatenation:
    """Its inputs, one after the other along the channels."""

    least: ClassVar[int] = 2
    most: ClassVar[int] = 1000

    def steps(self, xs: Sequence[Shape]) -> tuple[Step, ...]:
        """Return concat."""
        return (Step("concat", Concat(), _inputs(xs)),)


class Addition:
    """The sum of its inputs."""

    least: ClassVar[int] = 2
    most: ClassVar[int] = 1000

    def steps(self, xs: Sequence[Shape]) -> tuple[Step, ...]:
        """Return add."""
        return (Step("add", Add(), _inputs(xs)),)


class Multiplication:
    """Its first input times its second, a gate, channel by channel."""

    least: ClassVar[int] = 2
    most: ClassVar[int] = 2

    def steps(self, xs: Sequence[Shape]) -> tuple[Step, ...]:
        """Return scale."""
        return (Step("scale", Scale(), _inputs(xs)),)


class Upsampling:
    """Its first input, interpolated bilinearly to the size of its second; no values of that one
    are read."""

    least: ClassVar[int] = 2
    most: ClassVar[int] = 2

    def steps(self, xs: Sequence[Shape]) -> tuple[Step, ...]:
        """Return upsample."""
        if len(xs[1]) != 3:
            raise LayerError(
                f"upsamples to the size of a map, not of {shape_of(xs[1])}",
                way_out="a map C×H×W as the second input",
            )
        return (Step("upsample", Upsample((xs[1][1], xs[1][2])), ("@0",)),)


MERGES: dict[str, type[Merge]] = {
    "concat": Concatenation,
    "add": Addition,
    "multiply": Multiplication,
    "upsample": Upsampling,
}


def arity(merge: Merge | type[Merge]) -> str:
    """Return how many inputs a merge reads, in words: ``2`` or ``2 or more``."""
    return str(merge.least) if merge.least == merge.most else f"{merge.least} or more"
