"""Deployed files against the closed form: ten networks, and faults that are planted in a file."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import onnx
import pytest
import torch
from onnx import ModelProto

from mbcost.cost import DTYPES
from mbcost.errors import CheckFailedError, MbcostError
from mbcost.modules.exported import FILE_FORMATS
from mbcost.networks.yaml import builtins
from mbcost.studies.deploy import Deployment, Storage, Written, deployment
from mbcost.studies.deploy_table import COLUMNS, deploy_table, record
from mbcost.targets.resolve import resolve_one
from tests.proofs.deploy import prove, targets

TEN = (
    "v1@alpha=0.5,size=64",
    "v2@alpha=0.35,size=64,batch=2",
    "v3-small@size=64",
    "v3-large@alpha=0.5,size=96",
    "shufflenet-v2@size=64",
    "ghostnet@size=64",
    "googlenet@size=64",
    "efficientnet-b0@size=64",
    "ssdlite-v3-small@size=128",
    "deeplabv3-v3-large-torchvision@size=65",
)

WITHOUT_MICRO = ("googlenet@size=64",)
"""TFLite Micro has no local response norm."""


@pytest.mark.parametrize("target", TEN)
def test_a_file_is_what_the_closed_form_says(target: str) -> None:
    for dtype, layout in (("fp32", "nchw"), ("fp16", "nhwc"), ("int8", "nhwc")):
        found = prove(target, dtype, layout)
        assert found.problems == ()
        assert found.layers > 20


@pytest.mark.parametrize("target", TEN)
def test_a_tflite_file_is_what_the_closed_form_says(target: str) -> None:
    for dtype in DTYPES:
        found = prove(target, dtype, suffix=".tflite")
        assert found.problems == ()
        assert found.layers > 20
        assert found.difference < {"fp32": 1e-5, "fp16": 2e-3, "int8": 0.1}[dtype]
        assert found.planned == (dtype != "fp16" and target not in WITHOUT_MICRO)


def test_the_proof_has_every_network_and_the_blocks() -> None:
    assert len(targets()) > 60
    assert {"v2", "deeplabv3-v2", "ssd-v1", "standard"} <= set(targets())
    left = builtins().keys() - set(targets())
    assert left == {name for name in builtins() if name.startswith("faster-rcnn")}


def made(target: str = "v3-small@size=32", **storage: object) -> Deployment:
    asked = replace(Storage(), **storage)  # type: ignore[arg-type] # its own fields
    return deployment(resolve_one(target), asked, ["net.onnx"])


def planted(found: Deployment, change: Callable[[ModelProto], object]) -> Written:
    """Return the file of a deployment with something changed in it, read anew."""
    (file,) = found.written
    model = onnx.load_model_from_string(file.data)
    change(model)
    data = model.SerializeToString()
    return file._replace(data=data, contents=file.form.read(data))


def renamed(model: ModelProto) -> None:
    model.graph.node[0].name = "rows.0.convolution"


def narrower(model: ModelProto) -> None:
    """The last layer loses an output."""
    weight, bias = (tensor for tensor in model.graph.initializer if "15.linear" in tensor.name)
    weight.raw_data = weight.raw_data[: -4 * weight.dims[1]]
    weight.dims[0] -= 1
    bias.raw_data = bias.raw_data[:-4]
    bias.dims[0] -= 1
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value -= 1


def strided(model: ModelProto) -> None:
    """The first layer keeps its weights and does four times the work; maps are pooled anyway."""
    (strides,) = (a for a in model.graph.node[0].attribute if a.name == "strides")
    strides.ints[:] = [1, 1]


FAULTS = {
    "renamed": (renamed, ["rows.0.conv is None", "rows.0.convolution is FileLayer"]),
    "narrower": (narrower, ["rows.15.linear is FileLayer", "its parameters are", "bytes of param"]),
    "more work": (strided, ["rows.0.conv is FileLayer"]),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_in_a_file_is_found_by_the_layers_name(case: str) -> None:
    change, expected = FAULTS[case]
    found = made()
    wrong = replace(found, written=(planted(found, change),))
    problems = list(wrong.problems(wrong.written[0]))
    for message in expected:
        assert [text for text in problems if text.startswith(message) or message in text], message
    assert wrong.matched(wrong.written[0]) < len(wrong.layers)
    assert not record(wrong, wrong.written[0])["verified"]
    with pytest.raises(CheckFailedError, match=r"net\.onnx: rows\.\S+ is .*nothing was written"):
        wrong.raise_if_wrong()


def test_an_arena_that_tflite_micro_plans_otherwise_is_a_failed_check() -> None:
    found = deployment(resolve_one("v3-small@size=32"), Storage("int8"), ["net.tflite"])
    (file,) = found.written
    assert file.arena is not None
    assert file.arena.measured == file.arena.size
    wrong = file._replace(arena=file.arena._replace(size=file.arena.size + 16))
    (problem,) = found.problems(wrong)
    assert problem.startswith("TFLite Micro plans an arena of ")
    assert not found.verified(wrong)


def test_the_file_as_it_is_has_no_fault() -> None:
    found = made()
    same = planted(found, lambda model: None)
    assert list(found.problems(same)) == []


def test_outputs_far_from_torch_are_a_failed_check_in_float32_alone() -> None:
    for dtype in ("fp32", "int8"):
        found = made(dtype=dtype)
        far = replace(found, written=(found.written[0]._replace(difference=1.1e-5),))
        found.raise_if_far()
        if dtype == "int8":
            far.raise_if_far()
            continue
        assert not record(far, far.written[0])["verified"]
        with pytest.raises(CheckFailedError, match=r"^net\.onnx: differs by 1\.1e-05 of the larg"):
            far.raise_if_far()


@pytest.mark.parametrize("dtype", ["fp32", "int8"])
def test_outputs_that_are_no_numbers_are_a_failed_check(dtype: str) -> None:
    found = made(dtype=dtype)
    wrong = replace(found, written=(found.written[0]._replace(difference=math.inf),))
    assert record(wrong, wrong.written[0])["max_difference"] is None
    assert not wrong.verified(wrong.written[0])
    with pytest.raises(CheckFailedError, match=r"^net\.onnx: puts out values that are not finite"):
        wrong.raise_if_far()


def test_a_runtime_that_computes_something_else_is_seen() -> None:
    """The difference is measured: a file with one weight changed is far off."""
    found = made()
    (file,) = found.written
    model = onnx.load_model_from_string(file.data)
    weight = model.graph.initializer[0]
    weight.raw_data = bytes(len(weight.raw_data))
    wrong = FILE_FORMATS[".onnx"].run(model.SerializeToString(), images := _images(found))
    right = FILE_FORMATS[".onnx"].run(file.data, images)
    assert (wrong[0] - right[0]).abs().max() > 1e-3 * right[0].abs().max()


def _images(found: Deployment) -> torch.Tensor:
    return torch.rand(1, *found.report.x)


def test_a_record_has_every_column_and_adds_up() -> None:
    found = made(dtype="int8", layout="nhwc", input_range=(0.0, 255.0))
    (row,) = deploy_table(found).data
    assert tuple(row) == tuple(COLUMNS)
    assert row["file_bytes"] == row["predicted_bytes"] + row["overhead_bytes"]
    (document,) = deploy_table(found).document
    assert sum(document["overhead"].values()) == row["overhead_bytes"]
    assert sum(layer["mult_adds"] for layer in document["file_layers"]) == row["mult_adds"]
    assert row["mult_adds"] == found.report.mult_adds
    assert (row["input_low"], row["input_high"]) == (0, 255)
    metadata = onnx.load_model_from_string(found.written[0].data).metadata_props
    assert {prop.key: prop.value for prop in metadata} == {
        "mbcost.target": "v3-small",
        "mbcost.settings": "size=32",
        "mbcost.dtype": "int8",
        "mbcost.input_range": "0:255",
        "mbcost.weights": "random, seed 0",
        "mbcost.layout": "nhwc",
    }


def test_a_target_that_is_folded_already_is_the_same_file() -> None:
    plain, folded = made("v1@size=32"), made("v1@size=32,fold_bn=true")
    expected = plain.written[0].contents
    expected.parts.pop("metadata")  # there the setting stands
    for found in (made("v1@size=32"), folded):
        contents = found.written[0].contents
        parts = {name: n for name, n in contents.parts.items() if name != "metadata"}
        assert contents._replace(parts=parts) == expected


REFUSED = {
    "boxes": ("faster-rcnn-v1@size=64", {}, r"crops boxes, which the network's own code draws"),
    "elsewhere": ("torchvision:mobilenet_v2", {}, "is a model from elsewhere"),
    "too large a file": ("v1@alpha=10,fold_bn=true,classes=600000", {}, "a file of ONNX holds 2"),
    "too large to run": ("v1@size=8192", {}, "is too large to be run here: "),
    "unknown dtype": ("v1", {"dtype": "int4"}, "unknown dtype 'int4'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_deployed_is_refused(case: str) -> None:
    target, storage, message = REFUSED[case]
    with pytest.raises(MbcostError, match=message):
        made(target, **storage)
