"""Lower bounds on a device: against arithmetic of their own, and against what bounds them."""

from __future__ import annotations

from fractions import Fraction

import pytest

from mbcost.graph.graph import Graph, Node, Step, wire
from mbcost.graph.primitives import Conv2d, Layer, Shape, Upsample
from mbcost.networks.yaml import builtins
from mbcost.networks.yaml.document import parse_document
from mbcost.studies.device.bound import (
    Bound,
    Work,
    bound_of,
    by_kind,
    by_path,
    graph_works,
    total_bound,
    works_of,
)
from mbcost.studies.device.profile import Device, device_files, load_device, read_device
from mbcost.targets.resolve import resolve_one
from mbcost.targets.subject import Subject

FLAT = """source: made up
peaks: {fp32: {mult_adds_per_s: 7G, source: made up}, int8: {mult_adds_per_s: 20G, source: as well}}
bandwidths: [{level: memory, bytes_per_s: 3GB, source: made up}]
"""
CACHED = FLAT.replace(
    "[{level: memory",
    "[{level: L1, bytes: 100KiB, bytes_per_s: 50GB, source: x}, {level: L2, bytes: 1MiB}, "
    "{level: memory",
)
V1_PAIRS = (
    # stride and output channels of each pair, arXiv:1704.04861, Table 1
    *((1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512)),
    *((1, 512),) * 5,
    *((2, 1024), (1, 1024)),
)
NETWORKS = [name for name, entry in builtins().items() if entry.kind != "block"]


def device(text: str = FLAT) -> Device:
    return read_device(parse_document(text, "mine.yaml"), "mine")


def v1_layers() -> list[tuple[int, int, int]]:
    """Return mult-adds, elements of maps read and written together, and weights with biases, of
    each layer of V1 at 224 pixels, batch-norms folded, as int8 and int32."""
    size, c = 112, 32
    found = [(size**2 * c * 27, 3 * 224**2 + c * size**2, 27 * c + 4 * c)]
    for stride, c_out in V1_PAIRS:
        out = size // stride
        found.append((out**2 * 9 * c, c * (size**2 + out**2), 9 * c + 4 * c))
        found.append((out**2 * c * c_out, out**2 * (c + c_out), c * c_out + 4 * c_out))
        size, c = out, c_out
    found.append((0, c * size**2 + c, 0))  # the average pool
    return [*found, (c * 1000, c + 1000, c * 1000 + 4 * 1000)]


def test_v1_is_bounded_as_by_hand() -> None:
    expected = Fraction(0)
    for mult_adds, elements, weights in v1_layers():
        compute, memory = Fraction(mult_adds, 20 * 10**9), Fraction(elements + weights, 3 * 10**9)
        expected += max(compute, memory)
    works = works_of(resolve_one("v1"), "int8")
    assert total_bound(works, device(), "int8").seconds == expected
    assert sum(work.moved for work in works) == sum(e + w for _, e, w in v1_layers())


def test_in_another_type_maps_and_weights_are_as_long_as_it() -> None:
    found = {dtype: works_of(resolve_one("standard"), dtype) for dtype in ("fp32", "fp16", "bf16")}
    ((fp32,), (fp16,), (bf16,)) = found.values()
    maps = 64 * 224**2 + 128 * 112**2
    assert fp32.moved == 4 * (maps + 64 * 128 * 9 + 128)
    assert fp16 == bf16 == Work(*fp32[:3], fp32.read // 2, fp32.written // 2)


def test_maps_are_of_the_batch_and_weights_of_all_of_it() -> None:
    (one,) = works_of(resolve_one("standard"), "fp32")
    (four,) = works_of(resolve_one("standard@batch=4"), "fp32")
    weights = 4 * (64 * 128 * 9 + 128)
    assert four.read - weights == 4 * (one.read - weights)
    assert (four.mult_adds, four.written) == (4 * one.mult_adds, 4 * one.written)


def test_a_residual_reads_what_is_added_alone_and_a_gate_its_factors() -> None:
    v2 = {work.path: work for work in works_of(resolve_one("v2"), "int8")}
    assert v2["rows.2.1.add"] == Work("rows.2.1.add", "add", 0, 24 * 56 * 56, 0)
    v3 = works_of(resolve_one("v3-small"), "int8")
    scales = [work for work in v3 if work.kind == "scale"]
    assert scales
    assert scales[0] == Work("rows.1.se.scale", "scale", 0, 16, 0)


def test_copies_count_nothing() -> None:
    kinds = {work.kind for work in works_of(resolve_one("shufflenet-v2"), "int8")}
    assert kinds == {"conv", "pointwise", "depthwise", "pool", "linear"}


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "rows"),
    [(1, 2, 0, 112), (3, 2, 1, 224), (1, 3, 0, 75), (2, 5, 0, 90), (3, 3, 0, 222)],
)
def test_of_a_map_that_is_stepped_over_only_what_is_looked_at_is_read(
    kernel: int, stride: int, padding: int, rows: int
) -> None:
    subject = resolve_one(f"standard@kernel={kernel},stride={stride},padding={padding},out=1")
    (work,) = works_of(subject, "int8")
    assert work.read == 64 * rows**2 + (64 * kernel**2 + 4)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_mult_add_is_in_some_operator(name: str) -> None:
    subject = resolve_one(name)
    works = works_of(subject, "fp32")
    assert sum(work.mult_adds for work in works) == subject.report.mult_adds
    assert all(work.moved > 0 for work in works)
    assert {work.path for work in works} <= {node.path for node in subject.graph.nodes}


@pytest.mark.parametrize("name", ["v1", "v2", "v3-large", "ghostnet", "ssdlite-v2"])
@pytest.mark.parametrize("text", [FLAT, CACHED], ids=["flat", "cached"])
def test_no_peak_and_no_bandwidth_allows_less(name: str, text: str) -> None:
    works, of = works_of(resolve_one(name), "fp32"), device(text)
    bound = total_bound(works, of, "fp32")
    compute = Fraction(sum(work.mult_adds for work in works), 7 * 10**9)
    memory = Fraction(sum(work.moved for work in works), 3 * 10**9)
    assert bound.compute + bound.memory == bound.seconds
    assert compute <= bound.seconds <= compute + memory
    if text is FLAT:
        assert memory <= bound.seconds
    else:  # what caches may hold passes no memory
        assert bound.seconds <= total_bound(works, device(), "fp32").seconds


def test_a_faster_device_is_bounded_lower() -> None:
    works = works_of(resolve_one("v2"), "fp32")
    slow = total_bound(works, device(), "fp32").seconds
    for change in (("mult_adds_per_s: 7G", "mult_adds_per_s: 8G"), ("3GB", "4GB")):
        assert total_bound(works, device(FLAT.replace(*change)), "fp32").seconds < slow
    larger = CACHED.replace("bytes: 1MiB", "bytes: 4MiB")
    cached = total_bound(works, device(CACHED), "fp32").seconds
    assert total_bound(works, device(larger), "fp32").seconds < cached < slow


@pytest.mark.parametrize("name", device_files())
def test_on_every_shipped_device_every_type_has_a_bound(name: str) -> None:
    of = load_device(name)
    subject = resolve_one("v3-small")
    for dtype in of.peaks:
        bound = total_bound(works_of(subject, dtype), of, dtype)
        assert bound.seconds >= Fraction(subject.report.mult_adds, of.peak(dtype))


def test_which_of_the_two_it_is() -> None:
    of = device()
    compute = bound_of(Work("a", "conv", 7 * 10**9, 3 * 10**9 - 1, 0), of, "fp32")
    assert (compute, compute.by) == (Bound(Fraction(1), Fraction(1), Fraction(0)), "compute")
    even = bound_of(Work("a", "conv", 7 * 10**9, 3 * 10**9, 0), of, "fp32")
    assert even.by == "compute"
    memory = bound_of(Work("a", "conv", 7 * 10**9, 3 * 10**9, 1), of, "fp32")
    assert memory.by == "memory"
    assert memory.compute == 0
    assert total_bound([], of, "fp32").by is None


def test_parts_add_up_to_the_whole() -> None:
    works, of = works_of(resolve_one("v3-large"), "int8"), device()
    whole = total_bound(works, of, "int8")
    for parts in (by_kind(works), by_path(works)):
        assert sum(total_bound(own, of, "int8").seconds for _, own in parts) == whole.seconds
        assert len({name for name, _ in parts}) == len(parts)


def test_a_model_from_elsewhere_is_bounded_by_no_more_than_its_twin() -> None:
    pytest.importorskip("torchvision")
    twin, other = resolve_one("v2"), resolve_one("torchvision:mobilenet_v2")

    def found(subject: Subject) -> tuple[int, Fraction]:
        works = works_of(subject, "fp32")
        return sum(w.mult_adds for w in works), total_bound(works, device(), "fp32").seconds

    assert found(other)[0] == found(twin)[0]
    assert found(other)[1] <= found(twin)[1]
    assert found(other)[1] > Fraction(9, 10) * found(twin)[1]


def graph_of(layer: Layer, x: Shape) -> Graph:
    nodes: list[Node] = []
    wire(nodes, [Step("only", layer)], "", "", -1, x)
    return Graph(x, tuple(nodes))


def test_a_dilated_window_looks_at_every_other_row_alone() -> None:
    conv = Conv2d(2, 1, (3, 3), stride=(2, 2), padding=(2, 2), dilation=(2, 2))
    (work,) = graph_works(graph_of(conv, (2, 16, 16)), 1, "int8")
    assert work.read == 2 * 8 * 8 + 2 * 9  # rows 0, 2, … 14


def test_a_map_that_shrinks_is_read_where_four_of_its_elements_make_one() -> None:
    (work,) = graph_works(graph_of(Upsample((4, 4)), (3, 64, 64)), 1, "int8")
    assert (work.read, work.written) == (4 * 3 * 16, 3 * 16)
    (work,) = graph_works(graph_of(Upsample((64, 64)), (3, 4, 4)), 1, "int8")
    assert (work.read, work.written) == (3 * 16, 3 * 64**2)


def test_of_a_traced_stride_a_pixel_per_output_is_read_at_least() -> None:
    pytest.importorskip("torchvision")
    works = {work.path: work for work in works_of(resolve_one("torchvision:resnet18"), "fp32")}
    work = works["layer2.0.downsample.0"]
    assert work.read == 4 * (64 * 28 * 28 + 64 * 128)
    assert works["layer1.0.conv1"].read == 4 * (64 * 56 * 56 + 64 * 64 * 9)
