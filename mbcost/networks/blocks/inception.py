"""The module of GoogLeNet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mbcost.graph.graph import Step
from mbcost.graph.primitives import Concat, Pool2d, Shape, pair
from mbcost.networks.blocks.conv import conv_bias, conv_bn
from mbcost.networks.blocks.fields import InnerChannels
from mbcost.networks.rules import MAX_KERNEL, Truth, Whole


@dataclass(frozen=True, slots=True)
class Inception:
    """Four branches side by side: 1×1; 1×1, 3×3; 1×1, 5×5; pool, 1×1 (GoogLeNet, Fig. 2b)."""

    c1: InnerChannels
    reduce3: InnerChannels
    c3: InnerChannels
    reduce5: InnerChannels
    c5: InnerChannels
    pool: InnerChannels
    k5: Annotated[int, Whole(1, MAX_KERNEL, "kernel of the third branch")] = 5
    norm: Annotated[bool, Truth("batch-norm in place of a bias on each convolution")] = False

    def steps(self, x: Shape) -> tuple[Step, ...]:
        """Return the branches and concat."""

        def conv(name: str, c_in: int, c: int, k: int, source: str | None) -> tuple[Step, ...]:
            make = conv_bn if self.norm else conv_bias
            return make(name, c_in, c, k, act="relu", source=source)

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
