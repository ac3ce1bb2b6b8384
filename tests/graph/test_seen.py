"""Kernel positions that see the map, against torch: a weight without a gradient sees nothing."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import conv2d

from mbcost.graph.primitives import Conv2d
from mbcost.graph.seen import seen_offsets, seen_positions
from mbcost.studies.explain import explain_table
from mbcost.targets.resolve import resolve_one

AXIS = st.tuples(
    st.integers(1, 7), st.integers(1, 4), st.integers(0, 6), st.integers(1, 3), st.integers(1, 12)
)


def by_gradient(k: int, s: int, p: int, d: int, x: int) -> int:
    """Return how many weights of a kernel along one axis have a gradient, the image being ones."""
    weight = torch.zeros(1, 1, k, 1, requires_grad=True)
    y = conv2d(torch.ones(1, 1, x, 1), weight, None, (s, 1), (p, 0), (d, 1))
    (gradient,) = torch.autograd.grad(y.sum(), weight)
    return int((gradient != 0).sum())


@given(AXIS)
def test_positions_that_see_the_map_have_a_gradient(axis: tuple[int, int, int, int, int]) -> None:
    k, s, p, d, x = axis
    reach = x + 2 * p - d * (k - 1) - 1
    if reach < 0:
        return
    assert seen_offsets(k, s, p, d, x, reach // s + 1) == by_gradient(k, s, p, d, x)


@pytest.mark.parametrize(("target", "size"), [("v3-small", 32), ("v2", 24), ("v1-cifar10", 8)])
def test_of_whole_networks_too(target: str, size: int) -> None:
    graph = resolve_one(target, {"size": str(size)}).graph
    for node in graph.nodes:
        layer = node.layer
        if not isinstance(layer, Conv2d):
            continue
        weight = torch.zeros(1, 1, *layer.kernel, dtype=torch.float64, requires_grad=True)
        ones = torch.ones(1, 1, *node.x[1:], dtype=torch.float64)
        y = conv2d(ones, weight, None, layer.stride, layer.padding, layer.dilation)
        (gradient,) = torch.autograd.grad(y.sum(), weight)
        assert seen_positions(node) == (int((gradient != 0).sum()), gradient.numel()), node.path


def test_at_32_pixels_22_per_cent_of_v3_smalls_depthwise_weights_meet_the_map() -> None:
    subject = resolve_one("v3-small", {"size": "32"})
    table = explain_table(subject)
    assert any("of the depthwise weights 22% ever meet the map" in note for note in table.notes)
    rows = {row["path"]: row["kernel_seen"] for row in table.rows}
    assert rows["rows.10.depthwise.conv"] == 100 / 25
    at_224 = explain_table(resolve_one("v3-small"))
    assert {row["kernel_seen"] for row in at_224.rows} <= {100.0, None}
    assert "kernel_seen" not in [column.key for column in at_224.columns]
