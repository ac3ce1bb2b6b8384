from __future__ import annotations

import sys
from contextlib import suppress
from math import prod
from pathlib import Path
from random import Random
from typing import Any

import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from mbcost.errors import LayerError, MbcostError
from mbcost.graph.fold import fold_batch_norms
from mbcost.graph.graph import Graph, Step
from mbcost.graph.kernels import kernels
from mbcost.graph.primitives import (
    ACTIVATIONS,
    Activation,
    AdaptiveAvgPool2d,
    Add,
    BatchNorm2d,
    ChannelShuffle,
    Concat,
    Conv2d,
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
from mbcost.modules.exported.constants import Dtype
from mbcost.modules.exported.tflite_refused import NotWrittenError
from mbcost.modules.exported.tflite_writer import WrittenFusion, tflite_bytes
from mbcost.networks.blocks import BLOCKS
from mbcost.networks.yaml import builtin
from tests import strategies
from tests.graph.test_kernels import graph_of

DTYPES: tuple[Dtype, ...] = ("fp32", "int8")
FUSED: tuple[WrittenFusion, ...] = ("none", "tflite")


def interpreter(model: bytes) -> Any:
    """Return LiteRT's interpreter, which works out every shape by itself."""
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    found = Interpreter(model_content=model, experimental_op_resolver_type=plain)
    found.allocate_tensors()
    return found


def shapes(graph: Graph, dtype: Dtype, fuse: WrittenFusion = "tflite") -> list[tuple[Shape, Shape]]:
    """Return the shape of each map as we have it and as LiteRT has it, both C×H×W."""
    found = kernels(graph, fuse)
    details = interpreter(tflite_bytes(graph, dtype, fuse=fuse)).get_tensor_details()
    theirs = {each["index"]: tuple(map(int, each["shape"])) for each in details}
    for i in range(len(found.kernels) + 1):
        assert theirs[i][0] == 1
    return [(found.shape(i), (theirs[i][-1], *theirs[i][1:-1])) for i in range(len(theirs))
            if i <= len(found.kernels)]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "name", ["v1", "v3-small", "shufflenet-v2", "squeezenet", "v2-projection", "ssdlite-v3-small"]
)
def test_litert_works_out_the_shapes_of_a_network(name: str, dtype: Dtype) -> None:
    found = shapes(builtin(name).graph({"size": (96, 96)}), dtype)
    assert len(found) > 15
    assert [(ours, theirs) for ours, theirs in found if ours != theirs] == []


MAP = Step("a", Conv2d(4, 6, (3, 3), padding=(1, 1)), ("@0",))
LAYERS = {
    "a biased convolution": (Step("l", Conv2d(4, 6, (3, 5), (2, 1), (1, 2), bias=True)),),
    "a dilated convolution": (Step("l", Conv2d(4, 6, (3, 3), padding=(2, 2), dilation=(2, 2))),),
    "a dilated depthwise convolution": (
        Step("l", Conv2d(4, 8, (3, 3), padding=(2, 2), dilation=(2, 2), groups=4)),
    ),
    "a convolution in groups": (Step("l", Conv2d(4, 6, (1, 1), groups=2)),),
    "a convolution that is padded": (Step("l", Conv2d(4, 6, (5, 5), (3, 3), (1, 1))),),
    "a maximum that is padded": (Step("l", Pool2d("max", (3, 3), (2, 2), (1, 1), ceil=True)),),
    "an average that is padded": (Step("l", Pool2d("avg", (3, 3), (3, 3), (1, 1))),),
    "an average": (Step("l", Pool2d("avg", (2, 2), (2, 2))),),
    "a pool to cells": (Step("l", AdaptiveAvgPool2d((2, 4))),),
    "a classifier": (Step("f", Flatten()), Step("l", Linear(256, 3)), Step("m", Linear(3, 2))),
    "a classifier without a bias": (Step("f", Flatten()), Step("l", Linear(256, 3, bias=False))),
    "a batch-norm": (Step("l", BatchNorm2d(4)),),
    "a slice": (Step("l", Slice(1, 3)),),
    "a shuffle": (Step("l", ChannelShuffle(2)),),
    "space to depth": (Step("l", SpaceToDepth(2)),),
    "an interpolation": (Step("l", Upsample((16, 24))),),
    "a gate": (MAP, Step("g", AdaptiveAvgPool2d(), ("a",)), Step("l", Scale(), ("a", "g"))),
    "a product": (MAP, Step("l", Scale(), ("a", "a"))),
    "a sum of three": (MAP, Step("l", Add(), ("a", "a", "a")), Step("r", Activation("relu6"))),
    "a join": (MAP, Step("l", Concat(), ("a", "@0"))),
} | {name: (Step("l", Activation(name)),) for name in ACTIVATIONS}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layer", LAYERS)
def test_litert_works_out_the_shapes_of_a_layer_and_runs_it(layer: str, dtype: Dtype) -> None:
    graph = graph_of(*LAYERS[layer])
    for fuse in FUSED:
        found = shapes(graph, dtype, fuse)
        assert [(ours, theirs) for ours, theirs in found if ours != theirs] == []
        interpreter(tflite_bytes(graph, dtype, fuse=fuse, batch=2)).invoke()


def test_litert_works_out_the_shapes_of_random_blocks() -> None:
    draw, count = Random(5), 0
    for block in sorted(BLOCKS):
        fields, x = strategies.fitting(draw, block)
        graph = strategies.lowered(BLOCKS[block](**fields), x)
        with suppress(LayerError, NotWrittenError):
            found = shapes(graph, "fp32")
            assert [(ours, theirs) for ours, theirs in found if ours != theirs] == [], fields
            count += 1
    assert count > len(BLOCKS) - 5


def test_a_local_response_norm_is_a_float_operator() -> None:
    graph = graph_of(Step("lrn", LocalResponseNorm(5)))
    assert shapes(graph, "fp32") == [((4, 8, 8), (4, 8, 8))] * 2


def test_litert_computes_what_torch_does_of_what_has_no_weights() -> None:
    """A shuffle, a slice and a join move channels to where torch's do."""
    import torch

    from mbcost.modules import build

    steps = (Step("s", ChannelShuffle(2), ("@0",)), Step("t", Slice(1, 4), ("s",)))
    graph = graph_of(*steps, Step("j", Concat(), ("t", "@0")), Step("r", Activation("hardswish")))
    x = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    runner = interpreter(tflite_bytes(graph, "fp32"))
    runner.set_tensor(0, x.permute(0, 2, 3, 1).contiguous().numpy())
    runner.invoke()
    (index,) = kernels(graph, "tflite").outputs
    theirs = torch.from_numpy(runner.get_tensor(index)).permute(0, 3, 1, 2)
    torch.testing.assert_close(theirs, build(graph)(x))


def read(model: bytes) -> Any:
    return schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))


@pytest.mark.parametrize("dtype", DTYPES)
def test_weights_have_their_size_and_begin_at_multiples_of_16(dtype: Dtype) -> None:
    graph = fold_batch_norms(builtin("v2").graph())
    model = tflite_bytes(graph, dtype)
    assert model[4:8] == b"TFL3"
    root = schema.Model.GetRootAsModel(model, 0)
    buffers = [root.Buffers(i) for i in range(root.BuffersLength())]
    starts = [
        buffer._tab.Vector(buffer._tab.Offset(4)) for buffer in buffers if buffer.DataLength()
    ]
    assert starts
    assert all(start % 16 == 0 for start in starts)
    (subgraph,) = read(model).subgraphs
    weights = {"fp32": 4, "int8": 1}[dtype]
    written = 0
    for tensor in subgraph.tensors[len(kernels(graph, "tflite").kernels) + 1 :]:
        itemsize = 4 if tensor.type == schema.TensorType.INT32 else weights
        assert buffers[tensor.buffer].DataLength() == prod(tensor.shape) * itemsize
        written += prod(tensor.shape)
    params = sum(
        prod((layer.c_out, layer.c_in // layer.groups, *layer.kernel)) + layer.c_out
        for layer in (node.layer for node in graph.nodes)
        if isinstance(layer, Conv2d)
    )
    assert written == params + 1280 * 1000 + 1000


def test_a_hollow_file_has_no_weights() -> None:
    graph = builtin("vgg16").graph()
    assert len(tflite_bytes(graph, "fp32", hollow=True)) < 20_000


def test_what_tflite_has_no_operator_for_is_refused() -> None:
    uneven = graph_of(Step("pool", AdaptiveAvgPool2d((3, 3))))
    with pytest.raises(MbcostError, match="pool: 3×3 cells of 8×8 pixels are not of one size"):
        tflite_bytes(uneven, "fp32")
    flat = graph_of(Step("flat", Flatten()), Step("soft", Activation("softmax")))
    with pytest.raises(MbcostError, match="soft: reads a flattened map of 4×8×8 as a vector"):
        tflite_bytes(flat, "fp32")


def test_without_litert_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    with pytest.raises(MbcostError, match=r"pip install 'mbcost\[tflite\]'"):
        tflite_bytes(builtin("v1").graph(), "int8")


def test_the_file_is_the_same_each_time(tmp_path: Path) -> None:
    graph = builtin("v3-small").graph()
    assert tflite_bytes(graph, "int8") == tflite_bytes(graph, "int8")
