"""Trainings in a folder: what stands in it, what goes on with it and what does not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import mbcost
from mbcost.errors import MbcostError
from mbcost.modules.data import Data, read
from mbcost.modules.training.recipe import Recipe
from mbcost.studies.training.run import Run, runs_in, weights_of
from mbcost.studies.training.train import Where, subject_for, train

SMALL = "v1-cifar10@alpha=0.25"
QUICK = Recipe(epochs=2, images=300)


@pytest.fixture(scope="module")
def digits() -> Data:
    return read("digits")


@pytest.fixture(scope="module")
def run(digits: Data, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("run") / "new" / "one"
    return train(subject_for(SMALL, digits), digits, QUICK, folder)


def test_input_and_classes_follow_the_data_and_the_costs_are_those_of_count(run: Run) -> None:
    record = run.record
    assert record["settings"] == {"alpha": 0.25, "in": 1, "size": 32, "classes": 10}
    counted = mbcost.count("v1-cifar10", alpha=0.25, in_=1, size=32, classes=10)
    assert (record["params"], record["mult_adds"]) == (counted.params, counted.mult_adds)
    assert (record["train_images"], record["val_images"], record["test_images"]) == (300, 144, 359)


def test_the_record_adds_up(run: Run, digits: Data) -> None:
    record = run.record
    rows = record["confusion"]
    assert [sum(row) for row in rows] == [int((digits.test.labels == i).sum()) for i in range(10)]
    right = sum(rows[i][i] for i in range(10))
    assert record["trained_top1"] == 100 * right / 359
    assert [each["epoch"] for each in record["history"]] == [1, 2]
    best = max(record["history"], key=lambda each: each["val_top1"])
    assert record["best_val_top1"] == best["val_top1"]
    log = (run.folder / "log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in log] == ["epoch", "1", "2"]
    assert float(log[2].split(",")[3]) == record["history"][1]["train_top1"]


def test_a_finished_run_is_read_again_and_never_trained_over(run: Run, digits: Data) -> None:
    before = {path.name: path.read_bytes() for path in run.folder.iterdir()}
    subject = subject_for(SMALL, digits)
    assert train(subject, digits, QUICK, run.folder, resume=True).record == run.record
    with pytest.raises(MbcostError, match="holds a training"):
        train(subject, digits, QUICK, run.folder)
    assert {path.name: path.read_bytes() for path in run.folder.iterdir()} == before


@pytest.mark.parametrize(
    ("target", "recipe", "where", "problem"),
    [
        (SMALL, replace(QUICK, epochs=3), Where(), "epochs is 2, not 3"),
        (SMALL, replace(QUICK, seed=1), Where(), "seed is 0, not 1"),
        (SMALL, QUICK, Where(threads=2), "threads is 1, not 2"),
        ("v1-cifar10@alpha=0.5", QUICK, Where(), "alpha is 0.25, not 0.5; other layers"),
    ],
)
def test_other_settings_do_not_go_on_with_it(
    run: Run, digits: Data, target: str, recipe: Recipe, where: Where, problem: str
) -> None:
    with pytest.raises(MbcostError, match=f"holds another training: .*{problem}"):
        train(subject_for(target, digits), digits, recipe, run.folder, resume=True, where=where)


def test_other_data_do_not_go_on_with_it(run: Run, digits: Data) -> None:
    labels = digits.train.labels.copy()
    labels[0] = (labels[0] + 1) % 10
    other = replace(digits, train=digits.train._replace(labels=labels))
    with pytest.raises(MbcostError, match="holds another training: other data"):
        train(subject_for(SMALL, other), other, QUICK, run.folder, resume=True)


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("v1-cifar10@classes=1000", "classes: 1000 given, and the data have 10"),
        ("v1-cifar10@in=3", "in: 3 given, and the data have 1"),
        ("v1-cifar10@fold_bn=true", "is folded"),
        ("standard", "is no network of rows"),
        ("ssd-v1", "puts out"),
        ("torchvision:resnet18", "is no network of rows"),
    ],
)
def test_what_does_not_fit_the_data_is_refused(digits: Data, target: str, problem: str) -> None:
    with pytest.raises(MbcostError, match=problem):
        subject_for(target, digits)


def test_runs_are_found_and_their_weights_named(run: Run, tmp_path: Path) -> None:
    assert [found.record for found in runs_in(run.folder)] == [run.record]
    assert [found.folder for found in runs_in(run.folder.parent)] == [run.folder]
    assert weights_of(str(run.folder)) == str(run.folder / "weights.pt")
    assert weights_of("net.pt") == "net.pt"
    for read_it in (runs_in, Run.read):
        with pytest.raises(MbcostError, match="holds no"):
            read_it(tmp_path)
    (tmp_path / "record.json").write_text(json.dumps({"target": "v1"}))
    with pytest.raises(MbcostError, match="lacks settings, params"):
        Run.read(tmp_path)
