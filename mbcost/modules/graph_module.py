"""A graph as a running ``nn.Module``. Importing this imports torch; only ``build`` does.

Parameters sit in submodules named by each node's path; additions, products, joins, splits and
flattens are functional, as people write them. To add a primitive: its case in ``primitive``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce
from operator import add, mul
from typing import assert_never

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, pixel_unshuffle

from mbcost.graph.graph import Graph
from mbcost.graph.liveness import freed_after
from mbcost.graph.primitives import (
    Activation,
    AdaptiveAvgPool2d,
    Add,
    BatchNorm2d,
    ChannelShuffle,
    Concat,
    Conv2d,
    Crop,
    Flatten,
    Layer,
    Linear,
    LocalResponseNorm,
    Pool2d,
    Scale,
    Slice,
    SpaceToDepth,
    Upsample,
)


class Group(nn.Module):
    """A named part of a network, such as a block; it only holds its layers."""


class GraphModule(nn.Module):
    """Runs a graph's layers in order and drops each map after its last use."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        # a list: nn.Module must not register them twice
        self._layers: list[Callable[..., Tensor]] = []
        self._freed = freed_after(graph.nodes, graph.outputs)
        for node in graph.nodes:
            layer = primitive(node.layer)
            if isinstance(layer, nn.Module):
                self._place(node.path, layer)
            self._layers.append(layer)

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
        return self.run({-1: x})

    def run(self, maps: dict[int, Tensor]) -> Tensor | tuple[Tensor, ...]:
        """Map ``maps[-1]``, which is dropped after its last use too where only ``maps`` holds
        it."""
        for i, node in enumerate(self.graph.nodes):
            maps[i] = self._layers[i](*[maps[source] for source in node.inputs])
            for source in self._freed[i]:
                del maps[source]
        if not self.graph.outputs:
            return self._by_image(len(self.graph.nodes) - 1, maps)
        return tuple(self._by_image(i, maps) for i in self.graph.outputs)

    def wrap(self, wrapped: Callable[[str, Callable[..., Tensor]], Callable[..., Tensor]]) -> None:
        """Run ``wrapped(path, layer)`` in place of each layer from now on."""
        self._layers = [
            wrapped(node.path, layer)
            for node, layer in zip(self.graph.nodes, self._layers, strict=True)
        ]

    def _by_image(self, index: int, maps: dict[int, Tensor]) -> Tensor:
        """Return an output with the boxes of each image apart from the images."""
        y, boxes = maps[index], self.graph.nodes[index].maps if index >= 0 else 1
        return y if boxes == 1 else y.view(-1, boxes, *y.shape[1:])


def primitive(layer: Layer) -> Callable[..., Tensor]:
    """Return the module of one primitive, or the function of its inputs where it has none."""
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
            return _activation(layer.name)
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
        case Flatten():
            return partial(torch.flatten, start_dim=1)
        case Add():
            return _total
        case Scale():
            return mul  # as people write it: some counters see ``torch.mul`` and not ``*``
        case Concat():
            return _joined
        case Slice():
            return partial(_sliced, channels=slice(layer.start, layer.stop))
        case ChannelShuffle():
            return partial(_shuffled, groups=layer.groups)
        case Crop():
            return partial(_cropped, boxes=layer.boxes, size=layer.size)
        case SpaceToDepth():
            return partial(pixel_unshuffle, downscale_factor=layer.side)
        case _:
            assert_never(layer)


def _total(*maps: Tensor) -> Tensor:
    return reduce(add, maps)


def _joined(*maps: Tensor) -> Tensor:
    return torch.cat(maps, dim=1)


def _sliced(x: Tensor, channels: slice) -> Tensor:
    return x[:, channels]


def _cropped(x: Tensor, boxes: int, size: tuple[int, int]) -> Tensor:
    """Return the boxes of each image as images of the batch: each is the corner of its map, with
    zeros where that is smaller.

    Where the boxes lie is for the network to say, and of no cost; how a cell between cells is made
    is counted by nobody.
    """
    (h, w), (high, wide) = x.shape[2:], size
    corner = x
    if high < h:
        corner = corner.narrow(2, 0, high)
    if wide < w:
        corner = corner.narrow(3, 0, wide)
    if h < high or w < wide:
        corner = pad(corner, (0, max(0, wide - w), 0, max(0, high - h)))
    crops = corner.unsqueeze(1).expand(-1, boxes, -1, -1, -1)
    return crops.clone(memory_format=torch.contiguous_format).flatten(0, 1)


def _shuffled(x: Tensor, groups: int) -> Tensor:
    n, c, h, w = x.shape
    return x.view(n, groups, c // groups, h, w).transpose(1, 2).reshape(n, c, h, w)


def _activation(name: str) -> nn.Module:
    """Return one of ``ACTIVATIONS`` as a module."""
    modules: dict[str, type[nn.Module]] = {
        "relu": nn.ReLU,
        "relu6": nn.ReLU6,
        "leaky_relu": nn.LeakyReLU,
        "hardswish": nn.Hardswish,
        "hardsigmoid": nn.Hardsigmoid,
        "silu": nn.SiLU,
        "sigmoid": nn.Sigmoid,
        "gelu": nn.GELU,
    }
    return nn.Softmax(dim=1) if name == "softmax" else modules[name]()
