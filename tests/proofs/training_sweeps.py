"""Sweeps of trainings whose workers and client are killed: every row, none finished twice.

python -m tests.proofs.training_sweeps --sample 40 --seed 0 --seconds 1200

A sweep of ``--sample`` trainings on scikit-learn's digits is stopped again and again by SIGKILL, to
a worker or to the client, at a random moment after it has begun a further training; each time that
the client is gone it goes on with ``--resume``. At the end there is a row for each config, whatever
was finished at a stop is untouched, and some are trained anew alone: to the same weights.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from mbcost.modules.data import read
from mbcost.modules.training.recipe import Recipe
from mbcost.studies.training.train import subject_for, train
from tests.proofs.sweeps import Process, all_ended, running, wait_for, workers

TARGET, DATA = "v1-cifar10", "digits"
FINISHED = {"trained", "gone on with", "found", "read back"}
"""How attempts end that leave a result."""
Stamp = tuple[int, int]


class Case(NamedTuple):
    """A sweep, and how often it is stopped."""

    alphas: int
    """From 0.05 on, in steps of 0.01; each at every size."""
    sizes: tuple[int, ...]
    recipe: Recipe
    stops: tuple[str, ...]
    solo: int
    """Trainings that are repeated alone."""

    @property
    def command(self) -> tuple[str, ...]:
        """The sweep as it is typed."""
        last = round(0.05 + 0.01 * (self.alphas - 1), 2)
        recipe = self.recipe
        return (
            *("sweep", TARGET, "--alpha", f"0.05:{last}:0.01"),
            *("--size", ",".join(map(str, self.sizes)), "--verify", "0"),
            *("--train", "--data", DATA, "--run", "runs", "--workers", "2"),
            *("--images", str(recipe.images), "--epochs", str(recipe.epochs)),
            *("-o", "x.csv", "-o", "x.parquet"),
        )


def case_of(n: int, seed: int) -> Case:
    """Return a sweep of ``n`` trainings, which is even."""
    stops = ["worker", "client"] * max(1, n // 10)
    random.Random(seed).shuffle(stops)
    return Case(n // 2, (16, 32), Recipe(epochs=4, images=600), tuple(stops), max(1, n // 10))


def stamps(folder: Path) -> dict[str, Stamp]:
    """Return which trainings are finished, and what tells their records from others in place of
    them."""
    found = {}
    for path in folder.glob("runs/*/record.json"):
        state = path.stat()
        found[path.parent.name] = state.st_ino, state.st_mtime_ns
    return found


def begun(folder: Path) -> int:
    return len(list(folder.glob("runs/*/identity.json")))


def stop(process: Process, how: str) -> bool:
    """Kill a worker, or the client; return whether there was one to kill."""
    found = workers(process.pid)
    if how == "worker":
        if not found:
            return False
        with suppress(ProcessLookupError):
            os.kill(random.choice(found), signal.SIGKILL)
        return True
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_for(partial(all_ended, found))  # workers end with their client
    return True


def stopped_sweep(case: Case, seed: int, folder: Path) -> Counter[str]:
    """Run the sweep to its end through all stops; return how often each way happened."""
    draw = random.Random(seed)
    left, seen, stopped = list(case.stops), dict[str, Stamp](), Counter[str]()
    while True:
        resume = ("--resume",) if (folder / "runs" / "sweep.sqlite").exists() else ()
        with running(folder, *case.command, *resume) as process:
            while left and process.poll() is None:
                more = begun(folder) + draw.randint(0, 1)
                while process.poll() is None and begun(folder) < max(1, more):
                    time.sleep(0.01)
                time.sleep(draw.random())
                if process.poll() is None and stop(process, left[0]):
                    stopped[left.pop(0)] += 1
                seen |= stamps(folder)
            _, message = process.communicate(timeout=600)
        assert "Traceback" not in message, message
        if process.returncode == 0:
            assert message == "wrote x.csv\nwrote x.parquet\n", message
            break
        assert process.returncode == -signal.SIGKILL, message
        assert not (folder / "x.csv").exists(), "a sweep that was killed has a file"
    now = stamps(folder)
    again = [key for key, stamp in seen.items() if now[key] != stamp]
    assert not again, f"finished twice: {again}"
    return stopped


def check_rows(case: Case, folder: Path) -> Counter[str]:
    """Check that each config has one row, one result and one end; return how attempts ended."""
    n = case.alphas * len(case.sizes)
    rows = list(csv.DictReader((folder / "x.csv").open()))
    assert len({(row["alpha"], row["size"]) for row in rows}) == len(rows) == n
    assert all(row["trained_top1"] for row in rows), "a row is empty"
    database = sqlite3.connect(folder / "runs" / "sweep.sqlite")
    results = [key for (key,) in database.execute("select key from results")]
    attempts = list(database.execute("select key, how from attempts"))
    database.close()
    assert sorted(key[:16] for key in results) == sorted(row["run"] for row in rows)
    ends = Counter(key for key, how in attempts if how in FINISHED)
    assert ends == Counter(results), "an end too many, or too few"
    return Counter(how for _, how in attempts)


def check_solo(case: Case, seed: int, folder: Path) -> None:
    """Train some of the configs alone, as ``mbcost train`` does, to the same weights."""
    rows = list(csv.DictReader((folder / "x.csv").open()))
    data = read(DATA)
    for i, row in enumerate(random.Random(seed).sample(rows, case.solo)):
        side = int(row["size"])
        recipe = replace(case.recipe, size=(side, side))
        subject = subject_for(f"{TARGET}@alpha={row['alpha']},size={side}", data)
        alone = train(subject, data, recipe, folder / f"solo-{i}").record
        for key in ("weights_sha256", "params", "mult_adds", "trained_top1"):
            assert row[key] == str(alone[key]), (row["run"], key)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sample", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=1200, help="accepted; it is one sweep")
    given = parser.parse_args()
    case = case_of(given.sample, given.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"mbcost {' '.join(case.command)}", flush=True)
        stopped = stopped_sweep(case, given.seed, folder)
        ends = check_rows(case, folder)
        ways = ", ".join(f"{how} {count} times" for how, count in sorted(stopped.items()))
        ended = ", ".join(f"{count} {how}" for how, count in sorted(ends.items()))
        n = case.alphas * len(case.sizes)
        print(f"seed {given.seed}: killed at random moments: {ways}")
        print(f"{n} of {n} rows; none finished twice; attempts: {ended}", flush=True)
        check_solo(case, given.seed, folder)
        print(f"{case.solo} of them trained anew, alone: the same weights, sha256 by sha256")
    return 0


if __name__ == "__main__":
    sys.exit(main())
