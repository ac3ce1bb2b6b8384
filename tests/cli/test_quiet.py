"""``-q`` leaves out what is said on stderr, and never an error."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from mbcost.cli.app import COMMANDS
from tests.cli.test_streams import EXAMPLES, run, trained
from tests.conftest import Cli

__all__ = ["trained"]

MODELS = """
import warnings
from torch import fft, nn

class Odd(nn.Module):
    def forward(self, x):
        return fft.rfft(x).real

class Loud(nn.Module):
    def forward(self, x):
        warnings.warn("its own")
        return x[x > 0].sum()
"""

NOTED = {
    "a file that was written": ("compare", "--fast", "-o", "cost.md"),
    "a figure that was written": ("plot", "share", "v2", "-o", "share.svg"),
    "another tool's name": ("compare", "--fast", "--columns", "name,gmacs"),
    "what a sweep kept": ("sweep", "v2", "--alpha", "0.5,1", "--verify", "0", "-o", "all.csv"),
    "an operator without formula": ("model", "models.py:Odd", "--fast"),
    "a warning of a model": ("model", "models.py:Loud", "--fast"),
    "a counter that is skipped": ("model", "v2", "--size", "4096"),
    "a column left out": ("compare", "--fast", "--span", "1", "--format", "latex"),
}


@pytest.mark.parametrize("where", ["before the command", "behind it", "long"])
@pytest.mark.parametrize("noted", NOTED)
def test_a_note_is_left_out(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, noted: str, where: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models.py").write_text(MODELS)
    args = NOTED[noted]
    told = cli(*args)
    assert told.stderr != ""
    quiet = ("-q", *args) if where == "before the command" else (*args, "-q")
    hushed = cli(*(word.replace("-q", "--quiet") if where == "long" else word for word in quiet))
    assert (hushed.exit_code, hushed.stderr) == (0, "")
    assert hushed.stdout == told.stdout
    assert cli(*args).stderr == told.stderr  # it holds for one run


def test_a_group_takes_it_too(cli: Cli, tmp_path: Path) -> None:
    assert cli("plot", "-q", "share", "v2", "-o", str(tmp_path / "a.svg")).stderr == ""


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_command_takes_it_and_says_nothing(example: str) -> None:
    process = run(*EXAMPLES[example], "-q")
    assert (process.returncode, process.stderr) == (0, b"")


def test_the_help_of_every_command_names_it(cli: Cli) -> None:
    for command in COMMANDS:
        assert "-q, --quiet" in cli(command, "--help").stdout, command


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("check", "v2", "--max-params", "1"), 1, "over budget"),
        (("compare", "v4"), 2, "no network or block"),
        (("compare", "--alhpa", "1"), 2, "--alhpa"),
        (("comprae",), 2, "comprae"),
        (("baseline", "models.py:Odd"), 1, "_fft_r2c"),
    ],
)
@pytest.mark.parametrize("first", [True, False], ids=["before", "behind"])
def test_an_error_is_told(
    cli: Cli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    args: tuple[str, ...],
    code: int,
    said: str,
    first: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models.py").write_text(MODELS)
    result = cli("-q", *args) if first else cli(*args, "-q")
    assert result.exit_code == code
    assert said in result.stderr


@pytest.mark.parametrize("quiet", [True, False], ids=["quiet", "not"])
def test_no_bar_is_drawn(tmp_path: Path, quiet: bool) -> None:
    leader, follower = pty.openpty()
    args = ["sweep", "v2", "--alpha", "0.5:1:0.05", "--verify", "0", "-o", "all.csv"]
    process = subprocess.Popen(
        [sys.executable, "-m", "mbcost", *args, *(["-q"] if quiet else [])],
        stdout=subprocess.PIPE,
        stderr=follower,
        env={**os.environ, "TERM": "xterm-256color"},
        cwd=tmp_path,
    )
    os.close(follower)
    seen = b""
    while True:
        try:
            chunk = os.read(leader, 1 << 16)
        except OSError:
            break
        seen += chunk
    os.close(leader)
    assert process.wait() == 0
    assert (seen == b"") == quiet
