"""The block of MobileNet V1."""

from __future__ import annotations

from dataclasses import dataclass

from mbcost.graph.graph import Step
from mbcost.graph.primitives import Shape
from mbcost.networks.blocks.conv import conv_bn
from mbcost.networks.blocks.fields import Act, Channels, Dilation, Kernel, Padding, Stride


@dataclass(frozen=True, slots=True)
class DepthwiseSeparable:
    """Depthwise k×k then pointwise 1×1, each with BN and activation (MobileNet V1, Fig. 3)."""

    c: Channels
    k: Kernel = 3
    s: Stride = 1
    p: Padding = None
    dilation: Dilation = 1
    act: Act = "relu"

    def steps(self, x: Shape) -> tuple[Step, ...]:
        """Return depthwise and pointwise."""
        depthwise = conv_bn(
            "depthwise",
            x[0],
            x[0],
            self.k,
            self.s,
            p=self.p,
            groups=x[0],
            dilation=self.dilation,
            act=self.act,
        )
        return depthwise + conv_bn("pointwise", x[0], self.c, act=self.act)
