"""Detection and segmentation networks: counters, torchvision's own builds, the printed figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import ceil
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import mbcost
from mbcost.cost import cost_of
from mbcost.errors import MbcostError
from mbcost.graph.graph import Graph
from mbcost.graph.primitives import Conv2d
from mbcost.modules.counters import COUNTERS
from mbcost.networks.network import Network
from mbcost.networks.published import Published
from mbcost.networks.yaml import builtin, builtins
from mbcost.studies.papers.printed import parse_printed
from mbcost.targets.resolve import resolve_one
from mbcost.targets.subject import Subject
from mbcost.units import parse_count
from tests.conftest import Cli
from tests.modules.test_counters import THREE, assert_all_agree
from tests.networks.test_independent_networks import torchvisions
from tests.networks.test_published import differing
from tests.strategies import with_few_boxes

KINDS = ("detection", "segmentation")


def names(kinds: tuple[str, ...] = KINDS) -> list[str]:
    return [name for name, entry in builtins().items() if entry.kind in kinds]


def network(name: str) -> Network:
    spec = builtin(name)
    assert isinstance(spec, Network)
    return spec


LARGER = {name: {"size": "257", "batch": 1} for name in ("ssd300-vgg", "ssd512-vgg")}
"""Below this their last maps are smaller than the kernels on them."""


@pytest.mark.parametrize("name", names())
def test_counters_equal_the_closed_form(name: str) -> None:
    further = {"reduced_tail": True, "output_stride": 8}
    accepted = {k: v for k, v in further.items() if k in network(name).accepts}
    variants: list[dict[str, Any]] = [{"size": "75x64", "batch": 2} | LARGER.get(name, {})]
    if accepted:
        variants.append({"size": "65", "alpha": 0.5, **accepted})
    for given, counters in zip(variants, (tuple(COUNTERS), THREE), strict=False):
        assert_all_agree(on_few_boxes(resolve_one(name, given)), counters)


def on_few_boxes(subject: Subject) -> Subject:
    assert isinstance(subject.spec, Network)
    return Subject(subject.target, with_few_boxes(subject.spec), subject.settings)


CROPPING = [name for name in names() if any(row.block == "crop" for row in network(name).rows)]


@pytest.mark.parametrize("name", CROPPING)
def test_every_proposal_counts_where_all_of_them_run(name: str) -> None:
    """On the meta device, by torch."""
    subject = resolve_one(name, {"size": "300", "batch": 2})
    assert_all_agree(subject, ("torch",))
    few = on_few_boxes(subject).report
    second = [sum(n.mult_adds for n in r.layers if n.times > 1) for r in (subject.report, few)]
    assert second[0] == 150 * second[1] > 0
    assert subject.report.params == few.params


def test_faster_rcnn_on_vgg_is_torchvisions_vgg_run_once_a_proposal() -> None:
    with torch.device("meta"):
        vgg = torchvisions("vgg16")
        body, fc = vgg.features[:30], vgg.classifier[:6]
        rpn = nn.Conv2d(512, 512, 3, padding=1)
        first = nn.ModuleList((nn.Conv2d(512, 24, 1), nn.Conv2d(512, 48, 1)))
        last = nn.ModuleList((nn.Linear(4096, 91), nn.Linear(4096, 360)))

    def run(x: Tensor) -> None:
        cells = rpn(body(x))
        first[0](cells)
        first[1](cells)
        boxes = fc(torch.empty(300, 512 * 7 * 7, device="meta"))
        last[0](boxes)
        last[1](boxes)

    model = nn.ModuleList((body, fc, rpn, first, last)).eval()
    for size in (300, 600):
        assert ours("faster-rcnn-vgg", size=size) == counted(model, run, size)


def counted(module: nn.Module, run: Callable[[Tensor], object], size: int) -> tuple[int, int]:
    """Return (params, mult-adds) of a module on the meta device by torch alone."""
    mode = FlopCounterMode(display=False)
    with torch.no_grad(), mode:
        run(torch.empty(1, 3, size, size, device="meta"))
    return sum(p.numel() for p in module.parameters()), mode.get_total_flops() // 2


def ours(target: str, **settings: Any) -> tuple[int, int]:
    report = mbcost.count(target, **settings)
    return report.params, report.mult_adds


@pytest.mark.parametrize("size", [320, 256])
def test_ssdlite_is_torchvisions(size: int) -> None:
    model = torchvisions("ssdlite320_mobilenet_v3_large", weights_backbone=None).eval().to("meta")

    def run(x: Tensor) -> None:
        model.head(list(model.backbone(x).values()))

    theirs = counted(model, run, size)
    mine = ours("ssdlite320-v3-large-torchvision", size=size, reduced_tail=True)
    assert mine == theirs


def test_ssdlite_without_the_reduced_tail_is_torchvisions() -> None:
    from torchvision.models import mobilenet_v3_large
    from torchvision.models.detection.ssdlite import SSDLiteHead, _mobilenet_extractor

    with torch.device("meta"):
        extractor = _mobilenet_extractor(mobilenet_v3_large(), 6, nn.BatchNorm2d)
        channels = [672, 960, 512, 256, 256, 128]
        head = SSDLiteHead(channels, [6] * 6, 91, nn.BatchNorm2d)
    model = nn.ModuleList((extractor, head)).eval()
    theirs = counted(model, lambda x: head(list(extractor(x).values())), 320)
    assert ours("ssdlite320-v3-large-torchvision") == theirs


def test_ssd300_is_torchvisions_but_for_the_scales_of_one_map() -> None:
    with torch.device("meta"):
        model = torchvisions("ssd300_vgg16", weights_backbone=None).eval()

    def run(x: Tensor) -> None:
        model.head(list(model.backbone(x).values()))

    params, mult_adds = counted(model, run, 300)
    assert ours("ssd300-vgg", classes=91) == (params - 512, mult_adds)


def test_ssd512_is_torchvisions_with_the_strides_of_its_authors() -> None:
    """torchvision's larger variant leaves two maps unstrided and its last kernel unpadded."""
    from torchvision.models.detection.ssd import SSDHead, _vgg_extractor

    with torch.device("meta"):
        extractor = _vgg_extractor(torchvisions("vgg16"), True, 5)
        head = SSDHead([512, 1024, 512, 256, 256, 256, 256], [4, 6, 6, 6, 6, 4, 4], 81)
    for index in (3, 4):
        extractor.extra[index][2].stride, extractor.extra[index][2].padding = (2, 2), (1, 1)
    extractor.extra[5][2].padding = (1, 1)
    model = nn.ModuleList((extractor, head)).eval()
    theirs = counted(model, lambda x: head(list(extractor(x).values())), 512)
    assert ours("ssd512-vgg") == (theirs[0] - 512, theirs[1])


SEGMENTATION = {
    "lraspp-v3-large-torchvision": "lraspp_mobilenet_v3_large",
    "deeplabv3-v3-large-torchvision": "deeplabv3_mobilenet_v3_large",
}


@pytest.mark.parametrize("classes", [21, 5])
@pytest.mark.parametrize("size", [520, 225])
@pytest.mark.parametrize("name", SEGMENTATION)
def test_segmentation_is_torchvisions(name: str, size: int, classes: int) -> None:
    with torch.device("meta"):
        model = torchvisions(SEGMENTATION[name], weights_backbone=None, num_classes=classes)
    theirs = counted(model.eval(), model, size)
    assert ours(name, size=size, classes=classes) == theirs
    assert mbcost.count(name, size=size, classes=classes).y == (classes, size, size)


def test_torchvisions_last_stage_dilates() -> None:
    with torch.device("meta"):
        model = torchvisions("lraspp_mobilenet_v3_large", weights_backbone=None)
    theirs = [
        m.dilation[0] for m in model.backbone.modules() if isinstance(m, nn.Conv2d) and m.groups > 1
    ]
    graph = resolve_one("lraspp-v3-large-torchvision").graph
    mine = [
        n.layer.dilation[0]
        for n in graph.nodes
        if isinstance(n.layer, Conv2d) and n.layer.groups > 1
    ]
    assert mine == theirs


def backbone_end(name: str) -> int:
    """Return how many rows stand before the first that reads a tap or makes an extra map."""
    rows = network(name).rows
    return 1 + next(i for i, row in enumerate(rows) if row.name == "c5")


OWN_BACKBONE = (
    *("yolov2", "ssd300-vgg", "ssd512-vgg", "ssd-inception-v2", "faster-rcnn"),
    "ssdlite-mnasnet-a1",
    "deeplabv3-resnet101-beta",
)
"""Networks whose backbone is changed, or no network of ours by itself."""
BACKBONES = {"v1": "v1", "v2": "v2", "v3-large": "v3-large", "v3-small": "v3-small"}


@pytest.mark.parametrize(
    "name", [n for n in names() if "torchvision" not in n and not n.startswith(OWN_BACKBONE)]
)
def test_the_backbone_is_the_classification_network(name: str) -> None:
    """At α = 1 and 224 pixels, up to the layer that the head is put on."""
    family = next(b for b in sorted(BACKBONES, key=len, reverse=True) if f"-{b}" in name)
    end = backbone_end(name)
    settings: dict[str, Any] = {"size": 224}
    if network(name).output_stride is not None:
        settings["output_stride"] = 32
    body = [n for n in mbcost.count(name, **settings).layers if int(n.path.split(".")[1]) < end]
    whole = mbcost.count(family, size=224).layers
    costs = [(n.kind, n.x, n.y, n.params, n.mult_adds) for n in body]
    assert costs == [(n.kind, n.x, n.y, n.params, n.mult_adds) for n in whole[: len(costs)]]
    assert len(body) > 0.8 * len(whole)


def test_the_backbone_of_ssdlite_on_mnasnet_is_mnasnet_but_for_its_squeezes() -> None:
    end = backbone_end("ssdlite-mnasnet-a1")
    body = [
        (n.kind, n.x, n.y, n.params, n.mult_adds)
        for n in mbcost.count("ssdlite-mnasnet-a1", size=224).layers
        if int(n.path.split(".")[1]) < end and ".se." not in n.path
    ]
    whole = [
        (n.kind, n.x, n.y, n.params, n.mult_adds)
        for n in mbcost.count("mnasnet-a1").layers
        if ".se." not in n.path
    ]
    assert body == whole[: len(body)]
    assert len(body) > 0.8 * len(whole)


@pytest.mark.parametrize("name", [n for n in names() if "output_stride" in network(n).accepts])
def test_an_output_stride_changes_maps_and_not_params(name: str) -> None:
    reports = {s: mbcost.count(name, size=256, output_stride=s) for s in (8, 16, 32)}
    assert len({r.params for r in reports.values()}) == 1
    assert len({r.y for r in reports.values()}) == 1
    last = {}
    for stride, report in reports.items():
        index = backbone_end(name) - 1
        c5 = next(n for n in reversed(report.layers) if n.path.startswith(f"rows.{index}."))
        last[stride] = c5.y[1]
    assert last == {8: 32, 16: 16, 32: 8}


def test_strides_become_dilations_of_the_layers_behind() -> None:
    """DeepLab's rule: the layer that loses its stride keeps its rate, those behind it dilate."""
    depthwise = {}
    for stride in (8, 16, 32):
        graph = resolve_one("deeplabv3-v2", {"output_stride": stride}).graph
        depthwise[stride] = [
            (n.layer.stride[0], n.layer.dilation[0])
            for n in graph.nodes
            if isinstance(n.layer, Conv2d) and n.layer.groups > 1
        ]
    assert {d for _, d in depthwise[32]} == {1}
    at_64, at_160 = 6, 13  # the first blocks of the stages with 64 and with 160 channels
    assert depthwise[32][at_64] == depthwise[32][at_160] == (2, 1)
    assert depthwise[16][at_160:] == [(1, 1), (1, 2), (1, 2), (1, 2)]
    assert depthwise[8][at_64:at_160] == [(1, 1)] + [(1, 2)] * 6
    assert depthwise[8][at_160:] == [(1, 2)] + [(1, 4)] * 3


@pytest.mark.parametrize(("stride", "rates"), [(16, [6, 12, 18]), (8, [12, 24, 36])])
def test_atrous_rates_double_at_output_stride_eight(stride: int, rates: list[int]) -> None:
    graph = resolve_one("deeplabv3-v1", {"output_stride": stride}).graph
    convs = [n.layer for n in graph.nodes if isinstance(n.layer, Conv2d)]
    assert [c.dilation[0] for c in convs if c.groups == 1 and c.dilation[0] > 1] == rates


def test_an_output_stride_that_is_never_reached_is_refused(cli: Cli) -> None:
    with pytest.raises(MbcostError, match=r"output stride 12 is not .*one of: 1, 2, 4, 8, 16"):
        mbcost.count("deeplabv3-v2", output_stride=12)
    with pytest.raises(MbcostError, match="output stride 64 is not a stride"):
        mbcost.count("deeplabv3-v2", output_stride=64)
    refused = cli("compare", "v2", "--output-stride", "16", "--fast")
    assert refused.exit_code == 2
    assert "--output-stride: fits none of the targets v2" in refused.stderr
    assert cli("compare", "deeplabv3-v2", "--output-stride", "8", "--fast").exit_code == 0


def agrees(value: int, printed: str) -> bool:
    return parse_printed(printed).agrees(Fraction(value))


def differences(spec: Network, printed: Published) -> list[str]:
    return [text.partition(":")[0] for text in differing(spec, printed)]


def test_the_params_that_differ_from_print_and_the_mult_adds_of_detection_are_these() -> None:
    """What docs/networks.md says of them."""
    found = [
        (name, key, printed.settings)
        for name in names()
        for printed in network(name).published
        for key in differences(network(name), printed)
        if key == "params" or builtins()[name].kind == "detection"
    ]
    assert [(name, key) for name, key, _ in found] == [
        ("faster-rcnn-vgg", "mult_adds"),
        ("ssd300-vgg", "params"),
        ("ssd300-vgg", "mult_adds"),
        ("ssd300-vgg", "params"),
        ("ssd512-vgg", "mult_adds"),
        ("ssd512-vgg", "params"),
        ("ssdlite-v3-large", "mult_adds"),
        ("yolov2-voc-2016", "mult_adds"),
        ("yolov2-voc-2016", "params"),
        ("lraspp-v2-f256", "params"),
    ]
    assert "reduced_tail" not in {name: settings for name, _, settings in found}["ssdlite-v3-large"]


def test_one_changed_channel_turns_rows_into_differences() -> None:
    spec = network("ssdlite-v3-small")
    rows = list(spec.rows)
    assert rows[9].fields["c"] == 96
    rows[9] = rows[9]._replace(fields={**rows[9].fields, "c": 112})
    changed = replace(spec, rows=tuple(rows))
    assert differences(spec, spec.published[0]) == []
    assert differences(changed, spec.published[0]) == ["params"]


def head_of(name: str) -> tuple[int, int]:
    """Return (params, mult-adds) of what stands behind the backbone."""
    end = backbone_end(name)
    head = [n for n in mbcost.count(name).layers if int(n.path.split(".")[1]) >= end]
    return sum(n.params for n in head), sum(n.mult_adds for n in head)


def test_the_heads_of_v2_are_what_its_table_5_prints() -> None:
    """Both heads' params and SSD's mult-adds. For SSDLite the table prints 0.35 B, about twice
    what is left of Table 6's 0.8 B for the whole network when the backbone is taken off."""
    params, mult_adds = head_of("ssd-v2")
    assert agrees(params, "14.8M")
    assert agrees(mult_adds, "1.25B")
    params, mult_adds = head_of("ssdlite-v2")
    assert agrees(params, "2.1M")
    assert not agrees(mult_adds, "0.35B")
    whole = mbcost.count("ssdlite-v2").mult_adds
    assert agrees(whole, "0.8B")
    assert not agrees(whole - mult_adds + parse_count("0.35B"), "0.8B")


def padded_mult_adds(graph: Graph) -> int:
    """Return mult-adds where a dilated convolution runs on space-to-batch: the map, with its
    padding, grows to a multiple of the dilation, and every output on it is computed."""
    total = 0
    for node, layer in zip(graph.nodes, cost_of(graph, "").layers, strict=True):
        conv = node.layer
        if isinstance(conv, Conv2d) and conv.dilation[0] > 1:
            d, k = conv.dilation[0], conv.kernel[0]
            sides = [(ceil((n + d * (k - 1)) / d) - (k - 1)) * d for n in layer.x[1:]]
            total += layer.mult_adds // (layer.y[1] * layer.y[2]) * sides[0] * sides[1]
        else:
            total += layer.mult_adds
    return total


def test_padding_to_the_dilation_explains_the_aspp_of_v2() -> None:
    """The reason its YAML gives; over six scales and mirror images it gives the 387 B at output
    stride 8 too."""
    spec = network("deeplabv3-v2")
    (printed,) = spec.published
    assert printed.mult_adds is not None
    assert not agrees(spec.count().mult_adds, printed.mult_adds)
    assert agrees(padded_mult_adds(spec.graph()), printed.mult_adds)
    scales = [512 * quarters // 4 + 1 for quarters in (2, 3, 4, 5, 6, 7)]
    once = sum(padded_mult_adds(spec.graph({"output_stride": 8, "size": (n, n)})) for n in scales)
    assert agrees(2 * once, "387B")


OUTPUTS = {
    "yolov2": 2,
    "yolov2-voc-2016": 2,
    "ssd512-vgg": 14,
    **dict.fromkeys(("faster-rcnn-v1", "faster-rcnn-inception-v2", "faster-rcnn-vgg"), 4),
}
"""Maps that a detector puts out, where they are not classes and boxes of six."""


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("size", ["320", "513", "1024x2048"])
def test_every_network_lowers_at_the_sizes_the_tables_print(name: str, size: str) -> None:
    report = mbcost.count(name, size=size)
    assert report.mult_adds > 10**8
    if builtins()[name].kind == "segmentation":
        assert report.y[1:] == report.x[1:]
    else:
        assert len(report.ys) == OUTPUTS.get(name, 12)
