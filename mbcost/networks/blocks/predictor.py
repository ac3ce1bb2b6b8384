"""The prediction layers of SSD and SSDLite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mbcost.graph.graph import Step
from mbcost.graph.primitives import Shape
from mbcost.networks.blocks.conv import conv_bias, conv_bn
from mbcost.networks.blocks.fields import Act, Channels, Kernel
from mbcost.networks.rules import MAX_CHANNELS, Truth, Whole


@dataclass(frozen=True, slots=True)
class Predictor:
    """A k×k convolution with bias that puts out ``c`` per anchor; in SSDLite a depthwise k×k
    with batch-norm, then a 1×1 with bias (V2, section 6.2).

    ``c`` is the classes, or 4 for the corners of a box.
    """

    c: Channels
    anchors: Annotated[int, Whole(1, MAX_CHANNELS, "anchor boxes at each cell of the map")]
    k: Kernel = 3
    lite: Annotated[bool, Truth("depthwise k×k, then 1×1, in place of the k×k convolution")] = False
    act: Act = "relu6"

    def steps(self, x: Shape) -> tuple[Step, ...]:
        """Return conv; or depthwise and pointwise."""
        c = self.c * self.anchors
        if not self.lite:
            return conv_bias("", x[0], c, self.k)
        depthwise = conv_bn("depthwise", x[0], x[0], self.k, groups=x[0], act=self.act)
        return depthwise + conv_bias("pointwise", x[0], c)
