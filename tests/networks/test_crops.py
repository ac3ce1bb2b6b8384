"""The crop row: what stands behind it runs once for each box, as torch really runs it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import mbcost
from mbcost.errors import LayerError
from mbcost.graph.deployed import deployed
from mbcost.graph.eager import eager
from mbcost.graph.fold import fold_batch_norms
from mbcost.graph.liveness import largest_activation, peak
from mbcost.graph.split import bottlenecks
from mbcost.graph.training import training
from mbcost.modules import build
from mbcost.modules.counters import COUNTERS
from mbcost.networks.network import Network
from mbcost.networks.yaml import load_specs
from mbcost.networks.yaml.write import spec_yaml
from mbcost.studies.explain import explain_table
from mbcost.studies.reconcile import parts
from mbcost.studies.spaces.parts import scalar_figures
from mbcost.targets.resolve import resolve_one
from mbcost.targets.subject import Subject
from tests.conftest import Cli
from tests.modules.test_counters import assert_all_agree
from tests.oracles import peak_activation
from tests.proofs.memory import inference_problems

HEAD = """
input: [3, 20, 18]
rows:
  - {block: conv, c: 8, s: 2}
"""
NAMED = HEAD.replace("s: 2}", "s: 2, name: low}")
TWO_STAGES = f"""{NAMED}
  - {{block: conv, c: 4, k: 1, bias: true, output: true}}
  - {{block: crop, inputs: [low], boxes: 5, size: 4}}
  - {{block: conv, c: 6, bias: true, act: leaky_relu, name: inside}}
  - {{block: pool, k: 3, s: 1, p: 1, mode: avg}}
  - {{block: add, inputs: [inside, last]}}
  - {{block: linear, c: 7}}
""".replace("mode: avg}", "mode: avg, name: last}")
NESTED = f"""{HEAD}
  - {{block: crop, boxes: 3, size: 12}}
  - {{block: conv, c: 4}}
  - {{block: crop, boxes: 2, size: 5}}
  - {{block: inverted_residual, t: 2, c: 4, se: 0.25}}
  - {{block: global_pool, flatten: true}}
"""


def network(text: str, tmp_path: Path) -> Network:
    path = tmp_path / "cropping.yaml"
    path.write_text(text, "utf-8")
    spec = load_specs(path)["cropping"]
    assert isinstance(spec, Network)
    return spec


@pytest.mark.parametrize("fold", [False, True])
@pytest.mark.parametrize("text", [TWO_STAGES, NESTED], ids=["two stages", "boxes of boxes"])
def test_every_counter_counts_what_runs_once_a_box(text: str, fold: bool, tmp_path: Path) -> None:
    spec = network(text, tmp_path)
    assert_all_agree(Subject("cropping", spec, {"batch": 3, "fold_bn": fold}), COUNTERS)


def test_params_count_once_and_mult_adds_once_a_box(tmp_path: Path) -> None:
    report = network(TWO_STAGES, tmp_path).count()
    rows = {layer.path: layer for layer in report.layers}
    first = 8 * 3 * 9 * 10 * 9 + 4 * 8 * 10 * 9
    assert report.mult_adds == first + 5 * (6 * 8 * 9 * 16 + 7 * 6 * 16)
    assert rows["rows.3.conv"].params == 6 * 8 * 9 + 6
    assert rows["rows.3.conv"].record(2) == {
        "path": "rows.3.conv",
        "kind": "conv",
        "kernel": 3,
        "stride": 1,
        "groups": 1,
        "input": [5, 8, 4, 4],
        "output": [5, 6, 4, 4],
        "params": 438,
        "mult_adds": 2 * 5 * 6 * 8 * 9 * 16,
    }
    assert rows["rows.2.crop"].record(1)["input"] == [8, 10, 9]
    assert rows["rows.2.crop"].record(1)["output"] == [5, 8, 4, 4]
    assert report.ys == ((4, 10, 9), (5, 7))
    assert report.by_kind("mult_adds")["linear"] == 5 * 7 * 6 * 16
    assert report.by_block()["rows.6"][1] == 5 * 7 * 6 * 16


def test_boxes_of_boxes_multiply(tmp_path: Path) -> None:
    spec = network(NESTED, tmp_path)
    runs = {layer.path: (layer.times, layer.maps) for layer in spec.count().layers}
    assert runs["rows.1.crop"] == (1, 3)
    assert runs["rows.2.conv"] == (3, 3)
    assert runs["rows.3.crop"] == (3, 6)
    assert runs["rows.4.depthwise.conv"] == (6, 6)
    assert spec.graph().y == (6, 4)
    y = build(spec.graph())(torch.randn(2, 3, 20, 18))
    assert isinstance(y, torch.Tensor)
    assert y.shape == (2, 6, 4)


def test_the_boxes_of_an_image_are_put_out_by_image(tmp_path: Path) -> None:
    graph = network(TWO_STAGES, tmp_path).graph()
    images = torch.randn(2, 3, 20, 18)
    module = build(graph).eval()
    with torch.no_grad():
        together, alone = module(images), module(images[1:])
    assert isinstance(together, tuple)
    assert isinstance(alone, tuple)
    assert [tuple(y.shape[1:]) for y in together] == list(graph.ys)
    torch.testing.assert_close(together[1][1:], alone[1])


def test_a_formula_is_multiplied_by_the_boxes(tmp_path: Path) -> None:
    subject = Subject("cropping", network(TWO_STAGES, tmp_path), {"batch": 2})
    formulas = {row["path"]: row["mult_adds_formula"] for row in explain_table(subject).rows}
    assert formulas["rows.3.conv"] == "3²·8·6·4·4·10"
    assert formulas["rows.6.linear"] == "96·7·10"


def test_every_map_of_a_box_is_kept_for_all_boxes(tmp_path: Path) -> None:
    graph = network(NESTED, tmp_path).graph()
    assert largest_activation(graph.x, graph.nodes) == 3 * 8 * 12 * 12
    assert peak_activation(graph.x, graph.nodes) == 3 * (8 + 4) * 12 * 12
    sizes = {s.name: s.size for s in eager(graph).storages if s.category == "activation"}
    assert sizes["rows.1.crop"] == 4 * 3 * 8 * 12 * 12
    assert sizes["rows.3.crop"] == 4 * 6 * 4 * 5 * 5
    assert peak(eager(graph)).size > sizes["rows.1.crop"]


def test_maps_of_boxes_and_of_the_image_do_not_join(tmp_path: Path) -> None:
    text = f"""{NAMED}
  - {{block: crop, boxes: 5, size: 10, name: boxes}}
  - {{block: concat, inputs: [boxes, low]}}
"""
    with pytest.raises(LayerError, match=r"rows\[2\].*reads 1 and 5 maps of one image together"):
        network(text, tmp_path).graph()


def test_more_boxes_than_can_be_run_are_refused(tmp_path: Path) -> None:
    boxes = "  - {block: crop, boxes: 10000, size: 2}\n"
    with pytest.raises(LayerError, match=r"rows\[2\].*makes 1e\+08 crops"):
        network(HEAD.lstrip() + 2 * boxes, tmp_path).graph()


def test_a_vector_has_no_boxes(tmp_path: Path) -> None:
    rows = "  - {block: linear, c: 4}\n  - {block: crop, boxes: 2, size: 2}\n"
    with pytest.raises(LayerError, match=r"rows\[2\].*a crop needs a C×H×W map"):
        network(HEAD.lstrip() + rows, tmp_path).graph()


def test_every_tensor_of_a_box_is_in_the_arena_for_all_boxes(tmp_path: Path) -> None:
    graph = network(NESTED, tmp_path).graph()
    sizes = {s.name: s.size for s in deployed(graph, itemsize=1).storages}
    assert sizes["rows.1.crop"] == 3 * 8 * 12 * 12
    assert sizes["rows.4.expand.conv"] == 6 * 8 * 5 * 5
    whole = peak(deployed(graph, fuse="none", itemsize=1)).size
    folded = fold_batch_norms(graph)
    assert whole == peak_activation(folded.x, folded.nodes)


def test_a_split_bottleneck_is_held_for_all_boxes(tmp_path: Path) -> None:
    text = NESTED.replace(", se: 0.25", "")
    (block,) = bottlenecks(network(text, tmp_path).graph())
    assert (block.outside, block.inside) == (6 * 2 * 4 * 25, (6 * 25, 6 * 25))


def test_tflite_has_no_such_operator(tmp_path: Path) -> None:
    from mbcost.modules.exported.tflite_refused import NotWrittenError
    from mbcost.modules.exported.tflite_writer import tflite_bytes

    with pytest.raises(NotWrittenError, match=r"rows\.1\.crop.*TFLite has no operator of its own"):
        tflite_bytes(network(NESTED, tmp_path).graph(), "fp32")


@pytest.mark.parametrize("text", [TWO_STAGES, NESTED], ids=["two stages", "boxes of boxes"])
def test_boxes_are_kept_as_torch_keeps_them(text: str, tmp_path: Path) -> None:
    graph = network(text, tmp_path).graph()
    for profiled in (False, True):
        assert inference_problems(graph, 2, "released", profiled=profiled) == []


def test_a_step_of_training_behind_crops_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LayerError, match=r"rows\.1\.crop.*draws boxes of its own"):
        training(network(NESTED, tmp_path).graph(), batch=2)


def test_a_cropping_network_is_written_and_swept_as_it_is(tmp_path: Path, cli: Cli) -> None:
    spec = network(TWO_STAGES, tmp_path)
    again = network(spec_yaml(spec, {}, "written"), tmp_path)
    assert scalar_figures(again, {})[0] == scalar_figures(spec, {})[0]
    chain = network(NESTED, tmp_path)
    path = str(tmp_path / "cropping.yaml")
    result = cli("sweep", path, "--set", "rows.3.boxes=2,4", "--format", "csv")
    assert result.exit_code == 0, result.stderr
    counted = [mbcost.count(path).mult_adds]
    rows = [
        row._replace(fields={**row.fields, "boxes": 4}) if i == 3 else row
        for i, row in enumerate(chain.rows)
    ]
    counted.append(Network("four", chain.x, tuple(rows)).count().mult_adds)
    header, *lines = result.stdout.splitlines()
    column = header.split(",").index("mult_adds")
    assert sorted(int(line.split(",")[column]) for line in lines) == sorted(counted)


def test_the_parts_of_a_reconciliation_add_up_to_its_total() -> None:
    subject = resolve_one("faster-rcnn-v1", {"size": "300"})
    for counter in COUNTERS.values():
        whole = subject.report.total(counter.convention)
        assert sum(parts(subject.report, counter.convention).values()) == whole
