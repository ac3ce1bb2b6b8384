"""A network as a TFLite file with weights of zero, written by the schema that LiteRT ships.

Tensors are batch × H × W × C, or batch × features. In int8 every map has a scale of 1/256 and a
zero point of −128, weights a scale per output channel, biases 32 bits. To add an operator: its
table in ``OPTIONS``, its fields in ``_fields``, and in ``constants`` what it reads beside maps.

Two operators are not what a converter writes, since TFLite Micro copies what it reshapes, where
LiteRT does not: a shuffle is a ``GATHER`` of the shuffled channels, and a flattened map stays one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, Literal, NamedTuple, assert_never

from mbcost.errors import MbcostError, missing, not_installed
from mbcost.graph.graph import Graph
from mbcost.graph.kernels import Kernel, Kernels, in_order, kernels, padding
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
    Pair,
    Pool2d,
    Scale,
    Shape,
    Slice,
    SpaceToDepth,
    Upsample,
)
from mbcost.graph.shapes import shape_of
from mbcost.modules.exported.constants import ALIGNED, SCALE, ZERO_POINT, Constant, Constants, Dtype

ITEMSIZE: Mapping[Dtype, int] = {"fp32": 4, "int8": 1}
WrittenFusion = Literal["none", "tflite"]
"""TFLite has no operator with another activation in it."""
PACKAGES = ("ai_edge_litert", "flatbuffers")
"""What writes a file: the schema, and the format."""
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
    model = _Writer(found, Constants(dtype, batch, hollow)).model()
    size = sum(len(buffer.data) + ALIGNED for buffer in model.buffers)
    builder = flatbuffers.Builder(size + 1024 * (len(found.kernels) + 1))
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


class NotWrittenError(MbcostError):
    """TFLite has no operator for a layer."""


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


class _Writer:
    """Collects tensors, buffers and operators; tensors of maps come first, as in ``Kernels``."""

    def __init__(self, found: Kernels, constants: Constants) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self.schema: Any = schema
        self.found = found
        self.constants = constants
        self.tensors: list[Any] = []
        self.buffers = {b"": 0}
        self.codes: dict[str, int] = {}

    def model(self) -> Any:
        """Return the file as an object of the schema."""
        schema, found, dtype = self.schema, self.found, self.constants.dtype
        names = ["input", *[f"{kernel.path}:{i}" for i, kernel in enumerate(found.kernels)]]
        scales = (SCALE,) if dtype == "int8" else ()
        for tensor, name in enumerate(names):
            c, *sides = found.shape(tensor)
            shape = (self.constants.batch, *sides, c)
            self.tensor(name, Constant(shape, dtype, b"", scales, zero_point=ZERO_POINT))
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

    def tensor(self, name: str, what: Constant) -> int:
        """Append a tensor. Equal data are written once."""
        schema = self.schema
        types = {"fp32": "FLOAT32", "int8": "INT8", "int32": "INT32"}
        quantization = schema.QuantizationParametersT(
            scale=list(what.scales),
            zeroPoint=[what.zero_point] * len(what.scales),
            quantizedDimension=what.axis,
        )
        self.tensors.append(
            schema.TensorT(
                shape=list(what.shape),
                type=getattr(schema.TensorType, types[what.dtype]),
                buffer=self.buffers.setdefault(what.data, len(self.buffers)),
                name=name,
                quantization=quantization if what.scales else None,
            )
        )
        return len(self.tensors) - 1

    def operator(self, i: int, kernel: Kernel) -> Any:
        """Return an operator, and append the constants that it reads."""
        _check(self.found, kernel)
        schema, x = self.schema, self.found.shape(kernel.reads[0])
        name = WRITTEN_AS.get(kernel.operator, kernel.operator)
        kind = OPTIONS.get(name, "NONE")
        constants = [
            self.tensor(f"{kernel.path}:{i}.{n}", constant)
            for n, constant in enumerate(self.constants.of(kernel, x))
        ]
        fields = _fields(schema, kernel, x)
        if kernel.activation:
            function = getattr(schema.ActivationFunctionType, kernel.activation.upper())
            fields["fusedActivationFunction"] = function
        return schema.OperatorT(
            opcodeIndex=self.codes.setdefault(name, len(self.codes)),
            inputs=[*kernel.reads, *constants],
            outputs=[i + 1],
            builtinOptionsType=getattr(schema.BuiltinOptions, kind),
            builtinOptions=getattr(schema, f"{kind}T")(**fields) if kind != "NONE" else None,
        )


def _fields(schema: Any, kernel: Kernel, x: Shape) -> dict[str, Any]:
    """Return the options of an operator that are not the schema's defaults."""
    layer = kernel.layer
    match layer:
        case Conv2d() | Pool2d():
            if kernel.operator.startswith("PAD"):
                return {}
            scheme = padding(layer, x, kernel.y)
            if isinstance(layer, Pool2d):
                return _window(schema, layer.stride, scheme, layer.kernel)
            vertical, horizontal = layer.dilation
            dilation = {"dilationHFactor": vertical, "dilationWFactor": horizontal}
            if kernel.operator == "DEPTHWISE_CONV_2D":
                dilation["depthMultiplier"] = layer.c_out // layer.c_in
            return _window(schema, layer.stride, scheme) | dilation
        case AdaptiveAvgPool2d():
            cell = (x[1] // layer.size[0], x[2] // layer.size[1])
            return _window(schema, cell, "VALID", cell)
        case Concat() | ChannelShuffle():
            return {"axis": len(x)}
        case Upsample():
            return {"halfPixelCenters": True}
        case LocalResponseNorm():  # torch divides alpha by size
            alpha = 1e-4 / layer.size
            return {"radius": layer.size // 2, "bias": 1.0, "alpha": alpha, "beta": 0.75}
        case SpaceToDepth():
            return {"blockSize": layer.side}
        case Activation():
            return {"softmax": {"beta": 1.0}, "leaky_relu": {"alpha": 0.01}}.get(layer.name, {})
        case Linear() | BatchNorm2d() | Flatten() | Add() | Scale() | Slice() | Crop():
            return {}
        case _:
            assert_never(layer)


def _window(schema: Any, stride: Pair, scheme: str, kernel: Pair | None = None) -> dict[str, Any]:
    """Return the fields of a window; those of a convolution are in the shape of its weights."""
    fields = {
        "strideH": stride[0],
        "strideW": stride[1],
        "padding": getattr(schema.Padding, scheme),
    }
    return fields | ({"filterHeight": kernel[0], "filterWidth": kernel[1]} if kernel else {})


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
    "SPACE_TO_DEPTH": "SpaceToDepthOptions",
    "LEAKY_RELU": "LeakyReluOptions",
    "SOFTMAX": "SoftmaxOptions",
    "LOCAL_RESPONSE_NORMALIZATION": "LocalResponseNormalizationOptions",
    "HARD_SWISH": "HardSwishOptions",
    "GELU": "GeluOptions",
    "SLICE": "SliceOptions",
    "PAD": "PadOptions",
    "PADV2": "PadV2Options",
}
"""By operator, the table of its options in the schema; the others have none."""


def _check(found: Kernels, kernel: Kernel) -> None:
    """Raise where TFLite has no operator for what the schedule takes as one."""
    layer, x = kernel.layer, found.shape(kernel.reads[0])
    if len(kernel.y) == 1 and not isinstance(layer, Linear):
        for shape in map(found.shape, kernel.reads):
            if prod(shape[1:]) > 1:
                raise NotWrittenError(
                    f"reads a flattened map of {shape_of(shape)} as a vector",
                    place=kernel.path,
                    way_out="a global pool before it",
                )
    if isinstance(layer, AdaptiveAvgPool2d) and (x[1] % layer.size[0] or x[2] % layer.size[1]):
        raise NotWrittenError(
            f"{shape_of(layer.size)} cells of {shape_of(x[1:])} pixels are not of one size",
            place=kernel.path,
            way_out="an input of another size",
        )
