"""A TFLite file as others read it: what it holds by LiteRT's schema, what it puts out by LiteRT."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mbcost.modules.exported import PARAMETERS, Contents, FileLayer
from mbcost.modules.exported.tflite_parts import CONSTANTS, METADATA, parts

_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_ELEMENTS = {"FLOAT32": "float32", "FLOAT16": "float16", "INT8": "int8", "INT32": "int32"}


class _Held(NamedTuple):
    """A tensor that has data in the file."""

    name: str
    shape: tuple[int, ...]
    element: str
    buffer: int


def read(data: bytes) -> Contents:
    """Return what a file holds, by LiteRT's schema.

    What is a weight and what a bias is told by where its operator reads it, not by its name.
    """
    from ai_edge_litert import schema_py_generated as schema

    model: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(data, 0))
    (graph,) = model.subgraphs
    held = {
        i: _Held(
            tensor.name.decode(),
            tuple(map(int, tensor.shape)),
            _ELEMENTS[_name(schema.TensorType, tensor.type)],
            tensor.buffer,
        )
        for i, tensor in enumerate(graph.tensors)
        if model.buffers[tensor.buffer].data is not None
    }
    codes = [_name(schema.BuiltinOperator, code.builtinCode) for code in model.operatorCodes]
    layers = list(_layers(graph, codes, held))
    kept = _parameters(layers, held)
    parameters: Counter[str] = Counter()
    constants: Counter[str] = Counter()
    for i, tensor in held.items():
        (parameters if i in kept else constants)[tensor.element] += prod(tensor.shape)
    buffers = [CONSTANTS] * len(model.buffers)
    for i in kept:
        buffers[held[i].buffer] = PARAMETERS
    for each in model.metadata or ():
        buffers[each.buffer] = METADATA
    return Contents(
        tuple(layer for layer, _ in layers), dict(parameters), dict(constants), parts(data, buffers)
    )


def _name(names: type, value: int) -> str:
    (found,) = (name for name, number in vars(names).items() if number == value)
    return found


def _layers(
    graph: Any, codes: list[str], held: dict[int, _Held]
) -> Iterator[tuple[FileLayer, list[int]]]:
    """Yield each convolution and linear layer, and its tensors of weights and biases.

    A layer without a bias of its own has zeros, under a name that is no parameter's.
    """
    wide = {
        int(operator.outputs[0]): int(operator.inputs[0])
        for operator in graph.operators
        if codes[operator.opcodeIndex] == "DEQUANTIZE"
    }
    for operator in graph.operators:
        if codes[operator.opcodeIndex] not in _WEIGHTED:
            continue
        (output,) = (graph.tensors[int(i)] for i in operator.outputs)
        path = output.name.decode()
        kept = [wide.get(int(i), int(i)) for i in operator.inputs[1:]]
        weight, *bias = (held[i] for i in kept)
        if bias and bias[0].name != f"{path}.bias":
            kept.pop()
            bias = []
        if weight.name != f"{path}.weight":
            path = f"{path} of {weight.name}"
        elements = prod(map(int, output.shape))  # of whole numbers without a bound
        own = prod(weight.shape) // int(output.shape[-1])  # kh · kw · c_in/groups, or features in
        biases = sum(prod(tensor.shape) for tensor in bias)
        yield FileLayer(path, prod(weight.shape), biases, own * elements), kept


def _parameters(layers: list[tuple[FileLayer, list[int]]], held: dict[int, _Held]) -> set[int]:
    """Return the tensors that are parameters: those of layers, and of batch-norms by their name."""
    norms = {i for i, tensor in held.items() if tensor.name.endswith((".weight", ".bias"))}
    return norms.union(*(kept for _, kept in layers))


def run(data: bytes, images: Tensor) -> tuple[Tensor, ...]:
    """Return what LiteRT puts out on the CPU without a delegate, with as many threads as torch has.

    A file that reads and puts out int8 is given whole numbers; its outputs are floats here.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=data,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        num_threads=torch.get_num_threads(),
    )
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    interpreter.set_tensor(given["index"], stored(images, given))
    interpreter.invoke()
    signatures: dict[str, dict[str, dict[str, int]]] = interpreter._get_full_signature_list()
    (names,) = [each["outputs"] for each in signatures.values()]
    details = {each["index"]: each for each in interpreter.get_output_details()}
    order = sorted(names, key=lambda name: int(name.partition(".")[2] or 0))
    return tuple(_floats(interpreter, details[names[name]]) for name in order)


def stored(images: Tensor, detail: dict[str, Any]) -> Any:
    """Return images as an interpreter's input of that ``detail`` takes them."""
    scale, zero_point = detail["quantization"]
    images = images.contiguous()
    if not scale:
        return images.numpy()
    return (images / scale + zero_point).round().clamp(-128, 127).to(torch.int8).numpy()


def _floats(interpreter: Any, detail: dict[str, Any]) -> Tensor:
    scale, zero_point = detail["quantization"]
    found = torch.from_numpy(interpreter.get_tensor(detail["index"]))
    return (found.float() - zero_point) * scale if scale else found
