"""torchinfo, fvcore and torch really run and must equal the closed form, per layer and in total."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mbcost.errors import LayerError
from mbcost.graph.primitives import ACTIVATIONS
from mbcost.modules.counters import COUNTERS, Counted, Workbench, verify
from mbcost.modules.counters.workbench import ACTIVATION_LIMIT_BYTES
from mbcost.networks.blocks import BLOCKS, block_fields
from mbcost.networks.blocks.conv import ConvBnAct
from mbcost.networks.blocks.inverted_residual import InvertedResidual
from mbcost.networks.single_block import SingleBlock
from mbcost.networks.yaml import builtins
from mbcost.targets.resolve import resolve_one
from mbcost.targets.subject import Subject
from tests import strategies

ALPHAS = ("0.35", "1.0", "1.4")
SIZES = ("64", "96x64", "75")
BATCHES = (1, 3)
ODD_SIZE = "107x75"
"""No stride divides it; the smallest that every network takes is AlexNet's 67."""


ALPHA = {"shufflenet-g2": "2"}
"""For a network that has no half: 2 groups do not divide its 25 channels."""


def networks() -> list[str]:
    return [name for name, entry in builtins().items() if entry.kind == "network"]


VARIANTS = ("fullconv", "shallow", "minimalistic")
MOBILENETS = [
    name
    for name in networks()
    if name.startswith(("v1", "v2", "v3")) and not name.endswith(VARIANTS)
]
OTHERS = [name for name in networks() if name not in MOBILENETS]


THREE = ("torchinfo", "fvcore", "torch")
"""Those that are always installed; the others run on fewer configs, for the time it takes."""


def assert_all_agree(subject: Subject, names: Iterable[str] = COUNTERS) -> None:
    bench = Workbench(subject.graph, subject.batch)
    for counter in map(COUNTERS.__getitem__, names):
        verification = verify(counter, bench, subject.report)
        assert verification.total == subject.report.total(counter.convention)
        assert verification.mismatches == ()


SQUARE = [
    (name, alpha, SIZES[(i + j) % len(SIZES)], BATCHES[(i // len(SIZES) + j) % len(BATCHES)])
    for i, name in enumerate(MOBILENETS)
    for j, alpha in enumerate(ALPHAS)
]
"""A Latin square: each network at every α and every size, every α at every size and batch."""


def test_the_square_holds_what_the_full_product_would_show() -> None:
    for name in MOBILENETS:
        own = [row[1:] for row in SQUARE if row[0] == name]
        assert {alpha for alpha, _, _ in own} == set(ALPHAS)
        assert {size for _, size, _ in own} == set(SIZES)
        assert {batch for _, _, batch in own} == set(BATCHES)
    assert {row[1:] for row in SQUARE} == set(product(ALPHAS, SIZES, BATCHES))


@pytest.mark.parametrize(("name", "alpha", "size", "batch"), SQUARE)
def test_counters_equal_the_closed_form_on_every_mobilenet(
    name: str, alpha: str, size: str, batch: int
) -> None:
    given = {"alpha": alpha, "size": size, "batch": batch}
    assert_all_agree(resolve_one(name, given), COUNTERS if alpha == ALPHAS[0] else THREE)


@pytest.mark.parametrize("name", OTHERS)
def test_counters_equal_the_closed_form_on_every_other_network(name: str) -> None:
    """Its whole batch is traced: that fvcore is linear in the batch follows."""
    scaled = {"alpha": ALPHA.get(name, "0.5")} if "alpha" in resolve_one(name).spec.accepts else {}
    subject = resolve_one(name, {"size": ODD_SIZE, "batch": 3, **scaled})
    assert Workbench(subject.graph).fits(3)
    assert_all_agree(subject)


@pytest.mark.parametrize(
    "name", [n for n in networks() if "reduced_tail" in resolve_one(n).spec.accepts]
)
def test_counters_agree_on_reduced_tails(name: str) -> None:
    given = {"reduced_tail": True, "size": "64", "alpha": "0.75"}
    assert_all_agree(resolve_one(name, given), THREE)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_counters_agree_on_every_activation(activation: str) -> None:
    assert_all_agree(resolve_one("standard", {"act": activation, "size": "8"}))


@pytest.mark.parametrize("block", BLOCKS)
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(draw=st.randoms(use_true_random=False))
def test_counters_equal_the_closed_form_on_generated_blocks(block: str, draw: Random) -> None:
    fields, x = strategies.fitting(draw, block)
    spec = SingleBlock("generated", block, fields, x)
    assert_all_agree(Subject("generated", spec, {"batch": draw.randint(1, 3)}), THREE)


@pytest.mark.parametrize("block", BLOCKS)
def test_every_counter_equals_the_closed_form_of_a_block(block: str) -> None:
    for seed in range(2):
        fields, x = strategies.fitting(Random(seed), block)
        subject = Subject("drawn", SingleBlock("drawn", block, fields, x), {"batch": 2})
        assert_all_agree(subject)
        bench = Workbench(subject.graph, 2)
        with torch.no_grad():
            assert tuple(bench.module(*bench.inputs(2)).shape) == (2, *subject.graph.y)


def test_every_block_is_generated() -> None:
    """Each with all of its fields, and none of them always the same."""
    found: dict[str, dict[str, set[Any]]] = {}
    for block in BLOCKS:
        found[block] = {name: set() for name in block_fields(BLOCKS[block])}
        for seed in range(60):
            for name, value in strategies.fitting(Random(seed), block)[0].items():
                found[block][name].add(value)
    assert {b: {n for n, v in f.items() if len(v) > 1} for b, f in found.items()} == {
        block: set(block_fields(known)) for block, known in BLOCKS.items()
    }


def test_a_block_with_neither_of_two_ways_to_say_a_width_is_refused() -> None:
    with pytest.raises(LayerError, match="neither"):
        ConvBnAct().steps((3, 8, 8))
    with pytest.raises(LayerError, match="neither"):
        InvertedResidual(c=8).steps((3, 8, 8))


@pytest.mark.parametrize("name", ["v1", "v3-small"])
def test_fvcore_is_linear_in_the_batch(name: str) -> None:
    """What lets it count one image of a large batch."""
    subject = resolve_one(name, {"size": "64"})
    fvcore = COUNTERS["fvcore"]
    one = fvcore.run(Workbench(subject.graph, 1))
    for batch in (2, 3):
        many = fvcore.run(Workbench(subject.graph, batch))
        assert many.by_layer == {path: batch * n for path, n in one.by_layer.items()}


class NarrowWorkbench(Workbench):
    """A bench on which only what is asked for fits the CPU."""

    largest_batch = 0

    def fits(self, batch: int) -> bool:
        return batch <= self.largest_batch


@pytest.mark.parametrize("name", ["v1", "v2-projection", "v3-small", "inverted-residual"])
def test_torchinfo_counts_the_same_on_meta_as_on_the_cpu(name: str) -> None:
    subject = resolve_one(name, {"size": "64", "batch": "2"})
    torchinfo = COUNTERS["torchinfo"]
    on_cpu = torchinfo.run(Workbench(subject.graph, 2))
    bench = NarrowWorkbench(subject.graph, 2)
    assert torchinfo.run(bench) == on_cpu
    assert "module" not in vars(bench), "it ran on the CPU"


def test_fvcore_traces_one_image_of_a_batch_that_does_not_fit() -> None:
    subject = resolve_one("v3-small", {"size": "64", "batch": "5"})
    bench = NarrowWorkbench(subject.graph, 5)
    bench.largest_batch = 1
    assert verify(COUNTERS["fvcore"], bench, subject.report).agrees is True


def test_fvcore_is_skipped_where_one_image_does_not_fit() -> None:
    subject = resolve_one("v2", {"size": "4096"})
    assert not Workbench(subject.graph).fits(1)
    verification = verify(COUNTERS["fvcore"], Workbench(subject.graph), subject.report)
    assert verification.total is None
    assert verification.agrees is None
    assert f"above {ACTIVATION_LIMIT_BYTES // 10**6} MB" in verification.skipped


def test_a_wrong_count_names_the_layer() -> None:
    subject = resolve_one("standard", {"size": "8"})
    counter = COUNTERS["torch"]
    right = counter.run(Workbench(subject.graph))
    assert right.total is not None
    wrong = Counted(right.total + 2, {**right.by_layer, "conv": right.by_layer["conv"] + 2})
    doctored = counter._replace(run=lambda bench: wrong)
    verification = verify(doctored, Workbench(subject.graph), subject.report)
    assert verification.agrees is False
    assert [m.where for m in verification.mismatches] == ["conv", "total"]
