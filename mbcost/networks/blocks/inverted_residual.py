"""The block of MobileNet V2, with the squeeze-and-excite of V3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mbcost.errors import LayerError
from mbcost.graph.graph import Step
from mbcost.graph.primitives import Activation, AdaptiveAvgPool2d, Add, Conv2d, Scale, Shape, pair
from mbcost.networks.blocks.conv import conv_bn
from mbcost.networks.blocks.fields import Act, Channels, Dilation, Kernel, Padding, Stride
from mbcost.networks.rules import Number, OneOf, Truth, Whole
from mbcost.networks.widths import make_divisible


def squeeze_excite(
    c: int, squeezed: int, source: str, act: str = "relu", gate: str = "hardsigmoid"
) -> tuple[Step, ...]:
    """Return a squeeze-and-excite layer on step ``source``: both 1×1 with bias, no batch-norm
    (V3, section 5.3)."""
    steps = [
        Step("se.pool", AdaptiveAvgPool2d(), (source,)),
        Step("se.reduce", Conv2d(c, squeezed, pair(1), bias=True)),
        Step("se.act", Activation(act)),
        Step("se.expand", Conv2d(squeezed, c, pair(1), bias=True)),
        Step("se.gate", Activation(gate)),
    ]
    steps = [step for step in steps if step.layer != Activation("none")]
    return (*steps, Step("se.scale", Scale(), (source, steps[-1].name)))


@dataclass(frozen=True, slots=True)
class InvertedResidual:
    """Expand 1×1, depthwise k×k, project 1×1, a residual where shapes allow (V2, Table 1).

    The residual connects input and output where the stride is 1 and the channels are equal.
    Squeeze-and-excite sits after the depthwise activation, as in V3; MnasNet and EfficientNet
    squeeze to a part of the block's input width instead (``se_of: input``).
    """

    c: Channels
    t: Annotated[float | None, Number(1024, "expansion ratio over the input width")] = None
    exp: Annotated[int | None, Whole(1, 2**20, "expanded channels, in place of t")] = None
    k: Kernel = 3
    s: Stride = 1
    p: Padding = None
    dilation: Dilation = 1
    act: Act = "relu"
    se: Annotated[
        float, Number(16, "squeeze-and-excite: squeezed ÷ se_of channels, 0 for none", low=0)
    ] = 0
    se_of: Annotated[
        str, OneOf(("expanded", "input"), "what the squeezed channels are a part of")
    ] = "expanded"
    se_divisor: Annotated[int, Whole(1, 2**20, "squeezed channels are a multiple of this")] = 8
    se_act: Act = "relu"
    gate: Act = "hardsigmoid"
    last_act: Act = "none"
    shortcut: Annotated[
        str,
        OneOf(
            ("identity", "projection", "none"),
            "identity where shapes allow, or also a 1×1 convolution with batch-norm elsewhere",
        ),
    ] = "identity"
    add_act: Act = "none"
    expand_always: Annotated[bool, Truth("an expansion convolution even at t = 1")] = False

    def expanded(self, c_in: int) -> int:
        """Return the expanded channels over ``c_in`` input channels."""
        if self.exp is not None:
            return self.exp
        if self.t is None:
            raise LayerError("has neither t nor exp", way_out="t: the expansion ratio")
        return max(1, int(self.t * c_in))

    def steps(self, x: Shape) -> tuple[Step, ...]:
        """Return expand, depthwise, se, project, shortcut, add; those that apply."""
        c_in = x[0]
        exp = self.expanded(c_in)
        steps: tuple[Step, ...] = ()
        if exp != c_in or self.expand_always:
            steps += conv_bn("expand", c_in, exp, act=self.act)
        steps += conv_bn(
            "depthwise",
            exp,
            exp,
            self.k,
            self.s,
            p=self.p,
            groups=exp,
            dilation=self.dilation,
            act=self.act,
        )
        if self.se:
            whole = {"expanded": exp, "input": c_in}[self.se_of]
            squeezed = make_divisible(whole * self.se, self.se_divisor)
            steps += squeeze_excite(exp, squeezed, steps[-1].name, self.se_act, self.gate)
        steps += conv_bn("project", exp, self.c, act=self.last_act)
        return steps + self._residual(c_in, steps[-1].name)

    def _residual(self, c_in: int, body: str) -> tuple[Step, ...]:
        if self.shortcut == "none":
            return ()
        steps: tuple[Step, ...] = ()
        through = "@0"
        reach = self.dilation * (self.k - 1)
        keeps_map = self.s == 1 and reach % 2 == 0 and self.p in (None, reach // 2)
        if not keeps_map or c_in != self.c:
            if self.shortcut == "identity":
                return ()
            steps = conv_bn("shortcut", c_in, self.c, 1, self.s, source="@0")
            through = steps[-1].name
        steps += (Step("add", Add(), (body, through)),)
        if self.add_act != "none":
            steps += (Step("act", Activation(self.add_act)),)
        return steps
