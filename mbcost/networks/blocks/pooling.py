"""Rows without weights: pooling, reorg, crops, and AlexNet's normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mbcost.graph.graph import Step
from mbcost.graph.primitives import Crop, LocalResponseNorm, Pool2d, Shape, SpaceToDepth, pair
from mbcost.networks.blocks.fields import Kernel, Stride
from mbcost.networks.rules import MAX_CHANNELS, MAX_KERNEL, OneOf, Truth, Whole


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
class Reorganisation:
    """Every s×s cells of the map become one with s² times the channels: YOLOv2's reorg.

    In which order is of no cost, and is torch's.
    """

    s: Stride = 2

    def steps(self, x: Shape) -> tuple[Step, ...]:
        """Return reorg."""
        return (Step("reorg", SpaceToDepth(self.s)),)


@dataclass(frozen=True, slots=True)
class Cropping:
    """Boxes of a map, each resized to size × size: every row behind it runs once for each box.

    The proposals of Faster R-CNN (arXiv:1506.01497); which boxes they are is of no cost.
    """

    boxes: Annotated[int, Whole(1, 10_000, "boxes an image: how often the rows behind it run")]
    size: Annotated[int, Whole(1, MAX_KERNEL, "height and width of each crop")]

    def steps(self, x: Shape) -> tuple[Step, ...]:
        """Return crop."""
        return (Step("crop", Crop(self.boxes, pair(self.size))),)


@dataclass(frozen=True, slots=True)
class LocalResponseNormalisation:
    """Normalisation over neighbouring channels (AlexNet, section 3.3)."""

    size: Annotated[int, Whole(1, MAX_CHANNELS, "channels it looks at")] = 5

    def steps(self, x: Shape) -> tuple[Step, ...]:
        """Return lrn."""
        return (Step("lrn", LocalResponseNorm(self.size)),)
