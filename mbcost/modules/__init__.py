"""Networks as ``nn.Module``s, really run: built, traced, counted.

``build`` makes a module of a graph, ``counters`` run on it, ``trace`` reads any other model. To add
a counter: see ``counters``; a primitive: its case in ``graph_module.primitive``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mbcost.graph.graph import Graph

if TYPE_CHECKING:
    from torch import nn


def build(graph: Graph, device: str = "cpu") -> nn.Module:
    """Return the graph as a module in eval mode, N×C×H×W → N×(output shape), with fresh weights.

    Its submodules carry the paths of the cost rows. On ``device="meta"`` nothing is allocated.
    """
    import torch

    from mbcost.modules.graph_module import GraphModule

    with torch.device(device):
        return GraphModule(graph).eval()
