"""The closed form over arrays equals the scalar one, exactly, on every figure."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from mbcost.cost import cost_of
from mbcost.errors import MbcostError
from mbcost.graph.kernels import FUSIONS, Fusion
from mbcost.graph.primitives import Activation, BatchNorm2d
from mbcost.networks.blocks import BLOCKS as BLOCK_CLASSES
from mbcost.networks.lowering import lowered
from mbcost.networks.network import Network
from mbcost.networks.rows import Row
from mbcost.networks.yaml import builtins
from mbcost.studies.memory.figures import record
from mbcost.studies.memory.stated import Stated
from mbcost.studies.spaces.learnt import Choices
from mbcost.studies.spaces.parts import DEFAULT, FUSED_INTO, Figures, parts
from mbcost.studies.spaces.plan import Plan, count_unit
from mbcost.studies.spaces.reader import Reader
from mbcost.studies.spaces.selection import with_fields
from mbcost.studies.spaces.space import Space
from mbcost.studies.spaces.space_file import load_space, space_files
from mbcost.targets.subject import Subject
from tests import strategies
from tests.conftest import Cli
from tests.proofs import arrays as proof

PEAK = "peak_activation_bytes"
NETWORKS = [name for name, entry in builtins().items() if entry.kind == "network"]
SCALED = [name for name in NETWORKS if "alpha" in load_space(name).spec.accepts]
BLOCKS = [name for name, entry in builtins().items() if entry.kind == "block"]


def scalar(space: Space, choice: tuple[int, ...], stated: Stated = DEFAULT) -> Figures:
    """Return a config's costs: bytes of maps are what ``mbcost memory`` says of the network."""
    spec, given = space.at(choice)
    report = cost_of(spec.graph(given), spec.name, given.get("batch", 1))
    memory = record(Subject("config", spec, given), stated.how())
    deployed = stated.fuse is not None
    return Figures(
        report.params,
        report.params_weights,
        report.params_all,
        report.mult_adds,
        report.weight_bytes(stated.dtype),
        memory["largest_activation_bytes"],
        memory["lower_bound_bytes" if deployed else "peak_activation_bytes"],
    )


def drawn(space: Space, n: int, seed: int = 0) -> Choices:
    return Plan(space, samples=n, seed=seed).choices(0)


def assert_equal(space: Space, choices: Choices, stated: Stated = DEFAULT) -> None:
    counted = Reader(space, stated=stated).count(choices)
    assert counted.kept.tolist() == list(range(choices.shape[1]))
    for i, column in enumerate(choices.T.tolist()):
        found = Figures(**{name: int(v[i]) for name, v in counted.figures.items()})
        assert found == scalar(space, tuple(column), stated), space.describe(column)


@pytest.mark.parametrize("name", NETWORKS)
def test_alpha_and_size_of_every_network(name: str) -> None:
    space = load_space(name).narrowed({"size": "224,257x225"})
    if name in SCALED:
        # groups and splits divide few widths
        alphas = "0.25:1.5:0.25,0.35,1.4" if name.startswith("v") else "0.5,1"
        alphas = "1,2" if name == "shufflenet-g2" else alphas  # 2 groups do not divide its half
        space = space.narrowed({"alpha": alphas})
    assert_equal(space, Plan(space).choices(0))


@pytest.mark.parametrize("name", BLOCKS)
def test_fields_of_every_block(name: str) -> None:
    options = {"in": "16,24", "out": "24,32", "size": "7,14x9", "kernel": "3,5", "stride": "1,2"}
    if name == "inverted-residual":
        options["expand"] = "1,4"
    space = load_space(name).narrowed({**options, "batch": "1,3"})
    assert_equal(space, Plan(space).choices(0))


@pytest.mark.parametrize("name", space_files())
def test_samples_of_every_shipped_space(name: str) -> None:
    space = load_space(name)
    assert_equal(space, drawn(space, 40))


STATED = [Stated(), Stated("int8"), *(Stated("fp16", fuse) for fuse in FUSIONS)]


@pytest.mark.parametrize("stated", STATED, ids=lambda stated: "-".join(map(str, stated[:2])))
@pytest.mark.parametrize(
    "name", ["v1", "v2-projection", "v3-small", "resnet50", "shufflenet-v2", "nasnet-a-mobile"]
)
def test_maps_are_those_of_mbcost_memory(name: str, stated: Stated) -> None:
    """Maximum pools with indices of int64, views at the ends of blocks, a softmax of its own."""
    space = load_space(name).narrowed({"size": "64,97x65", "batch": "1,3", "fold_bn": "false,true"})
    assert_equal(space, Plan(space).choices(0), stated)


@pytest.mark.parametrize("block", FUSED_INTO)
@pytest.mark.parametrize("fuse", FUSIONS)
def test_a_row_that_is_fused_into_the_one_before_it(fuse: Fusion, block: str) -> None:
    """What begins with a relu, after a convolution that has none: one operator of two rows."""
    fields: dict[str, Any] = {"act": "relu"} if block == "activation" else {"c": 8}
    rows = (
        Row("conv", {"c": 4, "act": "none"}),
        Row("conv", {"c": 32, "k": 1, "act": "none"}),
        Row(block, fields),
        Row("conv", {"c": 4, "k": 1}),
    )
    space = Space("fused", Network("fused", (3, 9, 9), rows)).narrowed({"size": "9,12"})
    assert_equal(space, Plan(space).choices(0), Stated("int8", fuse))


def test_every_block_that_can_be_fused_into_another_is_known() -> None:
    """Of all that is drawn, what first reads the block's input alone is no activation or norm."""
    draw, begins = Random(0), set()
    for block in BLOCK_CLASSES:
        for _ in range(40):
            fields, x = strategies.fitting(draw, block)
            nodes, _ = lowered(BLOCK_CLASSES[block](**fields), x)
            first = [node.layer for node in nodes if -1 in node.inputs]
            if len(first) == 1 and isinstance(first[0], Activation | BatchNorm2d):
                begins.add(block)
    assert begins == set(FUSED_INTO)


@pytest.mark.parametrize(
    ("act", "choices", "whole"),
    [("relu", (), True), ("softmax", (), False), ("softmax", ("rows.1.act=softmax,relu",), True)],
)
def test_a_softmax_of_its_own_leaves_the_rows_apart(
    act: str, choices: tuple[str, ...], whole: bool
) -> None:
    rows = (Row("conv", {"c": 4, "act": "none"}), Row("activation", {"act": act}))
    space = with_fields(Space("soft", Network("soft", (3, 9, 9), rows)), choices)
    assert (len(parts(space, Stated("int8", "tflite"))) == 1) is whole
    assert len(parts(space, Stated("int8"))) == 2
    assert_equal(space, Plan(space).choices(0), Stated("int8", "tflite"))


VIEWS = {
    "the image itself": [Row("activation", {"act": "none"})],
    "the map before": [
        Row("conv", {"c": 4}),
        Row("activation", {"act": "none"}),
        Row("pool", {"k": 2}),
    ],
    "a vector at once": [],
}


@pytest.mark.parametrize("case", VIEWS)
@pytest.mark.parametrize("stated", STATED, ids=lambda stated: "-".join(map(str, stated[:2])))
def test_blocks_that_write_nothing_and_vectors_of_the_image(case: str, stated: Stated) -> None:
    rows = (*VIEWS[case], Row("linear", {"c": 5}), Row("linear", {"c": 3, "act": "relu"}))
    space = Space("views", Network("views", (3, 6, 6), rows)).narrowed(
        {"size": "6,8", "batch": "2"}
    )
    assert_equal(space, Plan(space).choices(0), stated)


def test_the_network_that_fits_once_it_is_fused() -> None:
    """By hand: 48²·(32 + 64) beside it is 221,184; unfused, two maps of 96²·16 are 294,912."""
    space = load_space("v1").narrowed({"alpha": "0.25", "size": "192"})
    choices = Plan(space).choices(0)
    for fuse, expected in (("none", 294_912), ("tflite", 221_184), ("all", 221_184)):
        counted = Reader(space, (PEAK,), Stated("int8", fuse)).count(choices)  # type: ignore[arg-type] # of FUSIONS
        assert counted.figures[PEAK].tolist() == [expected]


def test_settings_that_are_neither_width_nor_size() -> None:
    space = load_space("v3-large").narrowed(
        {"classes": "10,1000", "round_nearest": "4,8", "reduced_tail": "true,false", "in": "1,3"}
    )
    space = space.narrowed({"rho": "0.5", "alpha": "0.35,0.75", "batch": "1,16"})
    space = space.narrowed({"fold_bn": "true,false"})
    assert_equal(space, Plan(space).choices(0))


BRANCHING = {
    "ssdlite-v2": ["rows.6.c=96,160", "rows.6.0.k=3,5", "rows.9.t=2,4", "*.n=1:3"],
    "lraspp-v3-large": ["inverted_residual.k=3,5", "rows.0.c=8,16", "rows.2.n=1,2"],
    "deeplabv3-v2-no-aspp": ["rows.1.n=1,3", "inverted_residual.t=2,6"],
}


@pytest.mark.parametrize("name", BRANCHING)
def test_networks_whose_rows_branch(name: str) -> None:
    space = with_fields(load_space(name), BRANCHING[name])
    given = {
        "output_stride": "8,16",
        "alpha": "0.5,1",
        "size": "64,97x129",
        "fold_bn": "true,false",
    }
    space = space.narrowed({k: v for k, v in given.items() if k in space.spec.accepts})
    assert_equal(space, drawn(space, 12))


def test_every_output_is_kept_to_the_end() -> None:
    """Two maps of 2×4×4 put out before a third: all three are there when it is written."""
    rows = [Row("conv", {"c": 2, "norm": False, "act": "none"}, output=True) for _ in range(3)]
    space = Space("three", Network("three", (1, 4, 4), tuple(rows)))
    for stated, image in ((Stated("int8"), 16), (Stated("int8", "tflite"), 0)):
        counted = Reader(space, stated=stated).count(np.zeros((0, 1), np.int32))
        assert counted.figures["peak_activation_bytes"].tolist() == [3 * 2 * 4 * 4 + image]


def test_widths_inside_a_block_tell_two_alphas_apart() -> None:
    """At 0.5 and 0.52 they are built alike for the first choice alone: 8, but 32 and 33."""
    fields = {"c1": 16, "reduce3": 16, "c3": 16, "reduce5": 16, "c5": 16, "pool": 16}
    network = Network("inner", (8, 8, 8), (Row("inception", fields),))
    space = with_fields(Space("inner", network), ["rows.0.c3=16,64"])
    space = space.narrowed({"alpha": "0.5,0.52"})
    assert_equal(space, Plan(space).choices(0))


def test_a_width_handed_on_tells_two_settings_apart() -> None:
    """160·0.4 and 80·0.8 both build 64 channels; the next row's ratio is to 160, or to 80."""
    v3 = load_space("v3-large").spec
    assert isinstance(v3, Network)
    space = Space("v3", replace(v3, published=()))
    space = space.narrowed({"alpha": "0.4,0.8", "reduced_tail": "false,true"})
    counted = Reader(space).count(Plan(space).choices(0)).figures
    assert (counted["params"][3], counted["mult_adds"][3]) == (1_934_552, 135_443_408)
    wide = space.narrowed({"alpha": "0.35:1.4:0.05", "size": "96:224:32"})
    assert_equal(wide, Plan(wide).choices(0))


TAILS = {
    "a field that an axis chooses too": ({"k": 3}, "rows.1.k=3,5"),
    "an expansion that rounds alike on its own": ({"exp": 477}, "rows.1.se=0.25"),
    "repeats": ({"s": 3}, "rows.1.n=1,2,3"),
    "a stride of a layer that chooses for itself": ({"s": 3}, "rows.1.1.k=3,5"),
}


@pytest.mark.parametrize("case", TAILS)
def test_a_reduced_tail_tells_settings_apart_by(case: str) -> None:
    tail, choice = TAILS[case]
    rows = (
        Row("conv", {"c": 160}, reduced_tail={"c": 80}),
        Row("inverted_residual", {"c": 96, "exp": 480}, n=2, reduced_tail=tail),
        Row("inverted_residual", {"c": 96, "exp": 480}),
    )
    network = Network("tailed", (3, 33, 33), rows, width="divisible", expansion="ratio")
    space = with_fields(Space("tailed", network), [choice])
    space = space.narrowed({"alpha": "0.4,0.8,1.6", "reduced_tail": "false,true"})
    assert_equal(space, Plan(space).choices(0))


def test_random_spaces_of_every_kind() -> None:
    """A sample of ``python -m tests.proofs.arrays``, which prints how to repeat what fails."""
    cases, kinds, failures = proof.run(cases=120, seed=0, seconds=60)
    assert failures == 0
    assert cases < 120 or min(kinds[kind] for kind in ("network", "built-in", "block")) > 5


def test_two_processes_write_what_one_writes_and_the_closed_form_says(tmp_path: Path) -> None:
    proof.check_workers(0, tmp_path)


def test_a_reader_that_has_learnt_counts_like_a_fresh_one() -> None:
    """States and classes grow from chunk to chunk; what was learnt stays right."""
    space = load_space("mobilenet-grid").narrowed({"alpha": "0.3:1.6:0.02"})
    reader = Reader(space)
    for seed in range(3):
        choices = drawn(space, 150, seed)
        known, fresh = reader.count(choices), Reader(space).count(choices)
        for name in Figures._fields:
            assert (known.figures[name] == fresh.figures[name]).all()


def test_more_combinations_than_a_plain_array_holds() -> None:
    sets = ["rows.2.c=1:200", "rows.2.t=1:60", "rows.2.n=1:40", "rows.2.k=1:21:2"]
    space = with_fields(load_space("v2"), sets)
    assert_equal(space, drawn(space, 40))


def test_a_budget_drops_what_is_over_it_and_nothing_else() -> None:
    space = load_space("mobilenet-grid").narrowed({"batch": "1,2"})
    choices = drawn(space, 2000)
    everything = Reader(space).count(choices).figures
    limits = {k: int(np.median(everything[k])) for k in ("params", "mult_adds", PEAK)}
    fits = np.logical_and.reduce([everything[k] <= v for k, v in limits.items()])
    counted = Reader(space).count(choices, limits)
    assert 0 < fits.sum() < 1000
    assert counted.kept.tolist() == np.flatnonzero(fits).tolist()
    for name, values in counted.figures.items():
        assert (values == everything[name][fits]).all()


def test_costs_past_64_bits_are_an_error_and_just_below_are_exact() -> None:
    options = {"in": "1048576", "out": "1048576", "kernel": "3"}
    space = load_space("standard").narrowed({**options, "size": "1,65536"})
    with pytest.raises(MbcostError, match="mult_adds passes 2⁶³"):
        Reader(space).count(Plan(space).choices(0))
    space = load_space("standard").narrowed({**options, "size": "1,1024"})
    assert_equal(space, Plan(space).choices(0))
    space = space.narrowed({"batch": "1048576"})
    with pytest.raises(MbcostError, match="mult_adds passes 2⁶³"):
        Reader(space).count(Plan(space).choices(0))


WIDE = """
input: [1048576, 65536, 65536]
rows:
  - {block: conv, t: 1024, groups: 1048576, k: 1, norm: false, act: none}
"""
"""Of 2²⁰ channels 2³⁰, one weight each: at 65536 × 65536 a map of 2⁶² elements, 2⁶⁴ bytes."""


def test_bytes_past_64_bits_are_refused_and_below_exact(cli: Cli, tmp_path: Path) -> None:
    wide = tmp_path / "wide.yaml"
    wide.write_text(WIDE)
    args = ("sweep", str(wide), "--size", "1,65536", "--verify", "0", "--format", "csv")
    for dtype in ("fp32", "fp16"):
        for output in ("-", str(tmp_path / f"{dtype}.csv"), str(tmp_path / f"{dtype}.parquet")):
            result = cli(*args, "--dtype", dtype, "-o", output)
            assert result.exit_code == 2
            assert "largest_activation_bytes passes 2⁶³" in result.stderr
    result = cli(*args, "--dtype", "int8")
    assert result.exit_code == 0
    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert [int(row["largest_activation_bytes"]) for row in rows] == [2**30, 2**62]
    assert [int(row["mult_adds"]) for row in rows] == [2**30, 2**62]
    assert cli(*args, "--dtype", "int8", "--batch", "2").exit_code == 2


def test_a_search_does_not_take_a_map_past_64_bits_for_a_small_one(
    cli: Cli, cli_json: Any, tmp_path: Path
) -> None:
    wide = tmp_path / "wide.yaml"
    wide.write_text(WIDE)
    args = ("search", str(wide), "--size", "1024,65536", "--verify", "0", "--objective")
    result = cli(*args, "-largest_activation_bytes", "--dtype", "fp16")
    assert result.exit_code == 2
    assert "largest_activation_bytes passes 2⁶³" in result.stderr
    found = cli_json(*args, "-largest_activation_bytes", "--dtype", "int8")
    assert (found["winner"]["size"], found["winner"]["largest_activation_bytes"]) == (1024, 2**50)


@pytest.mark.parametrize("command", ["sweep", "search"])
def test_a_budget_past_64_bits_is_no_budget(cli_json: Any, command: str) -> None:
    args = (command, "v2", "--alpha", "0.5,1", "--size", "64", "--verify", "0")
    huge = ("--max-mult-adds", "100000000T", "--max-activation-bytes", "99999999999GB")
    found = cli_json(*args, *huge)
    if command == "sweep":
        assert [row["alpha"] for row in found] == [0.5, 1.0]
    else:
        assert (found["configs"], found["feasible"]) == (2, 2)


def test_a_budget_drops_what_is_past_64_bits(tmp_path: Path) -> None:
    wide = tmp_path / "wide.yaml"
    wide.write_text(WIDE)
    space = load_space(str(wide)).narrowed({"size": "1,65536", "batch": "4"})
    choices = Plan(space).choices(0)
    for figure in ("mult_adds", "largest_activation_bytes", PEAK):
        with pytest.raises(MbcostError, match=f"{figure} passes 2⁶³"):
            Reader(space, (figure,)).count(choices)
        assert Reader(space, (figure,)).count(choices, {figure: 2**62}).kept.tolist() == [0]


def test_what_is_refused_does_not_depend_on_what_was_counted_before() -> None:
    """A repeat is 0.3 · 2⁶³: one and two fit, two and two do not, whatever is known of each row."""
    row = Row("conv", {"c": 2**20, "k": 1, "norm": False, "act": "none"})
    space = Space("two", Network("two", (2**20, 1448, 1738), (row, row)))
    space = with_fields(space, ["rows.0.n=1,2", "rows.1.n=1,2"])
    reader = Reader(space)
    for _ in range(2):
        with pytest.raises(MbcostError, match="mult_adds passes 2⁶³"):
            reader.count(np.array([[1], [1]], np.int32))
        choices = np.array([[0, 1], [1, 0]], np.int32)
        assert reader.count(choices).figures["mult_adds"].tolist() == [3 * 2**40 * 1448 * 1738] * 2


def test_an_enumeration_holds_each_network_once() -> None:
    space = load_space("ofa-mobilenetv3").narrowed({"size": "128"})
    fixed = [f"rows.{i}.{field}" for i in range(3, 7) for field in ("n=2", "t=3", "k=3")]
    space = with_fields(space, [*fixed, "rows.2.t=3"])
    plan = Plan(space)
    assert plan.total == 3 * 3**4
    batch = count_unit(plan, Reader(space), 0)
    assert batch.choices.shape[1] == 3**2 + 3**3 + 3**4  # kernels of two, three and four layers
    rows = {repr(space.at(choice)[0].rows) for choice in batch.choices.T.tolist()}  # type: ignore[union-attr]
    assert len(rows) == batch.choices.shape[1]


def test_samples_depend_on_the_seed_alone_and_a_larger_sample_begins_with_a_smaller() -> None:
    space = load_space("ofa-mobilenetv3")
    small, large = Plan(space, 100).choices(0), Plan(space, 5000).choices(0)
    assert (small == large[:, :100]).all()
    assert (Plan(space, 100, seed=1).choices(0) != small).any()


def test_a_space_too_large_to_enumerate_asks_for_samples() -> None:
    with pytest.raises(MbcostError, match="--samples"):
        Plan(load_space("ofa-mobilenetv3"))
