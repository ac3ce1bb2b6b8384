"""The module of SqueezeNet."""

from __future__ import annotations

from dataclasses import dataclass

from mbcost.graph.graph import Step
from mbcost.graph.primitives import Concat, Shape
from mbcost.networks.blocks.conv import conv_bias
from mbcost.networks.blocks.fields import InnerChannels


@dataclass(frozen=True, slots=True)
class Fire:
    """Squeeze 1×1, then expand 1×1 and 3×3 side by side (SqueezeNet, section 3.2)."""

    squeeze: InnerChannels
    expand1: InnerChannels
    expand3: InnerChannels

    def steps(self, x: Shape) -> tuple[Step, ...]:
        """Return squeeze, expand1, expand3, concat."""
        squeeze = conv_bias("squeeze", x[0], self.squeeze, act="relu")
        source = squeeze[-1].name
        branches = [
            conv_bias(name, self.squeeze, c, k, act="relu", source=source)
            for name, c, k in (("expand1", self.expand1, 1), ("expand3", self.expand3, 3))
        ]
        ends = tuple(branch[-1].name for branch in branches)
        return (*squeeze, *branches[0], *branches[1], Step("concat", Concat(), ends))
