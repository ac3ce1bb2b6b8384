"""What stands after the last convolution: pooling, fully connected layers, softmax."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Annotated

from mbcost.graph.graph import Step
from mbcost.graph.primitives import Activation, AdaptiveAvgPool2d, Flatten, Linear, Pool2d, Shape
from mbcost.networks.blocks.fields import Act, Channels, Kernel, Stride
from mbcost.networks.rules import MAX_KERNEL, Truth, Whole


@dataclass(frozen=True, slots=True)
class GlobalPool:
    """Average over the whole map, C×H×W to C×1×1, or to a vector of C."""

    flatten: Annotated[bool, Truth("put out a vector, where the pool is the last row")] = False

    def steps(self, x: Shape) -> tuple[Step, ...]:
        """Return pool, flatten."""
        pool = (Step("pool", AdaptiveAvgPool2d()),)
        return (*pool, Step("flatten", Flatten())) if self.flatten else pool


@dataclass(frozen=True, slots=True)
class WindowPool:
    """Average over k×k windows, clipped to the map; LR-ASPP's is 49×49, stride 16×20 (V3, Fig. 10).

    No padding: a map smaller than the window is averaged as a whole.
    """

    k: Kernel
    s: Stride = 1
    sw: Annotated[int | None, Whole(1, MAX_KERNEL, "horizontal stride; left out it is s")] = None

    def steps(self, x: Shape) -> tuple[Step, ...]:
        """Return pool."""
        h, w = x[1:] if len(x) == 3 else (self.k, self.k)
        kernel = (min(self.k, h), min(self.k, w))
        return (Step("pool", Pool2d("avg", kernel, (self.s, self.sw or self.s))),)


@dataclass(frozen=True, slots=True)
class FullyConnected:
    """A linear layer over the flattened input.

    On a pooled map it is the papers' 1×1 convolution without batch-norm (NBN).
    """

    c: Channels
    act: Act = "none"
    bias: Annotated[bool, Truth("bias on the linear layer")] = True

    def steps(self, x: Shape) -> tuple[Step, ...]:
        """Return flatten, linear, act."""
        steps: tuple[Step, ...] = (Step("linear", Linear(prod(x), self.c, self.bias)),)
        if len(x) > 1:
            steps = (Step("flatten", Flatten()), *steps)
        if self.act != "none":
            steps = (*steps, Step("act", Activation(self.act)))
        return steps


@dataclass(frozen=True, slots=True)
class ActivationLayer:
    """An activation on its own, such as a softmax over the classes."""

    act: Act

    def steps(self, x: Shape) -> tuple[Step, ...]:
        """Return act; nothing at ``none``."""
        return () if self.act == "none" else (Step("act", Activation(self.act)),)
