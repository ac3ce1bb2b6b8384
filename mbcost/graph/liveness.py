"""How much the maps of one image take while a graph runs, in elements.

Every layer writes a new map (nothing in place), and a map is kept until the last layer that reads
it has run.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from mbcost.graph.graph import Node
from mbcost.graph.primitives import Shape


def largest_activation(x: Shape, nodes: Sequence[Node]) -> int:
    """Return the elements of the largest map: the input ``x`` or what a layer puts out."""
    return max(prod(x), max((prod(node.y) for node in nodes), default=0))


def peak_activation(x: Shape, nodes: Sequence[Node], outputs: Sequence[int] = ()) -> int:
    """Return the most elements alive at once: a layer's inputs, its output and what waits.

    ``x`` feeds node -1; of several ``outputs`` each is kept to the end. A chain of blocks peaks
    where one of its blocks does, since only a block's input outlives the block before it.
    """
    last_use = {source: i for i, node in enumerate(nodes) for source in node.inputs}
    last_use.update(dict.fromkeys(outputs, len(nodes)))
    alive = {-1: prod(x)}
    peak = prod(x)
    for i, node in enumerate(nodes):
        alive[i] = prod(node.y)
        peak = max(peak, sum(alive.values()))
        alive = {source: size for source, size in alive.items() if last_use.get(source, -1) > i}
    return peak
