from __future__ import annotations

from typing import Any

import pytest

import mbcost
from mbcost.graph.primitives import Add, Conv2d, LocalResponseNorm
from mbcost.networks.blocks import BLOCKS, Block, block_fields
from mbcost.networks.blocks.inverted_residual import InvertedResidual
from mbcost.networks.network import Network
from mbcost.networks.rows import Row
from mbcost.networks.single_block import SingleBlock
from mbcost.networks.widths import make_divisible


def names(block: Block, c_in: int = 16, size: int = 8) -> list[str]:
    return [step.name for step in block.steps((c_in, size, size))]


def test_expansion_one_has_no_expansion_convolution() -> None:
    assert "expand.conv" not in names(InvertedResidual(c=24, t=1))
    assert "expand.conv" not in names(InvertedResidual(c=24, exp=16))
    assert "expand.conv" in names(InvertedResidual(c=24, t=1, expand_always=True))


@pytest.mark.parametrize(
    ("fields", "added"),
    [
        ({"c": 16}, True),
        ({"c": 24}, False),
        ({"c": 16, "s": 2}, False),
        ({"c": 16, "p": 0}, False),
        ({"c": 16, "k": 2}, False),
        ({"c": 16, "k": 5, "p": 2}, True),
        ({"c": 16, "shortcut": "none"}, False),
        ({"c": 24, "shortcut": "projection"}, True),
        ({"c": 16, "s": 2, "shortcut": "projection"}, True),
    ],
)
def test_the_residual_stands_where_shapes_allow(fields: dict[str, Any], added: bool) -> None:
    steps = InvertedResidual(t=2, **fields).steps((16, 8, 8))
    assert any(isinstance(step.layer, Add) for step in steps) is added


def test_squeeze_and_excite_stands_after_the_depthwise_activation_with_bias() -> None:
    found = names(InvertedResidual(c=24, t=4, se=0.25))
    assert found.index("depthwise.act") < found.index("se.pool") < found.index("project.conv")
    steps = {s.name: s.layer for s in InvertedResidual(c=24, t=4, se=0.25).steps((16, 8, 8))}
    assert steps["se.reduce"] == Conv2d(64, make_divisible(16), (1, 1), bias=True)
    assert steps["se.expand"] == Conv2d(16, 64, (1, 1), bias=True)


@pytest.mark.parametrize(
    ("value", "divisor", "expected"),
    [
        (32 * 0.35, 8, 16),
        (24 * 0.75, 8, 24),
        (3, 8, 8),
        (1280 * 1.4, 8, 1792),
        (18, 8, 24),
        (17, 1, 17),
        (11.2, 8, 16),
        (26, 16, 32),
    ],
)
def test_make_divisible_never_goes_below_nine_tenths(
    value: float, divisor: int, expected: int
) -> None:
    assert make_divisible(value, divisor) == expected
    assert make_divisible(value, divisor) >= 0.9 * value


@pytest.mark.parametrize("name", BLOCKS)
def test_every_field_of_every_block_carries_a_rule_and_words(name: str) -> None:
    for known in block_fields(BLOCKS[name]).values():
        assert known.rule.doc


def test_options_reach_only_the_blocks_that_have_them() -> None:
    comparison = mbcost.compare(
        "standard", "depthwise-separable", "inverted-residual", expand=6, kernel=5
    )
    wide, narrow = (mbcost.count("inverted-residual", expand=t, kernel=5).params for t in (6, 2))
    assert comparison.records()[2]["params"] == wide > narrow
    assert comparison.records()[0]["params"] == mbcost.count("standard", kernel=5).params


def test_a_size_is_the_inputs_though_a_block_has_a_field_of_that_name() -> None:
    block = SingleBlock("lrn", "local_response_norm", {"size": 3}, (8, 20, 20))
    assert block.graph({"size": (14, 9)}).nodes[0].layer == LocalResponseNorm(3)
    assert block.count(size="14x9").layers[0].x == (8, 14, 9)


def test_an_activation_of_none_is_no_layer() -> None:
    rows = (Row("conv", {"c": 4}), Row("activation", {"act": "none"}), Row("conv", {"c": 4}))
    with_none, without = Network("net", (3, 9, 9), rows), Network("net", (3, 9, 9), rows[::2])
    assert with_none.count().mult_adds == without.count().mult_adds
    assert len(with_none.graph().nodes) == len(without.graph().nodes) == 6


def test_a_squeeze_and_excite_without_activation_or_gate_has_no_layer_for_it() -> None:
    bare = InvertedResidual(c=24, t=4, se=0.25, se_act="none", gate="none")
    assert {"se.act", "se.gate"}.isdisjoint(names(bare))
    steps = {step.name: step for step in bare.steps((16, 8, 8))}
    assert steps["se.scale"].inputs == ("depthwise.act", "se.expand")
