"""The deployed graph: batch-norms folded into the convolutions before them, Graph → Graph.

A batch-norm in eval mode is y = γ·(x − μ)/√(σ² + ε) + β. Right after a convolution it is a factor
per output channel of the weights and a bias (arXiv:1712.05877, section 3.2), so the layer
disappears and the convolution has a bias.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from mbcost.graph.graph import Graph, Node
from mbcost.graph.primitives import BatchNorm2d, Conv2d


def fold_batch_norms(graph: Graph) -> Graph:
    """Return ``graph`` with every batch-norm folded that is the only reader of a convolution.

    A convolution keeps its path and gains a bias. Any other batch-norm stays: after a sum or a
    pool, at the input, or where something else reads the convolution's output too.
    """
    readers = Counter(source for node in graph.nodes for source in node.inputs)
    readers.update(graph.outputs)
    folded = {
        i: node.inputs[0]
        for i, node in enumerate(graph.nodes)
        if isinstance(node.layer, BatchNorm2d)
        and node.inputs[0] >= 0
        and isinstance(graph.nodes[node.inputs[0]].layer, Conv2d)
        and readers[node.inputs[0]] == 1
    }
    gone = set(folded.values())
    nodes: list[Node] = []
    index = {-1: -1}
    for i, node in enumerate(graph.nodes):
        if i in gone:
            continue
        if i in folded:  # the convolution takes the batch-norm's turn, so the last node stays last
            node = _with_bias(graph.nodes[folded[i]])
        index[i] = len(nodes)
        nodes.append(node._replace(inputs=tuple(index[source] for source in node.inputs)))
    return Graph(graph.x, tuple(nodes), tuple(index[source] for source in graph.outputs))


def _with_bias(node: Node) -> Node:
    assert isinstance(node.layer, Conv2d)
    return node._replace(layer=replace(node.layer, bias=True))
