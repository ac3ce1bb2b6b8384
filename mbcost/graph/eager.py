"""What a forward keeps in memory as torch runs it eagerly, without gradients.

One operator for each of torch's that allocates, as the module of a graph calls them. A view owns
nothing: who reads it reads the storage below. To teach it a primitive: its case in ``_Run.layer``.
"""

from __future__ import annotations

from math import prod
from typing import Literal, assert_never

from mbcost.graph.graph import Graph, Node
from mbcost.graph.liveness import Operator, Schedule, Storage
from mbcost.graph.primitives import (
    Activation,
    AdaptiveAvgPool2d,
    Add,
    BatchNorm2d,
    ChannelShuffle,
    Concat,
    Conv2d,
    Crop,
    Flatten,
    Linear,
    LocalResponseNorm,
    Pool2d,
    Scale,
    Shape,
    Slice,
    SpaceToDepth,
    Upsample,
)

Image = Literal["held", "released"]
"""Whether the caller holds the image all along, or it is freed after its last reader."""

INDEX_BYTES = 8
"""An int64: where a maximum was found, whatever the map is made of."""


def eager(graph: Graph, *, batch: int = 1, itemsize: int = 4, image: Image = "held") -> Schedule:
    """Return what a forward of ``batch`` images allocates and reads, ``itemsize`` bytes an element.

    Weights are not in it, nor what a kernel needs only while it runs: a copy in another layout.
    """
    run = _Run(batch, itemsize)
    run.storages.append(Storage("input", run.element * prod(graph.x), "input"))
    maps = {-1: 0}  # the storage below the map of each node
    for i, node in enumerate(graph.nodes):
        maps[i] = run.layer(node, tuple([maps[source] for source in node.inputs]))
    kept = [maps[i] for i in graph.outputs or (len(graph.nodes) - 1,)]
    if image == "held":
        kept.append(0)
    distinct = tuple(dict.fromkeys(kept))
    return Schedule(tuple(run.storages), tuple(run.operators), (0,), distinct)


class _Run:
    """A schedule while it is written."""

    def __init__(self, batch: int, itemsize: int) -> None:
        self.batch = batch
        self.element = batch * itemsize
        """Bytes of one element of every image."""
        self.storages: list[Storage] = []
        self.operators: list[Operator] = []

    def operator(
        self, node: Node, reads: tuple[int, ...], shape: Shape, category: str = "activation"
    ) -> int:
        """Note an operator that writes one storage, which is returned, for each run of the node."""
        written = len(self.storages)
        size = self.element * node.times * prod(shape)
        self.storages.append(Storage(node.path, size, category))
        self.operators.append(Operator(node.path, reads, (written,)))
        return written

    def layer(self, node: Node, reads: tuple[int, ...]) -> int:
        """Note what a layer runs; return the storage below its map.

        Whoever calls a layer holds its inputs until it has run: its last operator reads them all.
        """
        match node.layer:
            case (
                Conv2d()
                | BatchNorm2d()
                | Linear()
                | Activation()
                | AdaptiveAvgPool2d()
                | Scale()
                | Concat()
                | SpaceToDepth()
                | Upsample()
            ):
                return self.operator(node, reads, node.y)
            case Flatten() | Slice():
                return reads[0]
            case ChannelShuffle():
                if node.layer.groups in (1, node.x[0]):  # every channel stays where it is
                    return reads[0]
                return self.operator(node, reads, node.y)
            case Crop():
                return self._cropped(node, reads, node.layer)
            case Add():
                return self._sums(node, reads)
            case Pool2d():
                return self._pooled(node, reads, node.layer)
            case LocalResponseNorm():
                return self._normalised(node, reads, node.layer)
            case _:
                assert_never(node.layer)

    def _sums(self, node: Node, reads: tuple[int, ...]) -> int:
        """Maps are added two at a time; one alone is its own sum."""
        total, *others = reads
        for left in range(len(others), 0, -1):
            category = "temporary" if left > 1 else "activation"
            total = self.operator(node, (*reads, total), node.y, category)
        return total

    def _pooled(self, node: Node, reads: tuple[int, ...], pool: Pool2d) -> int:
        """A maximum comes with its place, asked for or not."""
        written = self.operator(node, reads, node.y)
        if pool.mode == "max":
            size = self.batch * node.elements * INDEX_BYTES
            self.storages.append(Storage(node.path, size, "temporary"))
            self.operators[-1] = Operator(node.path, reads, (written, written + 1))
        return written

    def _cropped(self, node: Node, reads: tuple[int, ...], crop: Crop) -> int:
        """A corner of the map is a view; where the map is smaller it is padded first."""
        if node.x[1] < crop.size[0] or node.x[2] < crop.size[1]:
            reads = (*reads, self.operator(node, reads, node.y, "temporary"))
        return self.operator(node, reads, (crop.boxes, *node.y))

    def _normalised(self, node: Node, reads: tuple[int, ...], norm: LocalResponseNorm) -> int:
        """x / (k + α · mean of neighbours' x²)^β: the mean is held until the divisor is there."""
        padded = (node.x[0] + norm.size - 1, *node.x[1:])

        def step(*read: int, shape: Shape = node.x) -> int:
            return self.operator(node, read, shape, "temporary")

        squares = step(*reads)
        around = step(squares, shape=padded)
        mean = step(around)
        shifted = step(step(mean))
        divisor = step(mean, shifted)
        return self.operator(node, (*reads, divisor), node.y)
