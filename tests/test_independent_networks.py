"""torchvision's and timm's own networks, counted without mbcost, equal ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import mobilenet_v2, mobilenet_v3_large, mobilenet_v3_small
from torchvision.models.mobilenetv3 import MobileNetV3, _mobilenet_v3_conf

import mbcost

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


def ours(target: str, **settings: Any) -> tuple[int, int]:
    report = mbcost.count(target, **settings)
    return report.params, report.mult_adds


@pytest.mark.parametrize("alpha", ALPHAS)
def test_v2_below_alpha_one_keeps_its_head_as_torchvision_does(alpha: float) -> None:
    assert ours("v2", alpha=alpha) == counted(lambda: mobilenet_v2(width_mult=alpha))


@pytest.mark.parametrize("nearest", [1, 4, 8, 16])
def test_round_nearest_is_torchvisions(nearest: int) -> None:
    theirs = counted(lambda: mobilenet_v2(width_mult=0.6, round_nearest=nearest))
    assert ours("v2", alpha=0.6, round_nearest=nearest) == theirs


@pytest.mark.parametrize("tail", [False, True])
@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("size", ["large", "small"])
def test_v3_torchvision_scales_as_torchvision(size: str, alpha: float, tail: bool) -> None:
    def build() -> nn.Module:
        setting, last = _mobilenet_v3_conf(
            f"mobilenet_v3_{size}", width_mult=alpha, reduced_tail=tail
        )
        module: nn.Module = MobileNetV3(setting, last)
        return module

    target = f"v3-{size}-torchvision"
    assert ours(target, alpha=alpha, reduced_tail=tail) == counted(build)


@pytest.mark.parametrize(
    ("target", "build"), [("v3-large", mobilenet_v3_large), ("v3-small", mobilenet_v3_small)]
)
def test_both_v3_rules_agree_at_alpha_one(target: str, build: Callable[[], nn.Module]) -> None:
    assert ours(target) == ours(f"{target}-torchvision") == counted(build)
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
