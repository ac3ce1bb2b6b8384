"""``mbcost train`` and ``predict``: what they print, what they refuse, what a run is good for."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mbcost.modules.data import read
from mbcost.studies.training.run import graph_digest, runs_in
from tests import ROOT
from tests.conftest import Cli

DIGITS = ("train", "v1-cifar10@alpha=0.25", "--data", "digits")
QUICK = ("--images", "100", "--epochs", "1")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trained")


def test_digits_are_learnt_in_20_epochs(
    trained: Path, cli_json: Callable[..., Any], cli: Cli
) -> None:
    """And what was learnt can be looked at and deployed."""
    folder = str(trained / "digits")
    record = cli_json(*DIGITS, "--epochs", "20", "--batch", "32", "--run", folder)
    print(f"{record['trained_top1']:.2f} % in {record['train_s']:.1f} s")
    assert record["trained_top1"] >= 96
    assert record["data"] == "digits"
    data = read("digits")
    right = 0
    for i in range(5):
        Image.fromarray(data.test.images[i, 0]).save(trained / f"{i}.png")
        answers = cli_json("predict", folder, str(trained / f"{i}.png"), "--most", "3")
        assert len(answers) == 3
        assert answers[0]["probability"] <= 100
        right += answers[0]["class"] == data.classes[data.test.labels[i]]
    assert right >= 4
    network = str(trained / "net.onnx")
    as_trained = ("--in", "1", "--size", "32", "--weights", folder, "-o", network)
    deployed = cli("deploy", "v1-cifar10@alpha=0.25", *as_trained)
    assert deployed.exit_code == 0, deployed.stderr
    assert "weights: " + folder in deployed.stdout
    other = cli("deploy", "v1-cifar10@alpha=0.5", *as_trained)
    assert other.exit_code == 2
    assert "weights.pt: has " in other.stderr


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (("--optimizer", "lion"), "mbcost: --optimizer: unknown word 'lion'"),
        (("--schedule", "cosin"), "did you mean 'cosine'?"),
        (("--recipe", "articel"), "--recipe: unknown recipe 'articel' (did you mean 'article'?)"),
        (("--lr", "-1"), "--lr: -1.0 is too small"),
        (("--lr", "nan"), "--lr: nan is too small"),
        (("--batch", "1"), "--batch: "),
        (("--val", "1438"), "--val: holds out 1,438 of 1,438 images"),
        (("--images", "5000"), "--images: 5,000 of 1,294 images"),
        (("--classes", "100"), "classes: 100 given, and the data have 10"),
        (("--in", "3"), "in: 3 given, and the data have 1"),
        (("--device", "abacus"), "--device abacus: "),
        (("--alpha", "0.5", "--fold-bn"), "is folded"),
        (("--stride", "2"), "--stride: fits none of the targets"),
    ],
    ids=str,
)
def test_what_cannot_be_trained_is_one_message(
    args: tuple[str, ...], problem: str, cli: Cli, tmp_path: Path
) -> None:
    result = cli(*DIGITS, "--run", str(tmp_path / "run"), *args)
    assert result.exit_code == 2
    assert problem in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_loss_that_is_no_number_is_a_check_that_failed(cli: Cli, tmp_path: Path) -> None:
    args = ("--lr", "1e30", "--run", str(tmp_path / "run"))
    result = cli(*DIGITS, *QUICK, "--batch", "10", *args)
    assert result.exit_code == 1
    assert "the loss is " in result.stderr
    assert "a smaller --lr" in result.stderr


def test_a_size_that_is_given_resizes_the_images(
    cli_json: Callable[..., Any], tmp_path: Path
) -> None:
    record = cli_json(*DIGITS, *QUICK, "--size", "16", "--run", str(tmp_path / "run"))
    assert record["input"] == [1, 16, 16]
    assert record["recipe"]["size"] == [16, 16]


def test_the_article_recipe_trains_at_96(cli_json: Callable[..., Any], tmp_path: Path) -> None:
    run = str(tmp_path / "run")
    record = cli_json(
        *DIGITS, "--images", "40", "--epochs", "1", "--recipe", "article", "--run", run
    )
    recipe = record["recipe"]
    assert record["input"] == [1, 96, 96]
    assert (recipe["optimizer"], recipe["lr"], recipe["batch"]) == ("adam", 0.01, 32)
    assert record["history"][0]["lr"] == 0.01


def test_progress_is_drawn_where_a_person_watches_and_nowhere_else(
    cli: Cli, tmp_path: Path
) -> None:
    args = (*DIGITS, "--images", "640", "--epochs", "1", "--run")
    assert cli(*args, str(tmp_path / "a")).stderr == ""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "mbcost", *args, str(tmp_path / "b")],
        stdout=subprocess.PIPE,
        stderr=follower,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"},
    )
    os.close(follower)
    seen = b""
    with suppress(OSError):  # the other end is closed
        while chunk := os.read(leader, 1 << 16):
            seen += chunk
    os.close(leader)
    stdout, _ = process.communicate(timeout=60)
    shown = seen.decode()
    assert "epoch 1 of 1, loss" in shown
    assert "images/s" in shown
    assert b"images/s" not in stdout


def test_runs_stand_beside_the_costs_they_were_trained_at(
    cli_json: Callable[..., Any], cli: Cli
) -> None:
    runs = str(ROOT / "reports" / "training")
    found = cli_json("compare", "v2@alpha=0.5", "v2@alpha=0.6", "--runs", runs, "--fast")
    record = json.loads((Path(runs) / "v2-0.5" / "record.json").read_text())
    assert found[0]["trained_top1"] == record["trained_top1"]
    assert (found[0]["mult_adds"], found[0]["params"]) == (record["mult_adds"], record["params"])
    assert found[1]["trained_top1"] is None
    assert found[1]["size"] == 224
    assert "top1" not in found[0]
    assert "trained_top1" not in cli_json("compare", "v2", "--fast")[0]
    result = cli("compare", "v2", "--runs", runs, "--fast", "--fold-bn")
    assert (result.exit_code, "not folded" in result.stderr) == (2, True)
    result = cli("compare", "v2", "--runs", "nowhere", "--fast")
    assert (result.exit_code, "holds no finished training" in result.stderr) == (2, True)


def test_a_figure_is_of_trainings_that_can_be_compared(cli: Cli, tmp_path: Path) -> None:
    runs = ROOT / "reports" / "training"
    shown = cli("plot", "accuracy", "v2", "--runs", str(runs), "--show-data")
    assert shown.stdout.splitlines()[0].split(",")[5] == "trained_top1"
    assert len(shown.stdout.splitlines()) == 5
    for key, value in (("data_sha256", "x"), ("recipe", {"epochs": 6})):
        for name in ("v2-0.5", "v2-1"):
            record = json.loads((runs / name / "record.json").read_text())
            if name == "v2-1":
                record[key] = {**record[key], **value} if isinstance(value, dict) else value
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / "record.json").write_text(json.dumps(record))
        result = cli("plot", "accuracy", "--runs", str(tmp_path), "--show-data")
        assert result.exit_code == 2
        assert "its trainings are not of one " in result.stderr
    result = cli("plot", "accuracy", "v9", "--runs", str(runs), "--show-data")
    assert (result.exit_code, "has no training of v9" in result.stderr) == (2, True)


@pytest.mark.parametrize("run", runs_in(ROOT / "reports" / "training"), ids=lambda r: r.folder.name)
def test_kept_records_are_of_the_networks_as_they_are_counted_today(run: Any) -> None:
    subject = run.subject()
    assert subject.report.params == run.record["params"]
    assert subject.report.mult_adds == run.record["mult_adds"]
    assert graph_digest(subject.graph) == run.record["graph_sha256"]
    right = sum(run.record["confusion"][i][i] for i in range(10))
    assert run.record["trained_top1"] == 100 * right / 10_000


def test_what_is_no_image_or_no_run_is_refused(trained: Path, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"no image")
    run = str(ROOT / "reports" / "training" / "v2-1")
    for args, problem in (
        ((run, str(tmp_path / "x.png")), "cannot be read as an image"),
        ((run, str(tmp_path / "y.png")), "no such file"),
        ((str(tmp_path), str(tmp_path / "x.png")), "holds no training"),
    ):
        result = cli("predict", *args)
        assert (result.exit_code, problem in result.stderr) == (2, True), result.stderr
