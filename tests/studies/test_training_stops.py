"""Trainings that are stopped and gone on with: their weights are those of one left alone."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mbcost.errors import CheckFailedError, Interrupted, MbcostError
from mbcost.modules.data import Data, read
from mbcost.modules.training import checkpoint
from mbcost.modules.training.batches import Batches, Examples, Scale, parted
from mbcost.modules.training.loop import Progress, Training
from mbcost.modules.training.recipe import Recipe
from mbcost.studies.training.run import Run
from mbcost.studies.training.train import Where, subject_for, train

TARGET = "v3-small@alpha=0.35"
RECIPE = Recipe(epochs=3, images=401, batch=50, augment="crop+flip")
"""Eight steps an epoch, the last of 51 images."""
STEPS = 24

DRIVER = """
import os, signal, sys
from tests.studies.test_training_stops import RECIPE, TARGET
from mbcost.modules.data import read
from mbcost.studies.training.train import Where, subject_for, train
folder, last = sys.argv[1], int(sys.argv[2])
def watch(done):
    if (done.epoch - 1) * done.steps + done.step == last:
        os.kill(os.getpid(), signal.SIGKILL)
data = read("digits")
where = Where(checkpoint_s=0.1, watch=watch)
train(subject_for(TARGET, data), data, RECIPE, folder, resume=os.path.isdir(folder), where=where)
"""


@pytest.fixture(scope="module")
def digits() -> Data:
    return read("digits")


def trained(folder: Path, data: Data, resume: bool = False, **where: Any) -> Run:
    subject = subject_for(TARGET, data)
    return train(subject, data, RECIPE, folder, resume=resume, where=Where(**where))


@pytest.fixture(scope="module")
def alone(digits: Data, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A training that nobody stopped."""
    return trained(tmp_path_factory.mktemp("alone") / "run", digits)


def outcome(run: Run) -> dict[str, Any]:
    """Return all that came out, but for the time it took."""
    best = torch.load(run.folder / "best.pt", weights_only=True)
    record = {key: value for key, value in run.record.items() if key != "train_s"}
    log = (run.folder / "log.csv").read_text()
    return {**record, "log": log, "best_sha256": checkpoint.digest_of(best)}


def test_kill_9_at_three_random_steps_changes_nothing(alone: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    seed = random.randrange(10**6)
    steps = sorted(random.Random(seed).sample(range(1, STEPS), 3))
    for step in (*steps, 0):
        done = subprocess.run(
            [sys.executable, "-c", DRIVER, str(folder), str(step)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == (-signal.SIGKILL if step else 0), done.stderr
    assert outcome(Run.read(folder)) == outcome(alone), f"seed {seed}: steps {steps}"


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_keeps_the_last_step(
    which: signal.Signals, alone: Run, digits: Data, tmp_path: Path
) -> None:
    folder, before = tmp_path / "run", signal.getsignal(which)

    def raise_at(step: int) -> Callable[[Progress], None]:
        def watch(done: Progress) -> None:
            if (done.epoch, done.step) == (2, step):
                signal.raise_signal(which)

        return watch

    with pytest.raises(Interrupted, match=rf"stopped by {which.name} after step 4 of 8 of epoch 2"):
        trained(folder, digits, watch=raise_at(3))
    assert signal.getsignal(which) is before
    kept = checkpoint.read(folder / "checkpoint.pt")["state"]
    assert (kept["epoch"], kept["step"]) == (1, 4)
    assert outcome(trained(folder, digits, resume=True)) == outcome(alone)


def test_time_that_is_up_keeps_the_last_step(alone: Run, digits: Data, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    for done in range(STEPS - 1):  # each time it takes a step
        with pytest.raises(CheckFailedError, match="stopped by --max-time"):
            trained(folder, digits, resume=done > 0, max_time_s=0)
    assert outcome(trained(folder, digits, resume=True, max_time_s=0)) == outcome(alone)


def small(data: Data) -> Training:
    parts = parted(data, RECIPE)
    scale = Scale.of(parts.train)
    batches = Batches(Examples.of(parts.train, scale, (32, 32), "cpu"), RECIPE)
    return Training.of(subject_for(TARGET, data).graph, batches, None, RECIPE, "cpu")


def run_steps(training: Training, count: int) -> str:
    steps = training.steps()
    for _ in range(count):
        next(steps)
    steps.close()
    return checkpoint.digest_of(training.module.state_dict())


def forget_optimizer(state: dict[str, Any], fresh: dict[str, Any]) -> None:
    state["optimizer"] = fresh["optimizer"]


def forget_buffers(state: dict[str, Any], fresh: dict[str, Any]) -> None:
    for key in state["model"]:
        if "running" in key:
            state["model"][key] = fresh["model"][key]


def forget_step(state: dict[str, Any], fresh: dict[str, Any]) -> None:
    state["step"] = 0


@pytest.mark.parametrize("forget", [None, forget_optimizer, forget_buffers, forget_step])
def test_what_a_checkpoint_forgets_is_seen_in_the_weights(
    forget: Callable[[dict[str, Any], dict[str, Any]], None] | None, digits: Data, tmp_path: Path
) -> None:
    whole = run_steps(small(digits), 6)
    begun = small(digits)
    run_steps(begun, 3)
    checkpoint.write(tmp_path / "kept", begun.state())
    state = checkpoint.read(tmp_path / "kept")
    resumed = small(digits)
    if forget:
        forget(state, resumed.state())
    resumed.go_on_from(state)
    assert (run_steps(resumed, 3) == whole) == (forget is None)


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: raw[:-1],
        lambda raw: raw + b"x",
        lambda raw: raw[: len(raw) // 2],
        lambda raw: raw[:500] + bytes([raw[500] ^ 1]) + raw[501:],
        lambda raw: b"",
    ],
)
def test_a_torn_checkpoint_is_never_loaded(
    damage: Callable[[bytes], bytes], digits: Data, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    with pytest.raises(CheckFailedError):
        trained(folder, digits, max_time_s=0)
    path = folder / "checkpoint.pt"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(MbcostError, match="is torn"):
        trained(folder, digits, resume=True)


def test_half_a_file_beside_the_checkpoint_does_not_matter(
    alone: Run, digits: Data, tmp_path: Path
) -> None:
    """What a process that was killed as it wrote leaves behind."""
    folder = tmp_path / "run"
    with pytest.raises(CheckFailedError):
        trained(folder, digits, max_time_s=0)
    raw = (folder / "checkpoint.pt").read_bytes()
    (folder / ".mbcost.half").write_bytes(raw[: len(raw) // 2])
    assert outcome(trained(folder, digits, resume=True)) == outcome(alone)
