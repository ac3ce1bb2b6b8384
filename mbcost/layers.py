"""The small closed set of primitive layers, their output shapes, and how they are wired.

A block lowers to ``Step``s (layers with names), a network wires steps into a ``Graph`` of
``Node``s. The closed form, the module builder and the memory schedule all read that graph.

To add a primitive: a dataclass, its place in ``Layer`` and its case in ``output_shape``; mypy then
names every reader (``cost``, ``build``) that has to learn it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, assert_never

from mbcost.errors import LayerError

Shape = tuple[int, ...]
"""Of one image: (C, H, W), or (features,) after a flatten."""

MAX_FEATURES = 2**64
"""Channels or features that a layer may put out: rows that multiply them soon have no bound."""

Pair = tuple[int, int]
"""(vertical, horizontal)."""

ACTIVATIONS = (
    "relu",
    "relu6",
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
    | LocalResponseNorm
    | Upsample
)


class Step(NamedTuple):
    """A named layer of a block. ``inputs`` names earlier steps, ``@0`` is the block's own input
    (``@1``, ``@2``, … its further ones); left empty it is the step before."""

    name: str
    layer: Layer
    inputs: tuple[str, ...] = ()


class Node(NamedTuple):
    """A layer in a graph. ``inputs`` are indices of earlier nodes, -1 is the graph's input."""

    path: str
    block: str
    layer: Layer
    inputs: tuple[int, ...]
    x: Shape
    """Shape of the first input."""
    y: Shape


class Graph(NamedTuple):
    """Nodes in the order in which they run; the last one is the output, alone or with others."""

    x: Shape
    nodes: tuple[Node, ...]
    outputs: tuple[int, ...] = ()
    """Nodes that are put out, where they are several; left empty it is the last one alone."""

    @property
    def y(self) -> Shape:
        """Shape of the output of one image; of several outputs, the last one's."""
        return self.ys[-1]

    @property
    def ys(self) -> tuple[Shape, ...]:
        """Shapes of all outputs of one image."""
        if not self.nodes:
            return (self.x,)
        return tuple(self.nodes[i].y for i in self.outputs or (-1,))


def pair(value: int) -> Pair:
    """Return the same number for both directions."""
    return (value, value)


def window(size: int, kernel: int, stride: int, padding: int, dilation: int = 1) -> int:
    """Return the output length of a sliding window, ⌊(n + 2p − d(k−1) − 1)/s⌋ + 1."""
    span = dilation * (kernel - 1) + 1
    if span > size + 2 * padding:
        raise LayerError(
            f"a kernel of {span} is larger than its padded input of {size + 2 * padding}",
            way_out="a smaller kernel or stride, more padding, or a larger --size",
        )
    return (size + 2 * padding - span) // stride + 1


def _pooled(size: int, kernel: int, stride: int, padding: int, ceil: bool) -> int:
    """Return the output length of a pooling window; rounded up, a last window counts where it
    starts inside the input or its left padding."""
    if not ceil:
        return window(size, kernel, stride, padding)
    length = -(-(size + 2 * padding - kernel) // stride) + 1
    if (length - 1) * stride >= size + padding:
        length -= 1
    return length if length > 0 else window(size, kernel, stride, padding)  # which says why


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


def _channels(expected: int, x: Shape) -> None:
    if x[0] != expected:
        raise LayerError(
            f"expects {expected} input channels, gets {x[0]}", way_out="as many as the row before"
        )


def _some(n: int, what: str) -> None:
    if n < 1:
        raise LayerError(
            f"would have {n} {what}", way_out="a wider layer, or a larger ratio or --alpha"
        )


def output_shape(layer: Layer, inputs: Sequence[Shape]) -> Shape:
    """Return the shape that ``layer`` puts out for one image, or raise ``LayerError``."""
    x = inputs[0]
    match layer:
        case Conv2d():
            c, h, w = _map(x, "a convolution")
            _channels(layer.c_in, x)
            _some(layer.c_out, "output channels")
            if c % layer.groups or layer.c_out % layer.groups:
                raise LayerError(
                    f"{layer.groups} groups divide {c} input and {layer.c_out} output channels "
                    "unevenly",
                    way_out="groups must divide both",
                )
            (kh, kw), (sh, sw), (ph, pw) = layer.kernel, layer.stride, layer.padding
            dh, dw = layer.dilation
            return (layer.c_out, window(h, kh, sh, ph, dh), window(w, kw, sw, pw, dw))
        case Pool2d():
            c, h, w = _map(x, "pooling")
            (kh, kw), (sh, sw), (ph, pw) = layer.kernel, layer.stride, layer.padding
            if 2 * ph > kh or 2 * pw > kw:
                raise LayerError(
                    "padding is more than half of the pooling window", way_out="less padding"
                )
            return (c, _pooled(h, kh, sh, ph, layer.ceil), _pooled(w, kw, sw, pw, layer.ceil))
        case AdaptiveAvgPool2d():
            return (_map(x, "pooling")[0], *layer.size)
        case BatchNorm2d():
            _channels(layer.c, x)
            return x
        case Linear():
            if x != (layer.features_in,):
                raise LayerError(
                    f"expects a vector of {layer.features_in}, gets {shape_of(x)}",
                    way_out="flatten before it",
                )
            _some(layer.features_out, "output features")
            return (layer.features_out,)
        case Flatten():
            size = 1
            for n in x:
                size *= n
            return (size,)
        case Activation():
            return x
        case Add():
            if any(other != x for other in inputs):
                raise LayerError(
                    f"adds maps of different shapes: {' and '.join(map(shape_of, inputs))}",
                    way_out="maps of as many channels and of one size",
                )
            return x
        case LocalResponseNorm():
            return x
        case Slice():
            if not 0 <= layer.start < layer.stop <= x[0]:
                raise LayerError(
                    f"takes channels {layer.start} to {layer.stop} of {x[0]}",
                    way_out="an even number of channels splits in halves",
                )
            return (layer.stop - layer.start, *x[1:])
        case ChannelShuffle():
            if x[0] % layer.groups:
                raise LayerError(
                    f"{layer.groups} groups divide {x[0]} channels unevenly",
                    way_out="groups must divide the channels",
                )
            return x
        case Scale():
            gate = inputs[1]
            if gate != x and gate != (x[0], *(1 for _ in x[1:])):
                raise LayerError(
                    f"multiplies {shape_of(x)} by a gate of {shape_of(gate)}",
                    way_out="as many channels, and the map's size or 1×1",
                )
            return x
        case Concat():
            if any(len(other) != 3 or other[1:] != x[1:] for other in inputs):
                raise LayerError(
                    f"joins maps of different sizes: {' and '.join(map(shape_of, inputs))}",
                    way_out="maps of one height and width",
                )
            return (sum(shape[0] for shape in inputs), *x[1:])
        case Upsample():
            return (_map(x, "upsampling")[0], *layer.size)
        case _:
            assert_never(layer)


def wire(
    nodes: list[Node],
    steps: Sequence[Step],
    prefix: str,
    block: str,
    source: int,
    x: Shape,
    others: Sequence[tuple[int, Shape]] = (),
) -> tuple[int, Shape]:
    """Append ``steps`` to ``nodes``, fed by node ``source`` of shape ``x``; return the last one.

    ``others`` are the block's further inputs, ``@1``, ``@2``, … to its steps. ``prefix`` goes
    before each step's name in the node's path; a step that does not fit its input raises
    ``LayerError`` with that path as its place.
    """
    known = {f"@{i}": feed for i, feed in enumerate(((source, x), *others))}
    last = (source, x)
    for name, layer, inputs in steps:
        feeds = [known[name] for name in inputs] if inputs else (last,)
        path = f"{prefix}.{name}" if prefix else name
        try:
            y = output_shape(layer, [shape for _, shape in feeds])
        except LayerError as error:
            raise error.at(path) from None
        if not 0 < y[0] <= MAX_FEATURES:
            raise LayerError(
                f"puts out {y[0]:.3g} channels",
                place=path,
                way_out="fewer rows that multiply them" if y[0] else "a larger t, or more channels",
            )
        nodes.append(Node(path, block, layer, tuple([i for i, _ in feeds]), feeds[0][1], y))
        last = known[name] = (len(nodes) - 1, y)
    return last
