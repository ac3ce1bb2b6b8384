"""torchinfo, fvcore and torch really run and must equal the closed form, per layer and in total."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mbcost.errors import LayerError, MbcostError
from mbcost.graph.primitives import ACTIVATIONS
from mbcost.modules.counters import COUNTERS, Counted, Workbench, verify
from mbcost.modules.counters.workbench import ACTIVATION_LIMIT_BYTES
from mbcost.networks.blocks import BLOCKS
from mbcost.networks.blocks.conv import ConvBnAct
from mbcost.networks.blocks.inverted_residual import InvertedResidual
from mbcost.networks.single_block import SingleBlock
from mbcost.networks.yaml import builtins
from mbcost.targets.resolve import resolve_one
from mbcost.targets.subject import Subject

ALPHAS = ("0.35", "1.0", "1.4")
SIZES = ("64", "96x64", "75")
ODD_SIZE = "107x75"
"""No stride divides it; the smallest that every network takes is AlexNet's 67."""


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


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("name", MOBILENETS)
def test_counters_equal_the_closed_form_on_every_mobilenet(
    name: str, alpha: str, size: str
) -> None:
    for batch in (1, 3):
        given = {"alpha": alpha, "size": size, "batch": batch}
        every = (alpha, size, batch) == ("1.0", SIZES[0], 1)
        assert_all_agree(resolve_one(name, given), COUNTERS if every else THREE)


@pytest.mark.parametrize("name", OTHERS)
def test_counters_equal_the_closed_form_on_every_other_network(name: str) -> None:
    """Its whole batch is traced: that fvcore is linear in the batch follows."""
    scaled = {"alpha": "0.5"} if "alpha" in resolve_one(name).spec.accepts else {}
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


channels = st.integers(1, 9)
sides = st.integers(1, 13)
small = {"k": st.integers(1, 7), "s": st.integers(1, 3), "p": st.none() | st.integers(0, 4)}
BLOCK_FIELDS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "conv": {
        **small,
        "c": st.integers(1, 4).map(lambda n: n * 6),
        "groups": st.sampled_from((1, 2, 3)),
        "dilation": st.integers(1, 2),
        "norm": st.booleans(),
        "bias": st.booleans(),
    },
    "depthwise_separable": {**small, "c": channels},
    "inverted_residual": {
        **small,
        "c": channels,
        "t": st.sampled_from((0.5, 1, 1.5, 2, 6)),
        "se": st.sampled_from((0, 0.25, 0.5)),
        "se_divisor": st.sampled_from((1, 4, 8)),
        "shortcut": st.sampled_from(("identity", "projection", "none")),
        "last_act": st.sampled_from(("none", "relu")),
        "add_act": st.sampled_from(("none", "relu6")),
        "expand_always": st.booleans(),
    },
}


@pytest.mark.parametrize("block", BLOCK_FIELDS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_counters_equal_the_closed_form_on_generated_blocks(block: str, data: Any) -> None:
    fields = data.draw(st.fixed_dictionaries(BLOCK_FIELDS[block]))
    c_in = fields.get("groups", 1) * data.draw(st.integers(1, 3))
    spec = SingleBlock("generated", block, fields, (c_in, data.draw(sides), data.draw(sides)))
    subject = Subject("generated", spec, {"batch": data.draw(st.sampled_from((1, 2, 3)))})
    try:
        subject.report  # noqa: B018  (lowers the block)
    except MbcostError:
        assume(False)  # a kernel larger than its map, or maps that cannot be added
    assert_all_agree(subject, THREE)


def test_every_block_with_a_convolution_is_generated() -> None:
    assert set(BLOCK_FIELDS) <= set(BLOCKS)
    with pytest.raises(LayerError, match="neither"):
        ConvBnAct().steps((3, 8, 8))
    with pytest.raises(LayerError, match="neither"):
        InvertedResidual(c=8).steps((3, 8, 8))


@pytest.mark.parametrize("name", MOBILENETS)
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
    torch = COUNTERS["torch"]
    right = torch.run(Workbench(subject.graph))
    assert right.total is not None
    wrong = Counted(right.total + 2, {**right.by_layer, "conv": right.by_layer["conv"] + 2})
    doctored = torch._replace(run=lambda bench: wrong)
    verification = verify(doctored, Workbench(subject.graph), subject.report)
    assert verification.agrees is False
    assert [m.where for m in verification.mismatches] == ["conv", "total"]
