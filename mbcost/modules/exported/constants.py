"""What operators of a TFLite file read beside maps: weights of zero, and numbers of their own."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from math import prod
from typing import Literal, NamedTuple, assert_never

from mbcost.graph.kernels import Kernel, is_depthwise
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
SCALE = 1 / 256
"""What int8's ``SOFTMAX`` and ``LOGISTIC`` put out; additions and joins then rescale nothing."""
ZERO_POINT = -128
"""Of both, and of every map here; weights have 0."""
ALIGNED = 16
"""``force_align`` of a buffer in schema.fbs."""


class Constant(NamedTuple):
    """A tensor that an operator reads and nothing writes; without data, one that is planned."""

    shape: tuple[int, ...]
    dtype: Literal["fp32", "int8", "int32"]
    data: bytes
    scales: tuple[float, ...] = ()
    axis: int = 0
    """Along which there is a scale each."""
    zero_point: int = 0


class Constants(NamedTuple):
    """Makes them of one type; ``hollow`` ones have no weights."""

    dtype: Dtype
    batch: int
    hollow: bool

    def of(self, kernel: Kernel, x: Shape) -> list[Constant]:
        """Return what an operator reads beside maps, in the order in which it reads them."""
        layer = kernel.layer
        match layer:
            case Conv2d() | Pool2d():
                return self.windowed(kernel.operator, layer, x, kernel.y)
            case Linear():
                weights = (layer.features_out, layer.features_in)
                return self.weighted(weights, None)[: 1 + layer.bias]
            case BatchNorm2d():
                return [self.zeros((layer.c,), (SCALE,))]
            case Activation():
                if layer.name == "hardsigmoid":
                    return [self.number(3.0 if kernel.operator == "ADD" else 1 / 6)]
                return []
            case ChannelShuffle():
                each = x[0] // layer.groups
                return [_integers([g * each + i for i in range(each) for g in range(layer.groups)])]
            case Slice():
                sizes = (self.batch, *kernel.y[1:], kernel.y[0])
                return [_integers([*[0] * (len(sizes) - 1), layer.start]), _integers(sizes)]
            case Upsample():
                return [_integers(layer.size)]
            case (
                AdaptiveAvgPool2d()
                | SpaceToDepth()
                | Flatten()
                | Add()
                | Scale()
                | Concat()
                | Crop()
                | LocalResponseNorm()
            ):
                return []
            case _:
                assert_never(layer)

    def windowed(self, operator: str, layer: Conv2d | Pool2d, x: Shape, y: Shape) -> list[Constant]:
        """Return a convolution's weights, or how much there is to pad, and with what."""
        if operator == "PAD":
            return [_sides(layer, x, y)]
        if operator == "PADV2":
            lowest = struct.pack("b", -128) if self.dtype == "int8" else struct.pack("<f", -3.4e38)
            padded = self.scalar(lowest, SCALE)._replace(zero_point=ZERO_POINT)
            return [_sides(layer, x, y), padded]
        if isinstance(layer, Pool2d):
            return []
        if is_depthwise(layer):
            return self.weighted((1, *layer.kernel, layer.c_out), 3)
        return self.weighted((layer.c_out, *layer.kernel, layer.c_in // layer.groups), 0)

    def weighted(self, shape: tuple[int, ...], axis: int | None) -> list[Constant]:
        """Return weights, with a scale along an axis or one for all, and a bias.

        A convolution without one has zeros: LiteRT takes none without.
        """
        c = shape[axis or 0]
        scales = (SCALE,) * (1 if axis is None else c)
        bias = Constant((c,), "fp32", self.data(4 * c))
        if self.dtype == "int8":
            bias = bias._replace(dtype="int32", scales=tuple([SCALE * scale for scale in scales]))
        return [self.zeros(shape, scales, axis or 0), bias]

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

    def scalar(self, data: bytes, scale: float) -> Constant:
        """Return one number of the network's type."""
        return Constant((1,), self.dtype, data, (scale,) if self.dtype == "int8" else ())


def _integers(values: Sequence[int]) -> Constant:
    return Constant((len(values),), "int32", struct.pack(f"<{len(values)}i", *values))


def _sides(layer: Conv2d | Pool2d, x: Shape, y: Shape) -> Constant:
    """Return how much is padded before and after each axis."""
    found = [0, 0]
    for n, out, p in zip(x[1:], y[1:], layer.padding, strict=True):
        found += [p, out - n - p]
    return Constant((4, 2), "int32", struct.pack("<8i", *found, 0, 0))
