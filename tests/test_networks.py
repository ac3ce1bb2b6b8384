"""The built-in networks against builds that know nothing of mbcost."""

from __future__ import annotations

from math import ceil
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mbcost.blocks import BLOCKS
from mbcost.build import build
from mbcost.config import builtin, builtins, load_specs
from mbcost.errors import MbcostError
from mbcost.network import Network
from mbcost.targets import resolve_one
from mbcost.widths import make_divisible
from tests.conftest import Cli

NETWORKS = [name for name, entry in builtins().items() if entry.kind == "network"]

INDEPENDENT = {
    "v1": "timm:mobilenetv1_100",
    "v1@alpha=1.25": "timm:mobilenetv1_125",
    "v3-large-minimalistic": "timm:tf_mobilenetv3_large_minimal_100",
    "v3-small-minimalistic": "timm:tf_mobilenetv3_small_minimal_100",
    "mnasnet-a1": "timm:semnasnet_100",
    "mnasnet-a1@alpha=1.4": "timm:semnasnet_140",
    "mnasnet-a1@alpha=0.5": "timm:semnasnet_050",
    "mnasnet-b1": "timm:mnasnet_100",
    "mnasnet-b1@alpha=0.5": "torchvision:mnasnet0_5",
    "mnasnet-small": "timm:mnasnet_small",
    "efficientnet-b0": "torchvision:efficientnet_b0",
    "efficientnet-lite0": "timm:efficientnet_lite0",
    "mobilenet-edgetpu": "timm:mobilenet_edgetpu_100",
    "mobilenetv4-conv-small": "timm:mobilenetv4_conv_small",
    "mobilenetv4-conv-medium": "timm:mobilenetv4_conv_medium",
    "mobilenetv4-conv-large": "timm:mobilenetv4_conv_large",
    "ghostnet": "timm:ghostnet_100",
    "ghostnet@alpha=0.5": "timm:ghostnet_050",
    "ghostnet@alpha=1.3": "timm:ghostnet_130",
    "shufflenet-v2": "torchvision:shufflenet_v2_x1_0",
    "shufflenet-v2-x0.5": "torchvision:shufflenet_v2_x0_5",
    "vgg16": "torchvision:vgg16",
    "squeezenet": "torchvision:squeezenet1_0",
    "squeezenet-1.1": "torchvision:squeezenet1_1",
}
"""Our target and the model it must equal, without weights."""

COUNTED_ELSEWHERE = {
    "alexnet": (60_965_224, 724_406_816),  # Caffe's bvlc_alexnet
    "proxyless-mobile": (4_080_512, None),  # github.com/osmr/imgclsmob, proxylessnas.py
    "shufflenet": (1_865_728, None),  # github.com/osmr/imgclsmob, shufflenet.py: g = 3
    "shufflenet@alpha=0.5": (718_324, None),
    "googlenet": (6_998_552, None),  # Caffe's bvlc_googlenet without its auxiliary classifiers
}
"""Trainable parameters and mult-adds stated by builds that are not packages here."""


def counted(model: nn.Module, h: int, w: int) -> tuple[int, int]:
    """Return (parameters, multiply-adds of convolutions and linear layers) by torch alone."""
    with torch.no_grad(), FlopCounterMode(display=False) as mode:
        model.eval()(torch.zeros(1, 3, h, w, device="meta"))
    return sum(p.numel() for p in model.parameters()), mode.get_total_flops() // 2


def independent(name: str) -> nn.Module:
    package, _, model = name.partition(":")
    with torch.device("meta"):
        if package == "timm":
            built: nn.Module = timm.create_model(model)
        else:
            built = torchvision.models.get_model(model, weights=None)
    return built


@pytest.mark.parametrize(("target", "model"), INDEPENDENT.items())
def test_a_network_costs_what_an_independent_build_of_it_costs(target: str, model: str) -> None:
    report = resolve_one(target).report
    ours = (report.params, report.mult_adds)
    assert ours == counted(independent(model), *report.x[1:])


@pytest.mark.parametrize(("target", "stated"), COUNTED_ELSEWHERE.items())
def test_a_network_costs_what_others_counted(target: str, stated: tuple[int, int | None]) -> None:
    report = resolve_one(target).report
    params, mult_adds = stated
    assert report.params == params
    assert mult_adds in (None, report.mult_adds)


def test_the_inception_rows_with_torchvisions_changes_are_its_googlenet(tmp_path: Path) -> None:
    """torchvision: batch-norm for biases, 3×3 for 5×5, no response norm, a last pool of 2."""
    entry = builtins()["googlenet"]
    rows = entry.path.read_text("utf-8")
    rows = rows.replace("  - {block: local_response_norm, size: 5}\n", "")
    rows = rows.replace(", norm: false, bias: true}", "}")
    rows = rows.replace("pool: ", "k5: 3, norm: true, pool: ")
    before, last, after = rows.rpartition("{block: pool, k: 3,")
    assert last
    path = tmp_path / "googlenet_torchvision.yaml"
    path.write_text(before + "{block: pool, k: 2," + after, "utf-8")
    network = load_specs(path)["googlenet_torchvision"]
    report = network.count()
    with torch.device("meta"):
        model = torchvision.models.googlenet(weights=None, aux_logits=False, init_weights=False)
    assert (report.params, report.mult_adds) == counted(model, 224, 224)


@pytest.mark.parametrize("name", ["resnet50", "resnet101"])
def test_a_resnet_that_strides_in_the_middle_is_torchvisions(name: str, tmp_path: Path) -> None:
    rows = builtins()[name].path.read_text("utf-8")
    path = tmp_path / f"{name}.yaml"
    path.write_text(rows.replace("residual_bottleneck,", "residual_bottleneck, stride_at: middle,"))
    report = load_specs(path)[name].count()
    costs = counted(independent(f"torchvision:{name}"), 224, 224)
    assert (report.params, report.mult_adds) == costs
    assert resolve_one(name).report.params == report.params


def sandglass_weights(alpha: float) -> int:
    """Return MobileNeXt's weights, layer by layer, as its authors' code builds them."""
    table = [(2, 96, 1, 2), (6, 144, 1, 1), (6, 192, 3, 2), (6, 288, 3, 2)]
    table += [(6, 384, 4, 1), (6, 576, 4, 2), (6, 960, 3, 1), (6, 1280, 1, 1)]
    wide = make_divisible(32 * alpha, 8)
    weights = 3 * 9 * wide
    for t, printed, n, s in table:
        c = 1280 if printed == 1280 and alpha < 1 else make_divisible(printed * alpha, 8)
        for i in range(n):
            narrow = wide // t
            if narrow < c / 6:
                narrow = make_divisible(ceil(c / 6), 16)
            weights += wide * narrow + narrow * c
            both = t == 2 or wide == c or (n == 1 and s == 1)
            weights += 9 * (wide + c) if both else (9 * c if s == 2 and i == 0 else 0)
            wide = c
    return weights + wide * 1000


@pytest.mark.parametrize("alpha", [0.35, 0.5, 0.75, 1.0, 1.4])
def test_mobilenext_has_the_weights_of_its_authors_code(alpha: float) -> None:
    assert resolve_one(f"mobilenext@alpha={alpha}").report.params_weights == sandglass_weights(
        alpha
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_builds_and_puts_out_the_shape_it_says(name: str) -> None:
    graph = builtin(name).graph({})
    with torch.no_grad():
        y = build(graph, "meta")(torch.zeros(2, *graph.x, device="meta"))
    assert tuple(y.shape) == (2, *graph.y)


def test_every_block_of_the_row_language_is_used_by_a_built_in() -> None:
    specs = [builtin(name) for name in NETWORKS]
    used = {row.block for spec in specs if isinstance(spec, Network) for row in spec.rows}
    assert used == set(BLOCKS)


def test_a_network_without_a_width_multiplier_takes_no_alpha(cli: Cli) -> None:
    result = cli("compare", "vgg16@alpha=0.5", "--fast")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "no setting 'alpha' here" in result.stderr


def test_alpha_scales_every_width_of_a_block_without_c(tmp_path: Path) -> None:
    path = tmp_path / "fires.yaml"
    path.write_text(
        "input: [3, 32, 32]\nwidth: divisible\nrows:\n"
        "  - {block: conv, c: 32}\n"
        "  - {block: fire, squeeze: 16, expand1: 64, expand3: 48}\n"
        "  - {block: inception, c1: 16, reduce3: 32, c3: 64, reduce5: 16, c5: 32, pool: 32}\n",
        "utf-8",
    )
    network = load_specs(path)["fires"]
    assert isinstance(network, Network)
    widths = {node.path: node.y[0] for node in network.graph({}).nodes}
    halves = {node.path: node.y[0] for node in network.graph({"alpha": 0.5}).nodes}
    assert halves.pop("rows.2.branch_pool.pool") == widths.pop("rows.2.branch_pool.pool") // 2
    assert halves == {path: width // 2 for path, width in widths.items()}


def test_a_stride_without_a_depthwise_convolution_names_the_row(tmp_path: Path) -> None:
    path = tmp_path / "ffn.yaml"
    path.write_text(
        "input: [3, 32, 32]\nrows:\n"
        "  - {block: conv, c: 8}\n"
        "  - {block: universal_inverted_bottleneck, t: 2, c: 8, s: 2}\n",
        "utf-8",
    )
    network = load_specs(path)["ffn"]
    with pytest.raises(MbcostError, match=r"rows\[1\].*a stride needs a depthwise convolution"):
        network.graph({})
