"""The deployed graph: batch-norms folded into the convolutions before them, Graph → Graph.

A batch-norm in eval mode is y = γ·(x − μ)/√(σ² + ε) + β. Right after a convolution it is a factor
per output channel of the weights and a bias (arXiv:1712.05877, section 3.2), so the layer
disappears and the convolution has a bias.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from mbcost.graph.graph import Graph, Node
from mbcost.graph.primitives import BatchNorm2d, Conv2d, Layer


def fold_batch_norms(graph: Graph) -> Graph:
    """Return ``graph`` with every batch-norm folded that is the only reader of a convolution.

    A convolution keeps its path and gains a bias. Any other batch-norm stays: after a sum or a
    pool, at the input, or where something else reads the convolution's output too.
    """
    convolutions = folded(graph, count_readers(graph))
    gone = set(convolutions.values())
    nodes: list[Node] = []
    index = {-1: -1}
    for i, node in enumerate(graph.nodes):
        if i in gone:
            continue
        if i in convolutions:  # takes the batch-norm's turn, so that the last node stays last
            node = with_bias(graph.nodes[convolutions[i]])
        index[i] = len(nodes)
        nodes.append(node._replace(inputs=tuple([index[source] for source in node.inputs])))
    return Graph(graph.x, tuple(nodes), tuple(index[source] for source in graph.outputs))


def count_readers(graph: Graph) -> Counter[int]:
    """Return how often each node is read, by other nodes and by who takes the outputs."""
    readers = Counter([source for node in graph.nodes for source in node.inputs])
    readers.update(graph.outputs)
    return readers


def folded(graph: Graph, readers: Mapping[int, int]) -> dict[int, int]:
    """Return each batch-norm that is folded, and the convolution that it is folded into."""
    nodes = graph.nodes
    return {
        i: source
        for i, node in enumerate(nodes)
        if isinstance(node.layer, BatchNorm2d)
        and (source := node.inputs[0]) >= 0
        and isinstance(nodes[source].layer, Conv2d)
        and readers[source] == 1
    }


def with_bias(node: Node) -> Node:
    """Return the convolution that a batch-norm was folded into."""
    return node._replace(layer=_biased(node.layer))


@lru_cache(maxsize=4096)
def _biased(layer: Layer) -> Layer:
    assert isinstance(layer, Conv2d)
    return replace(layer, bias=True)
