"""The block of GhostNet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mbcost.graph.graph import Step
from mbcost.graph.primitives import Add, Concat, Shape, Slice
from mbcost.networks.blocks.conv import conv_bn
from mbcost.networks.blocks.fields import Channels, Kernel, Stride
from mbcost.networks.blocks.inverted_residual import squeeze_excite
from mbcost.networks.rules import Number, Whole
from mbcost.networks.widths import make_divisible

CHEAP_KERNEL = 3
"""Of the depthwise convolution that makes the ghost maps (GhostNet, section 4.1)."""


def ghost(name: str, c_in: int, c: int, source: str, act: str) -> tuple[Step, ...]:
    """Return a ghost module of ratio 2 on step ``source``: half of the channels by a 1×1
    convolution, the other half from those by a cheap depthwise one."""
    half = (c + 1) // 2
    primary = conv_bn(f"{name}.primary", c_in, half, act=act, source=source)
    cheap = conv_bn(f"{name}.cheap", half, half, CHEAP_KERNEL, groups=half, act=act)
    steps = (*primary, *cheap, Step(f"{name}.concat", Concat(), (primary[-1].name, cheap[-1].name)))
    return (*steps, Step(f"{name}.slice", Slice(0, c))) if c % 2 else steps


@dataclass(frozen=True, slots=True)
class GhostBottleneck:
    """A ghost module expands, a second one projects; a depthwise k×k between them where the
    stride is above 1 (GhostNet, Fig. 3).

    The shortcut is the identity where shapes allow, else a depthwise k×k and a 1×1.
    """

    c: Channels
    exp: Annotated[int, Whole(1, 2**20, "expanded channels")]
    k: Kernel = 3
    s: Stride = 1
    se: Annotated[
        float, Number(16, "squeeze-and-excite: squeezed ÷ expanded channels, 0 for none", low=0)
    ] = 0
    se_divisor: Annotated[int, Whole(1, 2**20, "squeezed channels are a multiple of this")] = 4

    def steps(self, x: Shape) -> tuple[Step, ...]:
        """Return expand, depthwise, se, project, shortcut, add; those that apply."""
        c_in = x[0]
        steps = ghost("expand", c_in, self.exp, "@0", "relu")
        if self.s > 1:
            steps += conv_bn("depthwise", self.exp, self.exp, self.k, self.s, groups=self.exp)
        if self.se:
            squeezed = make_divisible(self.exp * self.se, self.se_divisor)
            steps += squeeze_excite(self.exp, squeezed, steps[-1].name)
        steps += ghost("project", self.exp, self.c, steps[-1].name, "none")
        body, through = steps[-1].name, "@0"
        if self.s > 1 or c_in != self.c:
            steps += conv_bn(
                "shortcut.depthwise", c_in, c_in, self.k, self.s, groups=c_in, source="@0"
            )
            steps += conv_bn("shortcut.pointwise", c_in, self.c)
            through = steps[-1].name
        return (*steps, Step("add", Add(), (body, through)))
