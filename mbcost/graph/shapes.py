"""The shape that each primitive layer puts out, and what it needs of its inputs.

To teach it a primitive: its case in ``output_shape``.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import assert_never

from mbcost.errors import LayerError
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
    Shape,
    Slice,
    SpaceToDepth,
    Upsample,
)


def output_shape(layer: Layer, inputs: Sequence[Shape]) -> Shape:
    """Return the shape that ``layer`` puts out for one image, or raise ``LayerError``."""
    x = inputs[0]
    match layer:
        case Conv2d():
            return _convolved(layer, x)
        case Pool2d():
            return _pooled(layer, x)
        case AdaptiveAvgPool2d():
            return (_map(x, "pooling")[0], *layer.size)
        case BatchNorm2d():
            _check_channels(layer.c, x)
            return x
        case Linear():
            return _projected(layer, x)
        case Flatten():
            return (prod(x),)
        case Activation() | LocalResponseNorm():
            return x
        case Add():
            return _added(inputs)
        case Slice():
            return _sliced(layer, x)
        case ChannelShuffle():
            return _shuffled(layer, x)
        case SpaceToDepth():
            return _deepened(layer, x)
        case Scale():
            return _gated(x, inputs[1])
        case Concat():
            return _joined(inputs)
        case Upsample():
            return (_map(x, "upsampling")[0], *layer.size)
        case Crop():
            return (_map(x, "a crop")[0], *layer.size)
        case _:
            assert_never(layer)


def window(size: int, kernel: int, stride: int, padding: int, dilation: int = 1) -> int:
    """Return the output length of a sliding window, ⌊(n + 2p − d(k−1) − 1)/s⌋ + 1."""
    span = dilation * (kernel - 1) + 1
    if span > size + 2 * padding:
        raise LayerError(
            f"a kernel of {span} is larger than its padded input of {size + 2 * padding}",
            way_out="a smaller kernel or stride, more padding, or a larger --size",
        )
    return (size + 2 * padding - span) // stride + 1


def shape_of(x: Shape) -> str:
    """Return a shape as messages show it: ``64×112×112``."""
    return "×".join(map(str, x))


def _map(x: Shape, wanted: str) -> tuple[int, int, int]:
    if len(x) != 3:
        raise LayerError(
            f"{wanted} needs a C×H×W map, not a vector of {x[0]}",
            way_out="put it before the linear layer",
        )
    return x[0], x[1], x[2]


def _check_channels(expected: int, x: Shape) -> None:
    if x[0] != expected:
        raise LayerError(
            f"expects {expected} input channels, gets {x[0]}", way_out="as many as the row before"
        )


def _check_some(n: int, what: str) -> None:
    if n < 1:
        raise LayerError(
            f"would have {n} {what}", way_out="a wider layer, or a larger ratio or --alpha"
        )


def _convolved(layer: Conv2d, x: Shape) -> Shape:
    c, h, w = _map(x, "a convolution")
    _check_channels(layer.c_in, x)
    _check_some(layer.c_out, "output channels")
    if c % layer.groups or layer.c_out % layer.groups:
        raise LayerError(
            f"{layer.groups} groups divide {c} input and {layer.c_out} output channels unevenly",
            way_out="groups must divide both",
        )
    (kh, kw), (sh, sw), (ph, pw) = layer.kernel, layer.stride, layer.padding
    dh, dw = layer.dilation
    return (layer.c_out, window(h, kh, sh, ph, dh), window(w, kw, sw, pw, dw))


def _pooled(layer: Pool2d, x: Shape) -> Shape:
    c, h, w = _map(x, "pooling")
    (kh, kw), (sh, sw), (ph, pw) = layer.kernel, layer.stride, layer.padding
    if 2 * ph > kh or 2 * pw > kw:
        raise LayerError("padding is more than half of the pooling window", way_out="less padding")
    length = _ceil_window if layer.ceil else window
    return (c, length(h, kh, sh, ph), length(w, kw, sw, pw))


def _ceil_window(size: int, kernel: int, stride: int, padding: int) -> int:
    """Return the output length rounded up: a last window counts where it starts inside the
    input or its left padding."""
    length = -(-(size + 2 * padding - kernel) // stride) + 1
    if (length - 1) * stride >= size + padding:
        length -= 1
    return length if length > 0 else window(size, kernel, stride, padding)  # which says why


def _projected(layer: Linear, x: Shape) -> Shape:
    if x != (layer.features_in,):
        raise LayerError(
            f"expects a vector of {layer.features_in}, gets {shape_of(x)}",
            way_out="flatten before it",
        )
    _check_some(layer.features_out, "output features")
    return (layer.features_out,)


def _added(inputs: Sequence[Shape]) -> Shape:
    if any(other != inputs[0] for other in inputs):
        raise LayerError(
            f"adds maps of different shapes: {' and '.join(map(shape_of, inputs))}",
            way_out="maps of as many channels and of one size",
        )
    return inputs[0]


def _sliced(layer: Slice, x: Shape) -> Shape:
    if not 0 <= layer.start < layer.stop <= x[0]:
        raise LayerError(
            f"takes channels {layer.start} to {layer.stop} of {x[0]}",
            way_out="an even number of channels splits in halves",
        )
    return (layer.stop - layer.start, *x[1:])


def _shuffled(layer: ChannelShuffle, x: Shape) -> Shape:
    if x[0] % layer.groups:
        raise LayerError(
            f"{layer.groups} groups divide {x[0]} channels unevenly",
            way_out="groups must divide the channels",
        )
    return x


def _deepened(layer: SpaceToDepth, x: Shape) -> Shape:
    c, h, w = _map(x, "space to depth")
    if h % layer.side or w % layer.side:
        raise LayerError(
            f"squares of {layer.side}×{layer.side} do not tile a map of {h}×{w}",
            way_out=f"a --size that makes both sides multiples of {layer.side} here",
        )
    return (c * layer.side**2, h // layer.side, w // layer.side)


def _gated(x: Shape, gate: Shape) -> Shape:
    if gate not in (x, (x[0], *(1 for _ in x[1:]))):
        raise LayerError(
            f"multiplies {shape_of(x)} by a gate of {shape_of(gate)}",
            way_out="as many channels, and the map's size or 1×1",
        )
    return x


def _joined(inputs: Sequence[Shape]) -> Shape:
    x = inputs[0]
    if any(len(other) != 3 or other[1:] != x[1:] for other in inputs):
        raise LayerError(
            f"joins maps of different sizes: {' and '.join(map(shape_of, inputs))}",
            way_out="maps of one height and width",
        )
    return (sum(shape[0] for shape in inputs), *x[1:])
