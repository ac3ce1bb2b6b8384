from __future__ import annotations

from mbcost.graph.graph import Graph, Step
from mbcost.graph.primitives import Activation, AdaptiveAvgPool2d, Add, Conv2d, Scale
from mbcost.graph.split import bottlenecks, split_peak
from mbcost.networks.yaml import builtin
from tests.graph.test_kernels import graph_of


def test_v2_in_groups_needs_what_section_5_1_says_by_our_reading() -> None:
    graph = builtin("v2").graph()
    found = {groups: split_peak(graph, groups) for groups in (1, 2, 3, None)}
    assert {groups: one and one.size for groups, one in found.items()} == {
        1: 3_562_496, 2: 2_057_216, 3: 1_555_456, None: 583_296,
    }  # fmt: skip
    assert {one and one.path for one in found.values()} == {"rows.2.0.expand.conv"}


def test_v2_has_a_bottleneck_for_each_block_that_expands() -> None:
    assert len(list(bottlenecks(builtin("v2").graph()))) == 16


def block(*inside: Step, outputs: tuple[int, ...] = ()) -> Graph:
    wide = (Step("up", Conv2d(4, 12, (1, 1))), Step("act", Activation("relu6")))
    depthwise = Step("dw", Conv2d(12, 12, (3, 3), (2, 2), (1, 1), groups=12), ("act",))
    return graph_of(*wide, depthwise, *inside, Step("down", Conv2d(12, 6, (1, 1))), outputs=outputs)


def test_a_group_holds_its_share_of_both_inner_maps_rounded_up() -> None:
    (found,) = bottlenecks(block())
    assert (found.outside, found.inside, found.channels) == (4 * 64 + 6 * 16, (64, 16), 12)
    assert [found.elements(t) for t in (1, 5, 12)] == [352 + 12 * 80, 352 + 3 * 80, 352 + 80]
    assert split_peak(block(), None, itemsize=1) == (352 + 80, "up")


def test_what_needs_every_channel_at_once_cannot_be_split() -> None:
    gate = (Step("pool", AdaptiveAvgPool2d(), ("dw",)), Step("scale", Scale(), ("dw", "pool")))
    assert split_peak(block(*gate), 2) is None
    assert split_peak(block(Step("sum", Add(), ("dw", "dw"))), 2) is None
    side = (Step("side", Conv2d(12, 12, (1, 1)), ("dw",)), Step("sum", Add(), ("dw", "side")))
    assert split_peak(block(*side), 2) is None
    assert split_peak(block(outputs=(2, 3)), 2) is None
    assert split_peak(block(outputs=(1, 3)), 2) is None
    assert split_peak(builtin("v1").graph(), 2) is not None
