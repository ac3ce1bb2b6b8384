"""The standard convolution, and the piece every other block is made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from mbcost.errors import LayerError
from mbcost.graph.graph import Step
from mbcost.graph.primitives import Activation, BatchNorm2d, Conv2d, Shape, pair
from mbcost.networks.blocks.fields import Act, Dilation, Kernel, Padding, Stride
from mbcost.networks.rules import Number, Truth, Whole


def same_padding(k: int, dilation: int = 1) -> int:
    """Return the padding that keeps the size at stride 1 for odd kernels, d(k−1)//2."""
    return dilation * (k - 1) // 2


@lru_cache(maxsize=4096)
def conv_bn(
    name: str,
    c_in: int,
    c: int,
    k: int = 1,
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
    padding = same_padding(k, dilation) if p is None else p
    conv = Conv2d(c_in, c, pair(k), pair(s), pair(padding), pair(dilation), groups, bias=False)
    return _steps(name, conv, True, act, source)


def conv_bias(
    name: str, c_in: int, c: int, k: int = 1, *, act: str = "none", source: str | None = None
) -> tuple[Step, ...]:
    """Return the same at stride 1 with a bias in place of the batch-norm."""
    conv = Conv2d(c_in, c, pair(k), padding=pair(same_padding(k)), bias=True)
    return _steps(name, conv, False, act, source)


def _steps(
    name: str, conv: Conv2d, norm: bool, act: str, source: str | None = None
) -> tuple[Step, ...]:
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

    def steps(self, x: Shape) -> tuple[Step, ...]:
        """Return conv, bn, act."""
        c = self.c
        if c is None:
            if self.t is None:
                raise LayerError("has neither c nor t", way_out="c: the output channels")
            c = int(self.t * x[0])
        padding = same_padding(self.k, self.dilation) if self.p is None else self.p
        window = (pair(self.k), pair(self.s), pair(padding), pair(self.dilation))
        conv = Conv2d(x[0], c, *window, self.groups, self.bias)
        return _steps("", conv, self.norm, self.act)
