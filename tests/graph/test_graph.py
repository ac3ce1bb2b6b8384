"""How steps are wired into nodes, and what a graph puts out."""

from __future__ import annotations

import pytest

from mbcost.errors import LayerError
from mbcost.graph.graph import Graph, Node, Step, wire
from mbcost.graph.primitives import MAX_FEATURES, Activation, Add, Conv2d, Flatten, Scale, Slice


def conv(c_in: int, c: int, s: int = 1) -> Conv2d:
    return Conv2d(c_in, c, (1, 1), (s, s))


def test_steps_read_the_step_before_or_those_they_name() -> None:
    nodes = [Node("first", "first", conv(3, 4), (-1,), (3, 4, 4), (4, 4, 4))]
    steps = (
        Step("a", conv(4, 6)),
        Step("b", conv(4, 6), ("@0",)),
        Step("sum", Add(), ("a", "b", "@1")),
    )
    last = wire(nodes, steps, "rows.1", "block", 0, (4, 4, 4), others=[(-1, (6, 4, 4))])
    assert last == (3, (6, 4, 4))
    assert [(node.path, node.inputs, node.x, node.y) for node in nodes[1:]] == [
        ("rows.1.a", (0,), (4, 4, 4), (6, 4, 4)),
        ("rows.1.b", (0,), (4, 4, 4), (6, 4, 4)),
        ("rows.1.sum", (1, 2, -1), (6, 4, 4), (6, 4, 4)),
    ]
    assert {node.block for node in nodes[1:]} == {"block"}


def test_a_graph_puts_out_its_last_node_or_those_it_names() -> None:
    nodes: list[Node] = []
    steps = (Step("a", conv(3, 4, 2)), Step("b", conv(4, 5, 2)), Step("c", Flatten()))
    wire(nodes, steps, "", "", -1, (3, 8, 8))
    assert [node.path for node in nodes] == ["a", "b", "c"]
    graph = Graph((3, 8, 8), tuple(nodes))
    assert (graph.y, graph.ys) == ((20,), ((20,),))
    several = graph._replace(outputs=(0, 1))
    assert (several.y, several.ys) == ((5, 2, 2), ((4, 4, 4), (5, 2, 2)))
    assert Graph((3, 8, 8), ()).ys == ((3, 8, 8),)


def test_channels_have_a_bound() -> None:
    nodes: list[Node] = []
    wire(nodes, (Step("a", conv(1, MAX_FEATURES)),), "", "", -1, (1, 1, 1))
    with pytest.raises(LayerError, match=r"^rows\.0\.a: puts out 1\.84e\+19 channels"):
        wire(nodes, (Step("a", conv(1, MAX_FEATURES + 1)),), "rows.0", "", -1, (1, 1, 1))


def test_a_step_that_does_not_fit_names_its_path_and_leaves_no_node() -> None:
    nodes: list[Node] = []
    steps = (Step("a", Activation("relu")), Step("b", Scale(), ("@0", "c")))
    with pytest.raises(KeyError):  # a block's own mistake, not a user's
        wire(nodes, steps, "", "", -1, (3, 2, 2))
    with pytest.raises(LayerError, match=r"^d: takes channels 0 to 9 of 3"):
        wire(nodes, (Step("d", Slice(0, 9)),), "", "", -1, (3, 2, 2))
    assert [node.path for node in nodes] == ["a"]
