"""``mbcost memory`` from the command line down: figures, choices, steps, what is refused."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from typer.testing import Result

import mbcost
from mbcost.graph.liveness import CATEGORIES
from mbcost.networks.yaml import builtins
from mbcost.studies import figures
from mbcost.studies.memory.figures import KEYS, Memory, record
from mbcost.studies.memory.how import How
from mbcost.targets.resolve import resolve_one

Cli = Callable[..., Result]
CliJson = Callable[..., Any]

FIVE = ("v1", "v2", "v3-large", "v3-small", "resnet50")
MEASURED = {  # with torch 2.14 on the CPU at 224 × 224, and with TFLite Micro's allocator
    ("peak_activation_bytes",): (7_024_640, 10_235_904, 7_024_640, 2_408_448, 10_235_904),
    ("peak_activation_bytes", "--batch", "4"): (
        *(28_098_560, 40_943_616, 28_098_560),
        *(9_633_792, 40_943_616),
    ),
    ("arena_bytes", "--dtype", "int8"): (1_204_224, 1_505_280, 1_003_520, 401_408, 2_408_448),
    ("saved_bytes", "--batch", "4", "--train"): (
        *(163_878_400, 312_954_112, 176_532_928),
        *(64_711_360, 326_991_360),
    ),
    ("train_peak_bytes", "--batch", "4", "--train", "--optimizer", "adam"): (
        *(223_044_172, 362_276_672, 253_937_296),
        *(102_615_536, 692_605_012),
    ),
}


@pytest.mark.parametrize("asked", MEASURED, ids=" ".join)
def test_figures_measured_by_others(asked: tuple[str, ...], cli_json: CliJson) -> None:
    key, *options = asked
    records = cli_json("memory", *FIVE, *options)
    assert tuple(row[key] for row in records) == MEASURED[asked]


def test_a_record_has_every_key_and_null_where_nothing_was_asked(cli_json: CliJson) -> None:
    (row,) = cli_json("memory", "v3-small")
    assert tuple(row) == KEYS
    unasked = {key for key, value in row.items() if value is None}
    assert unasked == {
        *(
            "arena_persistent_bytes",
            "best_order_bytes",
            "order_is_best",
            "saved_bytes",
            "grad_bytes",
        ),
        *("optimizer_bytes", "peak_forward_bytes", "peak_backward_bytes", "peak_step_bytes"),
        *("train_peak_bytes", "max_batch", "max_batch_bytes", "next_batch_bytes"),
    }
    assert row["peak_at"] == "rows.2.expand.bn"


def test_more_is_fused_than_tflite_does_where_asked(cli_json: CliJson) -> None:
    sizes = {
        fuse: cli_json("memory", "v3-small", "--dtype", "int8", "--fuse", fuse)[0]["arena_bytes"]
        for fuse in ("none", "tflite", "all")
    }
    assert sizes["tflite"] == 401_408
    assert sizes["all"] == 351_232
    assert sizes["none"] >= sizes["tflite"]


def test_the_arena_may_be_larger_than_what_is_alive_at_once(cli_json: CliJson) -> None:
    rows = cli_json("memory", "mobilenet-edgetpu", "proxyless-mobile", "--dtype", "int8")
    assert [(r["arena_bytes"], r["lower_bound_bytes"]) for r in rows] == [
        (702_464, 602_112),
        (852_992, 802_816),
    ]
    assert [row["arena_overhead"] for row in rows] == [702_464 / 602_112 - 1, 852_992 / 802_816 - 1]


def test_the_image_held_released_or_not_counted(cli_json: CliJson) -> None:
    image = 4 * 3 * 224 * 224
    held, released, excluded = (
        cli_json("memory", "v2", "--image", name)[0]["peak_activation_bytes"]
        for name in ("held", "released", "excluded")
    )
    assert held - released == image
    assert released == excluded  # the peak is long after the image
    assert cli_json("memory", "v2")[0]["peak_activation_bytes"] == held


@pytest.mark.parametrize(
    ("asked", "limit", "batch"),
    [
        (("--train", "--optimizer", "adam"), "200MB", 10),
        (("--train", "--optimizer", "adam"), "200MiB", 11),
        (("--train", "--optimizer", "adam"), "193303856", 10),
        (("--train", "--optimizer", "adam"), "193303855", 9),
    ],
)
def test_the_largest_batch_that_trains(
    asked: tuple[str, ...], limit: str, batch: int, cli_json: CliJson
) -> None:
    (row,) = cli_json("memory", "v2", "--size", "96", *asked, "--fit", limit)
    assert row["max_batch"] == batch
    sizes = [
        cli_json("memory", "v2", "--size", "96", "--batch", str(n), *asked)[0]["train_peak_bytes"]
        for n in (batch, batch + 1)
    ]
    assert [row["max_batch_bytes"], row["next_batch_bytes"]] == sizes


def test_the_largest_batch_that_runs(cli_json: CliJson) -> None:
    (row,) = cli_json("memory", "v3-small", "--fit", "100MB")
    (one,) = cli_json("memory", "v3-small", "--batch", str(row["max_batch"]))
    standing = one["weight_bytes"] + one["buffer_bytes"]
    assert standing == 4 * one_params_all("v3-small") + 8 * norms("v3-small")
    assert row["max_batch_bytes"] == standing + one["peak_activation_bytes"] <= 100 * 10**6
    assert row["next_batch_bytes"] > 100 * 10**6


def one_params_all(name: str) -> int:
    return resolve_one(name).report.params_all


def norms(name: str) -> int:
    return sum(layer.kind == "batch_norm" for layer in resolve_one(name).report.layers)


def test_a_limit_that_nothing_fits_says_what_one_image_takes(cli: Cli) -> None:
    told = cli("memory", "v2", "--fit", "1MB")
    assert told.exit_code == 0
    assert "v2 runs at no batch within 1,000,000 bytes (1.0 MB, 1.0 MiB): batch 1 takes" in (
        told.stdout
    )


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--train", "--dtype", "int8"), "--dtype: no training step in int8 is counted"),
        (("--optimizer", "adam"), "--optimizer: is of a training step (with --train)"),
        (("--amp",), "--amp: is of a training step (with --train)"),
        (("--dtype", "fp8"), "--dtype: unknown value 'fp8'"),
        (("--fuse", "tf"), "--fuse: unknown value 'tf'"),
        (("--in-place", "add,ad"), "--in-place: unknown value 'ad' (did you mean 'add'?)"),
        (("--fit", "24 apples"), "--fit: "),
        (("--align", "0"), "--align: "),
        (("--by", "kind"), "--by: unknown view 'kind'"),
        (("--by", "layer", "--verify"), "--by: shows the steps or tensors of one target"),
        (("--columns", "peak"), "--columns: unknown column 'peak'"),
    ],
)
def test_what_is_refused(options: tuple[str, ...], problem: str, cli: Cli) -> None:
    told = cli("memory", "v2", *options)
    assert (told.exit_code, told.stdout) == (2, "")
    assert problem in told.stderr


def test_one_image_that_cannot_be_trained_is_refused(cli: Cli) -> None:
    told = cli("memory", "v3-small", "--size", "32", "--train")
    assert told.exit_code == 2
    assert "a batch-norm of one value per channel cannot be trained" in told.stderr


def test_the_steps_add_up_to_what_is_alive(cli: Cli, cli_json: CliJson) -> None:
    found = cli("memory", "v3-small", "--by", "layer", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(found.stdout)))
    sizes = [int(row["alive_bytes"]) for row in rows]
    (one,) = cli_json("memory", "v3-small")
    assert max(sizes) == one["peak_activation_bytes"]
    assert rows[sizes.index(max(sizes))]["path"] == one["peak_at"]
    alive = 4 * 3 * 224 * 224
    for row in rows:
        alive += int(row["written_bytes"])
        assert int(row["alive_bytes"]) == alive
        alive -= int(row["freed_bytes"])
    assert alive == 4 * (3 * 224 * 224 + 1000), "the image is held, the logits are put out"


def test_the_phases_of_a_training_step_have_the_peaks_of_the_record() -> None:
    how = How(train=True, optimizer="momentum")
    subject = resolve_one("v3-small@size=64,batch=2")
    found = record(subject, how)
    plot = figures.memory(subject, how)
    for phase in ("forward", "backward", "step"):
        sizes = [row["alive_bytes"] for row in plot.rows if row["phase"] == phase]
        assert max(sizes) == found[f"peak_{phase}_bytes"]
    for row in plot.rows:
        assert sum(row[f"{name}_bytes"] for name in CATEGORIES) == row["alive_bytes"]


@pytest.mark.parametrize("name", builtins())
def test_no_two_tensors_of_the_arena_lie_in_one_place(name: str) -> None:
    subject = resolve_one(name)
    plot = figures.arena_map(subject, How(dtype="int8"))
    assert max(row["offset_bytes"] + row["size_bytes"] for row in plot.rows) <= plot.size
    steps: dict[int, list[tuple[int, int]]] = {}
    for row in plot.rows:
        for step in range(row["first"], row["last"] + 1):
            end = row["offset_bytes"] + row["size_bytes"]
            steps.setdefault(step, []).append((row["offset_bytes"], end))
    for found in steps.values():
        places = sorted(place for place in found if place[0] < place[1])
        assert all(a[1] <= b[0] for a, b in pairwise(places))
    assert plot.lower_bound <= plot.size


def test_in_place_takes_less_and_says_so(cli_json: CliJson) -> None:
    (plain,) = cli_json("memory", "shufflenet", "--dtype", "int8")
    (tight,) = cli_json("memory", "shufflenet", "--dtype", "int8", "--in-place", "depthwise,add")
    assert tight["arena_bytes"] < plain["arena_bytes"]
    assert (plain["fusion"], tight["fusion"]) == (
        "tflite",
        "tflite+in-place-add+in-place-depthwise",
    )


def test_the_best_order_is_no_worse(cli_json: CliJson) -> None:
    (row,) = cli_json("memory", "v2-projection", "--dtype", "int8", "--order", "best")
    (as_is,) = cli_json("memory", "v2-projection", "--dtype", "int8")
    assert as_is["lower_bound_bytes"] == 1_705_984
    assert row["best_order_bytes"] == row["lower_bound_bytes"] == 1_580_544
    assert row["order_is_best"] is True


def test_a_model_from_elsewhere_keeps_what_a_run_of_it_keeps(cli_json: CliJson) -> None:
    (row,) = cli_json("memory", "torchvision:mobilenet_v2@size=64", "--verify")
    assert (row["verified"], row["measured"]) == (True, {"peak": row["peak_activation_bytes"]})
    assert row["weight_bytes"] == 14_019_488
    assert row["arena_bytes"] is None


def test_ours_is_verified_by_a_run_and_an_allocator(cli: Cli, cli_json: CliJson) -> None:
    (row,) = cli_json(
        "memory", "v3-small@size=64,batch=2", "--verify", "--train", "--dtype", "fp32"
    )
    keys = {"peak": "peak_activation_bytes", "saved": "saved_bytes", "arena": "arena_bytes"}
    keys |= {phase: f"peak_{phase}_bytes" for phase in ("forward", "backward", "step")}
    assert row["measured"] == {name: row[key] for name, key in keys.items()}
    assert row["verified"] is True
    assert row["arena_persistent_bytes"] > 0


def test_a_model_from_elsewhere_is_trained_too(cli_json: CliJson) -> None:
    (row,) = cli_json("memory", "torchvision:resnet18@size=64", "--batch", "2", "--train")
    watched = Step(2)
    assert row["saved_bytes"] == watched.saved
    assert row["train_peak_bytes"] == max(
        row[f"peak_{phase}_bytes"] for phase in ("forward", "backward", "step")
    )
    assert row["train_peak_bytes"] == watched.peak


class Step:
    """A step of ResNet-18 as its own code runs it on real tensors, watched."""

    def __init__(self, batch: int) -> None:
        import torch
        import torchvision

        from mbcost.modules.memory.trained import ModelStep, trained_step

        model = torchvision.models.resnet18().train()
        step = ModelStep(model, (torch.zeros(batch, 3, 64, 64),), {}, "sgd")
        found = trained_step(step)
        self.saved, self.peak = found.saved, found.peak


@pytest.mark.parametrize(
    "option", [("--dtype", "int8"), ("--fit", "1GB"), ("--image", "released"), ("--train", "--amp")]
)
def test_what_needs_a_closed_form_is_refused_elsewhere(option: tuple[str, ...], cli: Cli) -> None:
    told = cli("memory", "torchvision:mobilenet_v2@size=64", *option)
    assert told.exit_code == 2
    assert f"{option[-1] if option[0] == '--train' else option[0]}: is a model from elsewhere" in (
        told.stderr
    )


def test_schedules_are_made_only_where_they_are_asked_for() -> None:
    memory = Memory(resolve_one("v3-small").graph, 1, How())
    record(resolve_one("v3-small"), How())
    assert "training" not in vars(memory)


def test_python_has_the_records_of_the_command_line(cli_json: CliJson) -> None:
    options = ("--batch", "2", "--dtype", "int8", "--in-place", "add", "--align", "64")
    asked = {"batch": 2, "dtype": "int8", "in_place": ("add",), "align": 64}
    assert mbcost.memory("v2", "v3-small@alpha=0.5", **asked) == cli_json(
        "memory", "v2", "v3-small@alpha=0.5", *options
    )
    (row,) = mbcost.memory("v2", size=96, train=True, optimizer="adam", fit=200_000_000)
    assert row["max_batch"] == 10


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"dtype": 4}, "--dtype: unknown value '4'"),
        ({"train": "maybe"}, "--train: "),
        ({"align": True}, "--align: "),
        ({"in_place": 3}, "--in-place: unknown value '3'"),
        ({"alhpa": 1}, "no setting 'alhpa'"),
    ],
)
def test_python_refuses_what_the_command_line_does(asked: dict[str, Any], problem: str) -> None:
    with pytest.raises(mbcost.MbcostError) as error:
        mbcost.memory("v2", **asked)
    assert problem in str(error.value)
