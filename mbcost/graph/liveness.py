"""Which maps of a graph are alive when, and how much they take, in elements of one image.

Every layer writes a new map (nothing in place), and a map is kept until the last layer that reads
it has run.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from mbcost.graph.graph import Node
from mbcost.graph.primitives import Shape


def freed_after(nodes: Sequence[Node], outputs: Sequence[int] = ()) -> list[list[int]]:
    """Return, for each node, the maps that nothing reads once it has run; -1 is the input.

    What is put out is never freed: ``outputs``, or the last map where they are not given.
    """
    last_read = {source: max(source, 0) for source in range(-1, len(nodes))}
    for i, node in enumerate(nodes):
        last_read.update(dict.fromkeys(node.inputs, i))
    kept = set(outputs or (len(nodes) - 1,))
    freed: list[list[int]] = [[] for _ in nodes]
    for source in last_read.keys() - kept:
        freed[last_read[source]].append(source)
    return freed


def largest_activation(x: Shape, nodes: Sequence[Node]) -> int:
    """Return the elements of the largest map: the input ``x`` or what a layer puts out."""
    return max(prod(x), max((prod(node.y) for node in nodes), default=0))


def peak_activation(x: Shape, nodes: Sequence[Node], outputs: Sequence[int] = ()) -> int:
    """Return the most elements alive at once: a layer's inputs, its output and what waits.

    ``x`` feeds node -1. A chain of blocks peaks where one of its blocks does, since only a block's
    input outlives the block before it.
    """
    sizes = {-1: prod(x)} | {i: prod(node.y) for i, node in enumerate(nodes)}
    alive = peak = sizes[-1]
    for i, freed in enumerate(freed_after(nodes, outputs)):
        alive += sizes[i]
        peak = max(peak, alive)
        alive -= sum(sizes[source] for source in freed)
    return peak
