"""What the one default recipe reaches on Fashion-MNIST, network by network, over three seeds.

python -m tests.proofs.training --data fashion-mnist:DIR --sample 4 --seconds 7200

DIR holds the four files of Fashion-MNIST; by default it is what MBCOST_FASHION_MNIST names. Each
case has the least mean top-1 that it has to reach on the 10,000 test images.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from mbcost.modules.data import Data, read
from mbcost.modules.training.recipe import Recipe
from mbcost.studies.training.train import subject_for, train


class Case(NamedTuple):
    """A network, how much it is trained, and what it has to reach."""

    target: str
    recipe: Recipe
    seeds: int
    least: float
    """Mean top-1 of the seeds, in per cent."""


SHORT = Recipe(epochs=5, images=20_000)
CASES = (
    Case("v3-small@alpha=0.35", SHORT, 3, 83.0),
    Case("v2@alpha=0.35", SHORT, 3, 83.5),
    Case("v1-cifar10@alpha=0.25", Recipe(epochs=10), 1, 89.3),
    Case("v1-cifar10", SHORT, 3, 82.5),
)


def reached(case: Case, data: Data) -> list[float]:
    """Return the top-1 of each seed."""
    found = []
    for seed in range(case.seeds):
        with tempfile.TemporaryDirectory() as folder:
            recipe = replace(case.recipe, seed=seed)
            run = train(subject_for(case.target, data), data, recipe, Path(folder) / "run")
        found.append(run.record["trained_top1"])
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", default=os.environ.get("MBCOST_FASHION_MNIST", ""))
    parser.add_argument("--sample", type=int, default=len(CASES))
    parser.add_argument("--seconds", type=float, default=7200)
    given = parser.parse_args()
    if not given.data:
        print("not run: --data or MBCOST_FASHION_MNIST names the folder of Fashion-MNIST")
        return 0
    source = given.data if ":" in given.data else f"fashion-mnist:{given.data}"
    data, end, short = read(source), time.monotonic() + given.seconds, 0
    for case in CASES[: given.sample]:
        if time.monotonic() > end:
            break
        start = time.process_time()
        found = reached(case, data)
        missed = fmean(found) < case.least
        short += missed
        each = ", ".join(f"{top1:.2f}" for top1 in found)
        images = f"{case.recipe.images or 54_000:,} images × {case.recipe.epochs} epochs"
        print(
            f"{case.target}: {images}: {fmean(found):.2f} % ({each}), at least {case.least} asked"
            f"{', MISSED' if missed else ''}; {time.process_time() - start:.0f} s of CPU time",
            flush=True,
        )
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
