"""An ONNX file as others read it: what it holds by onnx, what it puts out by ONNX Runtime."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mbcost.modules.exported import PARAMETERS, Contents, FileLayer

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

SCALES = ("/scale", "/zero_point")
_MODEL, _METADATA = 7, 14
"""Fields of a model: the graph, and what is said beside it (onnx.proto3)."""
_NODE, _NAME, _TENSOR, _INPUT, _OUTPUT = 1, 2, 5, 11, 12
"""Fields of a graph."""
_TENSOR_NAME, _RAW = 8, 9
"""Fields of a tensor: its name, and its elements as bytes."""


def read(data: bytes) -> Contents:
    """Return what a file holds, checked by onnx; its shapes are those that onnx infers."""
    import onnx

    model = onnx.load_model_from_string(data)
    onnx.checker.check_model(model, full_check=True)
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    parameters: Counter[str] = Counter()
    constants: Counter[str] = Counter()
    for tensor in tensors.values():
        found = parameters if _is_parameter(tensor.name) else constants
        found[_element(tensor)] += prod(tensor.dims)
    return Contents(
        tuple(_layers(model, _shapes(inferred), tensors)),
        dict(parameters),
        dict(constants),
        parts(data),
    )


def run(data: bytes, images: Tensor) -> tuple[Tensor, ...]:
    """Return what ONNX Runtime puts out on the CPU, with as many threads as torch has."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = (
        3  # errors alone: what it could not fuse is not the user's business
    )
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    outputs = session.run(None, {given.name: images.contiguous().numpy()})
    return tuple(map(torch.from_numpy, outputs))


def _is_parameter(name: str) -> bool:
    return name.endswith((".weight", ".bias"))


def _element(tensor: TensorProto) -> str:
    from onnx import TensorProto as Types

    name: str = Types.DataType.Name(tensor.data_type).lower()
    return {"float": "float32"}.get(name, name)


def _shapes(model: ModelProto) -> dict[str, list[int]]:
    """Return the shape of every map by name."""
    graph = model.graph
    return {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.value_info, *graph.output)
    }


def _layers(
    model: ModelProto, shapes: dict[str, list[int]], tensors: dict[str, TensorProto]
) -> Iterator[FileLayer]:
    stored = {
        node.output[0]: node.input[0]
        for node in model.graph.node
        if node.op_type == "DequantizeLinear"
    }
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm"):
            weight, *bias = (list(tensors[stored.get(n, n)].dims) for n in node.input[1:])
            yield _layer(node, shapes[node.output[0]], weight, bias[0] if bias else [0])


def _layer(node: NodeProto, output: list[int], weight: list[int], bias: list[int]) -> FileLayer:
    """Return a node's figures: each output element takes the weights of one output channel."""
    channel = prod(weight[1:])  # kh · kw · c_in/groups, or the features in
    return FileLayer(node.name, prod(weight), prod(bias), channel * prod(output))


def parts(data: bytes) -> dict[str, int]:
    """Return the bytes of a file by what they hold, each attributed by the field it stands in."""
    found = dict.fromkeys(
        (
            PARAMETERS,
            "scales and zero points",
            "constants",
            "names and shapes of tensors",
            "nodes",
            "inputs and outputs",
            "metadata",
            "header",
        ),
        0,
    )
    for number, size, payload in _fields(memoryview(data)):
        if number == _MODEL:
            found["header"] += size - len(payload)
            _add_graph(found, payload)
        else:
            found["metadata" if number == _METADATA else "header"] += size
    return found


def _add_graph(found: dict[str, int], graph: memoryview) -> None:
    names = {
        _NODE: "nodes",
        _NAME: "header",
        _INPUT: "inputs and outputs",
        _OUTPUT: "inputs and outputs",
    }
    for number, size, payload in _fields(graph):
        if number != _TENSOR:
            found[names[number]] += size
            continue
        fields = {number: held for number, _, held in _fields(payload)}
        elements, name = fields.get(_RAW, b""), bytes(fields[_TENSOR_NAME]).decode()
        part = "scales and zero points" if name.endswith(SCALES) else "constants"
        found[PARAMETERS if _is_parameter(name) else part] += len(elements)
        found["names and shapes of tensors"] += size - len(elements)


def _fields(message: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Yield the number of each field of a protobuf message, the bytes it takes, what it holds.

    A field is a tag, number · 8 + wire type, and a number (type 0) or a length and as many bytes
    (type 2); ONNX has no others but floats of 4 bytes (type 5).
    """
    at = 0
    while at < len(message):
        start = at
        tag, at = _number(message, at)
        if tag & 7 == 2:
            length, at = _number(message, at)
        elif tag & 7 == 5:
            length = 4
        else:
            assert tag & 7 == 0, "a wire type that ONNX does not have"
            length = _number(message, at)[1] - at
        yield tag >> 3, at + length - start, message[at : at + length]
        at += length


def _number(message: memoryview, at: int) -> tuple[int, int]:
    """Return the number that begins at ``at``, 7 bits a byte, and where it ends."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
