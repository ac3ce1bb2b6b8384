"""A network as a TFLite file with weights of zero, written by the schema that LiteRT ships.

Tensors are batch × H × W × C, or batch × features. In int8 every map has a scale of 1/256 and a
zero point of −128, weights a scale per output channel, biases 32 bits. To add an operator: its case
in ``_options``, and in ``_constants`` what it reads beside maps.

Two operators are not what a converter writes, since TFLite Micro copies what it reshapes, where
LiteRT does not: a shuffle is a ``GATHER`` by the shuffled channels, and a flattened map stays one.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from math import prod
from typing import Any, Literal, NamedTuple

from mbcost.errors import MbcostError, missing, not_installed
from mbcost.graph.graph import Graph
from mbcost.graph.kernels import Kernel, Kernels, in_order, is_depthwise, kernels, padding
from mbcost.graph.primitives import (
    Activation,
    AdaptiveAvgPool2d,
    BatchNorm2d,
    ChannelShuffle,
    Conv2d,
    Linear,
    LocalResponseNorm,
    Pair,
    Pool2d,
    Shape,
    Slice,
    Upsample,
)
from mbcost.graph.shapes import shape_of

Dtype = Literal["fp32", "int8"]
ITEMSIZE: dict[Dtype, int] = {"fp32": 4, "int8": 1}
WrittenFusion = Literal["none", "tflite"]
"""TFLite has no operator with another activation in it."""
PACKAGES = ("ai_edge_litert", "flatbuffers")
"""What writes a file: the schema, and the format."""
SCALE, ZERO_POINT = 1 / 256, -128
"""What int8's ``SOFTMAX`` and ``LOGISTIC`` put out; additions and joins then rescale nothing."""
ALIGNED = 16
"""``force_align`` of a buffer in schema.fbs."""
WRITTEN_AS = {"TRANSPOSE": "GATHER"}


def tflite_bytes(
    graph: Graph,
    dtype: Dtype,
    *,
    fuse: WrittenFusion = "tflite",
    batch: int = 1,
    order: Sequence[int] | None = None,
    hollow: bool = False,
) -> bytes:
    """Return ``graph`` as a ``.tflite`` file; its tensors and operators are those of ``deployed``.

    ``order`` is as for ``deployed``. A ``hollow`` file has no weights: enough to plan its maps, not
    to run.
    """
    if missing(PACKAGES):
        raise not_installed("a TFLite file", ["ai-edge-litert"], install="'mbcost[tflite]'")
    import flatbuffers

    found = kernels(graph, fuse)
    if order is not None:
        found = in_order(found, order)
    model = _Writer(found, dtype, batch, hollow).model()
    size = sum(len(buffer.data) + ALIGNED for buffer in model.buffers)
    builder = flatbuffers.Builder(size + 1024 * (len(found.kernels) + 1))
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


class _Buffer(NamedTuple):
    """A ``BufferT`` whose bytes are aligned, which the generated one's are not."""

    data: bytes

    def Pack(self, builder: Any) -> int:  # noqa: N802 - called by the generated code
        from ai_edge_litert import schema_py_generated as schema

        if self.data:
            builder.Prep(ALIGNED, len(self.data))
            data = builder.CreateByteVector(self.data)
        schema.BufferStart(builder)
        if self.data:
            schema.BufferAddData(builder, data)
        end: int = schema.BufferEnd(builder)
        return end


class _Constant(NamedTuple):
    """A tensor that an operator reads and nothing writes."""

    shape: tuple[int, ...]
    dtype: str
    """``int32`` or the network's."""
    data: bytes
    scales: tuple[float, ...] = ()
    axis: int = 0
    """Along which there is a scale each."""


class _Writer:
    """Collects tensors, buffers and operators; tensors of maps come first, as in ``Kernels``."""

    def __init__(self, found: Kernels, dtype: Dtype, batch: int, hollow: bool) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self.schema: Any = schema
        self.found = found
        self.is_int8 = dtype == "int8"
        self.batch = batch
        self.hollow = hollow
        self.tensors: list[Any] = []
        self.buffers = {b"": 0}
        self.codes: dict[str, int] = {}

    def model(self) -> Any:
        """Return the file as an object of the schema."""
        schema, found = self.schema, self.found
        names = ["input", *[f"{kernel.path}:{i}" for i, kernel in enumerate(found.kernels)]]
        for tensor, name in enumerate(names):
            dtype, scales = ("int8", (SCALE,)) if self.is_int8 else ("fp32", ())
            shape = self.shape(found.shape(tensor))
            self.tensor(name, _Constant(shape, dtype, b"", scales), ZERO_POINT)
        operators = [self.operator(i, kernel) for i, kernel in enumerate(found.kernels)]
        graph = schema.SubGraphT(
            self.tensors, inputs=[0], outputs=[*found.outputs], operators=operators, name="main"
        )
        codes = [getattr(schema.BuiltinOperator, name) for name in self.codes]
        return schema.ModelT(
            version=3,
            operatorCodes=[
                schema.OperatorCodeT(deprecatedBuiltinCode=min(code, 127), builtinCode=code)
                for code in codes
            ],
            subgraphs=[graph],
            description="mbcost",
            buffers=[_Buffer(data) for data in self.buffers],
        )

    def shape(self, shape: Shape) -> tuple[int, ...]:
        """Return a shape of one image as TFLite has it, the channels last."""
        return (self.batch, *shape[1:], shape[0])

    def tensor(self, name: str, what: _Constant, zero_point: int = 0) -> int:
        """Append a tensor; one without data is planned. Equal data are written once."""
        schema = self.schema
        types = {"int8": schema.TensorType.INT8, "int32": schema.TensorType.INT32}
        self.tensors.append(
            schema.TensorT(
                shape=list(what.shape),
                type=types.get(what.dtype, schema.TensorType.FLOAT32),
                buffer=self.buffers.setdefault(what.data, len(self.buffers)),
                name=name,
                quantization=schema.QuantizationParametersT(
                    scale=list(what.scales),
                    zeroPoint=[zero_point] * len(what.scales),
                    quantizedDimension=what.axis,
                )
                if what.scales
                else None,
            )
        )
        return len(self.tensors) - 1

    def operator(self, i: int, kernel: Kernel) -> Any:
        """Return an operator, and append the constants that it reads."""
        _check(self.found, kernel)
        name = WRITTEN_AS.get(kernel.operator, kernel.operator)
        x = self.found.shape(kernel.reads[0])
        constants = [
            self.tensor(f"{kernel.path}:{i}.{n}", constant)
            for n, constant in enumerate(self.constants(kernel, x))
        ]
        kind, options = self.options(name, kernel, x)
        return self.schema.OperatorT(
            opcodeIndex=self.codes.setdefault(name, len(self.codes)),
            inputs=[*kernel.reads, *constants],
            outputs=[i + 1],
            builtinOptionsType=getattr(self.schema.BuiltinOptions, kind),
            builtinOptions=options,
        )

    def options(self, name: str, kernel: Kernel, x: Shape) -> tuple[str, Any]:
        """Return the options of an operator, and their name in the schema's union."""
        schema, layer = self.schema, kernel.layer
        kind = OPTIONS.get(name, "NONE")
        fields: dict[str, Any] = {}
        match name, layer:
            case (("CONV_2D" | "DEPTHWISE_CONV_2D"), Conv2d()):
                fields = self.window(layer.stride, self.scheme(kernel, x))
                fields |= {
                    "dilationHFactor": layer.dilation[0],
                    "dilationWFactor": layer.dilation[1],
                }
                if name == "DEPTHWISE_CONV_2D":
                    fields["depthMultiplier"] = layer.c_out // layer.c_in
            case (("MAX_POOL_2D" | "AVERAGE_POOL_2D"), Pool2d()):
                fields = self.window(layer.stride, self.scheme(kernel, x), layer.kernel)
            case "AVERAGE_POOL_2D", AdaptiveAvgPool2d():
                cells = (x[1] // layer.size[0], x[2] // layer.size[1])
                fields = self.window(cells, "VALID", cells)
            case (("CONCATENATION" | "GATHER"), _):
                fields = {"axis": len(x)}
            case "RESIZE_BILINEAR", _:
                fields = {"halfPixelCenters": True}
            case "SOFTMAX", _:
                fields = {"beta": 1.0}
            case "LOCAL_RESPONSE_NORMALIZATION", LocalResponseNorm():  # torch divides alpha by size
                alpha = 1e-4 / layer.size
                fields = {"radius": layer.size // 2, "bias": 1.0, "alpha": alpha, "beta": 0.75}
            case _:
                pass
        if kernel.activation:
            function = getattr(schema.ActivationFunctionType, kernel.activation.upper())
            fields["fusedActivationFunction"] = function
        return kind, getattr(schema, f"{kind}T")(**fields) if kind != "NONE" else None

    def scheme(self, kernel: Kernel, x: Shape) -> str:
        """Return ``SAME`` or ``VALID``, where a ``PAD`` before the window has done the rest."""
        assert isinstance(kernel.layer, Conv2d | Pool2d)
        return padding(kernel.layer, x, kernel.y)

    def window(self, stride: Pair, scheme: str, kernel: Pair | None = None) -> dict[str, Any]:
        """Return the fields of a window."""
        fields = {
            "strideH": stride[0],
            "strideW": stride[1],
            "padding": getattr(self.schema.Padding, scheme),
        }
        return fields | ({"filterHeight": kernel[0], "filterWidth": kernel[1]} if kernel else {})

    def constants(self, kernel: Kernel, x: Shape) -> list[_Constant]:
        """Return what an operator reads beside maps, in the order in which it reads them."""
        layer = kernel.layer
        match kernel.operator, layer:
            case (("CONV_2D" | "DEPTHWISE_CONV_2D"), Conv2d()):
                if is_depthwise(layer):
                    return self.weighted((1, *layer.kernel, layer.c_out), 3, layer.bias)
                inner = layer.c_in // layer.groups
                return self.weighted((layer.c_out, *layer.kernel, inner), 0, layer.bias)
            case "FULLY_CONNECTED", Linear():
                return self.weighted((layer.features_out, layer.features_in), None, layer.bias)
            case "PAD", Conv2d() | Pool2d():
                return [self.sides(layer, x, kernel.y)]
            case "PADV2", Pool2d():
                lowest = struct.pack("b", -128) if self.is_int8 else struct.pack("<f", -3.4e38)
                return [self.sides(layer, x, kernel.y), self.scalar(lowest, SCALE)]
            case (("MUL" | "ADD"), BatchNorm2d()):
                return [self.zeros((layer.c,))]
            case "ADD", Activation("hardsigmoid"):
                return [self.number(3.0)]
            case "MUL", Activation("hardsigmoid"):
                return [self.number(1 / 6)]
            case "TRANSPOSE", ChannelShuffle():
                each = x[0] // layer.groups
                dealt = [g * each + i for i in range(each) for g in range(layer.groups)]
                return [_integers(dealt)]
            case "SLICE", Slice():
                sizes = self.shape(kernel.y)
                return [_integers([*[0] * (len(sizes) - 1), layer.start]), _integers(sizes)]
            case "RESIZE_BILINEAR", Upsample():
                return [_integers(layer.size)]
            case _:
                return []

    def weighted(self, shape: tuple[int, ...], axis: int | None, bias: bool) -> list[_Constant]:
        """Return weights, with a scale along an axis or one for all, and a bias.

        A convolution without one has zeros: LiteRT takes none without.
        """
        c = shape[axis or 0]
        scales = (SCALE,) * (1 if axis is None else c)
        found = [self.zeros(shape, scales, axis or 0)]
        if axis is None and not bias:
            return found
        if self.is_int8:
            scales = tuple([SCALE * scale for scale in scales])
            return [*found, _Constant((c,), "int32", self.data(4 * c), scales)]
        return [*found, self.zeros((c,))]

    def zeros(
        self, shape: tuple[int, ...], scales: tuple[float, ...] = (SCALE,), axis: int = 0
    ) -> _Constant:
        """Return zeros of the network's type."""
        if self.is_int8:
            return _Constant(shape, "int8", self.data(prod(shape)), scales, axis)
        return _Constant(shape, "fp32", self.data(4 * prod(shape)))

    def data(self, size: int) -> bytes:
        """Return so many bytes of weights."""
        return bytes(ALIGNED if self.hollow else size)

    def number(self, value: float) -> _Constant:
        """Return a number that is not a weight, and so is no zero."""
        data = struct.pack("b", 127) if self.is_int8 else struct.pack("<f", value)
        return self.scalar(data, value / 127)

    def scalar(self, data: bytes, scale: float) -> _Constant:
        """Return one number of the network's type."""
        if self.is_int8:
            return _Constant((1,), "int8", data, (scale,))
        return _Constant((1,), "fp32", data)

    def sides(self, layer: Conv2d | Pool2d, x: Shape, y: Shape) -> _Constant:
        """Return how much is padded before and after each axis."""
        found = [0, 0]
        for n, out, p in zip(x[1:], y[1:], layer.padding, strict=True):
            found += [p, out - n - p]
        return _Constant((4, 2), "int32", struct.pack("<8i", *found, 0, 0))


OPTIONS = {
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "ADD": "AddOptions",
    "MUL": "MulOptions",
    "CONCATENATION": "ConcatenationOptions",
    "GATHER": "GatherOptions",
    "RESIZE_BILINEAR": "ResizeBilinearOptions",
    "SOFTMAX": "SoftmaxOptions",
    "LOCAL_RESPONSE_NORMALIZATION": "LocalResponseNormalizationOptions",
    "HARD_SWISH": "HardSwishOptions",
    "GELU": "GeluOptions",
    "SLICE": "SliceOptions",
    "PAD": "PadOptions",
    "PADV2": "PadV2Options",
}
"""By operator, the table of its options in the schema; the others have none."""


def _integers(values: Sequence[int]) -> _Constant:
    return _Constant((len(values),), "int32", struct.pack(f"<{len(values)}i", *values))


def _check(found: Kernels, kernel: Kernel) -> None:
    """Raise where TFLite has no operator for what the schedule takes as one."""
    layer, x = kernel.layer, found.shape(kernel.reads[0])
    if len(kernel.y) == 1 and not isinstance(layer, Linear):
        for shape in map(found.shape, kernel.reads):
            if prod(shape[1:]) > 1:
                raise MbcostError(
                    f"reads a flattened map of {shape_of(shape)} as a vector",
                    place=kernel.path,
                    way_out="a global pool before it",
                )
    if isinstance(layer, AdaptiveAvgPool2d) and (x[1] % layer.size[0] or x[2] % layer.size[1]):
        raise MbcostError(
            f"{shape_of(layer.size)} cells of {shape_of(x[1:])} pixels are not of one size",
            place=kernel.path,
            way_out="an input of another size",
        )
