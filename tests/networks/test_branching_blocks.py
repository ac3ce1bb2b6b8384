"""Blocks with branches, splits and joins: wiring and residuals. (Counters: test_counters.)"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mbcost.errors import LayerError
from mbcost.graph.graph import Graph
from mbcost.graph.primitives import Add, ChannelShuffle, Concat, Conv2d, Shape, Slice
from mbcost.modules import build
from mbcost.networks.blocks.fields import Block
from mbcost.networks.blocks.fused_inverted_residual import FusedInvertedResidual
from mbcost.networks.blocks.ghost import GhostBottleneck
from mbcost.networks.blocks.inverted_residual import InvertedResidual
from mbcost.networks.blocks.residual_bottleneck import ResidualBottleneck
from mbcost.networks.blocks.sandglass import Sandglass
from mbcost.networks.blocks.shuffle import ShuffleUnit, ShuffleUnitV2
from mbcost.networks.blocks.universal_inverted_bottleneck import UniversalInvertedBottleneck
from tests.strategies import lowered


def paths(graph: Graph, layer: type[Any]) -> list[str]:
    return [node.path for node in graph.nodes if isinstance(node.layer, layer)]


def test_a_residual_joins_where_the_shape_is_kept_and_only_there() -> None:
    for block in (
        FusedInvertedResidual(16, t=4),
        UniversalInvertedBottleneck(16, t=4, k_mid=3),
        Sandglass(16, t=2),
    ):
        name = type(block).__name__
        assert paths(lowered(block, (16, 8, 8)), Add) == ["add"], name
        assert paths(lowered(block, (8, 8, 8)), Add) == [], name


def test_a_bottleneck_is_a_part_of_the_input_but_never_too_narrow_for_the_output() -> None:
    def reduced(c_in: int, c: int, t: float) -> int:
        graph = lowered(Sandglass(c, t=t), (c_in, 8, 8))
        return next(node.y[0] for node in graph.nodes if node.path == "reduce.conv")

    assert reduced(96, 144, t=4) == 24  # a sixth of 144 is just as much
    assert reduced(144, 96, t=4) == 36
    assert reduced(96, 192, t=4) == 32  # 24 would be less than a sixth of 192


def test_a_kernel_of_even_size_drops_the_residual_as_the_map_shrinks() -> None:
    block = UniversalInvertedBottleneck(16, t=4, k_start=2)
    graph = lowered(block, (16, 8, 8))
    assert paths(graph, Add) == []
    assert graph.y == (16, 7, 7)


def test_a_ghost_or_resnet_block_that_changes_shape_has_a_convolution_on_its_shortcut() -> None:
    for block in (GhostBottleneck(24, exp=48, s=2), ResidualBottleneck(24, s=2)):
        graph = lowered(block, (16, 8, 8))
        assert any(path.startswith("shortcut") for path in paths(graph, Conv2d))
        assert paths(graph, Add) == ["add"]
        assert graph.y == (24, 4, 4)


def test_an_odd_ghost_width_is_cut_from_the_joined_maps() -> None:
    graph = lowered(GhostBottleneck(17, exp=25), (17, 8, 8))
    assert paths(graph, Slice) == ["expand.slice", "project.slice"]
    assert graph.y == (17, 8, 8)


def test_half_of_the_channels_pass_a_shuffle_unit_of_the_second_kind_untouched() -> None:
    graph = lowered(ShuffleUnitV2(8), (8, 4, 4))
    x = torch.rand(1, 8, 4, 4)
    with torch.no_grad():
        y = build(graph)(x)
    assert torch.equal(y[:, 0::2], x[:, :4])


def test_a_shuffle_unit_adds_at_stride_one_and_concatenates_above() -> None:
    plain, strided = (lowered(ShuffleUnit(24, s=s), (c, 8, 8)) for c, s in ((24, 1), (12, 2)))
    assert (paths(plain, Add), paths(plain, Concat)) == (["add"], [])
    assert (paths(strided, Add), paths(strided, Concat)) == ([], ["concat"])
    assert paths(plain, ChannelShuffle) == paths(strided, ChannelShuffle) == ["shuffle"]


@pytest.mark.parametrize(
    ("of", "squeezed"), [("input", 4), ("expanded", 24)], ids=["input", "expanded"]
)
def test_a_squeeze_can_be_a_part_of_either_width(of: str, squeezed: int) -> None:
    block = InvertedResidual(16, t=6, se=0.25, se_of=of, se_divisor=1, gate="sigmoid")
    layers = {node.path: node.layer for node in lowered(block, (16, 8, 8)).nodes}
    reduce = layers["se.reduce"]
    assert isinstance(reduce, Conv2d)
    assert (reduce.c_in, reduce.c_out) == (96, squeezed)


@pytest.mark.parametrize(
    ("block", "x", "problem"),
    [
        (ShuffleUnitV2(9), (9, 8, 8), "9 input and 9 output channels do not split in halves"),
        (ShuffleUnitV2(8), (16, 8, 8), "16 input and 8 output channels do not split in halves"),
        (ShuffleUnit(24), (12, 8, 8), "12 input and 24 output channels do not fit stride 1"),
        (ShuffleUnit(24, s=2), (24, 8, 8), "24 input and 24 output channels do not fit stride 2"),
        (UniversalInvertedBottleneck(8, t=2, s=2), (8, 8, 8), "a stride needs a depthwise"),
    ],
)
def test_widths_that_a_block_cannot_join_are_named(block: Block, x: Shape, problem: str) -> None:
    with pytest.raises(LayerError, match=problem):
        lowered(block, x)
