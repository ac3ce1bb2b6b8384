"""TFLite files: each primitive against torch, names, bytes, scales, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import flatbuffers
import pytest
import torch
from ai_edge_litert import schema_py_generated as schema

from mbcost.errors import MbcostError
from mbcost.graph.graph import Step
from mbcost.graph.primitives import (
    Activation,
    Add,
    BatchNorm2d,
    Concat,
    Conv2d,
    LocalResponseNorm,
    Pool2d,
)
from mbcost.modules.exported import PARAMETERS, FileLayer
from mbcost.modules.exported.deployed import Deployed, largest_difference
from mbcost.modules.exported.quantised import weight_and_bias
from mbcost.modules.exported.tflite import read, run, write
from mbcost.modules.exported.tflite_parts import ALIGNMENT, parts
from mbcost.modules.exported.tflite_weights import ONE_SCALE
from tests.modules.test_onnx import CASES, FAR, IMAGE, MAP, after, graph_of
from tests.modules.test_onnx import network as deployed_network

REFUSED = {
    "flatten alone": "f: reads a flattened map of 8×9×7 as a vector",
    "average pool rounded up": "p: averages windows that reach past the end of their map",
    "average pool padded and rounded up": "p: averages windows that reach past the end",
}


def network(case: str, dtype: str = "fp32", batch: int = 2) -> Deployed:
    return deployed_network(graph_of(*CASES[case]), dtype, "nhwc", batch)


def model_of(data: bytes) -> Any:
    return schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(data, 0))


def operators(data: bytes) -> list[str]:
    names = {number: name for name, number in vars(schema.BuiltinOperator).items()}
    model = model_of(data)
    codes = [names[code.builtinCode] for code in model.operatorCodes]
    return [codes[operator.opcodeIndex] for operator in model.subgraphs[0].operators]


def scales(data: bytes) -> dict[str, tuple[float, int]]:
    """Return scale and zero point of every map by name."""
    model = model_of(data)
    return {
        tensor.name.decode(): (tensor.quantization.scale[0], tensor.quantization.zeroPoint[0])
        for tensor in model.subgraphs[0].tensors
        if model.buffers[tensor.buffer].data is None and tensor.quantization is not None
    }


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize("case", [case for case in CASES if case not in REFUSED])
def test_a_layer_puts_out_what_torch_does(case: str, dtype: str) -> None:
    made = network(case, dtype, batch=1 if dtype == "int8" else 2)
    images = made.images(IMAGE)
    expected = made.outputs(images)
    found = run(write(made), made.laid_out(images))
    assert [y.shape for y in found] == [y.shape for y in expected]
    far = 0.03 if dtype == "int8" else FAR[dtype]  # a pool puts out what it reads' scale
    assert largest_difference(expected, found) <= far


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_operator_computes_as_torch_does_is_refused(case: str) -> None:
    for dtype in ("fp32", "int8"):
        with pytest.raises(MbcostError, match=REFUSED[case]):
            write(network(case, dtype))


def test_an_even_response_norm_is_refused() -> None:
    made = deployed_network(graph_of(MAP, [Step("n", LocalResponseNorm(4))]), "fp32", "nhwc")
    with pytest.raises(MbcostError, match="n: normalises over an even number of channels, 4"):
        write(made)


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "int8"])
def test_several_outputs_come_in_their_order(dtype: str) -> None:
    steps = [after("a"), after("b"), Step("s", Add(), ("a", "b"))]
    made = deployed_network(graph_of(MAP, steps, (2, 0, 1)), dtype, "nhwc", 1)
    images = made.images(IMAGE)
    assert largest_difference(made.outputs(images), run(write(made), made.laid_out(images))) < 0.02


def test_zeros_stand_where_torchs_do() -> None:
    """A stride of 2 on an even map: torch pads both sides, ``SAME`` would pad the far one."""
    strided = Step("c", Conv2d(8, 6, (3, 3), (2, 2), (1, 1), bias=True))
    even = deployed_network(graph_of((8, 8, 8), [strided]), "fp32", "nhwc")
    odd = deployed_network(graph_of((8, 9, 9), [strided]), "fp32", "nhwc")
    assert operators(write(even)) == ["PAD", "CONV_2D"]
    assert operators(write(odd)) == ["CONV_2D"]
    for made in (even, odd):
        images = made.images(IMAGE)
        found = run(write(made), made.laid_out(images))
        assert largest_difference(made.outputs(images), found) < 1e-5


def test_layers_parameters_and_parts_are_read_from_the_file() -> None:
    contents = read(write(network("conv and relu")))
    assert contents.layers == (FileLayer("a", 64, 8, 2 * 64 * 63),)
    assert contents.parameters == {"float32": 72}
    assert contents.constants == {}
    assert contents.parts[PARAMETERS] == 4 * 72
    unbiased = read(write(network("conv without bias", "int8")))
    assert unbiased.parameters == {"int8": 6 * 8 * 3 * 2}
    assert unbiased.constants == {"int32": 6}
    assert unbiased.layers[0].biases == 0
    half = read(write(network("conv and relu", "fp16")))
    assert (half.layers, half.parameters) == (contents.layers, {"float16": 72})


def test_a_batch_norm_that_stays_is_float_in_every_dtype_but_fp16() -> None:
    kinds = {"fp32": "float32", "fp16": "float16", "int8": "float32"}
    for dtype, kind in kinds.items():
        made = network("batch-norm that stays", dtype)
        assert read(write(made)).parameters == {kind: 16}
    assert operators(write(made)) == ["DEQUANTIZE", "MUL", "ADD", "QUANTIZE"]


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "int8"])
def test_every_byte_is_of_one_part(dtype: str) -> None:
    made = replace(network("gate of channels", dtype), metadata={"mbcost.x": "y", "z": ""})
    data = write(made)
    found = read(data).parts
    assert sum(found.values()) == len(data)
    assert found["metadata"] > len("mbcost.xyz")
    assert (found["scales and zero points"] > 0) == (dtype == "int8")


def test_bytes_that_belong_to_nothing_are_seen() -> None:
    data = write(network("conv and relu"))
    buffers = ["constants"] * len(model_of(data).buffers)
    assert parts(data, buffers)[ALIGNMENT] < len(data) // 4
    with pytest.raises(ValueError, match="are of nothing"):
        parts(data + bytes(16), buffers)
    with pytest.raises(ValueError, match="are of nothing"):
        parts(data + b"\1", buffers)


def test_equal_networks_make_equal_bytes_and_say_what_they_are() -> None:
    made = replace(network("conv and relu"), metadata={"mbcost.target": "t"})
    data = write(made)
    assert data == write(replace(network("conv and relu"), metadata={"mbcost.target": "t"}))
    model = model_of(data)
    (entry,) = model.metadata
    assert entry.name == b"mbcost.target"
    assert bytes(model.buffers[entry.buffer].data) == b"t"
    names = [tensor.name.decode() for tensor in model.subgraphs[0].tensors]
    assert names == ["input", "a", "a.weight", "a.bias"]
    (signature,) = model.signatureDefs
    assert [each.name for each in (*signature.inputs, *signature.outputs)] == [b"input", b"output"]


def test_equal_biases_are_stored_twice() -> None:
    made = deployed_network(graph_of(MAP, [after("a"), after("b")]), "fp32", "nhwc")
    for parameter in made.module.parameters():
        parameter.data.zero_()
    assert read(write(made)).parts[PARAMETERS] == 2 * 4 * 72


def test_int8_keeps_to_the_specification() -> None:
    """Weights symmetric with a scale per output channel, biases input · weight, one scale for what
    is only moved, 1/256 and −128 for a sigmoid."""
    pool = Step("p", Pool2d("max", (3, 3), (2, 2), (1, 1)), ("j",))
    steps = [after("a"), after("b"), Step("j", Concat(), ("a", "b")), pool]
    data = write(deployed_network(graph_of(MAP, steps), "int8", "nhwc", 1))
    found = scales(data)
    assert len({found[name] for name in ("a", "b", "j", "p")}) == 1
    assert found["input"] != found["a"]
    tensors = {tensor.name.decode(): tensor for tensor in model_of(data).subgraphs[0].tensors}
    weight, bias = (tensors[f"a.{key}"].quantization for key in ("weight", "bias"))
    assert (len(weight.scale), weight.quantizedDimension) == (8, 0)
    assert not any([*weight.zeroPoint, *bias.zeroPoint])
    assert bias.scale == pytest.approx(weight.scale * found["input"][0], rel=1e-6)
    assert set(operators(data)) & ONE_SCALE
    gate = write(network("activation sigmoid", "int8"))
    assert scales(gate)["x"] == (1 / 256, -128)


def test_a_sigmoid_among_maps_of_other_ranges_is_refused_in_int8_alone() -> None:
    sigmoid = Step("x", Activation("sigmoid"), ("a",))
    steps = [after("a"), sigmoid, Step("j", Concat(), ("x", "a"))]
    for dtype in ("fp32", "fp16"):
        write(deployed_network(graph_of(MAP, steps), dtype, "nhwc", 1))
    with pytest.raises(MbcostError, match=r"^x: is joined with maps of other ranges"):
        write(deployed_network(graph_of(MAP, steps), "int8", "nhwc", 1))


def test_maps_that_cancel_out_are_refused_in_int8() -> None:
    made = deployed_network(
        graph_of(MAP, [after("a"), Step("s", Add(), ("a", "@0"))]), "int8", "nhwc", 1
    )
    assert made.ranges is not None
    made = replace(made, ranges={**made.ranges, 1: (-1e-9, 1e-9)})
    with pytest.raises(MbcostError, match=r"^s: adds maps that cancel out"):
        write(made)


def test_two_batch_norms_in_a_row_are_both_computed() -> None:
    steps = [after("a"), Step("b", BatchNorm2d(8)), Step("c", BatchNorm2d(8))]
    made = deployed_network(graph_of(MAP, steps), "fp32", "nhwc")
    images = made.images(IMAGE)
    found = run(write(made), made.laid_out(images))
    assert largest_difference(made.outputs(images), found) < 1e-5
    assert torch.equal(found[0], run(write(made), made.laid_out(images))[0])


def test_a_weight_too_large_for_float16_is_named() -> None:
    made = deployed_network(graph_of(*CASES["conv"]), "fp16", "nhwc", louder=1e6)
    with pytest.raises(MbcostError, match="has a value too large for float16"):
        write(made)


def test_an_average_counts_torchs_zeros() -> None:
    """``SAME`` would give the shape, and divide by the cells inside the map alone."""
    pool = Step("p", Pool2d("avg", (3, 3), (1, 1), (1, 1)))
    made = deployed_network(graph_of(MAP, [pool]), "fp32", "nhwc")
    assert operators(write(made)) == ["PAD", "AVERAGE_POOL_2D"]
    images = made.images(IMAGE)
    found = run(write(made), made.laid_out(images))
    assert largest_difference(made.outputs(images), found) < 1e-5


def test_a_map_behind_a_fused_relu_has_no_scale_for_what_is_cut_off() -> None:
    made = network("conv and relu", "int8", 1)
    assert made.ranges is not None
    (low, high), (cut, top) = made.ranges[0], made.ranges[1]
    assert (cut, top) == (0, high)
    assert low < 0
    scale, zero_point = scales(write(made))["a"]
    assert (scale, zero_point) == pytest.approx((high / 255, -128))


def test_a_parameter_has_its_own_bytes_beside_constants_that_equal_it() -> None:
    unbiased = Step("z", Conv2d(8, 8, (1, 1)), ("@0",))
    made = deployed_network(graph_of(MAP, [unbiased, after("a")]), "fp32", "nhwc")
    for parameter in made.module.parameters():
        parameter.data.zero_()
    contents = read(write(made))
    assert contents.parts[PARAMETERS] == 4 * (64 + 72)
    assert contents.constants == {"float32": 8}
    assert contents.parts["constants"] == 4 * 8


def test_a_layer_that_reads_the_weight_of_another_is_seen_by_name() -> None:
    model = model_of(write(network("conv and relu")))
    (weight,) = (t for t in model.subgraphs[0].tensors if t.name == b"a.weight")
    weight.name = b"b.weight"
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    (layer,) = read(bytes(builder.Output())).layers
    assert layer.path == "a of b.weight"


def test_the_largest_weight_of_a_channel_is_127_steps() -> None:
    weight = torch.tensor([[0.5, -2.54], [1.0, 0.0], [0.0, 0.0]])
    whole, counted = weight_and_bias(weight, torch.tensor([1.0, -0.5, 0.0]), 0.5)
    assert counted is not None
    assert whole.values.tolist() == [[25, -127], [127, 0], [0, 0]]
    assert whole.scale.tolist() == pytest.approx([0.02, 1 / 127, 1])
    assert counted.scale.tolist() == pytest.approx([0.01, 0.5 / 127, 0.5])
    assert counted.values.tolist() == [100, -127, 0]
