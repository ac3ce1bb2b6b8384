from __future__ import annotations

from math import prod

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

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
    Pair,
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


def sides(low: int, high: int) -> st.SearchStrategy[tuple[int, int]]:
    """A number each for height and width: code that mixes them up must not pass."""
    return st.tuples(st.integers(low, high), st.integers(low, high))


@settings(deadline=None)
@given(k=sides(1, 7), s=sides(1, 4), p=sides(0, 5), d=sides(1, 3), size=sides(1, 20))
def test_convolution_shapes_and_refusals_are_torchs(
    k: Pair, s: Pair, p: Pair, d: Pair, size: Pair
) -> None:
    conv = Conv2d(2, 4, k, s, p, d)
    module = primitive(conv)
    try:
        theirs = tuple(module(torch.zeros(1, 2, *size)).shape[1:])
    except RuntimeError:
        with pytest.raises(LayerError, match="larger than its padded input"):
            output_shape(conv, [(2, *size)])
        return
    assert output_shape(conv, [(2, *size)]) == theirs


@settings(deadline=None)
@given(
    mode=st.sampled_from(("max", "avg")),
    k=sides(1, 5),
    s=sides(1, 3),
    p=sides(0, 3),
    size=sides(1, 12),
    ceil=st.booleans(),
)
def test_pooling_shapes_and_refusals_are_torchs(
    mode: str, k: Pair, s: Pair, p: Pair, size: Pair, ceil: bool
) -> None:
    pool = Pool2d(mode, k, s, p, ceil)
    module = primitive(pool)
    try:
        theirs = tuple(module(torch.zeros(1, 2, *size)).shape[1:])
    except RuntimeError:
        with pytest.raises(LayerError):
            output_shape(pool, [(2, *size)])
        return
    assert output_shape(pool, [(2, *size)]) == theirs


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
    k=sides(1, 5),
    bias=st.booleans(),
)
def test_parameters_and_mult_adds_are_the_modules(
    per_group: int, out: int, groups: int, k: Pair, bias: bool
) -> None:
    conv = Conv2d(per_group * groups, out * groups, k, groups=groups, bias=bias)
    module = primitive(conv)
    assert isinstance(module, torch.nn.Module)
    x = (conv.c_in, 9, 7)
    with FlopCounterMode(display=False) as counter:
        y = tuple(module.to("meta")(torch.zeros(1, *x, device="meta")).shape[1:])
    found = terms(conv, x, y)
    assert found.weights == dict(module.named_parameters())["weight"].numel()
    assert found.params == sum(p.numel() for p in module.parameters())
    assert 2 * found.mult_adds == counter.get_total_flops()
    assert found.bias_adds == (prod(y) if bias else 0)


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
