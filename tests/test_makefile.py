"""``make test`` fails where ruff, mypy or pytest does, and ``make prove`` finds its scripts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests import ROOT
from tests.proofs.__main__ import proofs

TOOLS = {"python": "pytest", "mypy": "mypy", "ruff": "ruff"}


def make(venv: Path, codes: dict[str, int]) -> subprocess.CompletedProcess[str]:
    """Run ``make test`` with tools that do nothing but end with these exit codes."""
    (venv / "bin").mkdir(parents=True)
    for program, tool in TOOLS.items():
        path = venv / "bin" / program
        path.write_text(f"#!/bin/sh\necho {tool} $*\nexit {codes.get(tool, 0)}\n", "utf-8")
        path.chmod(0o755)
    for mark in (".installed", ".installed-test"):
        (venv / mark).touch()
    command = ["make", "test", f"VENV={venv}"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("codes", "error"),
    [
        ({}, ""),
        ({"pytest": 1}, "Error 1"),
        ({"pytest": 5}, "Error 5"),
        ({"mypy": 1}, "Error 1"),
        ({"mypy": 3, "pytest": 1}, "Error 1"),
        ({"ruff": 4}, "Error 4"),
    ],
    ids=str,
)
def test_make_test_fails_as_its_tools_do(codes: dict[str, int], error: str, tmp_path: Path) -> None:
    done = make(tmp_path / "venv", codes)
    assert done.returncode == (2 if error else 0)
    assert error in done.stderr
    if "ruff" not in codes:
        assert "pytest -m pytest -n auto" in done.stdout
        assert "\nmypy" in done.stdout  # what it says stands below what pytest says


def test_every_script_beside_the_others_is_a_proof() -> None:
    assert {"arrays", "fuzz", "models", "sweeps"} <= set(proofs())
    assert {"handmade", "__main__", "__init__"}.isdisjoint(proofs())


@pytest.mark.parametrize("name", proofs())
def test_every_proof_can_be_bounded(name: str) -> None:
    """Since ``make prove`` hands its bounds to each."""
    places = [ROOT / "tests" / "proofs" / f"{name}.py", ROOT / "tests" / f"{name}.py"]
    text = "".join(path.read_text("utf-8") for path in places if path.exists())
    assert '"--sample"' in text
    assert '"--seconds"' in text
