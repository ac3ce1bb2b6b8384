"""What is said of measured times: which runs there are, their traffic, their records. No test
asserts how long anything takes."""

from __future__ import annotations

import math
from math import prod
from pathlib import Path
from types import MethodType
from typing import Any

import pytest
import torch
from torch.nn.functional import batch_norm, conv2d

from mbcost.errors import MbcostError
from mbcost.graph.primitives import BatchNorm2d, Conv2d, Linear
from mbcost.modules.latency import BETWEEN, RUNTIMES, Call, Parts, Runnable, Runtime
from mbcost.modules.latency.machine import Machine
from mbcost.modules.latency.rounds import Measured, Plan, Sample
from mbcost.modules.latency.runtimes import IMAGES_SEED
from mbcost.studies.device.latency import (
    Asked,
    Run,
    Timing,
    call_of,
    moved_bytes,
    reference_of,
    runnable,
    runs_of,
    timing,
)
from mbcost.studies.device.latency_table import (
    FIELDS,
    latency_table,
    record,
)
from mbcost.studies.device.parts import Share, grouped, shares
from mbcost.studies.device.shares_table import share_records
from mbcost.targets.resolve import resolve, resolve_one
from tests.conftest import Cli
from tests.proofs.latency import PAIRS, printed

SMALL = "v3-small@alpha=0.35,size=32"
HOST = Machine("a CPU", 2, 0.5, "2026-01-01T00:00:00+00:00")


def run_of(target: str, runtime: str = "eager", dtype: str = "fp32") -> Run:
    (run,) = runs_of([resolve_one(target)], Asked((runtime,), (dtype,)))
    return run


def put_out(call: Call) -> torch.Tensor:
    """Return what a call of a runtime puts out, N×classes."""
    found = call()
    if isinstance(call, MethodType):  # LiteRT keeps it
        interpreter: Any = call.__self__
        found = [interpreter.get_tensor(interpreter.get_output_details()[0]["index"])]
    return found if isinstance(found, torch.Tensor) else torch.from_numpy(found[0])  # type: ignore[index]  # a list of arrays


@pytest.mark.parametrize("runtime", ["onnx", "litert"])
def test_what_a_runtime_runs_is_the_network(runtime: str) -> None:
    network = runnable(resolve_one("v2@alpha=0.35,size=32"))
    assert network.deployed is not None
    deployed = network.deployed("fp32")
    (expected,) = deployed.outputs(deployed.images(IMAGES_SEED))
    found = put_out(RUNTIMES[runtime].call(network, "fp32", 1))
    assert torch.allclose(found, expected, rtol=1e-3, atol=1e-4)
    assert not torch.allclose(found, found.flip(1), rtol=1e-3, atol=1e-4)


def test_eager_runs_the_module_as_it_is() -> None:
    network = runnable(resolve_one("v2@alpha=0.35,size=32"))
    with torch.inference_mode():
        expected = network.module()(*network.inputs)
    assert torch.equal(put_out(RUNTIMES["eager"].call(network, "fp32", 1)), expected)


def test_eager_has_the_weights_of_the_file_and_its_batch_norms_unless_folded() -> None:
    subject = resolve_one("v2@alpha=0.35,size=32")
    network = runnable(subject)
    assert network.deployed is not None
    norms = [n.path for n in subject.graph.nodes if isinstance(n.layer, BatchNorm2d)]
    assert len(norms) > 50
    folded = runnable(resolve_one("v2@alpha=0.35,size=32,fold_bn=true"))
    paths = [path for path, _ in folded.module().named_modules()]
    assert not set(norms) & set(paths)
    images = network.deployed("fp32").images(0)
    with torch.inference_mode():
        one, other = network.module()(images), folded.module()(images)
        (file,) = network.deployed("fp32").outputs(images)
    assert torch.allclose(one, other, rtol=1e-3, atol=1e-4)
    assert torch.allclose(one, file, rtol=1e-3, atol=1e-4)


def test_weights_of_a_file_are_what_runs(tmp_path: Path) -> None:
    target = "standard@size=8,in=3,out=4,stride=1"
    mine = runnable(resolve_one(target)).module().state_dict()
    generator = torch.Generator().manual_seed(3)
    drawn = {key: torch.rand(value.shape, generator=generator) for key, value in mine.items()}
    torch.save(drawn, file := str(tmp_path / "mine.pt"))
    runs = runs_of(resolve([target]), Asked(("eager", "onnx", "litert"), weights=file))
    mean, var, gamma, beta = (
        drawn[f"bn.{key}"] for key in ("running_mean", "running_var", "weight", "bias")
    )

    def by_torch(images: torch.Tensor) -> torch.Tensor:
        maps = conv2d(images, drawn["conv.weight"], padding=1)
        return batch_norm(maps, mean, var, gamma, beta).relu()

    network = runnable(runs[0].subject)
    assert network.deployed is not None
    of_files = by_torch(network.deployed("fp32").images(IMAGES_SEED))
    maps = by_torch(network.inputs[0])
    eager, onnx, litert = (put_out(call_of(run, 1)) for run in runs)
    assert torch.allclose(eager, maps, rtol=1e-5, atol=1e-6)
    assert torch.allclose(onnx, of_files, rtol=1e-5, atol=1e-6)
    assert torch.allclose(litert.permute(0, 3, 1, 2), of_files, rtol=1e-5, atol=1e-6)
    folded = runs_of(resolve([target + ",fold_bn=true"]), Asked(weights=file))
    assert torch.allclose(put_out(call_of(folded[0], 1)), maps, rtol=1e-5, atol=1e-6)


def test_weights_of_another_network_are_refused(cli: Cli, tmp_path: Path) -> None:
    torch.save({"conv.weight": torch.zeros(1)}, file := str(tmp_path / "mine.pt"))
    run = cli("latency", "v3-small@size=32", "--weights", file, "--rounds", "1")
    assert run.exit_code == 2
    assert "mine.pt: lacks rows.0.conv.weight" in run.stderr
    run = cli("latency", "torchvision:resnet18", "--weights", file)
    assert run.exit_code == 2
    assert "torchvision:resnet18: --weights are of a network that mbcost builds" in run.stderr


def test_a_folder_of_a_training_gives_its_weights(cli: Cli, tmp_path: Path) -> None:
    target = "v1-cifar10@alpha=0.05"
    args = ("--data", "digits", "--epochs", "1", "--run", str(tmp_path / "run"))
    assert cli("train", target, *args).exit_code == 0
    found = cli("latency", f"{target},size=8,in=1", "--weights", str(tmp_path / "run"),
                "--rounds", "1")  # fmt: skip
    assert found.exit_code == 0, found.stderr
    assert f"weights: {tmp_path / 'run' / 'weights.pt'}" in found.stdout


def test_no_map_fades_into_numbers_that_slow_the_processor_down() -> None:
    network = runnable(resolve_one("resnet50@size=32"))
    with torch.inference_mode():
        found = network.module()(*network.inputs)
    assert 1e-3 < found.abs().max() < 1e3


ITEM = {"fp32": 4, "fp16": 2, "int8": 1}


@pytest.mark.parametrize("dtype", ITEM)
@pytest.mark.parametrize("batch", [1, 3])
def test_traffic_is_parameters_once_and_maps_of_each_image(dtype: str, batch: int) -> None:
    """Against tensors that torch makes: the bytes of each layer's parameters, inputs and output."""
    subject = resolve_one(f"v3-small@alpha=0.35,size=32,batch={batch},fold_bn=true")
    graph = subject.graph
    module = runnable(subject).module()
    maps = {-1: torch.zeros(batch, *graph.x)}
    expected = []
    with torch.inference_mode():
        for i, (node, layer) in enumerate(zip(graph.nodes, module._layers, strict=True)):  # type: ignore[arg-type]  # a GraphModule
            inputs = [maps[j] for j in node.inputs]
            maps[i] = layer(*inputs)
            elements = sum(map(torch.numel, (*inputs, maps[i])))
            parameters = 0
            if isinstance(node.layer, Conv2d | Linear):
                found = dict(layer.named_parameters())
                wide = 4 if dtype == "int8" else ITEM[dtype]
                parameters = ITEM[dtype] * found["weight"].numel()
                parameters += wide * (found["bias"].numel() if "bias" in found else 0)
            expected.append(parameters + ITEM[dtype] * elements)
    assert moved_bytes(subject, dtype) == tuple(expected)


def test_an_addition_reads_both_maps() -> None:
    subject = resolve_one("inverted-residual@size=8,in=8,out=8,stride=1")
    assert subject.graph.nodes[-1].path == "add"
    assert moved_bytes(subject, "fp32")[-1] == 4 * 3 * 8 * 8 * 8


def test_traffic_of_a_model_from_elsewhere_is_of_its_rows() -> None:
    subject = resolve_one("torchvision:squeezenet1_1@size=64")
    moved = moved_bytes(subject, "fp32")
    first = subject.report.layers[0]
    assert moved[0] == 4 * (first.params + 3 * 64 * 64 + prod(first.y))
    assert len(moved) == len(subject.report.layers)


@pytest.mark.parametrize(
    ("targets", "asked", "message"),
    [
        (["v2"], Asked(("torch",)), "--runtime: unknown runtime 'torch' (one of: eager, compile"),
        (["v2"], Asked(("onnx", "eager"), ("int8",)), "--dtype: the runtime eager has no 'int8'"),
        (["torchvision:resnet18"], Asked(("onnx",)), "torchvision:resnet18: is a model from else"),
        (["v2@size=65536"], Asked(), "v2@size=65536: is too large to be run here: a layer's maps"),
        (["v2@batch=20000"], Asked(("litert",)), "v2@batch=20000: is too large to be run here"),
        (["v1@alpha=10"], Asked(), "v1@alpha=10: is too large to be run here: its param"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_any_work(
    targets: list[str], asked: Asked, message: str
) -> None:
    with pytest.raises(MbcostError) as caught:
        runs_of(resolve(targets), asked)
    assert str(caught.value).startswith(message)


def test_runs_are_targets_by_runtimes_by_dtypes() -> None:
    runs = runs_of(resolve(["v1", "v2"]), Asked(("onnx", "litert"), ("fp32", "int8")))
    assert [run.words for run in runs] == [
        f"{target} {runtime} {dtype}"
        for target in ("v1", "v2")
        for runtime in ("onnx", "litert")
        for dtype in ("fp32", "int8")
    ]
    for wanted, expected in {None: 0, "v1": 0, "v2": 4, "v2 litert": 6, "v1 onnx int8": 1}.items():
        assert reference_of(runs, wanted) == expected
    for wrong in ("v", "v3", "v2 eager", "litert"):
        with pytest.raises(MbcostError, match="is none of what is measured"):
            reference_of(runs, wrong)


def made(samples: list[tuple[tuple[float, float], ...]], threads: int = 1) -> Timing:
    """Two runs with these samples, (CPU, wall) each."""
    rounds = tuple(tuple(Sample(*each) for each in row) for row in samples)
    runs = (run_of("v1"), run_of("v2"))[: len(rounds[0])]
    return Timing(runs, Measured(Plan(len(rounds), threads), rounds, "asked", 10), HOST)


def test_a_record_says_what_was_measured() -> None:
    timing = made(
        [((2.0, 2.5), (1.0, 1.5)), ((4.0, 4.0), (1.0, 2.0)), ((2.0, 9.0), (1.0, 1.0))] * 3
    )
    first, second = (record(timing, i) for i in range(2))
    assert tuple(first) == FIELDS
    assert (first["seconds"], second["seconds"]) == (2.0, 1.0)
    assert (second["ratio"], second["ratio_low"], second["ratio_high"]) == (0.5, 0.25, 0.5)
    assert (first["ratio"], first["ratio_margin"]) == (1.0, 0.0)
    assert first["disturbed"] == 15.5 / 8
    assert (first["cpu"], first["load"], first["rounds"]) == ("a CPU", 0.5, 9)
    for row in (first, second):
        assert round(row["gmacs_per_second"] * 1e9 * row["seconds"]) == row["mult_adds"]
        assert math.isclose(row["mult_adds_per_byte"] * row["moved_bytes"], row["mult_adds"])


def test_files_have_every_sample() -> None:
    timing = made([((2.0, 2.5), (1.0, 1.5)), ((4.0, 4.0), (1.0, 2.0))] * 4)
    table = latency_table(timing)
    for i, row in enumerate(table.document):
        assert row["cpu_samples"] == [each[i].cpu_s for each in timing.measured.rounds]
        assert row["wall_samples"] == [each[i].wall_s for each in timing.measured.rounds]
        assert (row["warm_up"], row["stopped"]) == (10, "asked")
        assert row["versions"]["torch"]


def notes(timing: Timing) -> str:
    return "\n".join(latency_table(timing).notes)


def test_a_row_that_is_no_evidence_says_so() -> None:
    calm = made([((2.0, 1.02),)] * 6, threads=2)
    loud = made([((2.0, 1.2),)] * 6, threads=2)
    assert "no evidence" not in notes(calm)
    assert "evidence" not in [column.key for column in latency_table(calm).columns]
    assert "v1 (eager fp32): no evidence, wall ÷ CPU is 1.20, above 1.05" in notes(loud)
    assert "evidence" in [column.key for column in latency_table(loud).columns]
    hidden = made([((2.0, 1.0),)] * 6)
    assert "it used more threads than the one that was allowed" in notes(hidden)


def test_how_it_ended_is_told() -> None:
    few = made([((2.0, 2.0), (1.0, 1.0))] * 3)
    assert "no interval: 95 % need 6 rounds at least" in notes(few)
    stopped = Timing(few.runs, Measured(Plan(50), few.measured.rounds, "interrupted"), HOST)
    assert "interrupted: 3 of 50 rounds were finished and are what is shown" in notes(stopped)
    noisy = tuple((Sample(x, x), Sample(1.0, 1.0)) for x in (1.0, 2.0, 3.0) * 4)
    bound = Timing(few.runs, Measured(Plan(), noisy, "bound"), HOST)
    assert "not reached: ± 2.0% after 12 rounds" in notes(bound)
    drifting = Timing(few.runs, Measured(Plan(3), few.measured.rounds, "asked", 9, True), HOST)
    assert "still drifting" in notes(drifting)


@pytest.mark.parametrize("runtime", ["eager", "onnx"])
def test_every_layer_has_a_row_and_nothing_is_lost(runtime: str) -> None:
    found = shares(run_of(SMALL, runtime), Asked(rounds=3))
    report = found.run.counted.report
    paths = [row.path for row in found.rows]
    assert paths[: len(report.layers)] == [row.path for row in report.layers]
    assert paths[-1] == BETWEEN
    for row, layer in zip(found.rows, report.layers, strict=False):
        assert (row.kind, row.mult_adds) == (layer.kind, layer.mult_adds)
        if layer.mult_adds:
            assert row.seconds is not None
            assert row.seconds > 0
            assert len(row.samples or ()) == 3
    assert sum(row.mult_adds for row in found.rows) == report.mult_adds
    for by in ("layer", "kind", "block"):
        records = share_records(found, by)
        assert math.isclose(sum(each["time_share"] or 0 for each in records), 1)
        assert math.isclose(sum(each["mult_adds_share"] for each in records), 1)
        assert sum(each["mult_adds"] for each in records) == report.mult_adds
        for each in records:
            if each["seconds"] and each["mult_adds"]:
                done = each["gmacs_per_second"] * 1e9 * each["seconds"]
                assert round(done) == each["mult_adds"]


def test_a_model_from_elsewhere_is_taken_apart_by_its_modules() -> None:
    found = shares(run_of("torchvision:squeezenet1_1@size=64"), Asked(rounds=2))
    for row in found.rows:
        assert row.seconds is not None or not row.mult_adds, row.path
    assert sum(row.mult_adds for row in found.rows) == found.run.mult_adds
    assert len([row for row in found.rows if row.path == BETWEEN]) == 1


def test_parts_are_grouped_run_by_run() -> None:
    rows = [
        Share("a", "conv", (1.0, 2.0, 9.0), 5, 7),
        Share("b", "conv", None, 1, 2),
        Share("c", "conv", (4.0, 3.0, 1.0), 3, 1),
        Share(BETWEEN, None, (1.0, 1.0, 1.0), 0, 0),
    ]
    assert grouped(rows, lambda row: row.kind or row.path) == [
        Share("conv", "conv", (5.0, 5.0, 10.0), 9, 10),
        Share(BETWEEN, None, (1.0, 1.0, 1.0), 0, 0),
    ]
    assert grouped(rows[1:2], lambda row: "x")[0].seconds is None


def test_threads_of_torch_are_what_they_were() -> None:
    before = torch.get_num_threads()
    timing([run_of("standard@size=8")], Asked(threads=before + 1, rounds=1))
    assert torch.get_num_threads() == before


def test_a_model_that_does_not_run_is_named() -> None:
    run = run_of("standard@size=8")
    broken = Run(run.subject, RUNTIMES["eager"]._replace(name="nothing"), "fp32")
    with pytest.raises(
        MbcostError, match=r"standard@size=8 \(nothing fp32\): does not run: Attrib"
    ):
        timing([broken], Asked(rounds=1))


def test_a_model_from_elsewhere_is_timed_on_the_cpu_and_not_on_meta() -> None:
    network = runnable(resolve_one("torchvision:squeezenet1_1@size=64"))
    assert {each.device.type for each in network.module().parameters()} == {"cpu"}
    assert {each.device.type for each in network.inputs} == {"cpu"}
    assert put_out(RUNTIMES["eager"].call(network, "fp32", 1)).device.type == "cpu"


class Numbered(Runtime):
    """A runtime whose runs take as many seconds as there were before them."""

    def call(self, network: Runnable, dtype: str, threads: int) -> Call:
        return lambda: None

    def parts(self, network: Runnable, dtype: str, threads: int) -> Parts:
        return NumberedParts()


class NumberedParts:
    def __init__(self) -> None:
        self.found: list[dict[str, float]] = []

    def __call__(self) -> None:
        self.found.append({"conv": float(len(self.found)), BETWEEN: 0.0})

    def runs(self) -> list[dict[str, float]]:
        return self.found


def test_parts_are_of_the_rounds_that_count() -> None:
    """Neither of the first run, which only tells whether it runs, nor of those to warm up."""
    run = Run(resolve_one("standard@size=8"), Numbered(*RUNTIMES["eager"]), "fp32")
    found = shares(run, Asked(rounds=4))
    first = 1 + found.timing.measured.warm_up
    (conv,) = [row for row in found.rows if row.path == "conv"]
    assert conv.samples == tuple(float(first + i) for i in range(4))


def test_the_ranking_is_of_what_the_papers_print() -> None:
    for pair in PAIRS:
        quick, slow = (float(text.partition(" ")[0]) for text in printed(pair))
        assert 0 < quick < slow
