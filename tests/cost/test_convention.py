"""How counters add up: the totals of one small network, worked out by hand from what each says."""

from __future__ import annotations

import pytest

from mbcost.cost import CONVENTIONS, Terms, cost_of
from mbcost.graph.graph import Graph, Node, Step, wire
from mbcost.graph.primitives import (
    Activation,
    AdaptiveAvgPool2d,
    BatchNorm2d,
    Conv2d,
    Flatten,
    Linear,
    Pool2d,
    Scale,
    Upsample,
)

CONV, BIAS = 4 * 3 * 9 * 48, 4 * 48
"""Of a 3×3 convolution from 3 to 4 channels on a map of 6×8."""
MAP, POOLED = 4 * 6 * 8, 4 * 3 * 4
LINEAR = 4 * 5
EXPECTED = {
    "papers": CONV + LINEAR,
    "torch": 2 * (CONV + LINEAR),
    "torchinfo": CONV + BIAS + 2 * 4 + LINEAR + 5,
    "fvcore": CONV + 2 * MAP + 4 * MAP + MAP + LINEAR,
    "ptflops-aten": CONV + BIAS + LINEAR + 5,
    # its module and its function: ReLU and both pools; upsampling: the module and the function
    "ptflops-pytorch": CONV + BIAS + 2 * MAP + 2 * MAP + 2 * MAP + 2 * MAP + 2 * MAP + LINEAR + 5,
    # upsampling is 11 an element; the average pools: outputs, and inputs with outputs
    "thop": CONV + 4 * MAP + POOLED + 11 * MAP + MAP + 4 + LINEAR,
    "torchprofile": CONV + MAP + POOLED + 4 * MAP + MAP + 4 + LINEAR,
    # the pool's windows are of 2×2, the mean reads its map; the initialiser is 2 a weight and the
    # regulariser 3, the image is scaled and shifted; the last layer is no upsampling: no arg max
    "tensorflow-profile": 2 * (CONV + LINEAR)
    + BIAS
    + 5
    + 4 * POOLED
    + MAP
    + MAP
    + 5 * (4 * 3 * 9 + 20)
    + 2 * 3 * 6 * 8,
    "tensorflow-exporter": 2 * (CONV + LINEAR) + 4 * POOLED + MAP + MAP,
}


def small() -> Graph:
    nodes: list[Node] = []
    steps = (
        Step("conv", Conv2d(3, 4, (3, 3), padding=(1, 1), bias=True)),
        Step("bn", BatchNorm2d(4)),
        Step("act", Activation("relu")),
        Step("pool", Pool2d("avg", (2, 2), (2, 2))),
        Step("up", Upsample((6, 8))),
        Step("scale", Scale(), ("up", "up")),
        Step("mean", AdaptiveAvgPool2d()),
        Step("flatten", Flatten()),
        Step("linear", Linear(4, 5)),
    )
    wire(nodes, steps, "", "", -1, (3, 6, 8))
    return Graph((3, 6, 8), tuple(nodes))


@pytest.mark.parametrize("name", CONVENTIONS)
def test_a_small_networks_total_is_as_worked_out_by_hand(name: str) -> None:
    report = cost_of(small(), "small", batch=3)
    assert report.total(CONVENTIONS[name]) == 3 * EXPECTED[name]


@pytest.mark.parametrize("name", CONVENTIONS)
def test_a_total_is_linear_in_every_term(name: str) -> None:
    convention = CONVENTIONS[name]
    assert convention.name == name
    assert convention.total(Terms()) == 0
    for term in Terms._fields:
        weight = convention.total(Terms()._replace(**{term: 1}))
        assert weight == getattr(convention.weights, term)
        assert convention.total(Terms()._replace(**{term: 1000})) == 1000 * weight


TRACED = Terms(
    norm_params=7,
    mult_adds=1000,
    bias_adds=100,
    functional_mult_adds=10,
    functional_bias_adds=1,
    functional_norm_params=2,
    functional_norm_elements=30,
    norm_elements=300,
    layer_norm_elements=200,
    subclass_mult_adds=20,
    subclass_bias_adds=5,
    repeated_linear=90,
    unfused_bias_adds=50,
    attention_mult_adds=400,
    named_product_mult_adds=3,
    unhandled_mult_adds=500,
    parameter_rule_excess=11,
)
"""What only a trace finds: functions, classes of a user's own, fused attention, other norms."""
OF_TRACED = {
    "papers": 1000,
    "torch": 2 * (1000 - 500),  # those that it has no formula for
    "torchinfo": 1000 + 100 + 7 - 10 - 1 - 2 - 90 + 11,
    "fvcore": 1000 - 400 - 500 + 2 * 300 + 5 * 200,
    "ptflops-aten": 1000 + 100 - 50 - 500,
    "ptflops-pytorch": 1000 + 100 - 10 - 1 - 20 - 5 + 3 + 2 * (300 + 200 - 30),
    "thop": 1000 - 10 - 20 + 4 * (300 + 200 - 30),
    "torchprofile": 1000 + 300 + 200,
}


@pytest.mark.parametrize("name", OF_TRACED)
def test_what_only_a_trace_finds_is_weighed_as_each_counter_says(name: str) -> None:
    assert CONVENTIONS[name].total(TRACED) == OF_TRACED[name]


def test_upsampling_is_named_where_there_is_some() -> None:
    fvcore, papers = CONVENTIONS["fvcore"], CONVENTIONS["papers"]
    assert fvcore.words(upsampling=True) == f"{fvcore.counts}, 4 per upsampled element"
    assert fvcore.words(upsampling=False) == fvcore.counts
    assert papers.words(upsampling=True) == papers.counts
