"""The closed set of primitive layers that every block lowers to.

To add one: a dataclass, its place in ``Layer`` and its case in ``shapes.output_shape``; mypy then
names every reader (``cost``, ``modules``) that has to learn it.
"""

from __future__ import annotations

from dataclasses import dataclass

Shape = tuple[int, ...]
"""Of one image: (C, H, W), or (features,) after a flatten."""

MAX_FEATURES = 2**64
"""Channels or features that a layer may put out: rows that multiply them soon have no bound."""

MAX_BOXES = 2**20
"""Crops of one image that a network may work on: boxes of boxes soon have no bound."""

Pair = tuple[int, int]
"""(vertical, horizontal)."""

ACTIVATIONS = (
    "relu",
    "relu6",
    "leaky_relu",
    "hardswish",
    "hardsigmoid",
    "silu",
    "sigmoid",
    "gelu",
    "softmax",
)


@dataclass(frozen=True, slots=True)
class Conv2d:
    """A 2-D convolution; weights are c_out × c_in/groups × kh × kw."""

    c_in: int
    c_out: int
    kernel: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    bias: bool = False


@dataclass(frozen=True, slots=True)
class BatchNorm2d:
    """Batch normalisation: γ and β are trained, the running mean and variance are kept."""

    c: int


@dataclass(frozen=True, slots=True)
class Linear:
    """A fully connected layer on a vector."""

    features_in: int
    features_out: int
    bias: bool = True


@dataclass(frozen=True, slots=True)
class Activation:
    """One of ``ACTIVATIONS``, element by element (softmax: over the channels)."""

    name: str


@dataclass(frozen=True, slots=True)
class AdaptiveAvgPool2d:
    """Average pooling to a fixed number of cells, (1, 1) for global pooling."""

    size: Pair = (1, 1)


@dataclass(frozen=True, slots=True)
class Pool2d:
    """Max or average pooling with a window; ``ceil`` rounds the output size up, not down."""

    mode: str
    kernel: Pair
    stride: Pair
    padding: Pair = (0, 0)
    ceil: bool = False


@dataclass(frozen=True, slots=True)
class Flatten:
    """C×H×W to a vector."""


@dataclass(frozen=True, slots=True)
class Add:
    """The sum of a residual connection."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The product of a map and a gate, channel by channel; the gate is C×1×1 or a map like it."""


@dataclass(frozen=True, slots=True)
class Concat:
    """Maps of one size, one after the other along the channels."""


@dataclass(frozen=True, slots=True)
class Upsample:
    """Bilinear interpolation of a map to a fixed size, corners not aligned."""

    size: Pair


@dataclass(frozen=True, slots=True)
class Slice:
    """Channels ``start`` to ``stop`` of a map."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class ChannelShuffle:
    """Channels dealt out like cards: the i-th of every group next to each other."""

    groups: int


@dataclass(frozen=True, slots=True)
class SpaceToDepth:
    """Every square of ``side`` × ``side`` cells becomes one cell of as many more channels."""

    side: int


@dataclass(frozen=True, slots=True)
class Crop:
    """So many boxes of a map, each resized to one size: what reads them runs once for each box."""

    boxes: int
    size: Pair


@dataclass(frozen=True, slots=True)
class LocalResponseNorm:
    """AlexNet's normalisation over ``size`` neighbouring channels; it has no parameters."""

    size: int


Layer = (
    Conv2d
    | BatchNorm2d
    | Linear
    | Activation
    | AdaptiveAvgPool2d
    | Pool2d
    | Flatten
    | Add
    | Scale
    | Concat
    | Slice
    | ChannelShuffle
    | SpaceToDepth
    | Crop
    | LocalResponseNorm
    | Upsample
)


def pair(value: int) -> Pair:
    """Return the same number for both directions."""
    return (value, value)
