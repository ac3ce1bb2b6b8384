from __future__ import annotations

from collections.abc import Collection

import pytest

from mbcost.graph.deployed import IMAGES, InPlace, deployed
from mbcost.graph.fold import fold_batch_norms
from mbcost.graph.graph import Graph, Step
from mbcost.graph.kernels import FUSIONS, Fusion
from mbcost.graph.liveness import Operator, Schedule, live_sets, peak
from mbcost.graph.primitives import Activation, Add, BatchNorm2d, Conv2d, Flatten
from mbcost.networks.yaml import builtin, builtins
from tests.graph.test_kernels import graph_of
from tests.oracles import peak_activation

FIGURES: dict[tuple[str, Fusion], int] = {
    ("v1", "tflite"): 1_204_224,
    ("v2", "tflite"): 1_505_280,
    ("v3-large", "tflite"): 1_003_520,
    ("v3-small", "tflite"): 401_408,
    ("v3-small", "all"): 351_232,
    ("resnet50", "tflite"): 2_408_448,
    ("mobilenet-edgetpu", "tflite"): 602_112,
    ("proxyless-mobile", "tflite"): 802_816,
}


@pytest.mark.parametrize(("name", "fuse"), FIGURES)
def test_the_largest_live_set_of_a_network_in_int8(name: str, fuse: Fusion) -> None:
    schedule = deployed(builtin(name).graph(), fuse=fuse, itemsize=1)
    assert peak(schedule).size == FIGURES[name, fuse]


def test_fusion_makes_a_small_v1_fit_where_it_did_not() -> None:
    graph = builtin("v1").graph({"alpha": 0.25, "size": (192, 192)})
    peaks = [peak(deployed(graph, fuse=fuse, itemsize=1)).size for fuse in ("none", "tflite")]
    assert peaks == [294_912, 221_184]


TWO_OPERATORS = {"efficientnet-b0"}
"""Its silu is a product with a sigmoid, and holds one map more than a layer does."""


@pytest.mark.parametrize("name", sorted({*builtins()} - TWO_OPERATORS))
def test_without_fusion_it_is_every_folded_layer_with_a_map_of_its_own(name: str) -> None:
    graph = fold_batch_norms(builtin(name).graph())
    schedule = deployed(graph, fuse="none", itemsize=1)
    assert peak(schedule).size == peak_activation(graph.x, graph.nodes, graph.outputs)


@pytest.mark.parametrize("fuse", FUSIONS)
def test_bytes_grow_with_the_batch_and_the_type(fuse: Fusion) -> None:
    graph = builtin("v3-small").graph()
    one = peak(deployed(graph, fuse=fuse, itemsize=1)).size
    assert peak(deployed(graph, fuse=fuse, batch=3, itemsize=2)).size == 6 * one


def test_a_storage_has_the_path_of_the_layer_that_computes_it() -> None:
    graph = graph_of(Step("c", Conv2d(4, 6, (1, 1))), Step("a", Activation("relu")))
    schedule = deployed(graph)
    assert [storage.name for storage in schedule.storages] == ["input", "c"]
    assert schedule.operators == (Operator("c", (0,), (1,)),)


CHAIN = graph_of(*(Step(name, Conv2d(4, 4, (1, 1))) for name in "abc"))
"""Maps of 256 elements each."""


def alive(schedule: Schedule) -> list[set[str]]:
    return [{schedule.storages[s].name for s in there} for there in live_sets(schedule)]


def test_the_image_is_held_released_or_elsewhere() -> None:
    found = {image: alive(deployed(CHAIN, image=image)) for image in IMAGES}
    assert found == {
        "held": [{"input", "a"}, {"input", "a", "b"}, {"input", "b", "c"}],
        "released": [{"input", "a"}, {"a", "b"}, {"b", "c"}],
        "excluded": [{"a"}, {"a", "b"}, {"b", "c"}],
    }


def test_a_graph_without_operators_has_the_image_alone() -> None:
    for graph in (Graph((4, 8, 8), ()), graph_of(Step("f", Flatten()))):
        assert peak(deployed(graph, itemsize=1)).size == 256
        assert deployed(graph, image="held").kept == (0,)
        assert deployed(graph, image="excluded") == Schedule((), (), (), ())


RESIDUAL = graph_of(
    Step("a", Conv2d(4, 4, (1, 1))),
    Step("b", Conv2d(4, 4, (1, 1))),
    Step("sum", Add(), ("a", "b")),
    Step("c", Conv2d(4, 4, (1, 1))),
)


def test_a_sum_in_place_takes_the_place_of_its_first_term_that_ends() -> None:
    schedule = deployed(RESIDUAL, itemsize=1, in_place={"add"})
    assert schedule.operators[2] == Operator("sum", (1, 2), ())
    assert schedule.operators[3] == Operator("c", (1,), (3,))
    assert alive(schedule)[2:] == [{"a", "b"}, {"a", "c"}]
    assert peak(deployed(RESIDUAL, itemsize=1)).size == 3 * 256
    assert peak(schedule).size == 2 * 256


@pytest.mark.parametrize(
    ("read_later", "place"), [("a", 2), ("b", 1), ("", 1)], ids=["first", "second", "neither"]
)
def test_a_sum_in_place_spares_what_is_read_later(read_later: str, place: int) -> None:
    steps = [Step("a", Conv2d(4, 4, (1, 1))), Step("b", Conv2d(4, 4, (1, 1)))]
    steps += [Step("sum", Add(), ("a", "b"))]
    if read_later:
        steps += [Step("more", Add(), ("sum", read_later))]
    schedule = deployed(graph_of(*steps), in_place={"add"})
    assert schedule.operators[2] == Operator("sum", (1, 2), ())
    assert schedule.kept == (place,)


def test_a_sum_has_a_map_of_its_own_where_both_terms_are_needed() -> None:
    outputs = RESIDUAL._replace(outputs=(0, 1, 3))
    assert deployed(outputs, in_place={"add"}) == deployed(outputs)
    image = graph_of(Step("sum", Add(), ("@0", "@0")))
    assert deployed(image, in_place={"add"}).operators == (Operator("sum", (0,), ()),)
    assert deployed(image, in_place={"add"}, image="held").operators[0].writes == (1,)
    assert deployed(image, in_place={"add"}, image="excluded").operators[0].writes == (0,)


def depthwise(c: int, stride: int = 1, multiplier: int = 1) -> Conv2d:
    return Conv2d(c, c * multiplier, (3, 3), (stride, stride), (1, 1), groups=c)


def test_a_depthwise_convolution_in_place_needs_a_channel_of_one_image_besides() -> None:
    graph = graph_of(Step("a", Conv2d(4, 6, (1, 1))), Step("dw", depthwise(6)))
    schedule = deployed(graph, batch=2, itemsize=1, in_place={"depthwise"})
    assert schedule.operators[1] == Operator("dw", (1,), (2,))
    assert (schedule.storages[2].size, schedule.storages[2].category) == (64, "temporary")
    assert [sum(schedule.storages[s].size for s in there) for there in live_sets(schedule)] == [
        2 * 4 * 64 + 2 * 6 * 64, 2 * 6 * 64 + 64,
    ]  # fmt: skip


def test_a_depthwise_convolution_that_changes_its_size_is_not_in_place() -> None:
    for layer in (depthwise(4, stride=2), depthwise(4, multiplier=2)):
        graph = graph_of(Step("dw", layer), Step("c", Conv2d(layer.c_out, 4, (1, 1))))
        assert deployed(graph, in_place={"depthwise"}) == deployed(graph)


@pytest.mark.parametrize("in_place", [(), ("add",), ("depthwise",), ("add", "depthwise")])
@pytest.mark.parametrize("name", ["v1", "v2", "resnet50", "ssdlite-v2", "shufflenet-v2"])
def test_in_place_a_network_never_needs_more_than_a_channel_more(
    name: str, in_place: Collection[InPlace]
) -> None:
    graph = builtin(name).graph()
    before, after = deployed(graph, itemsize=1), deployed(graph, itemsize=1, in_place=in_place)
    channel = max(storage.size for storage in after.storages[-1:]) if in_place else 0
    assert peak(after).size <= peak(before).size + channel
    assert len(after.operators) == len(before.operators)
    assert [o.path for o in after.operators] == [o.path for o in before.operators]


def test_what_int8_has_no_operator_for_is_planned_in_float32() -> None:
    graph = graph_of(Step("bn", BatchNorm2d(4)))
    stored = deployed(graph, itemsize=1, stored="int8")
    assert [storage.size for storage in stored.storages] == [256, 1024, 1024, 1024, 256]
    assert [storage.size for storage in deployed(graph, stored="fp32").storages] == [1024] * 3
