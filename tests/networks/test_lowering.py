"""Rows that name, tap and merge: what they build, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch
import yaml

import mbcost
from mbcost.cost import CONVENTIONS, cost_of
from mbcost.errors import LayerError, MbcostError
from mbcost.graph.primitives import Concat, Conv2d, Scale, Shape, Upsample
from mbcost.graph.shapes import output_shape
from mbcost.modules import build
from mbcost.modules.counters import COUNTERS, DEFAULT_COUNTERS, Workbench, verify
from mbcost.networks.blocks import MERGES
from mbcost.networks.network import Network
from mbcost.networks.rows import Row
from mbcost.networks.yaml import load_specs
from tests import ROOT
from tests.conftest import Cli, Validate
from tests.pages import files_of

HEAD = "input: [3, 16, 16]\nclasses: 5\nrows:\n"
STEM = "  - {block: conv, c: 8, s: 2, name: low}\n  - {block: conv, c: 8, s: 2, name: high}\n"

TWO_OUTPUTS = (
    HEAD
    + "  - {block: inverted_residual, t: 2, c: 4, s: 2, tap: {wide: expand}, name: low}\n"
    + "  - {block: conv, inputs: [wide], c: classes, k: 1, output: true}\n"
    + "  - {block: conv, inputs: [low], c: classes, k: 1}\n"
)

EVERY_MERGE = (
    HEAD
    + STEM
    + "  - {block: global_pool, inputs: [high]}\n"
    + "  - {block: conv, c: 8, k: 1, act: sigmoid, name: gate}\n"
    + "  - {block: multiply, inputs: [high, gate], name: gated}\n"
    + "  - {block: upsample, inputs: [gated, low], name: up}\n"
    + "  - {block: add, inputs: [up, low, up], name: sum}\n"
    + "  - {block: concat, inputs: [sum, low]}\n"
    + "  - {block: window_pool, k: 3, s: 1, name: pooled}\n"
    + "  - {block: upsample, inputs: [pooled, input]}\n"
)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(text, "utf-8")
    return path


def network(tmp_path: Path, text: str) -> Network:
    (spec,) = load_specs(written(tmp_path, text)).values()
    assert isinstance(spec, Network)
    return spec


BAD = {
    "a name nobody has": (
        STEM + "  - {block: conv, inputs: [hihg], c: 8}\n",
        r":6: rows\[2\]\.inputs\[0\]: no row is called 'hihg' .*did you mean 'high'",
    ),
    "a name that stands below": (
        "  - {block: conv, inputs: [late], c: 8}\n  - {block: conv, c: 8, name: late}\n",
        r":4: rows\[0\]\.inputs\[0\]: 'late' stands below \(a row reads from rows above it\)",
    ),
    "one name twice": (
        "  - {block: conv, c: 8, name: a}\n"
        "  - {block: conv, c: 8, name: a}\n"
        "  - {block: add, inputs: [a, a]}\n",
        r":5: rows\[1\]\.name: the name 'a' is taken",
    ),
    "a tap with the name of its row": (
        "  - {block: conv, c: 8, name: a, tap: {a: bn}}\n  - {block: add, inputs: [a, a]}\n",
        r":4: rows\[0\]\.tap\.a: the name 'a' is taken",
    ),
    "a name for the image": (
        "  - {block: conv, c: 8, name: input}\n",
        r":4: rows\[0\]\.name: the name 'input' is taken",
    ),
    "a name never read": (
        "  - {block: conv, c: 8, name: a}\n  - {block: conv, c: 8}\n",
        r":4: rows\[0\]\.name: nothing reads 'a'",
    ),
    "a tap never read": (
        "  - {block: conv, c: 8, tap: {a: bn}}\n",
        r":4: rows\[0\]\.tap\.a: nothing reads 'a'",
    ),
    "a row that leads nowhere": (
        "  - {block: conv, c: 8, name: a}\n"
        "  - {block: conv, c: 8}\n"
        "  - {block: conv, inputs: [a], c: 8}\n",
        r":5: rows\[1\]: nothing reads this row \(output: true",
    ),
    "an expansion that is not there": (
        "  - {block: inverted_residual, t: 1, c: 8, output: true, tap: {a: expand}}\n"
        "  - {block: conv, inputs: [a], c: 8}\n",
        r":4: rows\[0\]: 'a' taps a stage 'expand' .*one of: depthwise, project",
    ),
    "a tap in a block that repeats": (
        "  - {block: conv, c: 8, n: 2, tap: {a: bn}}\n  - {block: conv, inputs: [a], c: 8}\n",
        r":4: rows\[0\]\.tap: taps a stage of a block that repeats",
    ),
    "a sum of unequal maps": (
        STEM + "  - {block: add, inputs: [low, high]}\n",
        r":6: rows\[2\]: rows\.2\.add: adds maps of different shapes: 8×8×8 and 8×4×4",
    ),
    "a join of unequal maps": (
        STEM + "  - {block: concat, inputs: [low, high]}\n",
        r":6: rows\[2\]: rows\.2\.concat: joins maps of different sizes: 8×8×8 and 8×4×4",
    ),
    "a gate of another size": (
        STEM + "  - {block: multiply, inputs: [low, high]}\n",
        r":6: rows\[2\]: rows\.2\.scale: multiplies 8×8×8 by a gate of 8×4×4",
    ),
    "one input for a merge": (
        STEM.replace(", name: low", "") + "  - {block: concat, inputs: [high]}\n",
        r":6: rows\[2\]: names 1 inputs, but concat reads 2 or more",
    ),
    "no input for a merge": (
        "  - {block: conv, c: 8}\n  - {block: upsample}\n",
        r":5: rows\[1\]: names 0 inputs, but upsample reads 2",
    ),
    "two inputs for a convolution": (
        STEM + "  - {block: conv, c: 8, inputs: [low, high]}\n",
        r":6: rows\[2\]: reads 2 inputs \(one; concat, add, multiply, upsample",
    ),
    "a field on a merge": (
        STEM + "  - {block: concat, c: 8, inputs: [low, high]}\n",
        r":6: rows\[2\]\.c: unknown key 'c'",
    ),
    "an upsampling to a vector": (
        STEM.replace(", name: high", "")
        + "  - {block: linear, c: 5, name: vector}\n  - {block: upsample, inputs: [low, vector]}\n",
        r":7: rows\[3\]: upsamples to the size of a map, not of 5",
    ),
    "inputs that are no list": (
        "  - {block: conv, c: 8, inputs: input}\n",
        r":4: rows\[0\]\.inputs: must be a list, not text 'input'",
    ),
    "an output that is no truth": (
        "  - {block: conv, c: 8, output: 1}\n",
        r":4: rows\[0\]\.output: is neither true nor false",
    ),
}


@pytest.mark.parametrize("problem", BAD)
def test_bad_wiring_names_place_problem_and_way_out(problem: str, tmp_path: Path, cli: Cli) -> None:
    rows, message = BAD[problem]
    path = written(tmp_path, HEAD + rows)
    with pytest.raises(MbcostError, match=message):
        mbcost.count(path)
    result = cli("compare", str(path), "--fast")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"mbcost: {path}:")
    assert result.stderr.count("\n") == 1


def test_a_merge_is_no_single_block(tmp_path: Path) -> None:
    path = written(tmp_path, "blocks:\n  a: {block: concat}\n")
    with pytest.raises(MbcostError, match=r":2: blocks\.a\.block: unknown block 'concat'"):
        mbcost.count(path)


def test_a_network_made_in_python_is_checked_too() -> None:
    rows = (Row("conv", {"c": 8}), Row("add", {}, inputs=("input", "nobody")))
    with pytest.raises(MbcostError, match="'nobody', but no row above has that name"):
        Network("mine", (3, 8, 8), rows).count()
    with pytest.raises(MbcostError, match=r"reads 1 input \(add reads 2 or more"):
        Network("mine", (3, 8, 8), (Row("add", {}),)).count()


@pytest.mark.parametrize("text", [TWO_OUTPUTS, EVERY_MERGE])
def test_counters_agree_on_taps_and_merges(text: str, tmp_path: Path) -> None:
    spec = network(tmp_path, text)
    for batch in (1, 3):
        report = spec.count(batch=batch)
        bench = Workbench(spec.graph(), batch)
        for counter in COUNTERS.values():
            verification = verify(counter, bench, report)
            assert verification.mismatches == ()
            assert verification.total == report.total(counter.convention)


@pytest.mark.parametrize("text", [TWO_OUTPUTS, EVERY_MERGE])
def test_the_schema_takes_taps_and_merges(text: str, validate: Validate) -> None:
    validate(yaml.safe_load(text))


REFUSED = ("inputs: []", "tap: {}", 'tap: {"": bn}', 'name: ""', "inputs: [1]", "output: maybe")


@pytest.mark.parametrize("key", REFUSED)
def test_the_schema_refuses_what_validation_refuses(
    key: str, tmp_path: Path, validate: Validate
) -> None:
    text = HEAD + f"  - {{block: conv, c: 8, {key}}}\n"
    with pytest.raises(jsonschema.ValidationError):
        validate(yaml.safe_load(text))
    with pytest.raises(MbcostError, match=r":4: rows\[0\]\."):
        mbcost.count(written(tmp_path, text))


def test_a_tap_is_the_last_layer_of_its_stage(tmp_path: Path) -> None:
    graph = network(tmp_path, TWO_OUTPUTS).graph()
    (tapped,) = {n.inputs[0] for n in graph.nodes if n.path == "rows.1.conv"}
    assert graph.nodes[tapped].path == "rows.0.expand.act"
    assert graph.nodes[tapped].y == (6, 16, 16)


def test_several_outputs_are_a_tuple_in_the_order_of_their_rows(tmp_path: Path) -> None:
    graph = network(tmp_path, TWO_OUTPUTS).graph()
    assert graph.ys == ((5, 16, 16), (5, 8, 8))
    assert graph.y == (5, 8, 8)
    outputs = build(graph)(torch.zeros(2, 3, 16, 16))
    assert isinstance(outputs, tuple)
    assert [tuple(y.shape) for y in outputs] == [(2, *y) for y in graph.ys]


def test_an_output_that_is_read_again_is_kept(tmp_path: Path) -> None:
    text = HEAD + "  - {block: conv, c: 4, output: true}\n  - {block: conv, c: 2}\n"
    outputs = build(network(tmp_path, text).graph())(torch.zeros(1, 3, 16, 16))
    assert [y.shape[1] for y in outputs] == [4, 2]


def test_records_hold_every_output(tmp_path: Path, cli: Cli, cli_json: Any) -> None:
    path = str(written(tmp_path, TWO_OUTPUTS))
    (record,) = cli_json("compare", path, "--fast")
    assert record["output"] == [[5, 16, 16], [5, 8, 8]]
    header, row = cli("compare", path, "--fast", "--format", "csv").stdout.splitlines()
    assert dict(zip(header.split(","), row.split(","), strict=True))["output"] == "5x16x16;5x8x8"
    assert "2 maps" in cli("compare", path, "--fast").stdout


def test_every_merge_computes_what_it_says() -> None:
    x = torch.rand(2, 4, 6, 8)
    mean, small = x.mean((2, 3), keepdim=True), torch.nn.functional.avg_pool2d(x, 2)
    before = (
        Row("global_pool", {}, inputs=("input",), name="mean"),
        Row("window_pool", {"k": 2, "s": 2}, inputs=("input",), name="small"),
    )
    expected = {
        "concat": (("input", "input"), torch.cat((x, x), 1)),
        "add": (("input", "input", "input"), 3 * x),
        "multiply": (("input", "mean"), x * mean),
        "upsample": (
            ("small", "input"),
            torch.nn.functional.interpolate(small, (6, 8), mode="bilinear", align_corners=False),
        ),
    }
    assert expected.keys() == MERGES.keys()
    for block, (inputs, y) in expected.items():
        graph = Network("mine", (4, 6, 8), (*before, Row(block, {}, inputs=inputs))).graph()
        assert graph.y == tuple(y.shape[1:])
        torch.testing.assert_close(build(graph)(x), y)


def test_a_gate_is_a_map_or_one_cell_of_as_many_channels() -> None:
    fitting: tuple[Shape, ...] = ((8, 4, 4), (8, 1, 1))
    for gate in fitting:
        assert output_shape(Scale(), [(8, 4, 4), gate]) == (8, 4, 4)
    others: tuple[Shape, ...] = ((4, 1, 1), (8, 1, 4), (1, 4, 4), (8,))
    for gate in others:
        with pytest.raises(LayerError, match="by a gate of"):
            output_shape(Scale(), [(8, 4, 4), gate])


def test_vectors_are_neither_joined_nor_upsampled() -> None:
    with pytest.raises(LayerError, match="joins maps"):
        output_shape(Concat(), [(8, 4, 4), (8,)])
    with pytest.raises(LayerError, match="upsampling needs"):
        output_shape(Upsample((2, 2)), [(8,)])


def test_of_the_default_counters_fvcore_alone_counts_upsampling(tmp_path: Path) -> None:
    text = HEAD + "  - {block: global_pool, name: a}\n  - {block: upsample, inputs: [a, input]}\n"
    report = cost_of(network(tmp_path, text).graph(), "mine")
    pooled, upsampled = 3 * 16 * 16, 3 * 16 * 16
    assert report.total(CONVENTIONS["fvcore"]) == pooled + 4 * upsampled
    counting = {name for name, c in CONVENTIONS.items() if c.weights.upsampled_elements}
    assert counting & {"papers", "torch", *DEFAULT_COUNTERS} == {"fvcore"}
    assert "4 per upsampled element" in CONVENTIONS["fvcore"].words(upsampling=report.upsamples)


def test_a_window_is_clipped_to_the_map(tmp_path: Path) -> None:
    rows = "  - {block: window_pool, k: 49, s: 16, sw: 20}\n"
    for size, y in (("64x128", (3, 1, 4)), ("49", (3, 1, 1)), ("7x60", (3, 1, 1))):
        text = HEAD.replace("[3, 16, 16]", "[3, 64, 128]") + rows
        assert network(tmp_path, text).count(size=size).y == y


def test_documented_networks_count(tmp_path: Path, validate: Validate) -> None:
    files = files_of(ROOT / "docs" / "write-your-own.md").values()
    assert any("inputs:" in text for text in files)
    for text in files:
        assert network(tmp_path, text).count().mult_adds > 0
        validate(yaml.safe_load(text))


def test_what_is_upsampled_has_the_stride_of_the_map_it_is_made_as_large_as() -> None:
    """So a stride behind it is one of that map's: 4 of 4 are kept, where 8 would dilate."""
    rows = (
        Row("conv", {"c": 4, "s": 2}, name="low"),
        Row("conv", {"c": 4, "s": 2}, name="high"),
        Row("upsample", {}, inputs=("high", "low")),
        Row("conv", {"c": 4, "s": 2}),
    )
    graph = Network("mine", (3, 16, 16), rows, output_stride=4).graph()
    assert [node.y for node in graph.nodes if node.path.endswith("conv")][-1] == (4, 4, 4)
    joined = (*rows[:2], Row("add", {}, inputs=("high", "high")), *rows[3:])
    graph = Network("mine", (3, 16, 16), joined, output_stride=4).graph()
    assert [node.y for node in graph.nodes if node.path.endswith("conv")][-1] == (4, 4, 4)
    assert graph.nodes[-3].layer == Conv2d(4, 4, (3, 3), (1, 1), (1, 1))


def test_folding_keeps_every_output_and_what_is_tapped_before_its_batch_norm(
    tmp_path: Path,
) -> None:
    text = (
        HEAD
        + "  - {block: conv, c: 4, tap: {raw: conv}, output: true}\n"
        + "  - {block: conv, c: 6, output: true}\n"
        + "  - {block: conv, inputs: [raw], c: 2}\n"
    )
    spec = network(tmp_path, text)
    graph = spec.graph({"fold_bn": True})
    assert graph.ys == spec.graph().ys == ((4, 16, 16), (6, 16, 16), (2, 16, 16))
    kept = [n.path for n in graph.nodes if n.path.endswith(".bn")]
    assert kept == ["rows.0.bn"]
    bench = Workbench(graph)
    for counter in COUNTERS.values():
        assert verify(counter, bench, spec.count(fold_bn=True)).mismatches == ()
