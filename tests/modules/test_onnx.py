"""ONNX files: each primitive against torch, names, bytes, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from random import Random
from typing import get_args

import onnx
import pytest
import torch
from onnx import numpy_helper

from mbcost.errors import MbcostError
from mbcost.graph.graph import Graph, Node, Step, wire
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
from mbcost.modules.exported import LAYOUTS, PARAMETERS, FileLayer
from mbcost.modules.exported.deployed import Deployed, calibrated, deploy, largest_difference
from mbcost.modules.exported.onnx import read, run, write
from mbcost.networks.blocks import BLOCKS
from tests.strategies import fitting, lowered

MAP: Shape = (8, 9, 7)
VECTOR: Shape = (24,)
IMAGE = 9
"""Seed of the image that outputs are compared for; int8 is calibrated with it too."""
FAR = {"fp32": 1e-5, "fp16": 4e-3, "int8": 0.015}
"""By dtype, how far an output of a few layers may be, ÷ the largest element."""


def after(conv: str = "a") -> Step:
    return Step(conv, Conv2d(8, 8, (1, 1), bias=True), ("@0",))


def pool(mode: str, kernel: int, stride: int, padding: int = 0, ceil: bool = False) -> Layer:
    return Pool2d(mode, (kernel, kernel + 1), (stride, stride), (padding, padding), ceil)


CASES: dict[str, tuple[Shape, Sequence[Step]]] = {
    "conv": (MAP, [Step("c", Conv2d(8, 6, (3, 3), padding=(1, 1), bias=True))]),
    "conv without bias": (MAP, [Step("c", Conv2d(8, 6, (3, 2)))]),
    "conv all uneven": (
        MAP,
        [Step("c", Conv2d(8, 12, (3, 2), (2, 1), (2, 0), (2, 3), groups=4, bias=True))],
    ),
    "depthwise": (MAP, [Step("c", Conv2d(8, 8, (5, 5), (2, 2), (2, 2), groups=8))]),
    "conv and relu": (MAP, [after(), Step("r", Activation("relu"))]),
    "a map that others read before it is clipped": (
        MAP,
        [after(), Step("r", Activation("relu6")), Step("s", Add(), ("a", "r"))],
    ),
    "batch-norm that stays": (MAP, [Step("pass.bn", BatchNorm2d(8))]),
    "batch-norm folded": (MAP, [after(), Step("b", BatchNorm2d(8))]),
    "linear": (VECTOR, [Step("l", Linear(24, 5))]),
    "linear without bias": (VECTOR, [Step("l", Linear(24, 5, bias=False))]),
    "flatten": (MAP, [Step("f", Flatten()), Step("l", Linear(prod(MAP), 3))]),
    "flatten alone": (MAP, [Step("f", Flatten())]),
    "global pool": (MAP, [Step("p", AdaptiveAvgPool2d())]),
    "pool to cells": ((8, 9, 8), [Step("p", AdaptiveAvgPool2d((3, 2)))]),
    "max pool": (MAP, [Step("p", pool("max", 3, 2, 1))]),
    "max pool rounded up": (MAP, [Step("p", pool("max", 2, 3, 1, ceil=True))]),
    "average pool": (MAP, [Step("p", pool("avg", 3, 2))]),
    "average pool padded": (MAP, [Step("p", pool("avg", 3, 2, 1))]),
    "average pool rounded up": (MAP, [Step("p", pool("avg", 2, 3, ceil=True))]),
    "average pool padded and rounded up": ((8, 8, 8), [Step("p", pool("avg", 3, 2, 1, ceil=True))]),
    "two added": (MAP, [after("a"), after("b"), Step("s", Add(), ("a", "b"))]),
    "three added": (MAP, [after("a"), after("b"), Step("s", Add(), ("a", "b", "@0"))]),
    "gate of a map": (MAP, [after("a"), Step("s", Scale(), ("@0", "a"))]),
    "gate of channels": (
        MAP,
        [Step("g", AdaptiveAvgPool2d(), ("@0",)), Step("s", Scale(), ("@0", "g"))],
    ),
    "joined": (MAP, [after("a"), after("b"), Step("j", Concat(), ("a", "@0", "b"))]),
    "slice": (MAP, [Step("s", Slice(2, 7))]),
    "shuffle": (MAP, [Step("s", ChannelShuffle(4))]),
    "space to depth": ((3, 8, 6), [Step("s", SpaceToDepth(2))]),
    "response norm": (MAP, [Step("n", LocalResponseNorm(5))]),
    "response norm of 3": (MAP, [Step("n", LocalResponseNorm(3))]),
    "upsample": (MAP, [Step("u", Upsample((20, 15)))]),
    "upsample to less": (MAP, [Step("u", Upsample((4, 5)))]),
    **{f"activation {name}": (MAP, [after(), Step("x", Activation(name))]) for name in ACTIVATIONS},
}


def graph_of(x: Shape, steps: Sequence[Step], outputs: tuple[int, ...] = ()) -> Graph:
    nodes: list[Node] = []
    wire(nodes, steps, "", "", -1, x)
    return Graph(x, tuple(nodes), outputs)


def network(
    graph: Graph, dtype: str = "fp32", layout: str = "nchw", batch: int = 2, louder: float = 1
) -> Deployed:
    folded, module = deploy(graph, 0, None)
    for parameter in module.parameters():
        parameter.data.mul_(louder)
    found = Deployed(folded, module, batch, dtype, layout)
    return replace(found, ranges=calibrated(found, IMAGE)) if dtype == "int8" else found


def off(made: Deployed) -> float:
    """Return how far the file's outputs are from the module's, ÷ the largest element."""
    images = made.images(IMAGE)
    expected = made.outputs(images)
    found = run(write(made), made.laid_out(images))
    assert [y.shape for y in found] == [y.shape for y in expected]
    return largest_difference(expected, found)


def test_the_largest_difference_is_that_of_the_worst_output() -> None:
    ours, theirs = torch.tensor([1.0, -4.0]), torch.tensor([1.0, -3.0])
    none = torch.zeros(2)
    assert largest_difference([ours, ours], [ours, theirs]) == 0.25
    assert largest_difference([none], [none]) == 0
    assert largest_difference([none], [ours]) == math.inf
    for wrong in (math.nan, math.inf):
        assert largest_difference([ours], [torch.tensor([1.0, wrong])]) == math.inf
        assert largest_difference([torch.tensor([1.0, wrong])], [ours]) == math.inf


def test_every_primitive_and_activation_has_a_case() -> None:
    steps = [step for _, steps in CASES.values() for step in steps]
    assert {type(step.layer) for step in steps} | {Crop} == set(get_args(Layer))
    names = {step.layer.name for step in steps if isinstance(step.layer, Activation)}
    assert names == set(ACTIVATIONS)


@pytest.mark.parametrize("dtype", FAR)
@pytest.mark.parametrize("case", CASES)
def test_a_runtime_puts_out_what_torch_does(case: str, dtype: str) -> None:
    graph = graph_of(*CASES[case])
    for layout in ("nchw", "nhwc"):
        batch = 1 if dtype == "int8" else 2
        louder = 6 if "activation" in case and dtype != "int8" else 1  # into flat ends
        assert off(network(graph, dtype, layout, batch, louder)) <= FAR[dtype], layout


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", FAR)
def test_several_outputs_also_twice_or_read_by_others(dtype: str, layout: str) -> None:
    steps = [after("a"), Step("b", Activation("relu")), Step("c", Conv2d(8, 4, (1, 1)))]
    made = network(graph_of(MAP, steps, outputs=(1, 0, 1, 2)), dtype, layout, 1)
    assert off(made) <= FAR[dtype]
    model = onnx.load_model_from_string(write(made))
    assert [value.name for value in model.graph.output] == [f"output.{i}" for i in range(4)]


def small(dtype: str = "fp32") -> Deployed:
    steps = [
        Step("pass.conv", Conv2d(8, 6, (3, 3))),
        Step("pass.bn", BatchNorm2d(6)),
        Step("pass.act", Activation("relu6")),
        Step("pool", AdaptiveAvgPool2d()),
        Step("flat", Flatten()),
        Step("for.linear", Linear(6, 5)),
    ]
    return network(graph_of(MAP, steps), dtype)


EXPECTED = (
    FileLayer("pass.conv", 8 * 6 * 9, 6, 8 * 6 * 9 * 7 * 5 * 2),
    FileLayer("for.linear", 30, 5, 60),
)


@pytest.mark.parametrize(
    ("dtype", "elements", "size"),
    [
        ("fp32", {"float32": 432 + 6 + 30 + 5}, 4 * 473),
        ("fp16", {"float16": 473}, 2 * 473),
        ("int8", {"int8": 462, "int32": 11}, 462 + 44),
    ],
)
def test_a_file_holds_layers_by_our_paths_and_their_bytes(
    dtype: str, elements: Mapping[str, int], size: int
) -> None:
    data = write(small(dtype))
    contents = read(data)
    assert contents.layers == EXPECTED
    assert contents.parameters == elements
    assert contents.parts[PARAMETERS] == size
    assert sum(contents.parts.values()) == len(data)


def test_names_are_paths_also_where_they_are_keywords() -> None:
    graph = onnx.load_model_from_string(write(small())).graph
    assert [node.name for node in graph.node] == [
        "pass.conv", "pass.act", "pool", "flat", "for.linear",
    ]  # fmt: skip
    names = [tensor.name for tensor in graph.initializer if "/" not in tensor.name]
    assert names == [f"{path}.{key}" for path in ("pass.conv", "for.linear") for key in WEIGHTS]
    assert [node.output[0] for node in graph.node][:-1] == [n.name for n in graph.node][:-1]
    assert (graph.input[0].name, graph.output[0].name) == ("input", "output")


WEIGHTS = ("weight", "bias")


def test_every_part_of_a_file_is_as_large_as_onnx_says() -> None:
    made = replace(small("int8"), metadata={"a": "b" * 300})
    data = write(made)
    model = onnx.load_model_from_string(data)
    parts = read(data).parts

    def framed(message: object) -> int:
        size = message.ByteSize()  # type: ignore[attr-defined] # protobuf's own
        return 1 + len(varint(size)) + int(size)

    graph = model.graph
    raw = {tensor.name: len(tensor.raw_data) for tensor in graph.initializer}
    beside = {name: n for name, n in raw.items() if name.endswith(("scale", "zero_point"))}
    ours = {name: n for name, n in raw.items() if name.endswith(WEIGHTS)}
    assert parts[PARAMETERS] == sum(ours.values())
    assert parts["scales and zero points"] == sum(beside.values())
    assert parts["constants"] == sum(raw.values()) - sum((ours | beside).values())
    tensors = sum(map(framed, graph.initializer)) - sum(raw.values())
    assert parts["names and shapes of tensors"] == tensors
    assert parts["nodes"] == sum(map(framed, graph.node))
    assert parts["inputs and outputs"] == sum(map(framed, (*graph.input, *graph.output)))
    assert parts["metadata"] == sum(map(framed, model.metadata_props)) > 300
    assert sum(parts.values()) == len(data) == model.ByteSize()


def varint(value: int) -> bytes:
    found = [value & 127]
    while value := value >> 7:
        found.append(value & 127)
    return bytes(found)


def test_equal_networks_make_equal_bytes() -> None:
    assert write(small("int8")) == write(small("int8"))
    folded, module = deploy(small().graph, 1, None)
    assert write(Deployed(folded, module, 2)) != write(small())


def test_whole_numbers_are_the_weights_to_half_a_step() -> None:
    made = small("int8")
    tensors = {
        tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()).double()
        for tensor in onnx.load_model_from_string(write(made)).graph.initializer
    }
    for key, value in made.parameters().items():
        scale = tensors[f"{key}/scale"]
        columns = scale.reshape(-1, *(1 for _ in value.shape[1:]))
        assert ((tensors[key] * columns - value.double()).abs() / columns).max() <= 0.5 + 1e-4
        if key.endswith(".weight"):
            assert tensors[key].abs().flatten(1).amax(1).tolist() == [127.0] * len(value)
    assert torch.equal(
        tensors["pass.conv.bias/scale"].float(),
        (tensors["pass.conv.weight/scale"] * tensors["input/scale"]).float(),
    )


def test_what_is_all_zeros_or_tiny_is_quantised_to_zeros() -> None:
    made = small("int8")
    for name, parameter in made.module.named_parameters():
        with torch.no_grad():
            parameter.mul_(0 if name.startswith("pass") else 1e-25)
    made = replace(made, ranges=calibrated(made, 0))
    data = write(made)
    assert run(data, made.images(0))[0].abs().max().item() < 1e-9
    for tensor in onnx.load_model_from_string(data).graph.initializer:
        if tensor.name.endswith("/scale"):
            assert numpy_helper.to_array(tensor).min() > 1e-37, tensor.name


def test_a_large_bias_widens_the_scale_of_its_weights() -> None:
    made = small("int8")
    with torch.no_grad():
        made.module.get_parameter("pass.conv.weight").mul_(1e-8)
        made.module.get_parameter("pass.conv.bias").fill_(3)
    made = replace(made, batch=1, ranges=calibrated(made, IMAGE))
    assert off(made) < FAR["int8"]


@pytest.mark.parametrize("block", BLOCKS)
def test_any_block_of_any_fields_is_written_as_torch_runs_it(block: str) -> None:
    for seed in range(3):
        fields, x = fitting(Random(seed), block)
        graph = lowered(BLOCKS[block](**fields), x)
        try:
            assert off(network(graph)) <= FAR["fp32"], fields
        except MbcostError as error:
            assert "which no operator of ONNX does" in str(error), fields  # noqa: PT017


REFUSED: dict[str, tuple[Shape, Layer, str]] = {
    "crops": (MAP, Crop(3, (2, 2)), "x: crops boxes, which the network's own code draws"),
    "even response norm": (MAP, LocalResponseNorm(4), "x: normalises over an even number"),
    "uneven windows": (MAP, AdaptiveAvgPool2d((2, 7)), "x: pools 9×7 to 2×7, windows of two sizes"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_onnx_has_no_operator_for_is_refused(case: str) -> None:
    x, layer, message = REFUSED[case]
    with pytest.raises(MbcostError, match=message):
        write(network(graph_of(x, [Step("x", layer)])))


def test_a_weight_too_large_for_float16_is_refused() -> None:
    made = small("fp16")
    with torch.no_grad():
        made.module.get_parameter("for.linear.bias").fill_(70_000)
    with pytest.raises(MbcostError, match=r"for\.linear\.bias: has a value too large for float16"):
        write(made)


def test_maps_that_are_not_finite_cannot_be_quantised() -> None:
    made = small("int8")
    with torch.no_grad():
        made.module.get_parameter("pass.conv.bias").fill_(float("nan"))
    with pytest.raises(MbcostError, match=r"^pass\.conv: puts out values that are not finite"):
        calibrated(made, 0)
