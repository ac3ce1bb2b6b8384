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
    Flatten,
    Linear,
    LocalResponseNorm,
    Pool2d,
    Scale,
    Shape,
    Slice,
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
    given = run.storage("input", graph.x, "input")
    run.maps[-1] = given
    for i, node in enumerate(graph.nodes):
        run.maps[i] = run.layer(node, tuple([run.maps[source] for source in node.inputs]))
    kept = [run.maps[i] for i in graph.outputs or (len(graph.nodes) - 1,)]
    if image == "held":
        kept.append(given)
    distinct = tuple(dict.fromkeys(kept))
    return Schedule(tuple(run.storages), tuple(run.operators), (given,), distinct)


class _Run:
    """A schedule while it is written."""

    def __init__(self, batch: int, itemsize: int) -> None:
        self.batch = batch
        self.itemsize = itemsize
        self.storages: list[Storage] = []
        self.operators: list[Operator] = []
        self.maps: dict[int, int] = {}
        """The storage below the map of each node."""

    def storage(self, name: str, shape: Shape, category: str, itemsize: int = 0) -> int:
        """Note a storage for ``shape`` of every image."""
        size = self.batch * prod(shape) * (itemsize or self.itemsize)
        self.storages.append(Storage(name, size, category))
        return len(self.storages) - 1

    def operator(
        self, node: Node, reads: tuple[int, ...], shape: Shape, category: str = "activation"
    ) -> int:
        """Note an operator that writes one storage, which is returned."""
        written = self.storage(node.path, shape, category)
        self.operators.append(Operator(node.path, reads, (written,)))
        return written

    def layer(self, node: Node, reads: tuple[int, ...]) -> int:
        """Note what a layer runs; return the storage below its map.

        Whoever calls a layer holds its inputs until it has run: its last operator reads them all.
        """
        match node.layer:
            case Flatten() | Slice():
                return reads[0]
            case ChannelShuffle():
                if node.layer.groups in (1, node.x[0]):  # every channel stays where it is
                    return reads[0]
                return self.operator(node, reads, node.y)
            case Add():
                return self._sums(node, reads)
            case Pool2d():
                return self._pooled(node, reads, node.layer)
            case LocalResponseNorm():
                return self._normalised(node, reads, node.layer)
            case (
                Conv2d()
                | BatchNorm2d()
                | Linear()
                | Activation()
                | AdaptiveAvgPool2d()
                | Scale()
                | Concat()
                | Upsample()
            ):
                return self.operator(node, reads, node.y)
            case _:
                assert_never(node.layer)

    def _sums(self, node: Node, reads: tuple[int, ...]) -> int:
        """Maps are added two at a time; one alone is its own sum."""
        total, *others = reads
        for i in range(len(others)):
            last = i == len(others) - 1
            total = self.operator(
                node, (*reads, total), node.y, "activation" if last else "temporary"
            )
        return total

    def _pooled(self, node: Node, reads: tuple[int, ...], pool: Pool2d) -> int:
        """A maximum comes with its place, asked for or not."""
        written = self.operator(node, reads, node.y)
        if pool.mode == "max":
            places = self.storage(node.path, node.y, "temporary", INDEX_BYTES)
            self.operators[-1] = Operator(node.path, reads, (written, places))
        return written

    def _normalised(self, node: Node, reads: tuple[int, ...], norm: LocalResponseNorm) -> int:
        """x / (k + α · mean of neighbours' x²)^β: of the seven steps, the mean outlives two."""
        padded = (node.x[0] + norm.size - 1, *node.x[1:])

        def step(*read: int, shape: Shape = node.x) -> int:
            return self.operator(node, (*reads, *read), shape, "temporary")

        squares = step()
        around = step(squares, shape=padded)
        mean = step(around)
        scaled = step(mean)
        shifted = step(mean, scaled)
        divisor = step(mean, shifted)
        return self.operator(node, (*reads, divisor), node.y)
