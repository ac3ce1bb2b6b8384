"""A quantised ONNX file: int8 weights, int32 biases, uint8 maps, each beside its scale.

Between nodes stand pairs of QuantizeLinear and DequantizeLinear, as ONNX Runtime's own quantiser
writes them: a runtime turns what they enclose into an operator on whole numbers. Maps have a scale
and a zero point each.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mbcost.graph.primitives import (
    Activation,
    Add,
    ChannelShuffle,
    Conv2d,
    Flatten,
    Layer,
    Linear,
    Pool2d,
    Slice,
    SpaceToDepth,
)
from mbcost.modules.exported.deployed import Deployed
from mbcost.modules.exported.onnx_nodes import hangs_over
from mbcost.modules.exported.onnx_sheet import INPUT, Sheet
from mbcost.modules.exported.quantised import map_scale, weight_and_bias

_CLIPPING = ("relu", "relu6")
"""Activations that a quantised operator does itself, by the range of what it puts out."""


class Quantised(Sheet):
    """The nodes and tensors of a file whose maps and parameters are whole numbers."""

    def __init__(self, network: Deployed) -> None:
        super().__init__(network)
        assert network.ranges is not None
        self.ranges = network.ranges
        self.floats = _clipped(network) | _hanging_over(network)

    def scale(self, i: int) -> tuple[str, str, Tensor]:
        """Write scale and zero point of the map of node ``i``; return their names and the scale."""
        nodes = self.network.graph.nodes
        while i >= 0 and _moves_only(nodes[i].layer):
            i = nodes[i].inputs[0]
        path = INPUT if i < 0 else nodes[i].path
        low, high = self.ranges[i]
        scale = torch.tensor(map_scale(low, high), dtype=torch.float32)
        zero = min(max(round(-low / scale.item()), 0), 255)
        names = f"{path}/scale", f"{path}/zero_point"
        self.tensor(names[0], scale)
        self.tensor(names[1], torch.tensor(zero, dtype=torch.uint8))
        return *names, scale

    def weight(self, path: str, source: int) -> list[str]:
        """Write a weight as int8 and its bias as int32; return the names of their floats."""
        *_, step = self.scale(source)
        keys = f"{path}.weight", f"{path}.bias"
        found = weight_and_bias(self.parameters[keys[0]], self.parameters.get(keys[1]), step.item())
        return [self._dequantised(k, *each) for k, each in zip(keys, found, strict=True) if each]

    def _dequantised(self, key: str, values: Tensor, scale: Tensor) -> str:
        self.tensor(key, values)
        self.tensor(f"{key}/scale", scale)
        return self.node("DequantizeLinear", [key, f"{key}/scale"], f"{key}/float", axis=0)

    def finish(self, i: int) -> None:
        """Round the map of node ``i`` to whole numbers and back."""
        if i in self.floats:
            return
        source = self.maps[i]
        *ends, _ = self.scale(i)
        self.node("QuantizeLinear", [source, *ends], f"{source}/uint8")
        self.maps[i] = self.node("DequantizeLinear", [f"{source}/uint8", *ends], f"{source}/float")


def _moves_only(layer: Layer) -> bool:
    """Return whether a layer puts out nothing but values that it reads."""
    if isinstance(layer, Pool2d):
        return layer.mode == "max"
    return isinstance(layer, Flatten | Slice | ChannelShuffle | SpaceToDepth)


def _clipped(network: Deployed) -> frozenset[int]:
    """Return the nodes whose map is read by one activation alone, which their operator does too."""
    graph = network.graph
    readers: dict[int, list[Layer | None]] = {i: [None] for i in graph.outputs}
    for node in graph.nodes:
        for source in node.inputs:
            readers.setdefault(source, []).append(node.layer)
    return frozenset(
        i
        for i, node in enumerate(graph.nodes)
        if isinstance(node.layer, Conv2d | Linear | Add) and _clips(readers.get(i, []))
    )


def _hanging_over(network: Deployed) -> frozenset[int]:
    """Return the average pools with a window past the end of their map.

    On whole numbers ONNX Runtime (1.32) divides such a window's sum by another number of cells
    than on floats, 0.67 of the largest output off.
    """
    return frozenset(
        i
        for i, node in enumerate(network.graph.nodes)
        if isinstance(node.layer, Pool2d) and node.layer.mode == "avg" and hangs_over(node)
    )


def _clips(readers: Sequence[Layer | None]) -> bool:
    reader = readers[0] if len(readers) == 1 else None
    return isinstance(reader, Activation) and reader.name in _CLIPPING
