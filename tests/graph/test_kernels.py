from __future__ import annotations

import pytest

from mbcost.graph.graph import Graph, Node, Step, wire
from mbcost.graph.kernels import FUSIONS, Fusion, Kernel, Kernels, in_order, kernels
from mbcost.graph.padding import padding
from mbcost.graph.primitives import (
    ACTIVATIONS,
    Activation,
    AdaptiveAvgPool2d,
    Add,
    BatchNorm2d,
    ChannelShuffle,
    Concat,
    Conv2d,
    Crop,
    Flatten,
    Layer,
    Linear,
    LocalResponseNorm,
    Pool2d,
    Scale,
    Shape,
    Slice,
    SpaceToDepth,
    Upsample,
)


def graph_of(*steps: Step, x: Shape = (4, 8, 8), outputs: tuple[int, ...] = ()) -> Graph:
    nodes: list[Node] = []
    wire(nodes, steps, "", "", -1, x)
    return Graph(x, tuple(nodes), outputs)


def named(found: Kernels) -> list[str]:
    """Return operators with what is fused into them: ``CONV_2D+relu``."""
    return [f"{k.operator}+{k.activation}".removesuffix("+") for k in found.kernels]


CONV = Conv2d(4, 6, (1, 1))
ONE: dict[str, tuple[Layer, Shape]] = {
    "CONV_2D": (CONV, (4, 8, 8)),
    "DEPTHWISE_CONV_2D": (Conv2d(4, 8, (3, 3), padding=(1, 1), groups=4), (4, 8, 8)),
    "FULLY_CONNECTED": (Linear(4, 3), (4,)),
    "MAX_POOL_2D": (Pool2d("max", (3, 3), (2, 2), (1, 1)), (4, 8, 8)),
    "AVERAGE_POOL_2D": (Pool2d("avg", (2, 2), (2, 2)), (4, 8, 8)),
    "SLICE": (Slice(1, 3), (4, 8, 8)),
    "TRANSPOSE": (ChannelShuffle(2), (4, 8, 8)),
    "SPACE_TO_DEPTH": (SpaceToDepth(2), (4, 8, 8)),
    "RESIZE_BILINEAR": (Upsample((16, 16)), (4, 8, 8)),
    "LOCAL_RESPONSE_NORMALIZATION": (LocalResponseNorm(5), (4, 8, 8)),
}


@pytest.mark.parametrize("operator", ONE)
def test_a_layer_is_one_operator_that_puts_out_its_shape(operator: str) -> None:
    layer, x = ONE[operator]
    graph = graph_of(Step("layer", layer), x=x)
    assert kernels(graph, "none") == Kernels(
        x, (Kernel(operator, "layer", layer, (0,), graph.y),), (1,)
    )


def test_a_convolution_of_one_channel_or_of_groups_of_several_is_no_depthwise_one() -> None:
    for layer, x in (
        (Conv2d(1, 6, (3, 3)), (1, 8, 8)),
        (Conv2d(4, 4, (3, 3), groups=2), (4, 8, 8)),
    ):
        assert named(kernels(graph_of(Step("conv", layer), x=x), "none")) == ["CONV_2D"]


def test_a_global_pool_is_a_window_and_flatten_is_free() -> None:
    steps = (Step("p", AdaptiveAvgPool2d()), Step("f", Flatten()), Step("fc", Linear(4, 3)))
    found = kernels(graph_of(*steps), "none")
    assert named(found) == ["AVERAGE_POOL_2D", "FULLY_CONNECTED"]
    assert [k.reads for k in found.kernels] == [(0,), (1,)]
    assert found.outputs == (2,)


def test_a_flattened_image_that_is_put_out_is_the_image() -> None:
    assert kernels(graph_of(Step("f", Flatten())), "none") == Kernels((4, 8, 8), (), (0,))


def test_a_batch_norm_is_folded_or_else_a_product_and_a_sum() -> None:
    folded = kernels(graph_of(Step("c", CONV), Step("bn", BatchNorm2d(6))), "none")
    assert named(folded) == ["CONV_2D"]
    assert folded.kernels[0].layer == Conv2d(4, 6, (1, 1), bias=True)
    assert named(kernels(graph_of(Step("bn", BatchNorm2d(4))), "all")) == ["MUL", "ADD"]


def test_silu_and_hardsigmoid_have_no_operator_of_their_own() -> None:
    silu = kernels(graph_of(Step("a", Activation("silu"))), "none")
    assert named(silu) == ["LOGISTIC", "MUL"]
    assert silu.kernels[1].reads == (0, 1)
    hard = kernels(graph_of(Step("a", Activation("hardsigmoid"))), "none")
    assert named(hard) == ["ADD+relu6", "MUL"]
    assert [k.reads for k in hard.kernels] == [(0,), (1,)]


def test_a_sum_of_four_is_three_additions_and_the_last_has_the_activation() -> None:
    steps = [Step(name, CONV, ("@0",)) for name in "abcd"]
    graph = graph_of(
        *steps, Step("sum", Add(), ("a", "b", "c", "d")), Step("r", Activation("relu"))
    )
    found = kernels(graph, "tflite")
    assert named(found)[4:] == ["ADD", "ADD", "ADD+relu"]
    assert [k.reads for k in found.kernels[4:]] == [(1, 2), (5, 3), (6, 4)]


def test_a_gate_and_a_join_read_all_their_maps() -> None:
    gate = (Step("p", AdaptiveAvgPool2d(), ("@0",)), Step("s", Scale(), ("@0", "p")))
    found = kernels(graph_of(*gate, Step("cat", Concat(), ("s", "@0"))), "all")
    assert named(found) == ["AVERAGE_POOL_2D", "MUL", "CONCATENATION"]
    assert [k.reads for k in found.kernels] == [(0,), (0, 1), (2, 0)]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("fuse", FUSIONS)
def test_each_fusion_fuses_what_it_says(fuse: Fusion, activation: str) -> None:
    fused = named(kernels(graph_of(Step("c", CONV), Step("a", Activation(activation))), fuse))
    wanted = {"none": (), "tflite": ("relu", "relu6"), "all": set(ACTIVATIONS) - {"softmax"}}
    assert (fused == [f"CONV_2D+{activation}"]) == (activation in wanted[fuse])
    if activation not in wanted[fuse]:
        assert fused[0] == "CONV_2D"
        assert len(fused) > 1


def test_an_activation_is_fused_into_what_has_room_for_it_alone() -> None:
    relu = Step("a", Activation("relu"))
    other = {
        "after a pool": (Step("p", Pool2d("max", (2, 2), (2, 2))), relu),
        "at the input": (relu,),
        "beside another reader": (Step("c", CONV), relu, Step("sum", Add(), ("c", "a"))),
        "after a gate": (
            Step("g", AdaptiveAvgPool2d(), ("@0",)), Step("s", Scale(), ("@0", "g")), relu,
        ),
    }  # fmt: skip
    for name, steps in other.items():
        assert "RELU" in named(kernels(graph_of(*steps), "all")), name
    alone = graph_of(Step("c", CONV), relu, outputs=(0, 1))
    assert named(kernels(alone, "all")) == ["CONV_2D", "RELU"]


def test_of_two_activations_the_first_is_fused() -> None:
    steps = (Step("c", CONV), Step("a", Activation("relu")), Step("b", Activation("sigmoid")))
    assert named(kernels(graph_of(*steps), "all")) == ["CONV_2D+relu", "LOGISTIC"]


def test_a_fused_operator_takes_the_turn_of_its_activation() -> None:
    steps = (
        Step("a", CONV, ("@0",)),
        Step("b", CONV, ("@0",)),
        Step("c", Activation("relu"), ("a",)),
        Step("sum", Add(), ("b", "c")),
    )
    found = kernels(graph_of(*steps), "tflite")
    assert [k.path for k in found.kernels] == ["b", "a", "sum"]
    assert found.kernels[-1].reads == (1, 2)


def test_a_window_that_tflite_cannot_pad_has_a_pad_before_it() -> None:
    stem = Conv2d(3, 8, (11, 11), (4, 4), (2, 2))
    found = kernels(graph_of(Step("stem", stem), x=(3, 224, 224)), "tflite")
    assert [(k.operator, k.y) for k in found.kernels] == [
        ("PAD", (3, 228, 228)), ("CONV_2D", (8, 55, 55)),
    ]  # fmt: skip
    rounded = Pool2d("max", (3, 3), (2, 2), (1, 1), ceil=True)
    found = kernels(graph_of(Step("pool", rounded), x=(3, 12, 12)), "tflite")
    assert [(k.operator, k.y) for k in found.kernels] == [
        ("PADV2", (3, 15, 15)), ("MAX_POOL_2D", (3, 7, 7)),
    ]  # fmt: skip
    assert padding(rounded, (3, 15, 15), (3, 7, 7)) == "VALID"


def test_padding_is_valid_where_no_pixel_is_missing_else_same() -> None:
    dilated = Conv2d(4, 4, (3, 5), (2, 1), (2, 2), (2, 1))
    assert padding(dilated, (4, 9, 9), (4, 5, 9)) == "SAME"
    assert padding(dilated, (4, 9, 9), (4, 3, 5)) == "VALID"
    assert padding(dilated, (4, 9, 9), (4, 5, 5)) == "PAD"


def test_a_crop_is_one_operator_and_what_reads_it_puts_out_a_map_a_box() -> None:
    graph = graph_of(
        Step("c", CONV), Step("boxes", Crop(3, (2, 2))), Step("d", Conv2d(6, 5, (1, 1)))
    )
    found = kernels(graph, "tflite")
    assert named(found) == ["CONV_2D", "CUSTOM", "CONV_2D"]
    assert [found.elements(i) for i in range(4)] == [4 * 64, 6 * 64, 3 * 6 * 4, 3 * 5 * 4]


def test_an_order_renumbers_tensors() -> None:
    steps = (Step("a", CONV, ("@0",)), Step("b", CONV, ("@0",)), Step("sum", Add(), ("a", "b")))
    graph = graph_of(*steps)._replace(outputs=(0, 2))
    found = in_order(kernels(graph, "none"), (1, 0, 2))
    assert [(k.path, k.reads) for k in found.kernels] == [
        ("b", (0,)), ("a", (0,)), ("sum", (2, 1)),
    ]  # fmt: skip
    assert found.outputs == (2, 3)
