"""A graph as a running ``nn.Module``. Importing this imports torch; only ``build`` does."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mbcost.graph.graph import Graph
from mbcost.graph.primitives import Add, ChannelShuffle, Concat, Flatten, Layer, Scale, Slice
from mbcost.modules.build import primitive


class Group(nn.Module):
    """A named part of a network, such as a block; it only holds its layers."""


class GraphModule(nn.Module):
    """Runs a graph's layers in order and drops each map after its last use."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        self._leaves: list[nn.Module | None] = []  # a list: nn.Module must not register them twice
        last_use = {source: i for i, node in enumerate(graph.nodes) for source in node.inputs}
        self._done = [
            [
                source
                for source in set(node.inputs)
                if last_use[source] == i and source not in graph.outputs
            ]
            for i, node in enumerate(graph.nodes)
        ]
        for node in graph.nodes:
            leaf = primitive(node.layer)
            if leaf is not None:
                self._place(node.path, leaf)
            self._leaves.append(leaf)

    def _place(self, path: str, leaf: nn.Module) -> None:
        parent: nn.Module = self
        *groups, name = path.split(".")
        for group in groups:
            if group not in parent._modules:
                parent.add_module(group, Group())
            parent = parent.get_submodule(group)
        parent.add_module(name, leaf)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Map N×C×H×W to N×(output shape), or to a tuple where there are several outputs."""
        maps = {-1: x}
        y = x
        for i, node in enumerate(self.graph.nodes):
            inputs = [maps[source] for source in node.inputs]
            leaf = self._leaves[i]
            y = leaf(inputs[0]) if leaf is not None else _function(node.layer, inputs)
            for source in self._done[i]:
                del maps[source]
            maps[i] = y
        return tuple(maps[i] for i in self.graph.outputs) if self.graph.outputs else y


def _function(layer: Layer, inputs: list[Tensor]) -> Tensor:
    match layer:
        case Flatten():
            return torch.flatten(inputs[0], 1)
        case Add():
            total = inputs[0]
            for other in inputs[1:]:
                total = total + other
            return total
        case Scale():
            return inputs[0] * inputs[1]
        case Concat():
            return torch.cat(inputs, dim=1)
        case Slice(start, stop):
            return inputs[0][:, start:stop]
        case ChannelShuffle(groups):
            n, c, h, w = inputs[0].shape
            dealt = inputs[0].view(n, groups, c // groups, h, w).transpose(1, 2)
            return dealt.reshape(n, c, h, w)
        case _:
            raise TypeError(f"{layer} is a module")
