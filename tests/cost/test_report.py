"""Sums over layers: a report of three layers, every figure of it worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mbcost.cost import CONVENTIONS, CostReport, LayerCost, Terms, cost_of
from mbcost.errors import MbcostError
from mbcost.graph.graph import Graph, Node, Step, wire
from mbcost.graph.primitives import Activation, BatchNorm2d, Conv2d

CONV = LayerCost(
    "stem.conv",
    "stem",
    "conv",
    (3, 8, 8),
    (4, 4, 4),
    Terms(weights=108, bias_params=4, mult_adds=1728, bias_adds=64),
    (3, 3),
    (2, 2),
    1,
)
NORM = LayerCost(
    "stem.bn",
    "stem",
    "batch_norm",
    (4, 4, 4),
    (4, 4, 4),
    Terms(norm_params=8, norm_buffers=8, norm_elements=64),
)
MATMUL = LayerCost(
    "self:matmul#2", "head", "matmul", (4, 4, 4), (4, 4), Terms(mult_adds=64), put_out=160
)
REPORT = CostReport("three", (CONV, NORM, MATMUL), (3, 8, 8), (4, 4), batch=5)


def test_sums_are_for_the_batch_and_parameters_are_not() -> None:
    assert (REPORT.params, REPORT.params_weights, REPORT.params_all) == (120, 108, 128)
    assert REPORT.params_as("without_norm") == 112
    assert REPORT.mult_adds == 5 * (1728 + 64)
    assert REPORT.total(CONVENTIONS["fvcore"]) == 5 * (1728 + 64 + 2 * 64)
    assert REPORT.total(CONVENTIONS["torchinfo"]) == 5 * (1728 + 64 + 64 + 8)


def test_layers_that_stand_for_the_batch_are_not_multiplied_again() -> None:
    traced = replace(REPORT, images=5)
    assert (traced.scale, REPORT.scale) == (1, 5)
    assert traced.mult_adds == 1792
    assert traced.by_kind("mult_adds") == {"conv": 1728, "matmul": 64}
    assert [row["mult_adds"] for row in traced.records()] == [1728, 0, 64]


def test_layers_that_run_for_every_box_count_so_often_and_have_their_weights_once() -> None:
    crop = CONV._replace(path="crop", kind="crop", y=(3, 2, 2), terms=Terms(), maps=7)
    many = CONV._replace(path="many", times=7, maps=7)
    report = CostReport("boxes", (CONV, crop, many), (3, 8, 8), (4, 4, 4), batch=5)
    assert [layer.mult_adds for layer in report.layers] == [1728, 0, 7 * 1728]
    assert [layer.elements for layer in report.layers] == [64, 7 * 12, 7 * 64]
    assert report.mult_adds == 5 * 8 * 1728
    assert report.total(CONVENTIONS["torchinfo"]) == 5 * 8 * (1728 + 64)
    assert report.by_kind("mult_adds") == {"conv": 5 * 8 * 1728}
    assert report.params == 2 * 112
    assert many.counted(CONVENTIONS["torchinfo"]) == 7 * 1792


def test_bytes_are_those_of_torchinfo() -> None:
    assert REPORT.input_bytes == 5 * 3 * 8 * 8 * 4
    assert replace(REPORT, more_inputs=((7,), (2, 3))).input_bytes == 5 * (192 + 7 + 6) * 4
    assert replace(REPORT, input_elements=10).input_bytes == 40
    assert REPORT.forward_backward_bytes == 2 * 5 * (64 + 64) * 4  # not the product: no parameters
    saved = replace(REPORT, layers=(CONV, NORM._replace(saved=False), MATMUL._replace(saved=True)))
    assert saved.forward_backward_bytes == 2 * 5 * (64 + 160) * 4
    assert REPORT.param_bytes == 480
    assert REPORT.weight_bytes("int8") == 108 + 4 * 12
    assert REPORT.total_bytes == 3840 + 5120 + 480
    with pytest.raises(MbcostError, match=r"unknown dtype 'int4' \(fp32 or fp16 or int8"):
        REPORT.weight_bytes("int4")


def test_sums_by_kind_and_by_block() -> None:
    assert REPORT.by_kind("params") == {"conv": 112, "batch_norm": 8}
    assert REPORT.by_kind("mult_adds") == {"conv": 8640, "matmul": 320}
    assert REPORT.by_block() == {"stem": (120, 8640), "head": (0, 320)}
    with pytest.raises(MbcostError, match="unknown figure 'bytes'"):
        REPORT.by_kind("bytes")


def test_a_restated_report_says_mult_adds_as_a_counter_does() -> None:
    restated = REPORT.restated(CONVENTIONS["torchinfo"])
    assert [layer.mult_adds for layer in restated.layers] == [1792, 8, 64]
    assert restated.mult_adds == 5 * 1864 == REPORT.total(CONVENTIONS["torchinfo"])
    assert restated.params == REPORT.params


def test_a_record_holds_a_layer_as_plain_data() -> None:
    assert CONV.record(5) == {
        "path": "stem.conv",
        "kind": "conv",
        "kernel": 3,
        "stride": 2,
        "groups": 1,
        "input": [3, 8, 8],
        "output": [4, 4, 4],
        "params": 112,
        "mult_adds": 8640,
    }
    assert CONV._replace(kernel=(1, 7)).record(1)["kernel"] == "1x7"
    assert [row["kernel"] for row in REPORT.records()] == [3, None, None]


def test_a_layer_knows_its_module_and_its_elements() -> None:
    assert (CONV.module, MATMUL.module) == ("stem.conv", "")
    assert CONV._replace(path="stem.conv#2").module == "stem.conv"
    assert CONV._replace(path="head.norm:layer_norm").module == "head.norm"
    assert (CONV.elements, MATMUL.elements) == (64, 160)


def test_a_graphs_layers_cost_what_their_terms_say() -> None:
    nodes: list[Node] = []
    steps = (
        Step("conv", Conv2d(3, 4, (1, 3), (2, 1))),
        Step("bn", BatchNorm2d(4)),
        Step("act", Activation("relu")),
    )
    wire(nodes, steps, "rows.0", "rows.0", -1, (3, 4, 6))
    report = cost_of(Graph((3, 4, 6), tuple(nodes), outputs=(0, 2)), "one", batch=2)
    assert [(layer.path, layer.kind, layer.params) for layer in report.layers] == [
        ("rows.0.conv", "conv", 36),
        ("rows.0.bn", "batch_norm", 8),
        ("rows.0.act", "activation", 0),
    ]
    assert (report.layers[0].kernel, report.layers[0].stride) == ((1, 3), (2, 1))
    assert report.mult_adds == 2 * 36 * 2 * 4
    assert report.ys == ((4, 2, 4), (4, 2, 4))
    assert cost_of(Graph((3, 4, 6), tuple(nodes)), "one").ys == ()
    assert not report.upsamples
    assert report.uncounted == {}
