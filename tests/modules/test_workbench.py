"""Counters run on the CPU only where weights and maps are small: measured, not believed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mbcost.modules.counters import (
    COUNTERS,
    DEFAULT_COUNTERS,
    MEMORY_LIMIT_BYTES,
    Workbench,
    verify,
)
from mbcost.targets.resolve import resolve_one
from mbcost.units import bytes_in_words
from tests.conftest import Cli

HUGE = (
    ["compare", "standard", "--in", "65536", "--out", "65536", "--size", "1"],
    ["model", "v2", "--classes", "1048576"],
    ["reconcile", "standard", "--in", "65536", "--out", "65536", "--size", "1"],
    ["compare", "huge.py:wide"],
)
"""Commands whose weights would take 5 to 154 GB."""

GROWTH_MB = 200
"""What they may add to a process that has counted something small."""

PROBE = """
import json, resource, sys
from typer.testing import CliRunner
from mbcost.cli import app

def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

def run(args):
    result = CliRunner().invoke(app, args)
    return result.exit_code, result.stdout, result.stderr, peak_mb()

run(["reconcile", "standard", "--size", "8"])
run(["compare", "huge.py:narrow"])
before = peak_mb()
print(json.dumps([before, [run([*args, "--format", "json"]) for args in json.loads(sys.argv[1])]]))
"""

MODELS = """
from torch import nn

def wide():
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2**28),)

def narrow():
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 8))
"""


def test_no_command_allocates_weights_past_the_limit(tmp_path: Path) -> None:
    (tmp_path / "huge.py").write_text(MODELS, "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(HUGE)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    before, runs = json.loads(done.stdout)
    for args, (code, stdout, stderr, peak) in zip(HUGE, runs, strict=True):
        assert code == 0, (args, stderr)
        assert peak - before < GROWTH_MB, (args, before, peak)
        assert json.loads(stdout), args


def test_what_runs_on_meta_still_runs_and_the_other_says_why_not(cli: Cli) -> None:
    args = ("compare", "standard", "--in", "65536", "--out", "65536", "--size", "1")
    result = cli(*args, "--counter", "torch", "--format", "json")
    assert result.exit_code == 0, result.stderr
    (record,) = json.loads(result.stdout)
    assert record["torch_flops"] == 2 * 9 * 65536**2
    default = cli(*args, "--format", "json")
    (record,) = json.loads(default.stdout)
    assert record["torchinfo_mult_adds"] == 9 * 65536**2 + 2 * 65536
    assert record["fvcore_flops"] is None
    assert record["verified"] is True
    assert "fvcore skipped" in default.stderr
    assert "155 GB" in default.stderr, "what it would take"
    assert f"above {bytes_in_words(MEMORY_LIMIT_BYTES)}" in default.stderr, "the limit"


@pytest.mark.parametrize("name", ["fvcore", "ptflops-pytorch", "torchprofile"])
def test_a_counter_asked_for_by_name_that_does_not_fit_is_an_error(cli: Cli, name: str) -> None:
    result = cli("model", "v2", "--classes", "1048576", "--size", "32", "--counter", name)
    assert result.exit_code == 2
    assert f"{name} cannot run" in result.stderr
    assert "GB" in result.stderr


def test_weights_and_maps_count_together() -> None:
    subject = resolve_one("standard", {"in": 1024, "out": 1024, "kernel": 1, "size": 1})
    weights = 4 * (1024 * 1024 + 4 * 1024)  # γ, β, running mean and variance
    bench = Workbench(subject.graph)
    assert bench.weight_bytes == weights
    assert bench.fits(1)
    images = (MEMORY_LIMIT_BYTES - weights) // (4 * 2 * 1024)
    assert not bench.fits(images + 1)


@pytest.mark.parametrize("name", COUNTERS)
def test_maps_past_what_torch_can_address_are_skipped_with_a_reason(name: str) -> None:
    given = {"in": 2**20, "out": 8, "size": 65536, "batch": 2**20}
    subject = resolve_one("standard", given)
    verification = verify(COUNTERS[name], subject.workbench(), subject.report)
    assert verification.total is None
    assert verification.skipped


def test_weights_past_what_torch_can_address_are_skipped_with_a_reason(cli: Cli) -> None:
    given = ("--in", "1048576", "--out", "1048576", "--kernel", "2049", "--size", "2049")
    result = cli("compare", "standard", *given, "--format", "json")
    assert result.exit_code == 0, result.stderr
    (record,) = json.loads(result.stdout)
    assert record["mult_adds"] == 2**40 * 2049**2 * 1025**2
    for name in DEFAULT_COUNTERS:
        assert f"{name} skipped" in result.stderr
