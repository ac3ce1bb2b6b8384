"""The layers as a tree: every branch costs what is in it, and all of it what the network costs."""

from __future__ import annotations

import pytest

import mbcost
from mbcost.cost import LayerCost, Terms
from mbcost.cost.tree import Branch, tree
from mbcost.networks.yaml import builtins


def below(branches: list[Branch], i: int) -> list[Branch]:
    """Return the layers in a branch: those that follow it and lie deeper."""
    found = []
    for branch in branches[i + 1 :]:
        if branch.depth <= branches[i].depth:
            break
        found += [branch] if branch.leaf else []
    return found


@pytest.mark.parametrize("name", list(builtins()))
def test_every_branch_costs_what_the_layers_below_its_path_cost(name: str) -> None:
    report = mbcost.count(name, batch=3)
    branches = tree(report.layers, report.scale)
    costly = [layer for layer in report.layers if layer.params or layer.mult_adds]
    assert sorted(b.path for b in branches if b.leaf) == sorted(layer.path for layer in costly)
    for i, branch in enumerate(branches):
        if branch.leaf:
            continue
        own = [layer for layer in costly if layer.path.startswith(f"{branch.path}.")]
        assert [b.path for b in below(branches, i)] == [layer.path for layer in own]
        assert branch.params == sum(layer.params for layer in own)
        assert branch.mult_adds == 3 * sum(layer.mult_adds for layer in own)
    top = [branch for branch in branches if branch.depth == 0]
    assert len(top) > 1 or len(costly) == 1
    assert sum(branch.params for branch in top) == report.params
    assert sum(branch.mult_adds for branch in top) == report.mult_adds


@pytest.mark.parametrize("name", ["v2", "googlenet", "standard", "deeplabv3-v2"])
def test_what_is_opened_is_closed_by_the_last_layer_in_it(name: str) -> None:
    branches = tree(mbcost.count(name).layers)
    depth = 0
    for branch in branches:
        assert branch.depth == depth
        depth += 1 if not branch.leaf else -branch.closes
    assert depth == 0


def layers_of(*paths: str) -> list[LayerCost]:
    terms = Terms(weights=1, mult_adds=10)
    return [LayerCost(path, "", "conv", (1, 1, 1), (1, 1, 1), terms) for path in paths]


def test_functions_and_calls_of_a_module_are_in_the_module_that_makes_them() -> None:
    found = tree(layers_of("a.b", "self:matmul", "a:matmul", "a.b#2", "a"))
    assert [(b.path, b.depth, b.params) for b in found] == [
        ("a", 0, 4),
        ("a", 1, 1),
        ("a.b", 1, 1),
        ("a:matmul", 1, 1),
        ("a.b#2", 1, 1),
        ("self", 0, 1),
        ("self:matmul", 1, 1),
    ]
    parents = ["", "a", "a", "a", "a", "", "self"]
    shown = [b.within(parent) for b, parent in zip(found, parents, strict=True)]
    assert shown == ["a", "a", "b", ":matmul", "b#2", "self", ":matmul"]


def test_a_path_a_thousand_deep_is_a_tree_too() -> None:
    path = ".".join("x" * 5000)
    found = tree(layers_of(f"{path}.one", f"{path}.two", "y"))
    assert len(found) == 5003
    assert found[-2].closes == 5000
    assert found[0].params == 2


def test_a_network_that_costs_nothing_has_no_branches() -> None:
    assert tree([]) == []
