"""What a layer runs in training, what it saves for its backward, and what its backward runs.

Operators and functions in closed form, one for each of torch's that a layer calls. A view owns
nothing. To teach it a primitive: its case in ``Forward.layer``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import prod
from typing import assert_never

from mbcost.errors import LayerError
from mbcost.graph.graph import Node
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
    Slice,
    SpaceToDepth,
    Upsample,
)
from mbcost.graph.tape import FP32, INDEX, Edge, Tape, Tensor, Work

SAVES_OUTPUT = ("relu", "sigmoid", "softmax")
"""Activations whose backward reads what they put out; the others' reads what they were given."""


class Forward(Tape):
    """What layers run in training."""

    def layer(self, node: Node, inputs: Sequence[Tensor]) -> Tensor:
        """Note what a layer runs in training; return its map."""
        x = inputs[0]
        match node.layer:
            case Conv2d() | Linear():
                return self._weighted(node, x, node.layer)
            case BatchNorm2d():
                return self._batch_norm(node, x)
            case Activation():
                return self._fresh(node, x, saves_output=node.layer.name in SAVES_OUTPUT)
            case Pool2d():
                indices = (INDEX,) if node.layer.mode == "max" else ()
                return self._fresh(node, x, beside=indices)
            case AdaptiveAvgPool2d():
                return self._fresh(node, x, saves=node.layer.size != (1, 1))  # which is a mean
            case Upsample() | SpaceToDepth():
                return self._fresh(node, x, saves=False)
            case Flatten():
                return self._viewed(node, x)
            case Slice():
                return self._sliced(node, x, node.layer)
            case ChannelShuffle():
                if node.layer.groups in (1, node.x[0]):  # every channel stays where it is
                    return self._viewed(node, x)
                return self._fresh(node, x, saves=False)
            case Add():
                return reduce(lambda a, b: self._sum(node.path, a, b, inputs), inputs)
            case Scale():
                return self._product(node.path, x, inputs[1])
            case Concat():
                return self._joined(node, inputs)
            case LocalResponseNorm():
                return self._normalised(node, x, node.layer.size)
            case Crop():
                raise LayerError(
                    "a step of training behind crops is not modelled: it draws boxes of its own",
                    place=node.path,
                    way_out="inference alone, without --train",
                )
            case _:
                assert_never(node.layer)

    def _fresh(
        self,
        node: Node,
        x: Tensor,
        *,
        saves: bool = True,
        saves_output: bool = False,
        beside: tuple[int, ...] = (),
    ) -> Tensor:
        """One operator forward and one backward; ``beside`` are bytes an element of what else it
        writes and saves."""
        y = x._replace(shape=node.y)
        elements = self.batch * prod(node.y)
        first = self.operator(
            node.path, (x.storage,), self.size(y), *[n * elements for n in beside]
        )
        kept = [first if saves_output else x.storage] if saves else []
        kept += [first + 1 + i for i in range(len(beside))]
        function = self.function(node.path, kept, (Work((self.size(x),)),), ((x, 0),))
        return y._replace(storage=first, function=function)

    def _viewed(self, node: Node, x: Tensor) -> Tensor:
        """A view, forward and backward."""
        return x._replace(shape=node.y, function=self.view(node.path, x))

    def _sliced(self, node: Node, x: Tensor, layer: Slice) -> Tensor:
        """A view of some channels; its backward fills a map with zeros around them."""
        if layer.stop - layer.start == x.shape[0]:
            return x._replace(function=self.function(node.path, (), (), ((x, None),)))
        function = self.function(node.path, (), (Work((self.size(x),)),), ((x, 0),))
        return x._replace(shape=node.y, function=function)

    def _weighted(self, node: Node, x: Tensor, layer: Conv2d | Linear) -> Tensor:
        """A convolution or a linear layer: autocast copies bias, weights and input, in this order.

        A linear layer saves its weights only where its input has a gradient.
        """
        if isinstance(layer, Conv2d):
            counts = [layer.c_out * layer.c_in // layer.groups * prod(layer.kernel)]
            counts += [layer.c_out] * layer.bias
        else:
            counts = [layer.features_out * layer.features_in]
            counts += [layer.features_out] * layer.bias
        itemsize = 2 if self.amp else FP32
        targets = [self._parameter(node.path, n * FP32) for n in counts]
        copies: list[int] = []
        if self.amp:
            for i in reversed(range(len(counts))):
                copy = self.operator(node.path, (), 2 * counts[i])
                copies.insert(0, copy)
                widened = (Work((FP32 * counts[i],)),)
                made = self.function(node.path, (), widened, (Edge(targets[i], 0),))
                assert made is not None
                targets[i] = made
            self.copies += copies
        held = x.storage
        x = self.cast(node.path, x, itemsize)
        y = x._replace(shape=node.y)
        reads = (held, x.storage, *copies)
        storage = self.operator(node.path, reads, self.size(y))
        sizes = [n * itemsize for n in counts]
        if x.function is not None:
            sizes.insert(0, self.size(x))
        own = len(sizes) - len(counts)
        edges: list[tuple[Tensor, int | None] | Edge] = [(x, 0)]
        edges += [Edge(target, own + i) for i, target in enumerate(targets)]
        saved = [x.storage]
        if copies and (own or isinstance(layer, Conv2d)):
            saved.append(copies[0])
        works = [Work(tuple(sizes))]
        if isinstance(layer, Linear):
            works = [Work((size,)) for size in sizes]
            if own and not layer.bias:  # torch then calls another function, which begins with them
                works.reverse()
                edges = [(x, 1), Edge(targets[0], 0)]
        return y._replace(storage=storage, function=self.function(node.path, saved, works, edges))

    def _parameter(self, path: str, size: int) -> int:
        self.parameters.append((path, size))
        return ~(len(self.parameters) - 1)

    def _batch_norm(self, node: Node, x: Tensor) -> Tensor:
        """The mean and the inverse deviation of this batch, 8·C, are saved beside the input."""
        if not self.observed:
            self.operator(node.path, (x.storage,), number=True)  # batches are counted
        each = FP32 * node.x[0]
        first = self.operator(node.path, (x.storage,), self.size(x), each, each)
        into = [self.size(x)] if x.function is not None else []
        edges = [Edge(self._parameter(node.path, each), len(into) + i) for i in range(2)]
        saved = (x.storage, first + 1, first + 2)
        works = (Work((*into, each, each)),)
        function = self.function(node.path, saved, works, ((x, 0), *edges))
        return x._replace(storage=first, function=function)

    def _sum(self, path: str, a: Tensor, b: Tensor, held: Sequence[Tensor]) -> Tensor:
        """Note a sum of two of the maps that are ``held``: its gradient is that of both, as it
        is."""
        itemsize = max(a.itemsize, b.itemsize)
        y = a._replace(itemsize=itemsize)
        reads = (a.storage, b.storage, *[x.storage for x in held])
        storage = self.operator(path, reads, self.size(y))
        works: list[Work] = []
        edges = []
        for x in (a, b):
            narrow = x.itemsize < itemsize and x.function is not None
            edges.append((x, len(works) if narrow else None))
            if narrow:
                works.append(Work((self.size(x),)))
        return y._replace(storage=storage, function=self.function(path, (), works, edges))

    def _product(self, path: str, a: Tensor, b: Tensor) -> Tensor:
        """Each side is saved for the gradient of the other; that of a gate is added up."""
        y = a._replace(itemsize=max(a.itemsize, b.itemsize))
        storage = self.operator(path, (a.storage, b.storage), self.size(y))
        results: dict[int, int] = {}
        works: list[Work] = []
        for side, x in enumerate((a, b)):
            if x.function is not None:
                results[side] = len(works)
                works.append(Work((self.size(y),)))
        for side, x in enumerate((a, b)):
            if side not in results:
                continue
            sizes = []
            if x.shape != y.shape:
                sizes.append(self.size(x._replace(itemsize=y.itemsize)))
            if x.itemsize != y.itemsize:
                sizes.append(self.size(x))
            for size in sizes:
                works.append(Work((size,), (results[side],)))
                results[side] = len(works) - 1
        saved = [x.storage for x, other in ((a, b), (b, a)) if other.function is not None]
        edges = ((a, results.get(0)), (b, results.get(1)))
        return y._replace(storage=storage, function=self.function(path, saved, works, edges))

    def _joined(self, node: Node, inputs: Sequence[Tensor]) -> Tensor:
        """Each map's gradient is a view of the whole one; autocast widens maps to the widest."""
        itemsize = max(x.itemsize for x in inputs)
        held = [x.storage for x in inputs]
        inputs = [self.cast(node.path, x, itemsize) for x in inputs]
        y = inputs[0]._replace(shape=node.y)
        reads = [*held, *[x.storage for x in inputs]]
        storage = self.operator(node.path, reads, self.size(y))
        edges = [Edge(x.function, view=self.size(x)) for x in inputs if x.function is not None]
        return y._replace(storage=storage, function=self.function(node.path, (), (), edges))

    def _normalised(self, node: Node, x: Tensor, window: int) -> Tensor:
        """x / (k + α · mean of neighbours' x²)^β: seven operators, and as many functions."""
        path = node.path
        held = (x.storage,)
        squares = x._replace(storage=self.operator(path, held, self.size(x)))
        twice = (Work((self.size(x),)), Work((self.size(x),)))
        squared = self.function(path, held, twice, ((x, 0), (x, 1)))
        padded = x._replace(shape=(x.shape[0] + window - 1, *x.shape[1:]))
        padded = padded._replace(
            storage=self.operator(path, (*held, squares.storage), self.size(padded)),
            function=self._then(path, (), squares._replace(function=squared)),
        )
        wide = self.cast(path, padded, FP32) if self.amp else padded
        y = x._replace(itemsize=wide.itemsize)
        size = self.size(y)
        mean = self.operator(path, (*held, padded.storage, wide.storage), size)
        averaged = self._then(path, (wide.storage,), wide)
        y = y._replace(function=averaged)
        scaled = self.operator(path, (*held, mean), size, number=True)  # which is saved
        number = () if self.observed else (scaled + 1,)
        y = y._replace(function=self._then(path, number, y))
        shifted = self.operator(path, (*held, mean, scaled), size, number=True)
        divisor = self.operator(path, (*held, mean, shifted), size)
        power = (Work((size,)), Work((size,)), Work((size,), (0, 1)))
        y = y._replace(function=self.function(path, (shifted,), power, ((y, 2),)))
        storage = self.operator(path, (*held, divisor), size)
        divided = [Work((size,)), Work((size,)), Work((size,)), Work((size,), (0, 1, 2))]
        result = 4
        divided.append(Work((size,)))
        if x.itemsize != y.itemsize:
            divided.append(Work((self.size(x),), (4,)))
            result = 5
        edges = ((x, result), (y, 3))
        function = self.function(path, (x.storage, divisor), divided, edges)
        return y._replace(storage=storage, function=function)

    def _then(self, path: str, saved: Sequence[int], x: Tensor) -> int | None:
        """Note a function whose backward writes a gradient of its input ``x``."""
        return self.function(path, saved, (Work((self.size(x),)),), ((x, 0),))
