"""Operators as a TFLite file, written by the schema that LiteRT ships.

Tensors are batch × H × W × C, or batch × features; what is in them stands in ``constants``: zeros,
to learn what an interpreter takes of memory, or a network's own parameters (``tflite_weights``). To
add an operator: its table in ``OPTIONS``, its fields in ``_fields``, and in ``constants`` what it
reads beside maps.

Two operators are not what a converter writes, since TFLite Micro copies what it reshapes, where
LiteRT does not: a shuffle is a ``GATHER`` of the shuffled channels, and a flattened map stays one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, assert_never

from mbcost.errors import missing, not_installed
from mbcost.graph.graph import Graph
from mbcost.graph.kernels import Kernel, Kernels, in_order, kernels
from mbcost.graph.padding import padding, placed
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
from mbcost.modules.exported.constants import ALIGNED, Constant, Constants, Dtype
from mbcost.modules.exported.tflite_refused import check

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
    found = kernels(graph, fuse)
    if order is not None:
        found = in_order(found, order)
    return written(found, Constants(dtype, batch, hollow))


def written(
    found: Kernels, constants: Constants, metadata: Mapping[str, str] | None = None
) -> bytes:
    """Return operators with what they read as a file; ``metadata`` is written by its keys."""
    if missing(PACKAGES):
        raise not_installed("a TFLite file", ["ai-edge-litert"], install="'mbcost[tflite]'")
    import flatbuffers

    model = _Writer(found, constants, metadata or {}).model()
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


class _Writer:
    """Collects tensors, buffers and operators; tensors of maps come first, as in ``Kernels``."""

    def __init__(self, found: Kernels, constants: Constants, metadata: Mapping[str, str]) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self.schema: Any = schema
        self.found = found
        self.constants = constants
        self.metadata = metadata
        self.tensors: list[Any] = []
        self.buffers = [b""]
        self.shared = {b"": 0}
        self.codes: dict[str, int] = {}

    def model(self) -> Any:
        """Return the file as an object of the schema."""
        schema, found = self.schema, self.found
        names = ["input", *_named(found)]
        for tensor, name in enumerate(names):
            self.tensor(name, self.constants.map(found, tensor))
        operators = [
            each
            for i, kernel in enumerate(found.kernels)
            for each in self.operators(i, kernel, names[i + 1])
        ]
        outputs = [*found.outputs]
        graph = schema.SubGraphT(
            self.tensors, inputs=[0], outputs=outputs, operators=operators, name="main"
        )
        metadata = [
            schema.MetadataT(name=key, buffer=self.buffer(value.encode(), own=True))
            for key, value in self.metadata.items()
        ]
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
            metadata=metadata or None,
            signatureDefs=[self.signature(outputs)],
        )

    def signature(self, outputs: Sequence[int]) -> Any:
        """Return what is read and put out, by the names that it has in other formats too."""
        schema = self.schema
        names = ["output"] if len(outputs) == 1 else [f"output.{i}" for i in range(len(outputs))]
        return schema.SignatureDefT(
            inputs=[schema.TensorMapT("input", 0)],
            outputs=[schema.TensorMapT(*each) for each in zip(names, outputs, strict=True)],
            signatureKey="serving_default",
        )

    def buffer(self, data: bytes, own: bool = False) -> int:
        """Append a buffer; equal data are written once, except for those of their own."""
        if not own and data in self.shared:
            return self.shared[data]
        self.buffers.append(data)
        if not own:
            self.shared[data] = len(self.buffers) - 1
        return len(self.buffers) - 1

    def tensor(self, name: str, what: Constant) -> int:
        """Append a tensor."""
        schema = self.schema
        quantization = schema.QuantizationParametersT(
            scale=list(what.scales),
            zeroPoint=[what.zero_point] * len(what.scales),
            quantizedDimension=what.axis,
        )
        self.tensors.append(
            schema.TensorT(
                shape=list(what.shape),
                type=getattr(schema.TensorType, TYPES[what.dtype]),
                buffer=self.buffer(what.data, own=bool(what.name)),
                name=name,
                quantization=quantization if what.scales else None,
            )
        )
        return len(self.tensors) - 1

    def operators(self, i: int, kernel: Kernel, output: str) -> Iterator[Any]:
        """Yield an operator, behind those that make float32 of what it reads; and append the
        constants."""
        check(self.found, kernel, self.constants.exact)
        schema, x = self.schema, self.found.shape(kernel.reads[0])
        constants = []
        for n, constant in enumerate(self.constants.of(kernel, x)):
            name = constant.name or f"{output}/{n}"
            constants.append(self.tensor(name, constant))
            if constant.dtype == "fp16":
                wide = Constant(constant.shape, "fp32", b"")
                constants.append(self.tensor(f"{name}/float32", wide))
                yield self.made("DEQUANTIZE", [constants.pop(-2)], constants[-1], {})
        fields = _fields(schema, kernel, x, self.scheme(kernel, x))
        if kernel.activation:
            function = getattr(schema.ActivationFunctionType, kernel.activation.upper())
            fields["fusedActivationFunction"] = function
        name = WRITTEN_AS.get(kernel.operator, kernel.operator)
        yield self.made(name, [*kernel.reads, *constants], i + 1, fields)

    def scheme(self, kernel: Kernel, x: Shape) -> str:
        """Return how TFLite pads what an operator with a window reads."""
        if not isinstance(kernel.layer, Conv2d | Pool2d):
            return ""
        before = self.found.kernels[kernel.reads[0] - 1] if kernel.reads[0] else None
        if before and before.path == kernel.path:
            return "VALID"
        return (placed if self.constants.exact else padding)(kernel.layer, x, kernel.y)

    def made(self, name: str, inputs: list[int], output: int, fields: dict[str, Any]) -> Any:
        """Return an operator with its table of options, where it has one."""
        schema, kind = self.schema, OPTIONS.get(name, "NONE")
        return schema.OperatorT(
            opcodeIndex=self.codes.setdefault(name, len(self.codes)),
            inputs=inputs,
            outputs=[output],
            builtinOptionsType=getattr(schema.BuiltinOptions, kind),
            builtinOptions=getattr(schema, f"{kind}T")(**fields) if kind != "NONE" else None,
        )


def _named(found: Kernels) -> list[str]:
    """Return the name of what each operator puts out: its path, of the last operator of a layer;
    of those before it the path and what it does."""
    names = []
    for i, kernel in enumerate(found.kernels):
        later = [k.path for k in found.kernels[i + 1 : i + 2]]
        inner = kernel.path in later
        names.append(f"{kernel.path}/{kernel.operator.lower()}.{i}" if inner else kernel.path)
    return names


def _fields(schema: Any, kernel: Kernel, x: Shape, scheme: str) -> dict[str, Any]:
    """Return the options of an operator that are not the schema's defaults."""
    layer = kernel.layer
    match layer:
        case Conv2d() | Pool2d():
            if kernel.operator.startswith("PAD"):
                return {}
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
        case SpaceToDepth() if kernel.operator == "TRANSPOSE":
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


TYPES = {"fp32": "FLOAT32", "fp16": "FLOAT16", "int8": "INT8", "int32": "INT32"}
"""By the type of a ``Constant``, its name in the schema."""

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
