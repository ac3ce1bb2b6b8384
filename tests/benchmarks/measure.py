"""CPU time and peak memory of whole processes."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

MBCOST = (str(Path(sys.executable).with_name("mbcost")),)
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
"""Installed programs have their bytecode cached; so must the tree that is measured."""


def run(command: Sequence[str]) -> tuple[float, float, int]:
    """Run ``command`` and return (CPU seconds, wall seconds, peak resident bytes)."""
    import time

    with tempfile.TemporaryDirectory() as cwd, Path(os.devnull).open("w") as null:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=null, stderr=subprocess.PIPE, cwd=cwd, env=ENVIRONMENT
        )
        assert process.stderr
        message = process.stderr.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
    if status:
        raise SystemExit(f"{' '.join(command)} failed:\n{message}")
    return usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * 1024


def cpu_medians(commands: dict[str, Sequence[str]], rounds: int = 5) -> dict[str, float]:
    """Return the median CPU seconds of each command, the rounds interleaved."""
    for command in commands.values():
        run(command)  # warm caches: compiled files, the disk
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            times[name].append(run(command)[0])
    return {name: statistics.median(found) for name, found in times.items()}
