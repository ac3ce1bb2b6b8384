from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from mbcost.cost import DTYPES, cost_of
from mbcost.graph.fold import fold_batch_norms
from mbcost.graph.graph import Graph, Node, Step, wire
from mbcost.graph.primitives import Activation, Add, BatchNorm2d, Conv2d, Linear, pair
from mbcost.modules import build
from mbcost.modules.counters import COUNTERS, Workbench, verify
from mbcost.networks.network import Network
from mbcost.networks.yaml import builtin, builtins
from tests.conftest import Cli
from tests.strategies import with_few_boxes

if TYPE_CHECKING:
    from torch import nn

SMALL = {"size": (32, 32)}
SMALLEST = {"inception-v3": {"size": (75, 75)}}
"""Where a map of 32 × 32 shrinks to nothing."""
UNFOLDED = {"nasnet-a-mobile": 4}
"""Batch-norms after a concat, of which no convolution alone is before them."""


def graph_of(*steps: Step, x: tuple[int, ...] = (4, 8, 8)) -> Graph:
    nodes: list[Node] = []
    wire(nodes, steps, "", "", -1, x)
    return Graph(x, tuple(nodes))


def convolution(name: str, c_in: int, c: int, inputs: tuple[str, ...] = (), **fields: Any) -> Step:
    return Step(name, Conv2d(c_in, c, pair(3), padding=pair(1), **fields), inputs)


def batch_norm(name: str, c: int, inputs: tuple[str, ...] = ()) -> Step:
    return Step(name, BatchNorm2d(c), inputs)


ODD = {
    "a batch-norm first": graph_of(batch_norm("bn", 4), convolution("conv", 4, 6)),
    "a batch-norm last": graph_of(convolution("conv", 4, 6), batch_norm("bn", 6)),
    "a biased convolution": graph_of(convolution("conv", 4, 6, bias=True), batch_norm("bn", 6)),
    "a grouped, strided, dilated convolution": graph_of(
        convolution("conv", 4, 8, groups=2, stride=(2, 1), dilation=(1, 2)), batch_norm("bn", 8)
    ),
    "two batch-norms in a row": graph_of(
        convolution("conv", 4, 6), batch_norm("one", 6), batch_norm("two", 6)
    ),
    "an activation between": graph_of(
        convolution("conv", 4, 6), Step("act", Activation("relu")), batch_norm("bn", 6)
    ),
    "two readers of the convolution": graph_of(
        convolution("conv", 4, 6), batch_norm("bn", 6), Step("add", Add(), ("conv", "bn"))
    ),
    "a batch-norm read twice": graph_of(
        convolution("conv", 4, 6), batch_norm("bn", 6), Step("add", Add(), ("bn", "bn"))
    ),
    "a convolution long before its batch-norm": graph_of(
        convolution("one", 4, 6),
        convolution("two", 4, 6, ("@0",)),
        batch_norm("bn", 6, ("one",)),
        Step("add", Add(), ("two", "bn")),
        batch_norm("after", 6),
    ),
    "a batch-norm after a sum": graph_of(
        convolution("one", 4, 6),
        convolution("two", 4, 6, ("@0",)),
        Step("add", Add(), ("one", "two")),
        batch_norm("bn", 6),
    ),
    "a convolution that is put out": graph_of(
        convolution("conv", 4, 6), batch_norm("bn", 6)
    )._replace(outputs=(0, 1)),
    "outputs behind folded batch-norms": graph_of(
        convolution("one", 4, 6),
        batch_norm("bn", 6),
        convolution("two", 6, 5),
        batch_norm("bn2", 5),
    )._replace(outputs=(1, 3)),
}
STAY = {
    "a batch-norm first": 1,
    "two batch-norms in a row": 1,
    "an activation between": 1,
    "two readers of the convolution": 1,
    "a convolution long before its batch-norm": 1,
    "a batch-norm after a sum": 1,
    "a convolution that is put out": 1,
}


def built_in(name: str) -> Graph:
    spec = builtin(name)
    if isinstance(spec, Network):
        spec = with_few_boxes(spec)
    return spec.graph(SMALLEST.get(name, SMALL))


def batch_norms(graph: Graph) -> list[BatchNorm2d]:
    return [node.layer for node in graph.nodes if isinstance(node.layer, BatchNorm2d)]


def has_batch_norms(name: str) -> bool:
    return any(isinstance(node.layer, BatchNorm2d) for node in builtin(name).graph({}).nodes)


NORMED = sorted(name for name in builtins() if has_batch_norms(name))


def folded_by_torch(graph: Graph) -> tuple[nn.Module, nn.Module, int]:
    """Return the module of ``graph``, that of its folded graph with weights that torch folded,
    and how many batch-norms torch folded. Which ones is found anew, over torch's own modules."""
    import torch
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    # float64: folding rounds each weight once, and that is all by which the outputs may differ
    trained, deployed = build(graph).double(), build(fold_batch_norms(graph)).double()
    generator = torch.Generator().manual_seed(0)
    for module in trained.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
            torch.nn.init.uniform_(module.weight, 0.5, 2, generator=generator)
            torch.nn.init.normal_(module.bias, generator=generator)
    kept = dict(deployed.named_modules())
    state = trained.state_dict()
    fused = 0
    for node in graph.nodes:
        source = graph.nodes[node.inputs[0]] if node.inputs[0] >= 0 else None
        if node.path in kept or not isinstance(node.layer, BatchNorm2d) or source is None:
            continue
        conv, norm = trained.get_submodule(source.path), trained.get_submodule(node.path)
        assert isinstance(conv, torch.nn.Conv2d)
        assert isinstance(norm, torch.nn.BatchNorm2d)
        whole = fuse_conv_bn_eval(conv, norm)
        state |= {f"{source.path}.{key}": value for key, value in whole.state_dict().items()}
        state = {k: v for k, v in state.items() if not k.startswith(f"{node.path}.")}
        fused += 1
    deployed.load_state_dict(state)  # strict: every parameter must have its place
    return trained, deployed, fused


def assert_same_outputs(graph: Graph) -> None:
    import torch

    trained, deployed, _ = folded_by_torch(graph)
    images = torch.randn(2, *graph.x, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected, got = trained(images.double()), deployed(images.double())
    maps = expected if isinstance(expected, tuple) else (expected,)
    assert all(each.std() > 0 for each in maps)
    torch.testing.assert_close(got, expected)
    params = sum(p.numel() for p in deployed.parameters())
    assert cost_of(fold_batch_norms(graph), "folded").params == params


@pytest.mark.parametrize("name", ODD)
def test_an_odd_graph_folded_by_torch_puts_out_the_same(name: str) -> None:
    assert_same_outputs(ODD[name])


@pytest.mark.parametrize("name", ODD)
def test_only_a_batch_norm_that_alone_reads_a_convolution_is_folded(name: str) -> None:
    assert len(batch_norms(fold_batch_norms(ODD[name]))) == STAY.get(name, 0)


@pytest.mark.parametrize("name", sorted(set(builtins()) - set(NORMED)))
def test_a_network_without_batch_norms_is_its_folded_graph(name: str) -> None:
    graph = builtin(name).graph({})
    assert fold_batch_norms(graph) == graph


@pytest.mark.parametrize("name", NORMED)
def test_a_built_in_folded_by_torch_puts_out_the_same(name: str) -> None:
    graph = built_in(name)
    assert_same_outputs(graph)
    assert len(batch_norms(fold_batch_norms(graph))) == UNFOLDED.get(name, 0)


@pytest.mark.parametrize("name", [*ODD, *NORMED])
def test_folding_twice_is_folding_once_or_folds_what_the_first_laid_bare(name: str) -> None:
    graph = ODD[name] if name in ODD else built_in(name)
    once = fold_batch_norms(graph)
    twice = fold_batch_norms(once)
    if name == "two batch-norms in a row":
        assert [type(node.layer) for node in twice.nodes] == [Conv2d]
    else:
        assert twice == once


@pytest.mark.parametrize("name", NORMED)
def test_folding_saves_one_parameter_a_channel_and_no_mult_adds(name: str) -> None:
    graph = built_in(name)
    folded = fold_batch_norms(graph)
    trained, deployed = cost_of(graph, name), cost_of(folded, name)
    left = sum(norm.c for norm in batch_norms(folded))
    channels = sum(norm.c for norm in batch_norms(graph)) - left
    assert channels > 0
    assert trained.params - deployed.params == channels
    assert trained.mult_adds == deployed.mult_adds
    assert trained.y == deployed.y


@pytest.mark.parametrize("counter", COUNTERS)
@pytest.mark.parametrize("name", ["v2", "v3-small", "standard", "inverted-residual"])
def test_the_counters_agree_on_the_deployed_graph(name: str, counter: str) -> None:
    graph = fold_batch_norms(built_in(name))
    found = verify(COUNTERS[counter], Workbench(graph), cost_of(graph, name))
    assert found.mismatches == ()
    assert found.total is not None


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("name", ["v2", "v3-small", "standard"])
def test_weight_bytes_are_those_of_the_modules_parameters(name: str, folded: bool) -> None:
    graph = fold_batch_norms(built_in(name)) if folded else built_in(name)
    report = cost_of(graph, name)
    module = build(graph)
    stored = {
        "fp32": sum(p.numel() * p.element_size() for p in module.parameters()),
        "fp16": sum(p.numel() * p.element_size() for p in module.half().parameters()),
        # a weight has as many dimensions as its layer; biases, γ and β have one
        "int8": sum(p.numel() * (1 if p.dim() > 1 else 4) for p in module.parameters()),
    }
    assert {dtype: report.weight_bytes(dtype) for dtype in DTYPES} == stored


def test_a_linear_layer_keeps_its_batch_norm_free_bias() -> None:
    graph = graph_of(Step("linear", Linear(4, 3)), x=(4,))
    assert fold_batch_norms(graph) == graph


def test_compare_puts_the_deployed_twin_below_the_trained(
    cli_json: Callable[..., Any],
) -> None:
    trained, deployed = cli_json("compare", "v2", "--fold-bn", "--fast")
    assert (trained["target"], trained["params"], trained["fold_bn"]) == ("v2", 3504872, False)
    assert (deployed["target"], deployed["params"]) == ("v2@fold_bn=true", 3487816)
    assert deployed["fold_bn"] is True
    assert deployed["fp32_bytes"] == deployed["param_bytes"] == 4 * 3487816
    assert deployed["fp16_bytes"] == 2 * 3487816
    assert deployed["int8_bytes"] == 3469760 + 4 * (3487816 - 3469760)
    # what was printed can be typed
    assert cli_json("compare", deployed["target"], "--fast")[0]["params"] == 3487816


def test_weight_bytes_can_be_asked_for_without_folding(cli_json: Callable[..., Any]) -> None:
    found = cli_json("compare", "v2", "--fast", "--columns", "target,int8_bytes")
    assert found == [{"target": "v2", "int8_bytes": 3469760 + 4 * (3504872 - 3469760)}]


def test_compare_verifies_the_twin_too(cli_json: Callable[..., Any]) -> None:
    records = cli_json("compare", "--fold-bn", "--size", "16")
    assert [record["verified"] for record in records] == [True] * 6


def test_compare_shows_the_weights_only_where_something_is_folded(cli: Cli) -> None:
    with_it = cli("compare", "v1", "--fold-bn", "--fast", "--format", "csv").stdout
    without = cli("compare", "v1", "--fast", "--format", "csv").stdout
    assert with_it.splitlines()[0] == (
        without.splitlines()[0] + ",fold_bn,fp32_bytes,fp16_bytes,int8_bytes"
    )
    assert "weights int8" in cli("compare", "v1", "--fold-bn", "--fast").stdout


def test_model_says_what_is_deployed_beside_what_is_trained(
    cli: Cli, cli_json: Callable[..., Any]
) -> None:
    found = cli_json("model", "v2", "--fold-bn", "--fast")
    assert found["params"] == 3487816
    assert found["trained"]["params"] == 3504872
    assert "batch_norm" not in {layer["kind"] for layer in found["layers"]}
    shown = cli("model", "v2", "--fold-bn", "--fast").stdout
    assert "deployed: 3,487,816 params, trained 3,504,872" in shown
    assert "Weights int8 (MB): 3.54, trained 3.61" in shown


def test_folding_what_is_folded_already_is_an_error(cli: Cli) -> None:
    result = cli("compare", "v2@fold_bn=true", "--fold-bn", "--fast")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("mbcost: --fold-bn: fits none of the targets v2@fold_bn=true")
