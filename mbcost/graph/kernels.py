"""A graph as the operators that TFLite has for it, each of which puts out one tensor.

| layer | operators |
|---|---|
| convolution | ``CONV_2D``, ``DEPTHWISE_CONV_2D`` where each group is one channel |
| linear | ``FULLY_CONNECTED``, which reads a map as a vector |
| flatten | none: a view of the map |
| batch-norm | folded into the convolution before it; any other is ``MUL``, ``ADD`` |
| pool | ``MAX_POOL_2D``, ``AVERAGE_POOL_2D``; an adaptive one has a window of the map ÷ cells |
| addition | ``ADD`` of two maps, n − 1 times |
| scale | ``MUL`` of a map and its gate |
| concat, slice | ``CONCATENATION``, ``SLICE``: both copy |
| shuffle | ``TRANSPOSE`` between two reshapes, which are views |
| space to depth | ``SPACE_TO_DEPTH`` |
| crops | ``CUSTOM``: TensorFlow's ``CropAndResize``, no operator of TFLite's own |
| upsample | ``RESIZE_BILINEAR`` |
| relu, relu6, leaky relu, sigmoid, hardswish, gelu, softmax | one operator of that name |
| hardsigmoid | ``ADD`` of 3 with relu6 fused, ``MUL`` by 1/6 |
| silu | ``LOGISTIC``, ``MUL`` with its own input |
| local response norm | ``LOCAL_RESPONSE_NORMALIZATION`` |

Sources: the operators of TFLite's schema.fbs, and how TensorFlow's converter writes the Keras
networks (hard-sigmoid, silu and a lone batch-norm have no operator). TFLite pads by ``SAME`` or
``VALID``; a window that neither gives is a ``PAD`` (``PADV2`` before a maximum), then a ``VALID``
one. A global pool that is written as ``MEAN`` has the same tensors, and scratch memory besides,
which is not modelled.

A network that is stored in a file has to compute what torch does, not only to have its shapes.
There a window is padded where torch's zeros stand; space to depth is followed by a ``TRANSPOSE`` of
channels, which torch has in another order; a flattened map that not only linear layers read is a
``RESHAPE``; and in int8, what has no such operator is computed in float32 between a ``DEQUANTIZE``
and a ``QUANTIZE``: a lone batch-norm, whose parameters stay float32, and local response norm.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Literal, NamedTuple, assert_never, get_args

from mbcost.graph.fold import count_readers, folded, with_bias
from mbcost.graph.graph import Graph, Node
from mbcost.graph.padding import padded, padding, placed
from mbcost.graph.primitives import (
    ACTIVATIONS,
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

Fusion = Literal["none", "tflite", "all"]
FUSIONS: tuple[Fusion, ...] = get_args(Fusion)
"""Which activations are computed by the convolution, linear layer or addition before them."""
NOT_FUSED = frozenset({"softmax"})
"""It needs every channel before it puts out the first."""
FUSES: dict[Fusion, frozenset[str]] = {
    "none": frozenset(),
    "tflite": frozenset({"relu", "relu6"}),  # of schema.fbs's ``ActivationFunctionType``
    "all": frozenset(ACTIVATIONS) - NOT_FUSED,
}

ONE_OPERATOR = {
    "relu": "RELU",
    "relu6": "RELU6",
    "leaky_relu": "LEAKY_RELU",
    "sigmoid": "LOGISTIC",
    "hardswish": "HARD_SWISH",
    "gelu": "GELU",
    "softmax": "SOFTMAX",
}


class Kernel(NamedTuple):
    """An operator of TFLite: the one at index i puts out tensor i + 1; tensor 0 is the image."""

    operator: str
    """Its name in TFLite's ``BuiltinOperator``."""
    path: str
    layer: Layer
    """The layer that it is, or is a part of."""
    reads: tuple[int, ...]
    """Tensors, constants aside: of a ``MUL`` by a constant, one."""
    y: Shape
    activation: str = ""
    """What is fused into it, one of ``ACTIVATIONS``."""
    maps: int = 1
    """How many maps of shape ``y`` it puts out for an image: one for each box behind crops."""
    itemsize: int = 0
    """Bytes of an element of what it puts out, where it is not of the network's own type."""


class Kernels(NamedTuple):
    """A network as operators, in the order in which they run."""

    x: Shape
    kernels: tuple[Kernel, ...]
    outputs: tuple[int, ...]
    """Tensors that are put out."""

    def shape(self, tensor: int) -> Shape:
        """Return the shape of a tensor; a vector made of a map keeps the map's."""
        return self.kernels[tensor - 1].y if tensor else self.x

    def elements(self, tensor: int) -> int:
        """Return the elements of a tensor for one image."""
        return prod(self.shape(tensor)) * (self.kernels[tensor - 1].maps if tensor else 1)


def kernels(graph: Graph, fuse: Fusion, stored: str | None = None) -> Kernels:
    """Return the operators of ``graph``, its batch-norms folded and its activations fused.

    An activation is fused where nothing else reads what it reads; the operator then takes the
    activation's turn. ``stored`` is the dtype of the file that they have to stand in, see above;
    its batch-norms are folded before.
    """
    readers = count_readers(graph)
    nodes, gone, activations = list(graph.nodes), set[int](), dict[int, str]()
    for i, source in ({} if stored else folded(graph, readers)).items():
        nodes[i] = with_bias(nodes[source])
        gone.add(source)
    known = FUSES[fuse]
    for i, (_, _, layer, inputs, *_) in enumerate(nodes):
        if isinstance(layer, Activation) and layer.name in known and readers[inputs[0]] == 1:
            source = inputs[0]
            if source in activations or source < 0:
                continue
            if isinstance(nodes[source].layer, Conv2d | Linear | Add):
                nodes[i], activations[i] = nodes[source], layer.name
                gone.add(source)
    found: list[Kernel] = []
    tensors = {-1: 0}
    vectors = _not_only_linear(graph) if stored else frozenset[int]()
    for i, node in enumerate(nodes):
        if i not in gone:
            feeds = [tensors[source] for source in node.inputs]
            if i in vectors:
                found.append(Kernel("RESHAPE", node.path, node.layer, (feeds[0],), node.y))
                tensors[i] = len(found)
            else:
                tensors[i] = _lowered(found, node, feeds, activations.get(i, ""), stored)
    last = graph.outputs or (len(nodes) - 1,)
    return Kernels(graph.x, tuple(found), tuple([tensors[i] for i in last]))


def _not_only_linear(graph: Graph) -> frozenset[int]:
    """Return the flattened maps that something else than a linear layer reads."""
    others = {
        source
        for node in graph.nodes
        if not isinstance(node.layer, Linear)
        for source in node.inputs
    }
    others |= set(graph.outputs or (len(graph.nodes) - 1,))
    return frozenset(
        i
        for i, node in enumerate(graph.nodes)
        if i in others and isinstance(node.layer, Flatten) and len(node.x) > 1
    )


def in_order(found: Kernels, order: Sequence[int]) -> Kernels:
    """Return the operators in another order, and tensors numbered by it."""
    tensors = {0: 0} | {i + 1: at + 1 for at, i in enumerate(order)}

    def renamed(kernel: Kernel) -> Kernel:
        return kernel._replace(reads=tuple([tensors[tensor] for tensor in kernel.reads]))

    outputs = tuple([tensors[tensor] for tensor in found.outputs])
    return Kernels(found.x, tuple([renamed(found.kernels[i]) for i in order]), outputs)


def _lowered(
    found: list[Kernel], node: Node, feeds: Sequence[int], activation: str, stored: str | None
) -> int:
    """Append the operators of a node; return the tensor that holds what it puts out."""

    def put(
        operator: str, *reads: int, y: Shape = node.y, fused: str = "", itemsize: int = 0
    ) -> int:
        found.append(Kernel(operator, node.path, node.layer, reads, y, fused, node.maps, itemsize))
        return len(found)

    layer, x = node.layer, feeds[0]
    match layer:
        case Conv2d() | Pool2d():
            how = (placed if stored else padding)(layer, node.x, node.y)
            y = padded(layer, node.x, node.y, how)
            source = x if y is None else put("PADV2" if _is_max(layer) else "PAD", x, y=y)
            return put(_windowed(layer), source, fused=activation)
        case Linear():
            return put("FULLY_CONNECTED", x, fused=activation)
        case Flatten():
            return x
        case BatchNorm2d() | LocalResponseNorm():
            size = 4 if stored == "int8" else 0
            x = put("DEQUANTIZE", x, itemsize=size) if size else x
            if isinstance(layer, BatchNorm2d):
                x = put("ADD", put("MUL", x, itemsize=size), itemsize=size)
            else:
                x = put("LOCAL_RESPONSE_NORMALIZATION", x, itemsize=size)
            return put("QUANTIZE", x) if size else x
        case AdaptiveAvgPool2d():
            return put("AVERAGE_POOL_2D", x)
        case Add():
            for other in feeds[1:-1]:
                x = put("ADD", x, other)
            return put("ADD", x, feeds[-1], fused=activation)
        case Scale():
            return put("MUL", *feeds)
        case Concat():
            return put("CONCATENATION", *feeds)
        case Slice():
            return put("SLICE", x)
        case ChannelShuffle():
            return put("TRANSPOSE", x)
        case SpaceToDepth():
            x = put("SPACE_TO_DEPTH", x)
            return put("TRANSPOSE", x) if stored else x
        case Crop():
            return put("CUSTOM", x)
        case Upsample():
            return put("RESIZE_BILINEAR", x)
        case Activation():
            if layer.name == "hardsigmoid":
                return put("MUL", put("ADD", x, fused="relu6"))
            if layer.name == "silu":
                return put("MUL", x, put("LOGISTIC", x))
            return put(ONE_OPERATOR[layer.name], x)
        case _:
            assert_never(layer)


def _windowed(layer: Conv2d | Pool2d) -> str:
    if isinstance(layer, Conv2d):
        return "DEPTHWISE_CONV_2D" if is_depthwise(layer) else "CONV_2D"
    return "MAX_POOL_2D" if _is_max(layer) else "AVERAGE_POOL_2D"


def _is_max(layer: Layer) -> bool:
    return isinstance(layer, Pool2d) and layer.mode == "max"


def is_depthwise(layer: Layer) -> bool:
    """Return whether each group of a convolution is one of several channels."""
    return isinstance(layer, Conv2d) and layer.groups == layer.c_in > 1
