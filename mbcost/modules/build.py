"""The door to ``nn.Module``: the primitives of a graph as torch modules.

Parameters sit in submodules named by each node's path; additions, products, joins, splits and
flattens are functional, as people write them. To add a primitive: its case in ``primitive``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from mbcost.graph.graph import Graph
from mbcost.graph.primitives import (
    Activation,
    AdaptiveAvgPool2d,
    Add,
    BatchNorm2d,
    ChannelShuffle,
    Concat,
    Conv2d,
    Flatten,
    Layer,
    Linear,
    LocalResponseNorm,
    Pool2d,
    Scale,
    Slice,
    Upsample,
)

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


def primitive(layer: Layer) -> nn.Module | None:
    """Return the module of one primitive, or None where it is a function of its inputs."""
    from torch import nn

    match layer:
        case Conv2d():
            return nn.Conv2d(
                layer.c_in,
                layer.c_out,
                layer.kernel,
                layer.stride,
                layer.padding,
                layer.dilation,
                layer.groups,
                layer.bias,
            )
        case BatchNorm2d():
            return nn.BatchNorm2d(layer.c)
        case Linear():
            return nn.Linear(layer.features_in, layer.features_out, layer.bias)
        case Activation():
            return activation(layer.name)
        case AdaptiveAvgPool2d():
            return nn.AdaptiveAvgPool2d(layer.size)
        case Pool2d():
            window = (layer.kernel, layer.stride, layer.padding)
            if layer.mode == "max":
                return nn.MaxPool2d(*window, ceil_mode=layer.ceil)
            return nn.AvgPool2d(*window, ceil_mode=layer.ceil)
        case LocalResponseNorm():
            return nn.LocalResponseNorm(layer.size)
        case Upsample():
            return nn.Upsample(size=layer.size, mode="bilinear")
        case Flatten() | Add() | Scale() | Concat() | Slice() | ChannelShuffle():
            return None
        case _:
            assert_never(layer)


def activation(name: str) -> nn.Module:
    """Return one of ``layers.ACTIVATIONS`` as a module."""
    from torch import nn

    modules: dict[str, type[nn.Module]] = {
        "relu": nn.ReLU,
        "relu6": nn.ReLU6,
        "hardswish": nn.Hardswish,
        "hardsigmoid": nn.Hardsigmoid,
        "silu": nn.SiLU,
        "sigmoid": nn.Sigmoid,
        "gelu": nn.GELU,
    }
    return nn.Softmax(dim=1) if name == "softmax" else modules[name]()
