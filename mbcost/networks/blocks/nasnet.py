"""What the cells of NASNet are made of."""

from __future__ import annotations

from dataclasses import dataclass

from mbcost.graph.graph import Step
from mbcost.graph.primitives import Activation, BatchNorm2d, Concat, Conv2d, Pool2d, Shape, pair
from mbcost.networks.blocks.conv import conv_bn, conv_steps, window
from mbcost.networks.blocks.fields import Channels, Kernel, Stride


@dataclass(frozen=True, slots=True)
class StackedSeparable:
    """ReLU, depthwise k×k, 1×1, batch-norm, twice over; the first depthwise strides (NASNet,
    appendix A.4)."""

    c: Channels
    k: Kernel = 3
    s: Stride = 1

    def steps(self, x: Shape) -> tuple[Step, ...]:
        """Return first and second, each act, depthwise, pointwise."""
        steps: tuple[Step, ...] = ()
        for name, c_in, s in (("first", x[0], self.s), ("second", self.c, 1)):
            steps += (Step(f"{name}.act", Activation("relu")),)
            depthwise = Conv2d(c_in, c_in, *window(self.k, s), c_in)
            steps += conv_steps(f"{name}.depthwise", depthwise)
            steps += conv_bn(f"{name}.pointwise", c_in, self.c)
        return steps


@dataclass(frozen=True, slots=True)
class FactorizedReduction:
    """ReLU, then every other cell of the map through a 1×1 to half of the channels, and the cells
    between them through another; batch-norm over both (NASNet's reference code).

    The second path is built on the cells of the first: which ones they are changes no cost.
    """

    c: Channels
    s: Stride = 2

    def steps(self, x: Shape) -> tuple[Step, ...]:
        """Return act, both paths, concat, bn."""
        steps: tuple[Step, ...] = (Step("act", Activation("relu")),)
        for name, c in (("even", self.c // 2), ("odd", self.c - self.c // 2)):
            every_other = Pool2d("avg", pair(1), pair(self.s))
            steps += (Step(f"{name}.pool", every_other, ("act",)),)
            steps += conv_steps(name, Conv2d(x[0], c, *window(1)))
        return (
            *steps,
            Step("concat", Concat(), ("even.conv", "odd.conv")),
            Step("bn", BatchNorm2d(self.c)),
        )
