"""The standard convolution, and the piece every other block is made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from mbcost.errors import LayerError
from mbcost.graph.graph import Step
from mbcost.graph.primitives import Activation, BatchNorm2d, Conv2d, Pair, Shape, pair
from mbcost.networks.blocks.fields import Act, Dilation, Kernel, Padding, Stride
from mbcost.networks.rules import MAX_KERNEL, Number, Truth, Whole


def same_padding(k: int, dilation: int = 1) -> int:
    """Return the padding that keeps the size at stride 1 for odd kernels, d(k−1)//2."""
    return dilation * (k - 1) // 2


@lru_cache(maxsize=4096)
def conv_bn(
    name: str,
    c_in: int,
    c: int,
    k: int | Pair = 1,
    s: int = 1,
    *,
    p: int | None = None,
    groups: int = 1,
    dilation: int = 1,
    act: str = "none",
    source: str | None = None,
) -> tuple[Step, ...]:
    """Return ``name.conv``, ``name.bn`` and, unless it is ``none``, ``name.act``.

    ``source`` names the step that feeds the convolution; without it, the step before.
    """
    conv = Conv2d(c_in, c, *window(k, s, p, dilation), groups, bias=False)
    return conv_steps(name, conv, act, source, norm=True)


def conv_bias(
    name: str,
    c_in: int,
    c: int,
    k: int = 1,
    s: int = 1,
    *,
    act: str = "none",
    source: str | None = None,
) -> tuple[Step, ...]:
    """Return the same with a bias in place of the batch-norm."""
    return conv_steps(name, Conv2d(c_in, c, *window(k, s), bias=True), act, source)


def window(
    k: int | Pair, s: int = 1, p: int | None = None, dilation: int = 1
) -> tuple[Pair, Pair, Pair, Pair]:
    """Return kernel, stride, padding and dilation of a convolution, one per direction."""
    kernel = pair(k) if isinstance(k, int) else k
    same = same_padding(kernel[0], dilation), same_padding(kernel[1], dilation)
    return kernel, pair(s), same if p is None else pair(p), pair(dilation)


def conv_steps(
    name: str, conv: Conv2d, act: str = "none", source: str | None = None, *, norm: bool = False
) -> tuple[Step, ...]:
    """Return ``name.conv``, and ``name.bn`` and ``name.act`` where asked for."""
    dot = f"{name}." if name else ""
    steps = [Step(f"{dot}conv", conv, (source,) if source else ())]
    if norm:
        steps.append(Step(f"{dot}bn", BatchNorm2d(conv.c_out)))
    if act != "none":
        steps.append(Step(f"{dot}act", Activation(act)))
    return tuple(steps)


@dataclass(frozen=True, slots=True)
class ConvBnAct:
    """A k×k convolution, batch-norm, activation; the block the papers compare with."""

    c: Annotated[int | None, Whole(1, 2**20, "output channels; or t")] = None
    t: Annotated[
        float | None, Number(1024, "output channels as a multiple of the input's, in place of c")
    ] = None
    k: Kernel = 3
    s: Stride = 1
    p: Padding = None
    groups: Annotated[int, Whole(1, 2**20, "groups of the convolution")] = 1
    dilation: Dilation = 1
    act: Act = "relu"
    norm: Annotated[bool, Truth("batch-norm after the convolution")] = True
    bias: Annotated[bool, Truth("bias on the convolution")] = False
    kw: Annotated[
        int | None, Whole(1, MAX_KERNEL, "width of the kernel; left out it is k, its height")
    ] = None

    def steps(self, x: Shape) -> tuple[Step, ...]:
        """Return conv, bn, act."""
        c = self.c
        if c is None:
            if self.t is None:
                raise LayerError("has neither c nor t", way_out="c: the output channels")
            c = int(self.t * x[0])
        kernel = (self.k, self.kw or self.k)
        conv = Conv2d(
            x[0], c, *window(kernel, self.s, self.p, self.dilation), self.groups, self.bias
        )
        return conv_steps("", conv, self.act, norm=self.norm)
