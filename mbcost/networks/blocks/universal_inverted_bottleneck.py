"""The block of MobileNetV4."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mbcost.errors import LayerError
from mbcost.graph.graph import Step
from mbcost.graph.primitives import Add, Shape
from mbcost.networks.blocks.conv import conv_bn
from mbcost.networks.blocks.fields import Act, Channels, Stride
from mbcost.networks.rules import MAX_KERNEL, Number, Whole


@dataclass(frozen=True, slots=True)
class UniversalInvertedBottleneck:
    """An inverted bottleneck with two optional depthwise convolutions (MobileNetV4, Fig. 4).

    Both: ExtraDW; ``k_mid`` alone: inverted bottleneck; ``k_start`` alone: ConvNext-like; neither:
    feed-forward. The stride sits in ``k_mid`` where there is one, else in ``k_start``. The first
    depthwise convolution has no activation.
    """

    c: Channels
    t: Annotated[float, Number(1024, "expansion ratio over the input width")]
    k_start: Annotated[int, Whole(0, MAX_KERNEL, "depthwise before the expansion; 0 for none")] = 0
    k_mid: Annotated[int, Whole(0, MAX_KERNEL, "depthwise after the expansion; 0 for none")] = 0
    s: Stride = 1
    act: Act = "relu"

    def steps(self, x: Shape) -> tuple[Step, ...]:
        """Return start, expand, mid, project, add; those that apply."""
        c_in = x[0]
        exp = max(1, int(self.t * c_in))
        if self.s > 1 and not self.k_start and not self.k_mid:
            raise LayerError(
                "a stride needs a depthwise convolution", way_out="set k_start or k_mid, or s: 1"
            )
        steps: tuple[Step, ...] = ()
        if self.k_start:
            stride = 1 if self.k_mid else self.s
            steps += conv_bn("start", c_in, c_in, self.k_start, stride, groups=c_in)
        steps += conv_bn("expand", c_in, exp, act=self.act)
        if self.k_mid:
            steps += conv_bn("mid", exp, exp, self.k_mid, self.s, groups=exp, act=self.act)
        steps += conv_bn("project", exp, self.c)
        keeps_map = all(k % 2 for k in (self.k_start, self.k_mid) if k)
        if self.s == 1 and c_in == self.c and keeps_map:
            steps += (Step("add", Add(), (steps[-1].name, "@0")),)
        return steps
