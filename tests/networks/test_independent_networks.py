"""torchvision's and timm's own networks, counted without mbcost, equal ours."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
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
from mbcost.studies.papers.printed import parse_printed
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
    "inception-v3": "timm:inception_v3",
    "squeezenet": "torchvision:squeezenet1_0",
    "squeezenet-1.1": "torchvision:squeezenet1_1",
}
"""Our target and the model it must equal, without weights."""

COUNTED_ELSEWHERE = {
    "alexnet": (60_965_224, 724_406_816),  # Caffe's bvlc_alexnet
    "proxyless-mobile": (4_080_512, None),  # github.com/osmr/imgclsmob, proxylessnas.py
    "shufflenet": (1_865_728, None),  # github.com/osmr/imgclsmob, shufflenet.py: g = 3
    "shufflenet@alpha=0.5": (718_324, None),
    "shufflenet-g2": (1_733_848, None),
    "nasnet-a-mobile": (5_289_978, None),
    "googlenet": (6_998_552, None),  # Caffe's bvlc_googlenet without its auxiliary classifiers
}
"""Trainable parameters and mult-adds stated by builds that are not packages here."""


STATED_BY_SLIM = {"v1": 3_217_920, "inception-v2": 10_173_112, "inception-v3": 21_802_784}
"""What the tests of research/slim expect of a network up to its pool: weights, biases, and of each
batch-norm β, mean and variance, without γ."""


@pytest.mark.parametrize(("target", "stated"), STATED_BY_SLIM.items())
def test_a_network_has_the_variables_that_slim_expects_of_it(target: str, stated: int) -> None:
    report = resolve_one(target).report
    *body, classifier = report.layers
    assert classifier.kind == "linear"
    counted = [layer.terms for layer in body]
    without_norm = sum(t.weights + t.bias_params for t in counted)
    assert without_norm + 3 * sum(t.norm_params for t in counted) // 2 == stated


def nasnet_of_timms_cells() -> nn.Module:
    """Return NASNet-A mobile, 4 cells a stage of 44 filters at first, of the cells of timm's
    NASNet-A large, which has 6 of 168."""
    from timm.models import nasnet

    def cells(c: int, before: int, first: nn.Module) -> list[nn.Module]:
        """Four: what is before the first is reduced; ``before``: channels the second reads."""
        return [
            first,
            nasnet.NormalCell(before, c, 6 * c, c, pad_type="same"),
            *[nasnet.NormalCell(6 * c, c, 6 * c, c, pad_type="same") for _ in range(2)],
        ]

    class Mobile(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Sequential(nn.Conv2d(3, 32, 3, 2, bias=False), nn.BatchNorm2d(32))
            self.stem_0 = nasnet.CellStem0(32, 11, "same")
            self.stem_1 = nasnet.CellStem1(32, 22, "same")
            first = [nasnet.FirstCell(44, 22, 88, 44, "same")]
            first += [nasnet.FirstCell(264, 44, 352, 88, "same")]
            first += [nasnet.FirstCell(528, 88, 704, 176, "same")]
            widths = [(44, 88), (88, 352), (176, 704)]
            self.cells = nn.ModuleList(
                cell
                for (c, before), one in zip(widths, first, strict=True)
                for cell in cells(c, before, one)
            )
            self.reductions = nn.ModuleList(
                (
                    nasnet.ReductionCell0(264, 88, 264, 88, "same"),
                    nasnet.ReductionCell1(528, 176, 528, 176, "same"),
                )
            )
            self.last = nn.Linear(1056, 1000)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            stem = self.stem(x)
            before = self.stem_0(stem)
            y = self.stem_1(stem, before)
            for i, cell in enumerate(self.cells):
                if i in (4, 8):  # a reduction, then a cell that reads it and what it read
                    reduction = self.reductions[i // 4 - 1]
                    before, y = y, reduction(y, before)
                before, y = y, cell(y, before)
            logits: torch.Tensor = self.last(y.relu().mean((2, 3)))
            return logits

    return Mobile()


@pytest.mark.parametrize("size", [224, 331])
def test_nasnet_is_made_of_the_cells_that_timm_has(size: int) -> None:
    assert ours("nasnet-a-mobile", size=size) == counted(nasnet_of_timms_cells, size)


FACENET = (
    ("rows.0", "0.009M", "119M"),
    ("rows.3 rows.4", "0.115M", "360M"),
    ("rows.7", "0.164M", "128M"),
    ("rows.8", "0.228M", "179M"),
    ("rows.9", "0.398M", "108M"),
    ("rows.10", "0.545M", "107M"),
    ("rows.11", "0.595M", "117M"),
    ("rows.12", "0.654M", "128M"),
    ("rows.13", "0.722M", "142M"),
    ("rows.14", "0.717M", "56M"),
    ("rows.15", "1.6M", "78M"),
    ("rows.16", "1.6M", "78M"),
    ("rows.18", "0.131M", "0.1M"),
)
"""The rows of NN2 and what arXiv:1503.03832, Table 2 prints of them."""


@pytest.mark.parametrize(("rows", "params", "mult_adds"), FACENET)
def test_each_row_of_facenet_costs_what_its_table_prints(
    rows: str, params: str, mult_adds: str
) -> None:
    """The params with biases, and the multiply-adds with one more for each bias."""
    layers = [n for n in resolve_one("facenet-nn2").report.layers if n.block in rows.split()]
    ours = sum(n.params for n in layers)
    assert parse_printed(params).agrees(Fraction(ours))
    ours = sum(n.mult_adds + n.terms.bias_adds for n in layers)
    assert parse_printed(mult_adds).agrees(Fraction(ours))


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
