"""Each layer as nodes of ONNX. To add a primitive: its case in ``write_layer``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

from mbcost.errors import MbcostError
from mbcost.graph.graph import Node
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
    Linear,
    LocalResponseNorm,
    Pool2d,
    Scale,
    Slice,
    SpaceToDepth,
    Upsample,
)
from mbcost.graph.shapes import window
from mbcost.modules.exported.onnx_sheet import Sheet

_ACTIVATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("Relu", {}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.01}),
    "hardswish": ("HardSwish", {}),
    "hardsigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "sigmoid": ("Sigmoid", {}),
    "gelu": ("Gelu", {}),
    "softmax": ("Softmax", {"axis": 1}),
}
"""Activations that ONNX has, each with its attributes."""


def write_layer(sheet: Sheet, i: int, node: Node) -> None:
    """Write node ``i`` of the graph: its map is called as its path, and so is the node of it."""
    maps = [sheet.maps[source] for source in node.inputs]
    layer, path = node.layer, node.path
    sheet.maps[i] = path
    match layer:
        case Conv2d():
            _write_convolution(sheet, node, layer)
        case Linear():
            sheet.node("Gemm", [*maps, *sheet.weight(path, node.inputs[0])], path, transB=1)
        case BatchNorm2d():
            channels = (layer.c, *(1 for _ in node.x[1:]))
            factor, shift = (sheet.plain(f"{path}.{k}", channels) for k in ("weight", "bias"))
            sheet.node("Mul", [*maps, factor], f"{path}/scaled")
            sheet.node("Add", [f"{path}/scaled", shift], path)
        case Activation():
            _write_activation(sheet, layer.name, maps[0], path)
        case AdaptiveAvgPool2d():
            _write_adaptive_pool(sheet, layer, node)
        case Pool2d():
            _write_pool(sheet, layer, node)
        case Flatten():
            sheet.node("Flatten", maps, path)
        case Add():
            sheet.node("Add" if len(maps) == 2 else "Sum", maps, path)
        case Scale():
            sheet.node("Mul", maps, path)
        case Concat():
            sheet.node("Concat", maps, path, axis=1)
        case Slice():
            ends = [sheet.whole(f"slice/{k}", k) for k in (layer.start, layer.stop)]
            sheet.node("Slice", [*maps, *ends, sheet.whole("slice/1", 1)], path)
        case ChannelShuffle():
            _write_shuffle(sheet, layer, node)
        case Crop():
            raise _unwritable(path, "crops boxes, which the network's own code draws")
        case SpaceToDepth():
            _write_space_to_depth(sheet, layer, node)
        case LocalResponseNorm():
            if layer.size % 2 == 0:  # ONNX's window then reaches further up, torch's further down
                raise _unwritable(path, f"normalises over an even number of channels, {layer.size}")
            sheet.node("LRN", maps, path, size=layer.size)
        case Upsample():
            size = sheet.whole(f"{path}/size", sheet.network.batch, *node.y)
            sheet.node("Resize", [*maps, "", "", size], path, mode="linear")
        case _:
            assert_never(layer)


def _unwritable(path: str, problem: str) -> MbcostError:
    return MbcostError(
        f"{problem}, which no operator of ONNX does", place=path, way_out="another layer or size"
    )


def _write_convolution(sheet: Sheet, node: Node, layer: Conv2d) -> None:
    source = node.inputs[0]
    sheet.node(
        "Conv",
        [sheet.maps[source], *sheet.weight(node.path, source)],
        node.path,
        kernel_shape=layer.kernel,
        strides=layer.stride,
        pads=layer.padding * 2,
        dilations=layer.dilation,
        group=layer.groups,
    )


def _write_activation(sheet: Sheet, name: str, source: str, path: str) -> None:
    if name == "relu6":
        bounds = [sheet.constant("relu6/low", 0), sheet.constant("relu6/high", 6)]
        sheet.node("Clip", [source, *bounds], path)
    elif name == "silu":
        sheet.node("Sigmoid", [source], f"{path}/sigmoid")
        sheet.node("Mul", [source, f"{path}/sigmoid"], path)
    else:
        op, attributes = _ACTIVATIONS[name]
        sheet.node(op, [source], path, **attributes)


def _write_adaptive_pool(sheet: Sheet, layer: AdaptiveAvgPool2d, node: Node) -> None:
    (h, w), (cells_h, cells_w) = node.x[1:], layer.size
    source = sheet.maps[node.inputs[0]]
    if layer.size == (1, 1):
        sheet.node("GlobalAveragePool", [source], node.path)
    elif h % cells_h or w % cells_w:
        raise _unwritable(node.path, f"pools {h}×{w} to {cells_h}×{cells_w}, windows of two sizes")
    else:
        window = (h // cells_h, w // cells_w)
        sheet.node("AveragePool", [source], node.path, kernel_shape=window, strides=window)


def hangs_over(node: Node) -> bool:
    """Return whether the last window of a pool reaches past its padded input."""
    layer = node.layer
    if not isinstance(layer, Pool2d):
        return False
    sides = zip(node.x[1:], layer.kernel, layer.stride, layer.padding, strict=True)
    return tuple(window(*side) for side in sides) != node.y[1:]


def _write_pool(sheet: Sheet, layer: Pool2d, node: Node) -> None:
    windows: dict[str, Any] = {
        "kernel_shape": layer.kernel,
        "strides": layer.stride,
        "pads": layer.padding * 2,
        "ceil_mode": int(hangs_over(node)),
    }
    if layer.mode == "avg":
        windows["count_include_pad"] = 1
    op = "AveragePool" if layer.mode == "avg" else "MaxPool"
    sheet.node(op, [sheet.maps[node.inputs[0]]], node.path, **windows)


def _write_shuffle(sheet: Sheet, layer: ChannelShuffle, node: Node) -> None:
    n, (c, h, w) = sheet.network.batch, node.x
    dealt = (n, layer.groups, c // layer.groups, h, w)
    _write_moved(sheet, node, dealt, [0, 2, 1, 3, 4])


def _write_space_to_depth(sheet: Sheet, layer: SpaceToDepth, node: Node) -> None:
    # not SpaceToDepth, which puts the cells of a square before the channels
    n, (c, h, w), side = sheet.network.batch, node.x, layer.side
    _write_moved(sheet, node, (n, c, h // side, side, w // side, side), [0, 1, 3, 5, 2, 4])


def _write_moved(sheet: Sheet, node: Node, split: Sequence[int], order: list[int]) -> None:
    """Write that dimensions are split, put into another order and joined again."""
    path, source = node.path, sheet.maps[node.inputs[0]]
    sheet.node("Reshape", [source, sheet.whole(f"{path}/split", *split)], f"{path}/parts")
    sheet.node("Transpose", [f"{path}/parts"], f"{path}/ordered", perm=order)
    joined = sheet.whole(f"{path}/joined", sheet.network.batch, *node.y)
    sheet.node("Reshape", [f"{path}/ordered", joined], path)
