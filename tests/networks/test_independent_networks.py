"""torchvision's and timm's own networks, counted without mbcost, equal ours."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import mbcost
from mbcost.networks.widths import make_divisible
from mbcost.networks.yaml import builtins, load_specs
from mbcost.targets.resolve import resolve_one

ALPHAS = (0.1, 0.33, 0.35, 0.5, 0.75, 1.0, 1.25, 1.4, 2.0)


def counted(build: Callable[[], nn.Module], size: int = 224) -> tuple[int, int]:
    """Return (params, mult-adds) of a module by torch alone."""
    with torch.device("meta"):
        module = build().eval()
        x = torch.empty(1, 3, size, size)
    mode = FlopCounterMode(display=False)
    with torch.no_grad(), mode:
        module(x)
    return sum(p.numel() for p in module.parameters()), mode.get_total_flops() // 2


def torchvisions(name: str, **options: Any) -> Any:
    """Return a model of torchvision, which is imported where a test needs it."""
    from torchvision.models import get_model

    return get_model(name, weights=None, **options)


def ours(target: str, **settings: Any) -> tuple[int, int]:
    report = mbcost.count(target, **settings)
    return report.params, report.mult_adds


@pytest.mark.parametrize("alpha", ALPHAS)
def test_v2_below_alpha_one_keeps_its_head_as_torchvision_does(alpha: float) -> None:
    build = partial(torchvisions, "mobilenet_v2", width_mult=alpha)
    assert ours("v2", alpha=alpha) == counted(build)


@pytest.mark.parametrize("nearest", [1, 4, 8, 16])
def test_round_nearest_is_torchvisions(nearest: int) -> None:
    build = partial(torchvisions, "mobilenet_v2", width_mult=0.6, round_nearest=nearest)
    assert ours("v2", alpha=0.6, round_nearest=nearest) == counted(build)


SQUARE = [
    (size, alpha, (i + j) % 2 == 0)
    for i, size in enumerate(("large", "small"))
    for j, alpha in enumerate(ALPHAS)
]
"""At each α the tail of one of both sizes is reduced; of each size, at every other α."""


@pytest.mark.parametrize(("size", "alpha", "tail"), SQUARE)
def test_v3_torchvision_scales_as_torchvision(size: str, alpha: float, tail: bool) -> None:
    from torchvision.models.mobilenetv3 import MobileNetV3, _mobilenet_v3_conf

    def build() -> nn.Module:
        setting, last = _mobilenet_v3_conf(
            f"mobilenet_v3_{size}", width_mult=alpha, reduced_tail=tail
        )
        module: nn.Module = MobileNetV3(setting, last)
        return module

    target = f"v3-{size}-torchvision"
    assert ours(target, alpha=alpha, reduced_tail=tail) == counted(build)


@pytest.mark.parametrize("size", ["large", "small"])
def test_both_v3_rules_agree_at_alpha_one(size: str) -> None:
    target = f"v3-{size}"
    theirs = counted(lambda: torchvisions(f"mobilenet_v3_{size}"))
    assert ours(target) == ours(f"{target}-torchvision") == theirs
    assert ours(target, reduced_tail=True) == ours(f"{target}-torchvision", reduced_tail=True)


@pytest.mark.parametrize(
    ("target", "name", "alpha"),
    [
        ("v1", "mobilenetv1_100", 1.0),
        ("v1", "mobilenetv1_125", 1.25),
        ("v2", "mobilenetv2_050", 0.5),
        ("v2", "mobilenetv2_140", 1.4),
        ("v3-large", "tf_mobilenetv3_large_100", 1.0),
        ("v3-small", "tf_mobilenetv3_small_100", 1.0),
    ],
)
def test_timm_has_the_same_networks(target: str, name: str, alpha: float) -> None:
    import timm

    assert ours(target, alpha=alpha) == counted(lambda: timm.create_model(name, pretrained=False))


@pytest.mark.parametrize("name", ["tf_mobilenetv3_large_075", "tf_mobilenetv3_small_075"])
def test_v3_of_the_paper_scales_as_the_reference_code(name: str) -> None:
    """timm's tf_ variants are ports of the paper's own checkpoints."""
    import timm

    target = "v3-large" if "large" in name else "v3-small"
    assert ours(target, alpha=0.75) == counted(lambda: timm.create_model(name, pretrained=False))


INDEPENDENT = {
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


def independent(name: str) -> nn.Module:
    import timm

    package, _, model = name.partition(":")
    if package == "timm":
        built: nn.Module = timm.create_model(model)
    else:
        built = torchvisions(model)
    return built


@pytest.mark.parametrize(("target", "model"), INDEPENDENT.items())
def test_a_network_costs_what_an_independent_build_of_it_costs(target: str, model: str) -> None:
    report = resolve_one(target).report
    ours = (report.params, report.mult_adds)
    assert ours == counted(lambda: independent(model), report.x[1])


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
    theirs = counted(lambda: torchvisions("googlenet", aux_logits=False, init_weights=False))
    assert (report.params, report.mult_adds) == theirs


@pytest.mark.parametrize("name", ["resnet50", "resnet101"])
def test_a_resnet_that_strides_in_the_middle_is_torchvisions(name: str, tmp_path: Path) -> None:
    rows = builtins()[name].path.read_text("utf-8")
    path = tmp_path / f"{name}.yaml"
    path.write_text(rows.replace("residual_bottleneck,", "residual_bottleneck, stride_at: middle,"))
    report = load_specs(path)[name].count()
    theirs = counted(lambda: independent(f"torchvision:{name}"))
    assert (report.params, report.mult_adds) == theirs
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
