"""Sweeps of trainings: the same costs, each trained once, whoever is killed meanwhile."""

from __future__ import annotations

import csv
import json
import signal
import sqlite3
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

import mbcost
from mbcost.modules.data import read
from mbcost.modules.training.recipe import Recipe
from mbcost.studies.training.run import Run
from mbcost.studies.training.store import opened_store
from tests.conftest import Cli
from tests.proofs import training_sweeps as proof
from tests.proofs.sweeps import all_ended, running, wait_for, workers

pytest.importorskip("distributed")


def test_six_trainings_with_a_worker_and_the_client_killed(tmp_path: Path) -> None:
    short = Recipe(epochs=2, images=300)
    case = proof.case_of(6, 0)._replace(stops=("worker", "client"), recipe=short)
    stopped = proof.stopped_sweep(case, 0, tmp_path)
    assert stopped == {"worker": 1, "client": 1}
    proof.check_rows(case, tmp_path)
    proof.check_solo(case, 0, tmp_path)
    import pyarrow.parquet

    rows = list(csv.DictReader((tmp_path / "x.csv").open()))
    parquet = pyarrow.parquet.read_table(tmp_path / "x.parquet").to_pylist()
    texts = [{k: "" if v is None else str(v) for k, v in row.items()} for row in parquet]
    assert texts == rows


SPACE = ("sweep", "v1-cifar10", "--alpha", "0.05,0.1", "--size", "16,32", "--verify", "0")
TRAIN = ("--train", "--data", "digits", "--images", "100", "--epochs", "1")


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """The address of one that runs with a worker, on loopback."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster:
        yield cluster.scheduler_address


Swept = Any


@pytest.fixture
def swept(cli: Cli, scheduler: str, tmp_path: Path) -> Swept:
    """Run a sweep of trainings in a folder of its own; options that come later win."""

    def run(*args: str, space: tuple[str, ...] = SPACE) -> Result:
        return cli(*space, *TRAIN, "--run", str(tmp_path / "runs"), "--dask", scheduler, *args)

    return run


def attempts(folder: Path) -> list[tuple[str, str]]:
    """Return (key, how) of each, in the order in which they began."""
    database = sqlite3.connect(folder / "runs" / "sweep.sqlite")
    rows = list(database.execute("select key, how from attempts order by started"))
    database.close()
    return rows


def test_a_scheduler_elsewhere_trains_the_cheapest_first_at_the_costs_of_a_sweep(
    swept: Swept, tmp_path: Path
) -> None:
    result = swept("--max-mult-adds", "100k", "--format", "json")
    assert result.exit_code == 0, result.stderr
    rows = json.loads(result.stdout)
    counted = mbcost.sweep(
        *("v1-cifar10",), alpha="0.05,0.1", size="16,32", classes=10, in_=1, max_mult_adds="100k"
    ).records()
    assert len(counted) == len(rows) == 3
    for row, costs in zip(rows, counted, strict=True):
        assert {key: row[key] for key in costs} == costs
        record = Run.read(tmp_path / "runs" / row["run"]).record
        assert row["trained_top1"] == record["trained_top1"]
        assert (
            record["target"] == f"v1-cifar10@alpha={row['alpha']},size={row['size']}x{row['size']}"
        )
    by_run = {row["run"]: row["mult_adds"] for row in rows}
    order = [by_run[key[:16]] for key, how in attempts(tmp_path) if how == "trained"]
    assert order == sorted(by_run.values())


def test_what_is_finished_is_not_trained_again_and_a_space_may_grow(
    swept: Swept, tmp_path: Path
) -> None:
    narrow = ("sweep", "v1-cifar10", "--alpha", "0.05", "--verify", "0")
    assert swept(space=narrow).exit_code == 0
    first = attempts(tmp_path)
    again = swept(space=narrow)
    assert (again.exit_code, again.stdout) == (2, "")
    assert again.stderr.endswith(
        "runs: holds a sweep (--resume goes on with it; or another folder)\n"
    )
    nobody = ("--dask", "tcp://127.0.0.1:9")
    assert swept("--resume", *nobody, space=narrow).exit_code == 0
    assert attempts(tmp_path) == first
    wide = swept("--resume", space=("sweep", "v1-cifar10", "--alpha", "0.05,0.1", "--verify", "0"))
    assert wide.exit_code == 0, wide.stderr
    assert "2 of 2 trained on 100 images of digits, 1 epoch" in wide.stdout
    assert len(attempts(tmp_path)) == len(first) + 1 == 2
    assert attempts(tmp_path)[0] == first[0]


def other_digits(path: Path) -> str:
    data = read("digits")
    np.savez(
        path,
        x_train=data.train.images[:, 0],
        y_train=data.train.labels,
        x_test=data.test.images[:, 0],
        y_test=data.test.labels,
    )
    return str(path)


def test_other_data_or_another_recipe_are_refused(swept: Swept, tmp_path: Path) -> None:
    space = ("sweep", "v1-cifar10", "--alpha", "0.05", "--verify", "0")
    assert swept(space=space).exit_code == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.json")}
    for args, problem in (
        (("--epochs", "2"), "epochs is 1, not 2"),
        (("--seed", "1"), "seed is 0, not 1"),
        (("--optimizer", "adam"), "optimizer is sgd, not adam"),
        (("--batch", "32"), "batch is 64, not 32"),
        (("--data", other_digits(tmp_path / "x.npz")), "data is digits, not x.npz"),
    ):
        result = swept("--resume", *args, space=space)
        assert result.exit_code == 2
        assert "runs: holds a sweep of other trainings: " in result.stderr
        assert problem in result.stderr
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*.json")}


def test_what_a_killed_client_did_not_hear_of_is_read_back(swept: Swept, tmp_path: Path) -> None:
    space = ("sweep", "v1-cifar10", "--alpha", "0.05", "--verify", "0")
    assert swept(space=space).exit_code == 0
    (record,) = tmp_path.glob("runs/*/record.json")
    before = record.stat()
    database = sqlite3.connect(tmp_path / "runs" / "sweep.sqlite")
    database.execute("delete from results")
    database.execute("update attempts set ended = null, how = null")
    database.commit()
    database.close()
    assert swept("--resume", "--dask", "tcp://127.0.0.1:9", space=space).exit_code == 0
    assert [how for _, how in attempts(tmp_path)] == ["cut off", "read back"]
    after = record.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_training_that_fails_stops_no_other_and_is_tried_again(
    swept: Swept, tmp_path: Path
) -> None:
    space = ("sweep", "v1-cifar10", "--alpha", "0.05,0.1", "--verify", "0")
    assert swept(space=space).exit_code == 0
    database = sqlite3.connect(tmp_path / "runs" / "sweep.sqlite")
    (key,) = database.execute("select key from results limit 1").fetchone()
    database.execute("delete from results")
    database.commit()
    database.close()
    for record in tmp_path.glob("runs/*/record.json"):
        record.unlink()
    checkpoint = tmp_path / "runs" / key[:16] / "checkpoint.pt"
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[:-1])
    result = swept("--resume", "--format", "csv", space=space)
    assert result.exit_code == 1
    rows = {row["run"]: row["trained_top1"] for row in csv.DictReader(result.stdout.splitlines())}
    assert [run for run, top1 in rows.items() if not top1] == [key[:16]]
    assert "1 of 2 trainings failed: " in result.stderr
    assert "is torn" in result.stderr
    checkpoint.write_bytes(whole)
    assert swept("--resume", space=space).exit_code == 0
    ends = [how for of, how in attempts(tmp_path) if of == key]
    assert ends[0] == "trained"
    assert ends[1].startswith("failed: ")
    assert ends[2:] == ["gone on with"]


def test_two_sweeps_do_not_write_one_folder(swept: Swept, tmp_path: Path) -> None:
    with opened_store(tmp_path / "runs"):
        result = swept()
    assert (result.exit_code, result.stdout) == (2, "")
    assert (
        "runs: another sweep is writing it (wait for it, or name another folder)" in result.stderr
    )


def test_a_file_that_is_no_sweep_is_one_message(swept: Swept, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "sweep.sqlite").write_text("nothing of the kind" * 100)
    result = swept()
    assert (result.exit_code, result.stdout) == (2, "")
    assert "sweep.sqlite: is no file of a sweep: file is not a database" in result.stderr


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (("--dask", "tcp://127.0.0.1:9"), "--dask tcp://127.0.0.1:9: no scheduler answers"),
        (("--dask", "nix://x"), "--dask nix://x: no scheduler answers"),
        (("--workers", "2"), "--workers: the scheduler has workers of its own"),
        (("--set", "rows.1.k=3,5"), "--set: does not go with --train"),
        (("--pivot", "alpha,size"), "--pivot: does not go with --train"),
        (("--max-train-peak-bytes", "1MB"), "--max-train-peak-bytes: does not go with --train"),
        (("--accuracy", "predicted"), "--accuracy: does not go with --train"),
        (("--classes", "10,100"), "classes: 100 given, and the data have 10"),
        (("--in", "3"), "in: 3 given, and the data have 1"),
        (("--fold-bn",), "is folded"),
        (("--batch", "32,64"), "--batch: "),
        (("--optimizer", "momentum"), "--optimizer: "),
        (("--max-params", "1"), "none of 4 configs is within the budget"),
        (("--data", "digitss"), "--data: unknown data"),
        (("-o", "no/x.parquet"), "no/x.parquet: its directory does not exist"),
    ],
    ids=str,
)
def test_what_cannot_be_swept_is_one_message(
    args: tuple[str, ...], problem: str, swept: Swept, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("mbcost.studies.training.sweep.PATIENCE_S", 1.0)
    result = swept(*args)
    assert result.exit_code in (1, 2), result.output
    assert (result.stdout, result.stderr.count("\n")) == ("", 1)
    assert problem in result.stderr


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (("--data", "digits"), "--data: changes nothing without --train"),
        (("--epochs", "2"), "--epochs: changes nothing without --train"),
        (("--dask", "tcp://x:1"), "--dask: changes nothing without --train"),
        (("--train", "--run", "x"), "--data: a sweep of trainings needs it"),
        (("--train", "--data", "digits"), "--run: a sweep of trainings needs it"),
    ],
)
def test_options_of_trainings_go_together(args: tuple[str, ...], problem: str, cli: Cli) -> None:
    result = cli("sweep", "v1-cifar10", *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert problem in result.stderr


def test_workers_of_several_threads_are_refused(cli: Cli, tmp_path: Path) -> None:
    from distributed import LocalCluster

    how: dict[str, Any] = {"processes": False, "protocol": "tcp", "dashboard_address": ":0"}
    with LocalCluster(n_workers=1, threads_per_worker=2, **how) as cluster:
        result = cli(
            *(*SPACE, *TRAIN, "--run", str(tmp_path / "runs")), "--dask", cluster.scheduler_address
        )
    assert (result.exit_code, result.stdout) == (2, "")
    assert "has 2 threads, and torch's are the process's" in result.stderr


def test_ctrl_c_keeps_what_is_finished(tmp_path: Path) -> None:
    args = (*SPACE, "--train", "--data", "digits", "--epochs", "200", "--run", "runs")
    short = (*args[:2], "--alpha", "0.05", *args[4:])
    with running(tmp_path, *short) as process:
        wait_for(lambda: list(tmp_path.glob("runs/*/checkpoint.pt")), process)
        crew = workers(process.pid)
        assert crew
        signal_group(process.pid)
        _, message = process.communicate(timeout=60)
        wait_for(partial(all_ended, crew))
    assert process.returncode == 130
    assert message == (
        "mbcost: --run runs: interrupted: 0 of 2 trainings are finished "
        "(the same command with --resume goes on)\n"
    )
    assert {how for _, how in attempts(tmp_path)} == {"interrupted"}


def signal_group(pid: int) -> None:
    import os

    os.killpg(pid, signal.SIGINT)


def test_a_sweep_without_trainings_imports_no_dask() -> None:
    from tests.test_imports import mbcost as command
    from tests.test_imports import modules_after

    args = ("sweep", "v1", "--alpha", "0.5,1", "--verify", "0")
    assert modules_after(command(*args)) == {"numpy"}
    assert "distributed" in modules_after("import distributed"), "the probe can fail"
    assert sys.modules  # this process has it
