"""The pieces of the networks before MobileNet: pooling, AlexNet's normalisation, SqueezeNet's fire
module and GoogLeNet's inception module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mbcost.blocks.conv import conv_bn
from mbcost.blocks.fields import (
    MAX_CHANNELS,
    MAX_KERNEL,
    Kernel,
    OneOf,
    Stride,
    Truth,
    Whole,
    Width,
)
from mbcost.layers import Concat, LocalResponseNorm, Pool2d, Shape, Step, pair

Branch = Annotated[int, Width(1, MAX_CHANNELS, "output channels of this convolution")]
Norm = Annotated[bool, Truth("batch-norm after each convolution, which then has no bias")]


@dataclass(frozen=True, slots=True)
class Pooling:
    """Max or average pooling with a window."""

    k: Kernel = 3
    s: Stride = 2
    p: Annotated[int, Whole(0, MAX_KERNEL, "padding")] = 0
    mode: Annotated[str, OneOf(("max", "avg"), "maximum or average")] = "max"
    ceil: Annotated[bool, Truth("round the output size up, as Caffe does")] = False

    def steps(self, x: Shape) -> tuple[Step, ...]:
        """Return pool."""
        return (
            Step("pool", Pool2d(self.mode, pair(self.k), pair(self.s), pair(self.p), self.ceil)),
        )


@dataclass(frozen=True, slots=True)
class LocalResponseNormalisation:
    """Normalisation over neighbouring channels (AlexNet, section 3.3)."""

    size: Annotated[int, Whole(1, MAX_CHANNELS, "channels it looks at")] = 5

    def steps(self, x: Shape) -> tuple[Step, ...]:
        """Return lrn."""
        return (Step("lrn", LocalResponseNorm(self.size)),)


@dataclass(frozen=True, slots=True)
class Fire:
    """Squeeze 1×1, then expand 1×1 and 3×3 side by side (SqueezeNet, section 3.2)."""

    squeeze: Branch
    expand1: Branch
    expand3: Branch

    def steps(self, x: Shape) -> tuple[Step, ...]:
        """Return squeeze, expand1, expand3, concat."""
        squeeze = conv_bn("squeeze", x[0], self.squeeze, act="relu", norm=False, bias=True)
        source = squeeze[-1].name
        branches = [
            conv_bn(name, self.squeeze, c, k, act="relu", norm=False, bias=True, source=source)
            for name, c, k in (("expand1", self.expand1, 1), ("expand3", self.expand3, 3))
        ]
        ends = tuple(branch[-1].name for branch in branches)
        return (*squeeze, *branches[0], *branches[1], Step("concat", Concat(), ends))


@dataclass(frozen=True, slots=True)
class Inception:
    """Four branches side by side: 1×1; 1×1, 3×3; 1×1, 5×5; pool, 1×1 (GoogLeNet, Fig. 2b)."""

    c1: Branch
    reduce3: Branch
    c3: Branch
    reduce5: Branch
    c5: Branch
    pool: Branch
    k5: Annotated[int, Whole(1, MAX_KERNEL, "kernel of the third branch")] = 5
    norm: Norm = False

    def steps(self, x: Shape) -> tuple[Step, ...]:
        """Return the branches and concat."""

        def conv(name: str, c_in: int, c: int, k: int, source: str | None) -> tuple[Step, ...]:
            return conv_bn(
                name, c_in, c, k, act="relu", norm=self.norm, bias=not self.norm, source=source
            )

        pool = Step("branch_pool.pool", Pool2d("max", pair(3), pair(1), pair(1)), ("@0",))
        branches = (
            conv("branch1", x[0], self.c1, 1, "@0"),
            conv("branch3.reduce", x[0], self.reduce3, 1, "@0")
            + conv("branch3", self.reduce3, self.c3, 3, None),
            conv("branch5.reduce", x[0], self.reduce5, 1, "@0")
            + conv("branch5", self.reduce5, self.c5, self.k5, None),
            (pool, *conv("branch_pool", x[0], self.pool, 1, None)),
        )
        ends = tuple(branch[-1].name for branch in branches)
        steps = tuple(step for branch in branches for step in branch)
        return (*steps, Step("concat", Concat(), ends))
