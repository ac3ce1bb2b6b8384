"""Names as people type them: what they mean, and that nothing is counted that was not meant."""

from __future__ import annotations

import pytest

import mbcost
from mbcost.errors import MbcostError
from mbcost.networks.yaml import builtins, find_builtin
from mbcost.studies.spaces.space_file import load_space
from mbcost.targets.names import MEANT, TORCHVISION, builtin_name, squashed
from mbcost.targets.resolve import find, resolve_one


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("mobilenetv2", "v2"),
        ("mobilenet_v2", "v2"),
        ("MobileNetV2", "v2"),
        ("MobileNet-V1", "v1"),
        ("MobileNetV3-Large-Minimalistic", "v3-large-minimalistic"),
        ("EfficientNetB0", "efficientnet-b0"),
        ("squeezenet1_1", "squeezenet-1.1"),
        ("DepthwiseSeparable", "depthwise-separable"),
    ],
)
def test_a_name_that_can_mean_one_built_in_is_that_one(typed: str, meant: str) -> None:
    assert builtin_name(typed) == meant
    assert list(find(typed)) == [typed]
    assert find(typed)[typed] is find(meant)[meant]


def test_a_record_has_the_target_as_typed_and_the_name_as_ever() -> None:
    (typed,) = mbcost.compare("MobileNetV2@alpha=0.5").records()
    (plain,) = mbcost.compare("v2@alpha=0.5").records()
    assert typed.pop("target") == "MobileNetV2@alpha=0.5"
    assert plain.pop("target") == "v2@alpha=0.5"
    assert typed == plain


OFFERED = {
    "mobilenet": "did you mean 'v1', 'v2', 'v3-large' or 'v3-small'?",
    "MobileNet V3": "did you mean 'v3-large' or 'v3-small'?",
    "v3": "did you mean 'v3-large' or 'v3-small'?",
    "mobilenet_v3_large": "did you mean 'v3-large' or 'v3-large-torchvision'? one network at α 1; "
    "at any other α v3-large scales as the paper does, v3-large-torchvision as torchvision does;",
    "mobilenet_v3_small": "did you mean 'v3-small' or 'v3-small-torchvision'?",
    "mobilenet-v4": "did you mean 'mobilenetv4-conv-small', 'mobilenetv4-conv-medium' or",
    "resnet18": "did you mean 'torchvision:resnet18'?",
    "ResNet-18": "did you mean 'torchvision:resnet18'?",
    "densenet": "'torchvision:densenet169' or 'torchvision:densenet201'?",
    "raspp-v3": "did you mean 'lraspp-v3-large',",  # a part of a name
    "mobilenet_v2_1.0_224": "did you mean 'v2'?",  # a name in front
    "moblienet_v2": "did you mean 'v2'?",  # by meaning, not 'mobilenext', which is spelt so
    "mobilnetv3": "did you mean 'v3-large' or 'v3-small'?",
    "standrad": "did you mean 'standard'?",
    "conv": "did you mean 'standard'?",
    "ofa-mobilenetv3": "it is a design space: mbcost sweep ofa-mobilenetv3",
    "zzzzz": "one of: alexnet, ",
}


@pytest.mark.parametrize("typed", OFFERED)
def test_a_name_that_can_mean_several_is_offered_them(typed: str) -> None:
    with pytest.raises(MbcostError) as raised:
        find(typed)
    assert f"no network or block is called {typed!r}" in str(raised.value)
    assert OFFERED[typed] in str(raised.value)


def test_what_is_offered_can_be_typed() -> None:
    for meaning in MEANT.values():
        assert all(target in builtins() for target in meaning.targets)
    assert len({squashed(name) for name in builtins()}) == len(builtins())
    assert not MEANT.keys() & {squashed(name) for name in builtins()}


@pytest.mark.parametrize("name", ["v3-large", "v3-small"])
def test_the_two_v3_are_one_at_alpha_1_and_differ_elsewhere(name: str) -> None:
    def cost(target: str, alpha: float) -> tuple[int, int]:
        report = mbcost.count(target, alpha=alpha)
        return report.params, report.mult_adds

    assert cost(name, 1) == cost(f"{name}-torchvision", 1)
    for alpha in (0.35, 0.5, 0.75, 1.25):
        assert cost(name, alpha) != cost(f"{name}-torchvision", alpha)


def test_torchvision_has_what_it_is_said_to_have() -> None:
    from torchvision import models

    assert sorted(TORCHVISION) == models.list_models(module=models)


def test_a_name_of_torchvision_that_is_taken_for_a_built_in_is_the_same_network() -> None:
    taken = []
    for name in TORCHVISION:
        if find_builtin(name):
            continue  # so it stands in the list, from its own source
        try:
            find(name)
        except MbcostError:
            continue
        taken.append(name)
        report = resolve_one(f"torchvision:{name}").report
        ours = mbcost.count(name, size=report.x[-1])
        assert (ours.params, ours.mult_adds) == (report.params, report.mult_adds), name
    assert taken == ["mobilenet_v2", "shufflenet_v2_x0_5", "squeezenet1_1"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("mobilenetv2", "v2"),
        ("OFA_MobileNetV3", "ofa-mobilenetv3"),
        ("MobileNet-Grid", "mobilenet-grid"),
    ],
)
def test_a_sweep_takes_the_names_that_compare_takes(typed: str, meant: str) -> None:
    assert load_space(typed).spec == load_space(meant).spec


SPACES_OFFERED = {
    "ofa": "did you mean 'ofa-mobilenetv3'?",
    "ofamobilnet": "did you mean 'ofa-mobilenetv3'?",
    "mobilenet": "did you mean 'v1', 'v2', 'v3-large' or 'v3-small'?",
    "moblienet_v2": "did you mean 'v2'?",
    "resnet18": "did you mean 'resnet101'?",  # torchvision's has no rows to vary
    "zz": "one of: mobilenet-grid, ofa-mobilenetv3, alexnet",
}


@pytest.mark.parametrize("typed", SPACES_OFFERED)
def test_a_misspelt_space_is_offered_spaces_and_networks(typed: str) -> None:
    with pytest.raises(MbcostError) as raised:
        load_space(typed)
    assert f"no space, network or block is called {typed!r}" in str(raised.value)
    assert SPACES_OFFERED[typed] in str(raised.value)


def test_a_model_from_elsewhere_has_no_rows_to_vary() -> None:
    for name in ("torchvision:resnet18", "model.py:build"):
        with pytest.raises(MbcostError, match="has no rows to vary"):
            load_space(name)
