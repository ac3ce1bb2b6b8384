"""Steps of a block, nodes of a graph, and how the one is wired into the other.

A block lowers to ``Step``s (layers with names), a network wires steps into a ``Graph`` of
``Node``s. The closed form, the module builder and the memory schedule all read that graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

from mbcost.errors import LayerError
from mbcost.graph.primitives import MAX_FEATURES, Crop, Layer, Shape
from mbcost.graph.shapes import output_shape


class Step(NamedTuple):
    """A named layer of a block. ``inputs`` names earlier steps, ``@0`` is the block's own input
    (``@1``, ``@2``, … its further ones); left empty it is the step before."""

    name: str
    layer: Layer
    inputs: tuple[str, ...] = ()


class Node(NamedTuple):
    """A layer in a graph. ``inputs`` are indices of earlier nodes, -1 is the graph's input."""

    path: str
    block: str
    layer: Layer
    inputs: tuple[int, ...]
    x: Shape
    """Shape of the first input."""
    y: Shape
    times: int = 1
    """How often the layer runs for one image: once for each box behind a ``Crop``."""

    @property
    def maps(self) -> int:
        """How many maps of shape ``y`` there are for one image."""
        return self.times * self.layer.boxes if isinstance(self.layer, Crop) else self.times

    @property
    def elements(self) -> int:
        """Elements of all that the layer puts out for one image."""
        return self.maps * prod(self.y)

    @property
    def put_out(self) -> Shape:
        """Shape of all that the layer puts out for one image: boxes first, where it runs by box."""
        return self.y if self.maps == 1 else (self.maps, *self.y)


class Graph(NamedTuple):
    """Nodes in the order in which they run; the last one is the output, alone or with others."""

    x: Shape
    nodes: tuple[Node, ...]
    outputs: tuple[int, ...] = ()
    """Nodes that are put out, where they are several; left empty it is the last one alone."""

    @property
    def y(self) -> Shape:
        """Shape of the output of one image; of several outputs, the last one's."""
        return self.ys[-1]

    @property
    def ys(self) -> tuple[Shape, ...]:
        """Shapes of all outputs of one image."""
        if not self.nodes:
            return (self.x,)
        return tuple(self.nodes[i].put_out for i in self.outputs or (-1,))


def wire(
    nodes: list[Node],
    steps: Sequence[Step],
    prefix: str,
    block: str,
    source: int,
    x: Shape,
    others: Sequence[tuple[int, Shape]] = (),
) -> tuple[int, Shape]:
    """Append ``steps`` to ``nodes``, fed by node ``source`` of shape ``x``; return the last one.

    ``others`` are the block's further inputs, ``@1``, ``@2``, … to its steps. ``prefix`` goes
    before each step's name in the node's path; a step that does not fit its input raises
    ``LayerError`` with that path as its place.
    """
    known = {f"@{i}": feed for i, feed in enumerate(((source, x), *others))}
    last = (source, x)
    for name, layer, inputs in steps:
        feeds = [known[name] for name in inputs] if inputs else (last,)
        path = f"{prefix}.{name}" if prefix else name
        try:
            times = _runs(nodes, [i for i, _ in feeds])
            y = output_shape(layer, [shape for _, shape in feeds])
        except LayerError as error:
            raise error.at(path) from None
        if not 0 < y[0] <= MAX_FEATURES:
            raise LayerError(
                f"puts out {y[0]:.3g} channels",
                place=path,
                way_out="fewer rows that multiply them" if y[0] else "a larger t, or more channels",
            )
        sources = tuple([i for i, _ in feeds])
        nodes.append(Node(path, block, layer, sources, feeds[0][1], y, times))
        last = known[name] = (len(nodes) - 1, y)
    return last


def _runs(nodes: Sequence[Node], sources: Sequence[int]) -> int:
    """Return how often a layer runs for one image that reads these nodes: once for each map."""
    counts = {nodes[i].maps if i >= 0 else 1 for i in sources}
    if len(counts) > 1:
        raise LayerError(
            f"reads {' and '.join(map(str, sorted(counts)))} maps of one image together",
            way_out="maps of the same boxes, or none of them a crop",
        )
    return counts.pop()
