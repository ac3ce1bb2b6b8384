"""Planted faults: small ones, one at a time, each of which a test has to find.

python -m tests.proofs.faults --workers 2

A fault is a sign, an off-by-one, a swapped field, a dropped term, a wrong default. It is planted
in a copy of the tree, where the tests that mirror its file run: the file's own first, then its
folder's and its room's, until one fails. A fault that none of them finds *survives*: it wants a
test. A test that finds one has to pass in a copy without a fault, or it would find anything. To add
a fault: an entry in ``faults.yaml``, whose old text stands in the file exactly once.
"""

from __future__ import annotations

import argparse
import compileall
import multiprocessing
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from tests import ROOT

SECONDS = 600
"""For a file of tests; a fault that makes them hang is found, too."""

SERVER = multiprocessing.get_context("forkserver")
"""Tests run in processes that have imported what takes longest to import."""
SERVER.set_forkserver_preload(["torch", "pytest", "hypothesis", "typer.testing", "rich.console"])


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
    "graph": ("graph/test_primitives.py", "graph/test_fold.py", "networks/test_blocks.py"),
    "cost": ("cost/test_coverage.py", "graph/test_primitives.py", "modules/test_counters.py"),
    "networks": (
        *("networks/test_blocks.py", "networks/test_branching_blocks.py"),
        *("networks/test_network.py", "networks/test_published.py", "networks/test_lowering.py"),
        *("networks/test_dense_prediction.py", "studies/test_reader.py"),
    ),
    "modules": ("modules/test_operators.py", "modules/test_trace.py", "modules/test_modes.py"),
    "studies": ("studies/test_pareto.py", "studies/test_reader.py", "studies/test_sweep.py"),
    "output": (
        *("output/test_formats.py", "output/test_injection_formats.py"),
        "output/test_console.py",
    ),
    "units.py": ("test_units.py", "test_units_amounts.py", "output/test_formats.py"),
}
"""The tests of each room, below ``tests/``: the quick ones first."""


def mirror(fault: Fault) -> list[str]:
    """Return the files of tests that run for a fault: its own file's, its folder's, its room's."""
    path = Path(fault.file)
    room = path.parts[0]
    own = [f"{room}/test_{name}.py" for name in (path.stem, *path.parts[1:-1])]
    found = [name for name in own if (ROOT / "tests" / name).exists()]
    return [f"tests/{name}" for name in dict.fromkeys([*found, *MIRRORS[room]])]


def planted(fault: Fault, text: str) -> str:
    """Return the file's text with the fault in it, which Python reads; its old text must stand
    there once."""
    if text.count(fault.old) != 1:
        raise ValueError(f"stands {text.count(fault.old)} times in its file: {fault}")
    new = text.replace(fault.old, fault.new)
    compile(new, fault.file, "exec")
    return new


@contextmanager
def copy_with(fault: Fault | None) -> Iterator[Path]:
    """Make a copy of the tree, as it stands, with a fault in it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("mbcost", "tests"):
            shutil.copytree(ROOT / part, folder / part)  # what is compiled, too: it saves seconds
        for part in ("configs", "docs", "reports", "pyproject.toml", "README.md", "Makefile"):
            (folder / part).symlink_to(ROOT / part)
        if fault:
            path = folder / "mbcost" / fault.file
            path.write_text(planted(fault, path.read_text("utf-8")), "utf-8")
            for compiled in path.parent.glob(f"__pycache__/{path.stem}.*"):
                compiled.unlink()
        yield folder


def failure(folder: Path, tests: str) -> str:
    """Return the first test of a file that fails in the copy ``folder``; empty where all pass."""
    said = folder / "said.txt"
    process = SERVER.Process(target=run_pytest, args=(folder, tests, said))
    process.start()
    process.join(SECONDS)
    if process.exitcode is None:
        process.kill()
        return f"{tests} hangs"
    text = said.read_text("utf-8")
    # said by itself: asked by several threads, the server loses the exit code now and then
    ended = re.search(r"^ended with (\d+)\Z", text, re.MULTILINE)
    if ended is None or int(ended[1]) > 2:  # 2: a fault that stops the collection is found
        raise RuntimeError(f"pytest ends with {process.exitcode}: {tests}\n{text}")
    named = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", text, re.MULTILINE)
    return (named[1] if named else tests) if ended[1] != "0" else ""


def run_pytest(folder: Path, tests: str, said: Path) -> None:
    """Run a file of tests in the copy ``folder``, in a process that has imported nothing of the
    project but this."""
    with said.open("w", encoding="utf-8") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    for name in [name for name in sys.modules if name.partition(".")[0] in ("tests", "mbcost")]:
        del sys.modules[name]
    os.chdir(folder)
    sys.path[:] = [str(folder), *(path for path in sys.path if path not in ("", str(ROOT)))]
    os.environ |= {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    options = ("-x", "-q", "--tb=no", "-p", "no:cacheprovider", "--hypothesis-seed=0")
    code = int(pytest.main([*options, tests]))
    sys.stdout.flush()
    os.write(1, f"\nended with {code}".encode())


class UnsoundError(Exception):
    """Tests that found a fault fail without it."""


@cache
def sound(test: str) -> bool:
    """Return whether a test passes in a copy without a fault."""
    with copy_with(None) as folder:
        return not failure(folder, test)


def finder(fault: Fault, tests: Sequence[str]) -> str:
    """Return the first test that fails with the fault planted; empty where all pass."""
    with copy_with(fault) as folder:
        found = next(filter(None, (failure(folder, each) for each in tests)), "")
    if found and not sound(found.removesuffix(" hangs")):
        raise UnsoundError(f"{found} fails without a fault, too")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sample", type=int, default=len(FAULTS), help="only every k-th, so many")
    parser.add_argument("--seconds", type=float, default=1e9, help="stop planting after this long")
    parser.add_argument("--only", default="", help="files whose name holds this")
    args = parser.parse_args()
    end = time.monotonic() + args.seconds
    chosen = [fault for fault in FAULTS if args.only in fault.file]
    chosen = chosen[:: max(1, len(chosen) // args.sample)][: args.sample]
    for fault in chosen:
        planted(fault, (ROOT / "mbcost" / fault.file).read_text("utf-8"))

    compileall.compile_dir(ROOT / "mbcost", quiet=2)  # once, and not in every copy

    def run(fault: Fault) -> str | None:
        if time.monotonic() > end:
            return None
        try:
            return finder(fault, mirror(fault))
        except UnsoundError as error:
            return f"UNSOUND: {error}"

    tried = survived = unsound = 0
    with ThreadPoolExecutor(args.workers) as pool:
        for fault, found in zip(chosen, pool.map(run, chosen), strict=True):
            if found is None:
                continue
            tried += 1
            survived += not found
            unsound += found.startswith("UNSOUND")
            print(f"{fault}\n    {found or 'SURVIVES'}", flush=True)
    print(f"{tried} of {len(FAULTS)} faults planted, {survived} survive")
    if unsound:
        print(f"{unsound} found by tests that fail without a fault, too, which says nothing")
    return 1 if unsound or survived > 0.05 * tried else 0


if __name__ == "__main__":
    sys.exit(main())
