"""The block of MobileNeXt."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Annotated

from mbcost.graph.graph import Step
from mbcost.graph.primitives import Add, Shape
from mbcost.networks.blocks.conv import conv_bn
from mbcost.networks.blocks.fields import Act, Channels, Stride
from mbcost.networks.rules import Number, OneOf
from mbcost.networks.widths import make_divisible

NARROWEST = 6
"""The bottleneck holds at least a sixth of the output channels, in multiples of 16 (the authors'
code, github.com/yitu-opensource/MobileNeXt, mnext.py)."""


@dataclass(frozen=True, slots=True)
class Sandglass:
    """Depthwise 3×3, reduce 1×1, expand 1×1, depthwise 3×3: the residual joins the wide ends
    (MobileNeXt, Table 1).

    Where the width or the size changes there is no residual and the first depthwise is left out,
    the last too at stride 1; ``depthwise: both`` keeps them.
    """

    c: Channels
    t: Annotated[float, Number(1024, "reduction ratio of the bottleneck under the input width")]
    s: Stride = 1
    act: Act = "relu6"
    depthwise: Annotated[
        str, OneOf(("auto", "both"), "keep both depthwise convolutions where the width changes")
    ] = "auto"

    def bottleneck(self, c_in: int) -> int:
        """Return the channels between the two 1×1 convolutions."""
        reduced = int(c_in / self.t)
        if reduced < self.c / NARROWEST:
            reduced = make_divisible(ceil(self.c / NARROWEST), 16)
        return max(1, reduced)

    def steps(self, x: Shape) -> tuple[Step, ...]:
        """Return first, reduce, expand, last, add; those that apply."""
        c_in, c = x[0], self.c
        mid = self.bottleneck(c_in)
        same = c_in == c and self.s == 1
        both = same or self.depthwise == "both"
        steps: tuple[Step, ...] = ()
        if both:
            steps += conv_bn("first", c_in, c_in, 3, groups=c_in, act=self.act)
        steps += conv_bn("reduce", c_in, mid)
        steps += conv_bn("expand", mid, c, act=self.act)
        if both or self.s > 1:
            steps += conv_bn("last", c, c, 3, self.s, groups=c)
        if same and self.depthwise == "auto":
            steps += (Step("add", Add(), (steps[-1].name, "@0")),)
        return steps
