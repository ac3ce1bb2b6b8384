"""Planted faults: small ones, one at a time, each of which a test has to find.

python -m tests.proofs.faults --workers 2

A fault is a sign, an off-by-one, a swapped field, a dropped term, a wrong default. It is planted in
a copy of the tree, and the tests that mirror its file run there until the first one fails. A fault
that none of them finds *survives*: it wants a test. To add one: an entry in ``faults.yaml``, whose
old text stands in the file exactly once.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import yaml

from tests import ROOT

SECONDS = 600
"""For the tests of one fault; a fault that makes them hang is found, too."""


class Fault(NamedTuple):
    """A text of a file below ``mbcost``, and what is planted in its place."""

    file: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.file}: {self.old.strip()} → {self.new.strip()}"


FAULTS = tuple(
    Fault(**fault)
    for fault in yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text("utf-8"))
)

MIRRORS = {
    "graph": ("graph", "networks/test_blocks.py"),
    "cost": ("graph", "cost", "modules/test_counters.py", "modules/test_operators.py"),
    "networks": (
        *("networks/test_blocks.py", "networks/test_lowering.py", "networks/test_network.py"),
        *("networks/test_branching_blocks.py", "networks/test_dense_prediction.py"),
        *("networks/test_published.py", "studies/test_reader.py"),
    ),
    "modules": ("modules/test_operators.py", "modules/test_trace.py", "modules/test_modes.py"),
    "studies": ("studies/test_pareto.py", "studies/test_reader.py", "studies/test_sweep.py"),
    "output": (
        "output/test_formats.py",
        "output/test_injection_formats.py",
        "output/test_console.py",
    ),
    "units.py": ("test_units.py", "test_units_amounts.py", "output/test_formats.py"),
}
"""The tests of each room, below ``tests/``."""


def mirror(fault: Fault) -> list[str]:
    """Return the tests that run for a fault: those of its room, its own file's first."""
    room, _, rest = fault.file.partition("/")
    own = f"tests/{room}/test_{Path(rest).stem}.py"
    found = [f"tests/{name}" for name in MIRRORS[room]]
    return [own, *found] if (ROOT / own).exists() else found


def planted(fault: Fault, text: str) -> str:
    """Return the file's text with the fault in it; its old text must stand there once."""
    if text.count(fault.old) != 1:
        raise ValueError(f"stands {text.count(fault.old)} times in its file: {fault}")
    return text.replace(fault.old, fault.new)


def copied(folder: Path) -> None:
    """Copy the tree, as it stands, to ``folder``."""
    for name in ("mbcost", "tests", "configs", "docs", "reports"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "Makefile"):
        shutil.copy(ROOT / name, folder / name)


def run_tests(folder: Path, tests: Sequence[str]) -> bool:
    """Return whether all tests pass in the copy at ``folder``."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    if done.returncode not in (0, 1, 2):  # 2: a fault that stops the collection is found
        raise RuntimeError(f"pytest ends with {done.returncode}: {' '.join(tests)}")
    return done.returncode == 0


def survives(fault: Fault) -> bool:
    """Return whether the tests that mirror the fault's file all pass with it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copied(folder)
        path = folder / "mbcost" / fault.file
        path.write_text(planted(fault, path.read_text("utf-8")), "utf-8")
        return run_tests(folder, mirror(fault))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sample", type=int, default=len(FAULTS), help="only every k-th, so many")
    parser.add_argument("--seconds", type=float, default=1e9, help="stop planting after this long")
    parser.add_argument("--only", default="", help="files whose name holds this")
    args = parser.parse_args()
    chosen = [fault for fault in FAULTS if args.only in fault.file]
    chosen = chosen[:: max(1, len(chosen) // args.sample)][: args.sample]
    for fault in chosen:
        planted(fault, (ROOT / "mbcost" / fault.file).read_text("utf-8"))
    end = time.monotonic() + args.seconds
    tried, alive = 0, []
    with ThreadPoolExecutor(args.workers) as pool:
        for fault, survived in zip(
            chosen,
            pool.map(lambda f: survives(f) if time.monotonic() < end else None, chosen),
            strict=True,
        ):
            if survived is None:
                continue
            tried += 1
            if survived:
                alive.append(fault)
            print(f"{'SURVIVES' if survived else 'found   '} {fault}", flush=True)
    print(f"{tried} of {len(FAULTS)} faults planted, {len(alive)} survive")
    return 1 if len(alive) > 0.05 * tried else 0


if __name__ == "__main__":
    sys.exit(main())
