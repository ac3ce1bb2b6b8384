"""The block of ResNet-50 and of deeper ResNets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mbcost.graph.graph import Step
from mbcost.graph.primitives import Activation, Add, Pool2d, Shape, pair
from mbcost.networks.blocks.conv import conv_bn
from mbcost.networks.blocks.fields import Channels, Dilation, Kernel, Stride
from mbcost.networks.rules import OneOf

EXPANSION = 4
"""Output channels per channel of the bottleneck (arXiv:1512.03385, Table 1)."""


@dataclass(frozen=True, slots=True)
class ResidualBottleneck:
    """Reduce 1×1, convolve k×k, expand 1×1, a shortcut around them (ResNet, Fig. 5).

    The shortcut is a 1×1 convolution where the width or the size changes; TensorFlow-Slim drops
    pixels where the size alone does (``shortcut: subsample``). As published the first 1×1 strides;
    torchvision strides the 3×3 (``stride_at: middle``), which costs more.
    """

    c: Channels
    s: Stride = 1
    stride_at: Annotated[str, OneOf(("first", "middle"), "which convolution strides")] = "first"
    shortcut: Annotated[
        str,
        OneOf(
            ("projection", "subsample"),
            "a 1×1 convolution wherever the shape changes, or pixels dropped where the size does",
        ),
    ] = "projection"
    k: Kernel = 3
    dilation: Dilation = 1

    def steps(self, x: Shape) -> tuple[Step, ...]:
        """Return reduce, middle, expand, shortcut, add, act; the shortcut where needed."""
        c_in, mid = x[0], max(1, self.c // EXPANSION)
        first, middle = (self.s, 1) if self.stride_at == "first" else (1, self.s)
        steps = conv_bn("reduce", c_in, mid, 1, first, act="relu")
        steps += conv_bn("middle", mid, mid, self.k, middle, dilation=self.dilation, act="relu")
        steps += conv_bn("expand", mid, self.c)
        body, through = steps[-1].name, "@0"
        if self.shortcut == "subsample" and c_in == self.c:
            if self.s > 1:
                drop = Pool2d("max", pair(1), pair(self.s))
                steps += (Step("shortcut", drop, ("@0",)),)
                through = "shortcut"
        elif self.s > 1 or c_in != self.c:
            steps += conv_bn("shortcut", c_in, self.c, 1, self.s, source="@0")
            through = steps[-1].name
        return (*steps, Step("add", Add(), (body, through)), Step("act", Activation("relu")))
