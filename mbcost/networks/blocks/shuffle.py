"""The units of ShuffleNet and ShuffleNetV2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mbcost.errors import LayerError
from mbcost.graph.graph import Step
from mbcost.graph.primitives import (
    Activation,
    Add,
    ChannelShuffle,
    Concat,
    Pool2d,
    Shape,
    Slice,
    pair,
)
from mbcost.networks.blocks.conv import conv_bn
from mbcost.networks.blocks.fields import Channels, Stride
from mbcost.networks.rules import MAX_CHANNELS, Whole

BOTTLENECK = 4
"""Bottleneck channels of a ShuffleNet unit are a quarter of its output channels (section 3.2)."""


@dataclass(frozen=True, slots=True)
class ShuffleUnit:
    """Grouped 1×1, channel shuffle, depthwise 3×3, grouped 1×1 (ShuffleNet, Fig. 2).

    At stride 1 its input is added, at stride 2 it is average-pooled and concatenated, so that the
    body makes up the rest of the ``c`` channels. ``first_groups`` is 1 in the network's first unit,
    whose input is too narrow to be grouped.
    """

    c: Channels
    groups: Annotated[int, Whole(1, MAX_CHANNELS, "groups of the 1×1 convolutions")] = 3
    first_groups: Annotated[
        int | None, Whole(1, MAX_CHANNELS, "groups of the first 1×1; left out, as groups")
    ] = None
    s: Stride = 1

    def steps(self, x: Shape) -> tuple[Step, ...]:
        """Return reduce, shuffle, depthwise, expand; then add, or pool and concat."""
        c_in, mid = x[0], self.c // BOTTLENECK
        rest = self.c if self.s == 1 else self.c - c_in
        if rest < 1 or (self.s == 1 and c_in != self.c):
            raise LayerError(
                f"{c_in} input and {self.c} output channels do not fit stride {self.s}",
                way_out="equal channels at stride 1, more output than input channels above",
            )
        first = self.groups if self.first_groups is None else self.first_groups
        steps = conv_bn("reduce", c_in, mid, groups=first, act="relu")
        steps += (Step("shuffle", ChannelShuffle(self.groups)),)
        steps += conv_bn("depthwise", mid, mid, 3, self.s, groups=mid)
        steps += conv_bn("expand", mid, rest, groups=self.groups)
        body = steps[-1].name
        if self.s == 1:
            steps += (Step("add", Add(), (body, "@0")),)
        else:
            pool = Pool2d("avg", pair(3), pair(self.s), pair(1))
            steps += (Step("pool", pool, ("@0",)), Step("concat", Concat(), ("pool", body)))
        return (*steps, Step("act", Activation("relu")))


@dataclass(frozen=True, slots=True)
class ShuffleUnitV2:
    """Half of the channels pass, half go through 1×1, depthwise 3×3, 1×1; then concat and shuffle
    (ShuffleNetV2, Fig. 3). Above stride 1 the passing branch is a depthwise 3×3 and a 1×1, and both
    see all channels."""

    c: Channels
    s: Stride = 1

    def steps(self, x: Shape) -> tuple[Step, ...]:
        """Return both branches, concat, shuffle."""
        c_in, half = x[0], self.c // 2
        if self.c % 2 or (self.s == 1 and c_in != self.c):
            raise LayerError(
                f"{c_in} input and {self.c} output channels do not split in halves at stride "
                f"{self.s}",
                way_out="an even c, equal to the input at stride 1",
            )
        if self.s == 1:
            steps: tuple[Step, ...] = (Step("keep", Slice(0, half), ("@0",)),)
            passed = "keep"
            steps += (Step("split", Slice(half, self.c), ("@0",)),)
            source, width = "split", half
        else:
            steps = conv_bn("keep.depthwise", c_in, c_in, 3, self.s, groups=c_in, source="@0")
            steps += conv_bn("keep.pointwise", c_in, half, act="relu")
            passed, source, width = steps[-1].name, "@0", c_in
        steps += conv_bn("reduce", width, half, act="relu", source=source)
        steps += conv_bn("depthwise", half, half, 3, self.s, groups=half)
        steps += conv_bn("expand", half, half, act="relu")
        return (
            *steps,
            Step("concat", Concat(), (passed, steps[-1].name)),
            Step("shuffle", ChannelShuffle(2)),
        )
