from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mbcost.cost import CONVENTIONS, cost_of, kind, terms
from mbcost.errors import LayerError
from mbcost.graph.graph import Graph, Node, Step, wire
from mbcost.graph.primitives import (
    Activation,
    AdaptiveAvgPool2d,
    Add,
    BatchNorm2d,
    ChannelShuffle,
    Concat,
    Conv2d,
    Flatten,
    Layer,
    Linear,
    LocalResponseNorm,
    Pool2d,
    Shape,
    Slice,
)
from mbcost.graph.shapes import output_shape
from mbcost.modules import build
from mbcost.modules.graph_module import primitive


def test_stride_two_rounds_odd_sizes_up() -> None:
    conv = Conv2d(3, 8, (3, 3), (2, 2), (1, 1))
    assert output_shape(conv, [(3, 7, 8)]) == (8, 4, 4)


@settings(deadline=None)
@given(
    k=st.integers(1, 7),
    s=st.integers(1, 4),
    p=st.integers(0, 5),
    d=st.integers(1, 3),
    h=st.integers(1, 20),
    w=st.integers(1, 20),
)
def test_convolution_shapes_and_refusals_are_torchs(
    k: int, s: int, p: int, d: int, h: int, w: int
) -> None:
    conv = Conv2d(2, 4, (k, k), (s, s), (p, p), (d, d))
    module = primitive(conv)
    assert module is not None
    try:
        theirs = tuple(module(torch.zeros(1, 2, h, w)).shape[1:])
    except RuntimeError:
        with pytest.raises(LayerError, match="larger than its padded input"):
            output_shape(conv, [(2, h, w)])
        return
    assert output_shape(conv, [(2, h, w)]) == theirs


@settings(deadline=None)
@given(
    mode=st.sampled_from(("max", "avg")),
    k=st.integers(1, 5),
    s=st.integers(1, 3),
    p=st.integers(0, 3),
    h=st.integers(1, 12),
    ceil=st.booleans(),
)
def test_pooling_shapes_and_refusals_are_torchs(
    mode: str, k: int, s: int, p: int, h: int, ceil: bool
) -> None:
    pool = Pool2d(mode, (k, k), (s, s), (p, p), ceil)
    module = primitive(pool)
    assert module is not None
    try:
        theirs = tuple(module(torch.zeros(1, 2, h, h)).shape[1:])
    except RuntimeError:
        with pytest.raises(LayerError):
            output_shape(pool, [(2, h, h)])
        return
    assert output_shape(pool, [(2, h, h)]) == theirs


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (Linear(8, 2), "linear"),
        (Conv2d(8, 8, (3, 3), groups=8), "depthwise"),
        (Conv2d(8, 16, (3, 3), groups=8), "depthwise"),
        (Conv2d(1, 8, (3, 3), groups=1), "conv"),
        (Conv2d(8, 8, (1, 1)), "pointwise"),
        (Conv2d(8, 8, (1, 1), groups=2), "conv"),
        (Conv2d(8, 8, (1, 1), groups=8), "depthwise"),
        (BatchNorm2d(8), "batch_norm"),
        (Activation("relu"), "activation"),
        (AdaptiveAvgPool2d(), "pool"),
        (Flatten(), "flatten"),
        (Add(), "add"),
        (Concat(), "concat"),
        (Slice(0, 4), "slice"),
        (ChannelShuffle(2), "shuffle"),
        (LocalResponseNorm(5), "local_response_norm"),
    ],
)
def test_a_layers_kind_is_the_first_that_fits(layer: Layer, expected: str) -> None:
    assert kind(layer) == expected


@settings(deadline=None)
@given(
    per_group=st.integers(1, 4),
    out=st.integers(1, 4),
    groups=st.integers(1, 3),
    k=st.integers(1, 5),
    bias=st.booleans(),
)
def test_parameters_are_the_modules(
    per_group: int, out: int, groups: int, k: int, bias: bool
) -> None:
    conv = Conv2d(per_group * groups, out * groups, (k, k), groups=groups, bias=bias)
    module = primitive(conv)
    assert isinstance(module, torch.nn.Module)
    found = terms(conv, (conv.c_in, 9, 9), (conv.c_out, 9, 9))
    assert found.weights == dict(module.named_parameters())["weight"].numel()
    assert found.params == sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("layer", "inputs", "problem"),
    [
        (Conv2d(3, 8, (3, 3), groups=2), [(3, 8, 8)], "groups"),
        (Conv2d(4, 8, (3, 3)), [(3, 8, 8)], "expects 4 input channels, gets 3"),
        (Conv2d(4, 8, (3, 3)), [(4,)], "needs a C×H×W map"),
        (BatchNorm2d(4), [(3, 8, 8)], "expects 4"),
        (Linear(4, 2), [(3,)], "expects a vector of 4"),
        (Conv2d(4, 0, (1, 1)), [(4, 8, 8)], "would have 0 output channels"),
        (Linear(4, 0), [(4,)], "would have 0 output features"),
        (Add(), [(3, 8, 8), (3, 4, 4)], "different shapes"),
        (AdaptiveAvgPool2d(), [(3,)], "needs a C×H×W map"),
        (Concat(), [(4, 8, 8), (4, 7, 8)], "joins maps of different sizes"),
        (Concat(), [(4, 8, 8), (4,)], "joins maps of different sizes"),
        (Slice(2, 9), [(8, 4, 4)], "takes channels 2 to 9 of 8"),
        (ChannelShuffle(3), [(8, 4, 4)], "3 groups divide 8 channels unevenly"),
    ],
)
def test_layers_that_do_not_fit_say_why(
    layer: Layer, inputs: list[tuple[int, ...]], problem: str
) -> None:
    with pytest.raises(LayerError, match=problem):
        output_shape(layer, inputs)


def test_a_step_that_does_not_fit_is_named_by_its_path() -> None:
    nodes: list[Node] = []
    steps = [Step("a", Flatten()), Step("b", BatchNorm2d(5))]
    with pytest.raises(LayerError, match=r"^rows\.3\.b: "):
        wire(nodes, steps, "rows.3", "rows.3", -1, (2, 2, 2))


def wired(*steps: Step, x: Shape) -> Graph:
    nodes: list[Node] = []
    wire(nodes, steps, "", "", -1, x)
    return Graph(x, tuple(nodes))


def test_a_shuffle_deals_the_channels_of_each_group_in_turn() -> None:
    graph = wired(Step("shuffle", ChannelShuffle(2)), x=(6, 1, 1))
    y = build(graph)(torch.arange(6.0).view(1, 6, 1, 1))
    assert y.flatten().tolist() == [0, 3, 1, 4, 2, 5]


def test_slices_joined_again_are_the_map() -> None:
    graph = wired(
        Step("low", Slice(0, 2), ("@0",)),
        Step("high", Slice(2, 5), ("@0",)),
        Step("concat", Concat(), ("low", "high")),
        x=(5, 2, 3),
    )
    x = torch.rand(2, 5, 2, 3)
    assert torch.equal(build(graph)(x), x)
    assert [node.y for node in graph.nodes] == [(2, 2, 3), (3, 2, 3), (5, 2, 3)]


def test_a_response_norm_keeps_the_shape_and_changes_the_map() -> None:
    graph = wired(Step("lrn", LocalResponseNorm(5)), x=(8, 2, 2))
    x = torch.full((1, 8, 2, 2), 100.0)
    y = build(graph)(x)
    assert y.shape == x.shape
    assert not torch.equal(y, x)


@pytest.mark.parametrize("name", ["papers", "torch", "torchinfo", "fvcore"])
@pytest.mark.parametrize(
    "layer",
    [Pool2d("max", (2, 2), (2, 2)), Slice(0, 4), ChannelShuffle(4), LocalResponseNorm(5)],
    ids=lambda layer: type(layer).__name__,
)
def test_weightless_layers_cost_the_default_counters_nothing(layer: Layer, name: str) -> None:
    report = cost_of(wired(Step("layer", layer), x=(8, 4, 4)), "layer")
    assert report.total(CONVENTIONS[name]) == 0
    assert report.params_all == 0
