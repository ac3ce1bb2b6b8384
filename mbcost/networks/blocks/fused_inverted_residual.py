"""The fused block of MobileNetEdgeTPU and MobileNetV4."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mbcost.graph.graph import Step
from mbcost.graph.primitives import Add, Shape
from mbcost.networks.blocks.conv import conv_bn
from mbcost.networks.blocks.fields import Act, Channels, Kernel, Stride
from mbcost.networks.rules import Number


@dataclass(frozen=True, slots=True)
class FusedInvertedResidual:
    """One full k×k convolution expands in place of 1×1 and depthwise, then project 1×1.

    The residual connects input and output where the stride is 1 and the channels are equal.
    """

    c: Channels
    t: Annotated[float, Number(1024, "expansion ratio over the input width")]
    k: Kernel = 3
    s: Stride = 1
    act: Act = "relu"

    def steps(self, x: Shape) -> tuple[Step, ...]:
        """Return expand, project, add; the last where shapes allow."""
        c_in = x[0]
        exp = max(1, int(self.t * c_in))
        steps = conv_bn("expand", c_in, exp, self.k, self.s, act=self.act)
        steps += conv_bn("project", exp, self.c)
        if self.s == 1 and c_in == self.c and self.k % 2:
            steps += (Step("add", Add(), (steps[-1].name, "@0")),)
        return steps
