"""What operators of a TFLite file read beside maps: weights of zero, and numbers of their own.

In int8 every map has a scale of 1/256 and a zero point of −128, weights a scale per output channel,
biases 32 bits. ``tflite_weights`` has a network's own parameters in their place.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal, NamedTuple, assert_never

from mbcost.graph.kernels import Kernel, Kernels, is_depthwise
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
    Shape,
    Slice,
    SpaceToDepth,
    Upsample,
)

Dtype = Literal["fp32", "int8"]
ITEMSIZE: Mapping[Dtype, int] = {"fp32": 4, "int8": 1}
SCALE = 1 / 256
"""What int8's ``SOFTMAX`` and ``LOGISTIC`` put out; additions and joins then rescale nothing."""
ZERO_POINT = -128
"""Of both, and of every map here; weights have 0."""
ALIGNED = 16
"""``force_align`` of a buffer in schema.fbs."""


class Constant(NamedTuple):
    """A tensor that an operator reads and nothing writes; without data, one that is planned."""

    shape: tuple[int, ...]
    dtype: Literal["fp32", "fp16", "int8", "int32"]
    data: bytes
    scales: tuple[float, ...] = ()
    axis: int = 0
    """Along which there is a scale each."""
    zero_point: int = 0
    name: str = ""
    """Of a parameter: it is written under its name, and not with others that are equal."""


@dataclass(frozen=True)
class Constants:
    """Makes them of one type; ``hollow`` ones have no weights."""

    dtype: Dtype
    batch: int
    hollow: bool = False
    exact: bool = False
    """Whether the file computes what torch does, and not only has its shapes."""

    def map(self, found: Kernels, tensor: int) -> Constant:
        """Return a map, whose data are not in the file."""
        c, *sides = found.shape(tensor)
        shape = (self.batch, *sides, c)
        own = found.kernels[tensor - 1].itemsize if tensor else 0
        if self.dtype == "fp32" or own == ITEMSIZE["fp32"]:
            return Constant(shape, "fp32", b"")
        scale, zero_point = self.quantised(tensor)
        return Constant(shape, "int8", b"", (scale,), zero_point=zero_point)

    def quantised(self, tensor: int) -> tuple[float, int]:
        """Return scale and zero point of a map in int8."""
        return SCALE, ZERO_POINT

    def of(self, kernel: Kernel, x: Shape) -> list[Constant]:
        """Return what an operator reads beside maps, in the order in which it reads them."""
        layer = kernel.layer
        match layer:
            case Conv2d() | Pool2d():
                return self.windowed(kernel, layer, x)
            case Linear():
                return self.weighted(kernel, x, (layer.features_out, layer.features_in), None)
            case BatchNorm2d():
                return self.normed(kernel)
            case Activation():
                if layer.name == "hardsigmoid":
                    return [self.number(3.0 if kernel.operator == "ADD" else 1 / 6)]
                return []
            case ChannelShuffle():
                return [_dealt(x[0], layer.groups)]
            case SpaceToDepth():
                return [_dealt(x[0], layer.side**2)] if kernel.operator == "TRANSPOSE" else []
            case Slice():
                sizes = (self.batch, *kernel.y[1:], kernel.y[0])
                return [_integers([*[0] * (len(sizes) - 1), layer.start]), _integers(sizes)]
            case Upsample():
                return [_integers(layer.size)]
            case Flatten():
                return [_integers((self.batch, *kernel.y))]
            case AdaptiveAvgPool2d() | Add() | Scale() | Concat() | Crop() | LocalResponseNorm():
                return []
            case _:
                assert_never(layer)

    def windowed(self, kernel: Kernel, layer: Conv2d | Pool2d, x: Shape) -> list[Constant]:
        """Return a convolution's weights, or how much there is to pad, and with what."""
        if kernel.operator == "PAD":
            return [_sides(layer, x, kernel.y)]
        if kernel.operator == "PADV2":
            return [_sides(layer, x, kernel.y), self.lowest(kernel.reads[0])]
        if isinstance(layer, Pool2d):
            return []
        if is_depthwise(layer):
            return self.weighted(kernel, x, (1, *layer.kernel, layer.c_out), 3)
        shape = (layer.c_out, *layer.kernel, layer.c_in // layer.groups)
        return self.weighted(kernel, x, shape, 0)

    def weighted(
        self, kernel: Kernel, x: Shape, shape: tuple[int, ...], axis: int | None
    ) -> list[Constant]:
        """Return weights, with a scale along an axis or one for all, and a bias.

        A convolution without one has zeros: LiteRT takes none without.
        """
        c = shape[axis or 0]
        scales = (SCALE,) * (1 if axis is None else c)
        found = [self.zeros(shape, scales, axis or 0)]
        if has_bias(kernel):
            bias = Constant((c,), "fp32", self.data(4 * c))
            if self.dtype == "int8":
                scales = tuple([SCALE * scale for scale in scales])
                bias = bias._replace(dtype="int32", scales=scales)
            found.append(bias)
        return found

    def normed(self, kernel: Kernel) -> list[Constant]:
        """Return a batch-norm's factors, or its shifts."""
        return [self.zeros(kernel.y[:1], (SCALE,))]

    def zeros(self, shape: tuple[int, ...], scales: tuple[float, ...], axis: int = 0) -> Constant:
        """Return zeros of the network's type."""
        if self.dtype == "int8":
            return Constant(shape, "int8", self.data(prod(shape)), scales, axis)
        return Constant(shape, "fp32", self.data(4 * prod(shape)))

    def data(self, size: int) -> bytes:
        """Return so many bytes of weights."""
        return bytes(ALIGNED if self.hollow else size)

    def number(self, value: float) -> Constant:
        """Return a number that is not a weight, and so is no zero."""
        data = struct.pack("b", 127) if self.dtype == "int8" else struct.pack("<f", value)
        return self.scalar(data, value / 127)

    def lowest(self, tensor: int) -> Constant:
        """Return the least value that a map can take."""
        if self.dtype == "fp32":
            return self.scalar(struct.pack("<f", -3.4e38), 1)
        scale, zero_point = self.quantised(tensor)
        return self.scalar(struct.pack("b", -128), scale)._replace(zero_point=zero_point)

    def scalar(self, data: bytes, scale: float) -> Constant:
        """Return one number of the network's type."""
        return Constant((1,), self.dtype, data, (scale,) if self.dtype == "int8" else ())


def has_bias(kernel: Kernel) -> bool:
    """Return whether an operator with weights reads a bias: a linear layer may have none."""
    return not isinstance(kernel.layer, Linear) or kernel.layer.bias


def _dealt(channels: int, groups: int) -> Constant:
    """Return where the channels of a map come from that are dealt out in groups."""
    each = channels // groups
    return _integers([g * each + i for i in range(each) for g in range(groups)])


def _integers(values: Sequence[int]) -> Constant:
    return Constant((len(values),), "int32", struct.pack(f"<{len(values)}i", *values))


def _sides(layer: Conv2d | Pool2d, x: Shape, y: Shape) -> Constant:
    """Return how much is padded before and after each axis."""
    found = [0, 0]
    for n, out, p in zip(x[1:], y[1:], layer.padding, strict=True):
        found += [p, out - n - p]
    return Constant((4, 2), "int32", struct.pack("<8i", *found, 0, 0))
