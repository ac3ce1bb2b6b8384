"""The module of GoogLeNet and of its kin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mbcost.graph.graph import Step
from mbcost.graph.primitives import Concat, Pool2d, Shape, pair
from mbcost.networks.blocks.conv import conv_bias, conv_bn
from mbcost.networks.blocks.fields import InnerChannels, Stride
from mbcost.networks.rules import MAX_CHANNELS, MAX_KERNEL, OneOf, Truth, Whole, Width


@dataclass(frozen=True, slots=True)
class Inception:
    """Four branches side by side: 1×1; 1×1, 3×3; 1×1, 5×5; pool, 1×1 (GoogLeNet, Fig. 2b).

    Above stride 1 the last layer of each branch strides; there the tables print no 1×1 branch and
    a pool as it is. ``double`` has two 3×3 for the 5×5 (BN-Inception, arXiv:1502.03167).
    """

    c1: Annotated[int, Width(0, MAX_CHANNELS, "output channels of the 1×1 branch; 0: without it")]
    reduce3: InnerChannels
    c3: InnerChannels
    reduce5: InnerChannels
    c5: InnerChannels
    pool: Annotated[
        int, Width(0, MAX_CHANNELS, "output channels of the 1×1 after the pool; 0: without it")
    ]
    k5: Annotated[int, Whole(1, MAX_KERNEL, "kernel of the third branch")] = 5
    norm: Annotated[bool, Truth("batch-norm in place of a bias on each convolution")] = False
    double: Annotated[bool, Truth("two 3×3 in the third branch, both c5 wide")] = False
    s: Stride = 1
    mode: Annotated[str, OneOf(("max", "avg"), "maximum or average in the pool")] = "max"

    def steps(self, x: Shape) -> tuple[Step, ...]:
        """Return the branches and concat."""

        def conv(
            name: str, c_in: int, c: int, k: int, s: int = 1, *, source: str | None = None
        ) -> tuple[Step, ...]:
            make = conv_bn if self.norm else conv_bias
            return make(name, c_in, c, k, s, act="relu", source=source)

        branch1 = conv("branch1", x[0], self.c1, 1, self.s, source="@0") if self.c1 else ()
        branch3 = conv("branch3.reduce", x[0], self.reduce3, 1, source="@0")
        branch3 += conv("branch3", self.reduce3, self.c3, 3, self.s)
        branch5 = conv("branch5.reduce", x[0], self.reduce5, 1, source="@0")
        if self.double:
            branch5 += conv("branch5.middle", self.reduce5, self.c5, 3)
            branch5 += conv("branch5", self.c5, self.c5, 3, self.s)
        else:
            branch5 += conv("branch5", self.reduce5, self.c5, self.k5, self.s)
        pool = Pool2d(self.mode, pair(3), pair(self.s), pair(1))
        branch_pool: tuple[Step, ...] = (Step("branch_pool.pool", pool, ("@0",)),)
        if self.pool:
            branch_pool += conv("branch_pool", x[0], self.pool, 1)
        branches = [branch for branch in (branch1, branch3, branch5, branch_pool) if branch]
        ends = tuple(branch[-1].name for branch in branches)
        steps = tuple(step for branch in branches for step in branch)
        return (*steps, Step("concat", Concat(), ends))
