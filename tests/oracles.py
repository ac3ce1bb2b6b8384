"""Figures by another way than the one that is tested."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from mbcost.graph.graph import Node
from mbcost.graph.liveness import freed_after
from mbcost.graph.primitives import Shape


def peak_activation(x: Shape, nodes: Sequence[Node], outputs: Sequence[int] = ()) -> int:
    """Return the most elements alive at once: a layer's inputs, its output and what waits.

    Every layer writes a map and nothing else; ``x`` feeds node -1, and is freed when it is read.
    """
    sizes = {-1: prod(x)} | {i: node.elements for i, node in enumerate(nodes)}
    alive = most = sizes[-1]
    for i, gone in enumerate(freed_after(nodes, outputs)):
        alive += sizes[i]
        most = max(most, alive)
        alive -= sum(sizes[source] for source in gone)
    return most
