"""The closed form against what torch really keeps, operator by operator."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from mbcost.errors import MbcostError
from mbcost.graph.eager import Image, eager
from mbcost.graph.graph import Graph
from mbcost.graph.liveness import alive_bytes, peak
from mbcost.graph.primitives import Activation, Add, Flatten, LocalResponseNorm, Pool2d, Slice
from mbcost.graph.training import Optimizer, saved_bytes, training
from mbcost.modules import build
from mbcost.modules.memory import verify_inference
from mbcost.modules.memory.elsewhere import observed_inference
from mbcost.modules.memory.profiled import has_kernel, profiled_run
from mbcost.modules.memory.storages import observed_run
from mbcost.modules.memory.trained import observed_training
from mbcost.modules.trace.values import with_values
from mbcost.networks.blocks import BLOCKS
from mbcost.networks.yaml import builtins
from mbcost.targets.elsewhere import find_model
from tests import strategies
from tests.graph.test_eager import graph_of
from tests.proofs.handmade import HANDMADE
from tests.proofs.memory import IMAGES, graph_at, inference_problems
from tests.proofs.memory_elsewhere import elsewhere_problems, training_problems


@pytest.mark.parametrize("name", builtins())
def test_every_network_keeps_what_torch_keeps(name: str) -> None:
    graph = graph_at(name, 64)
    draw = Random(name)
    batch, image = draw.choice((1, 2, 4)), draw.choice(IMAGES)
    if peak(eager(graph)).size > 20_000_000:  # it has one size, and that is large
        x = torch.zeros(batch, *graph.x, device="meta")
        found = observed_inference(build(graph, "meta"), [x], name)
        assert found.alive == alive_bytes(eager(graph, batch=batch))
        return
    assert inference_problems(graph, batch, image, profiled=draw.random() < 0.3) == []


@pytest.mark.parametrize("block", BLOCKS)
@settings(max_examples=6, deadline=None, suppress_health_check=[*HealthCheck])
@given(
    draw=st.randoms(use_true_random=False), batch=st.integers(1, 3), image=st.sampled_from(IMAGES)
)
def test_blocks_of_any_fields_keep_what_torch_keeps(
    block: str, draw: Random, batch: int, image: Image
) -> None:
    fields, x = strategies.fitting(draw, block)
    assert inference_problems(strategies.lowered(BLOCKS[block](**fields), x), batch, image) == []


@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
def test_two_bytes_an_element(dtype: str) -> None:
    graph = graph_at("ghostnet", 64)
    assert inference_problems(graph, 2, "released", dtype=dtype, profiled=True) == []


PLAIN = {
    "nothing": Graph((3, 4, 4), ()),
    "a view": graph_of(Flatten()),
    "a slice put out": graph_of(Activation("relu"), Slice(1, 3)),
    "a sum of one": graph_of(Add()),
    "a norm of a slice": graph_of(Slice(1, 3), LocalResponseNorm(2)),
    "views and maps put out": graph_of(
        Activation("relu"), Slice(0, 2), Pool2d("max", (2, 2), (1, 1)), outputs=(1, 2)
    ),
}


@pytest.mark.parametrize("which", PLAIN)
@pytest.mark.parametrize("image", IMAGES)
def test_odd_graphs(which: str, image: Image) -> None:
    assert inference_problems(PLAIN[which], 2, image, profiled=True) == []


def test_a_type_that_torch_does_not_run_is_one_message() -> None:
    with pytest.raises(MbcostError, match="torch does not run it in bf16 on the CPU"):
        verify_inference(graph_of(LocalResponseNorm(2)), dtype="bf16")


class Odd(nn.Module):
    """Reads a constant, makes tensors of numbers, works in place, resizes, holds on to a map."""

    def __init__(self) -> None:
        super().__init__()
        self.constant = torch.ones(1000)
        self.fc = nn.Linear(8, 8)
        self.kept: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """4 elements of numbers, 8 of a linear layer, grown to 32 in place."""
        x = x + self.constant[:8] + torch.tensor([1.0, 2.0]).repeat(4)
        self.kept.append(x)
        y: torch.Tensor = self.fc(x)
        y.add_(1).resize_(4, 8)
        return y


def test_storages_are_counted_once_and_weights_and_constants_never() -> None:
    module = Odd()
    x = torch.zeros(1, 8)
    found = observed_run(lambda: module(x), [x], module)
    assert found.given == 32
    assert [(s.operator, s.size) for s in found.samples] == [
        ("aten.add.Tensor", 32 + 32),
        ("aten.lift_fresh.default", 32 + 32 + 8),
        ("aten.repeat.default", 32 + 32 + 8 + 32),
        ("aten.add.Tensor", 32 + 32 + 32 + 32),
        ("aten.addmm.default", 32 + 32 + 32),  # what it keeps is alive
        ("aten.resize_.default", 32 + 32 + 128),
    ]
    assert [s.path for s in found.samples][-2:] == ["fc", ""]
    assert found.peak == found.samples[-1]
    assert found.largest == 128


@pytest.mark.parametrize("side", range(33, 160))
def test_a_network_that_wants_even_maps_is_built_near_any_size(side: int) -> None:
    """YOLOv2's reorg tiles the map at stride 16: steps of 32 pixels would leave it odd for ever."""
    assert side <= graph_at("yolov2", side).x[1] <= side + 16


def test_the_profiler_tells_workspace_apart() -> None:
    """A convolution of a slice copies it first: that is in its kernel."""
    conv = nn.Conv2d(4, 4, 3).eval()
    held: list[torch.Tensor] = []
    whole = 4 * 2 * 8 * 9 * 9
    out = 4 * 2 * 4 * 7 * 7
    found = profiled_run(lambda: conv(held[0][:, :4]), lambda: held.append(torch.zeros(2, 8, 9, 9)))
    assert found.given == whole
    assert found.alive == [whole + out]
    assert found.with_workspace is not None
    assert found.with_workspace >= whole + whole // 2 + out


@pytest.mark.parametrize(
    ("operator", "whole"),
    [
        *[(name, False) for name in ("linear", "matmul", "softmax", "conv2d", "max_pool2d", "pad")],
        *[(name, True) for name in ("addmm", "silu", "mean", "convolution", "native_batch_norm")],
    ],
)
def test_operators_made_of_others_are_taken_apart(operator: str, whole: bool) -> None:
    assert has_kernel(f"aten::{operator}") is whole


def test_a_run_that_keeps_more_is_noticed() -> None:
    graph = graph_of(Activation("relu"), Activation("relu"), Activation("relu"))
    assert inference_problems(graph, 1, "held") == []
    assert inference_problems(graph, 1, "held", against="released") != []
    assert inference_problems(graph, 1, "held", against="released", profiled=True) != []


SOME = (
    "torchvision:squeezenet1_1",
    "timm:test_efficientnet_gn",
    "timm:test_mambaout",
    "timm:test_vit",
    "timm:test_nfnet",
)


@pytest.mark.parametrize("name", SOME)
def test_models_from_elsewhere_keep_without_values_what_they_keep_with_them(name: str) -> None:
    found = find_model(name)
    assert found is not None
    settings = {} if "vit" in name else {"size": (64, 64)}
    model, inputs = found.build(settings, real=True), with_values(found.inputs(settings, 2))
    assert elsewhere_problems(model, inputs, name) == []


TRAINED: dict[str, Optimizer] = {
    "timm:test_efficientnet": "adam",
    "timm:test_resnet": "sgd",
    "timm:test_vit": "momentum",
    "timm:test_byobnet": "adamw",
}


@pytest.mark.parametrize("name", TRAINED)
def test_models_from_elsewhere_train_without_values_as_they_train_with_them(name: str) -> None:
    found = find_model(name)
    assert found is not None
    settings = {} if "vit" in name else {"size": (64, 64)}
    model, inputs = found.build(settings, real=True), with_values(found.inputs(settings, 2))
    assert training_problems(model, inputs, name, TRAINED[name]) == []


def test_a_network_trained_as_any_module_keeps_what_the_closed_form_says() -> None:
    graph = graph_at("v1-shallow", 64)
    x = torch.zeros(4, *graph.x, device="meta")
    found = observed_training(build(graph, "meta"), [x], optimizer="adam")
    expected = training(graph, batch=4, optimizer="adam", observed=True)
    assert found.saved == saved_bytes(graph, batch=4)
    assert found.phases["forward"].peak == expected.peak_forward_bytes
    assert found.phases["backward"].peak == expected.peak_backward_bytes
    assert found.phases["step"].peak == expected.peak_step_bytes
    assert found.peak == max(
        expected.peak_forward_bytes, expected.peak_backward_bytes, expected.peak_step_bytes
    )


class Normed(nn.Module):
    """A norm whose gradient comes in another order than its input; in place on a view, or not."""

    def __init__(self, in_place: bool) -> None:
        super().__init__()
        self.fc, self.norm = nn.Linear(8, 8), nn.LayerNorm(8)
        self.in_place = in_place

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """N × 6 × 8 to N × 8 × 6."""
        y: torch.Tensor = self.norm(self.fc(x)).transpose(1, 2)
        return y.relu_() if self.in_place else y


def test_a_norm_puts_out_gradients_in_the_order_in_which_its_kernel_does() -> None:
    assert training_problems(Normed(in_place=False), [torch.zeros(2, 6, 8)], "normed", "sgd") == []


def test_what_writes_in_place_to_a_view_is_named_since_its_backward_may_differ() -> None:
    x = [torch.zeros(2, 6, 8)]
    assert observed_training(Normed(in_place=False), x).in_place_on_view == ""
    assert observed_training(Normed(in_place=True), x).in_place_on_view == "aten.relu_.default"


def test_what_puts_out_no_scores_cannot_be_trained() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Flatten(0))
    with pytest.raises(MbcostError, match="puts out nothing that a loss can be made of"):
        observed_training(model, [torch.zeros(2, 3)], "ours")


@pytest.mark.parametrize("kind", HANDMADE)
def test_models_of_every_kind_keep_what_they_really_keep_and_stay_as_they_were(kind: str) -> None:
    for i in range(3):
        torch.manual_seed(i)
        model, inputs = HANDMADE[kind](Random(f"{kind}/{i}"))
        assert elsewhere_problems(model, inputs, kind) == []


class ByValue(nn.Module):
    """Keeps as many maps as the first element of its input says."""

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """The values of a trace are below 1: one map."""
        return [x + i for i in range(1 + int(x.flatten()[0].item()))]


def test_a_path_that_depends_on_values_takes_those_of_the_trace() -> None:
    on_meta = torch.zeros(2, 3, device="meta")
    found = observed_inference(ByValue(), [on_meta], "by value")
    assert [sample.operator for sample in found.samples] == ["aten.add.Tensor"]
    assert found.peak.size == 2 * 24
    three = observed_inference(ByValue(), [torch.full((2, 3), 2.0)], "by value")
    assert three.peak.size == 4 * 24


def test_a_path_that_depends_on_values_takes_the_weights_of_the_model_that_has_some() -> None:
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(3, 3), ByValue())
    x = torch.zeros(2, 3)

    def built() -> nn.Module:
        linear = nn.Linear(3, 3)
        nn.init.zeros_(linear.weight)
        nn.init.constant_(linear.bias, 4)
        return nn.Sequential(linear, ByValue())

    found = observed_inference(model, [x], "by value", built=built)
    assert [sample.operator for sample in found.samples] == ["aten.addmm.default"] + 5 * [
        "aten.add.Tensor"
    ]
    with pytest.raises(MbcostError, match="on the meta device"):
        observed_inference(model, [x], "by value")


def test_a_forward_that_fails_is_one_message_that_says_where() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.Linear(5, 6)))
    with pytest.raises(MbcostError, match=r"ours: 1.0: its forward fails on an input of 2x3"):
        observed_inference(model, [torch.zeros(2, 3)], "ours")


class InAThread(nn.Module):
    """Runs a part of itself in another thread."""

    def __init__(self) -> None:
        super().__init__()
        self.part = nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Wait for it."""
        with ThreadPoolExecutor(1) as pool:
            y: torch.Tensor = pool.submit(self.part, x).result()
        return y


def test_what_runs_in_another_thread_is_refused() -> None:
    with pytest.raises(MbcostError, match="part: runs in a thread of its own"):
        observed_inference(InAThread(), [torch.zeros(2, 3)], "threads")


def test_meta_is_not_the_cpu() -> None:
    """What a trace on meta would say of batch-norm: its statistics come with it."""
    norm = nn.BatchNorm2d(16).eval()
    x = torch.zeros(1, 16, 4, 4, device="meta")
    on_meta = observed_run(lambda: norm.to("meta")(x), [x])
    assert observed_inference(norm, [x]).peak.size == 2 * 1024
    assert on_meta.peak.size > 2 * 1024
