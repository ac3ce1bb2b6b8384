"""A file that names targets runs no code unless the user says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Cli

EVIL = """
from pathlib import Path
from torch import nn

Path({mark!r}).touch()

def f():
    return nn.Sequential(nn.Conv2d(3, 8, 1))
"""


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that stands there once ``evil.py`` was run, in a directory of files that name it."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "it ran"
    (tmp_path / "evil.py").write_text(EVIL.format(mark=str(path)), "utf-8")
    layer = {"path": "0", "params": 32, "mult_adds": 9, "kind": "conv"}
    report = {"name": "f", "target": "evil.py:f", "params": 32, "mult_adds": 9, "batch": 1}
    saved = [report | {"convention": "papers", "layers": [layer]}]
    (tmp_path / "saved.json").write_text(json.dumps(saved), "utf-8")
    (tmp_path / "net.yaml").write_text(
        "input: [3, 8, 8]\nwidth: none\nrows: [{block: 'evil.py:f', c: 8}]\n", "utf-8"
    )
    (tmp_path / "space.yaml").write_text(
        "input: [3, 8, 8]\nwidth: none\nrows: [{block: [conv, 'evil.py:f'], c: [8, 16]}]\n", "utf-8"
    )
    (tmp_path / "grid.csv").write_text(
        "target,alpha,size,mult_adds\nevil.py:f,1,224,9\nevil.py:f,1,96,8\n", "utf-8"
    )
    return path


@pytest.mark.parametrize("target", ["evil.py:f", "./evil.py:f", "evil.py:f@batch=2", "evil.py:"])
def test_a_target_of_a_budget_file_that_runs_code_is_refused(
    cli: Cli, mark: Path, target: str
) -> None:
    Path("budgets.yaml").write_text(
        f"budgets:\n  v2: {{max_params: 4M}}\n  '{target}': {{max_params: 4M}}\n", "utf-8"
    )
    result = cli("check", "--budget", "budgets.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"budgets.yaml:3: budgets.{target}: counting it runs the code" in result.stderr
    assert "--allow-code" in result.stderr
    assert not mark.exists()


def test_allow_code_runs_it_and_so_does_typing_it(cli: Cli, mark: Path) -> None:
    Path("budgets.yaml").write_text("budgets:\n  evil.py:f: {max_params: 31}\n", "utf-8")
    for args in (["--allow-code"], ["evil.py:f"]):
        result = cli("check", "--budget", "budgets.yaml", *args)
        assert result.exit_code == 1, result.stderr
        assert "evil.py:f: 32 params, limit 31" in result.stderr
        assert mark.exists()
        mark.unlink()
    typed = cli("check", "evil.py:f", "--max-params", "32")
    assert typed.exit_code == 0, typed.stderr


def test_others_of_the_same_file_are_checked_without_it(cli: Cli, mark: Path) -> None:
    Path("budgets.yaml").write_text(
        "budgets:\n  v2: {max_params: 4M}\n  evil.py:f: {max_params: 31}\n", "utf-8"
    )
    assert cli("check", "v2", "--budget", "budgets.yaml").exit_code == 0
    assert not mark.exists()


@pytest.mark.parametrize(
    "args",
    [
        ["diff", "saved.json", "saved.json"],
        ["diff", "saved.json:evil.py:f", "v2"],
        ["check", "v2", "--baseline", "saved.json"],
        ["compare", "net.yaml", "--fast"],
        ["compare", "saved.json", "--fast"],
        ["sweep", "space.yaml", "--verify", "0"],
        ["search", "space.yaml", "--verify", "0"],
        ["sweep", "evil.py:f", "--alpha", "0.5,1"],
        ["search", "evil.py:f", "--max-params", "1M"],
        ["plot", "sweep", "grid.csv", "--show-data"],
        ["check", "--budget", "net.yaml"],
    ],
)
def test_no_other_file_that_names_it_runs_it(cli: Cli, mark: Path, args: list[str]) -> None:
    result = cli(*args)
    assert result.exit_code in (0, 2), result.stderr
    assert not mark.exists()


def test_a_checkpoint_is_never_read(cli: Cli, mark: Path) -> None:
    pytest.importorskip("timm")
    result = cli("compare", "timm:resnet18@checkpoint_path=evil.pth", "--fast")
    assert result.exit_code == 2
    assert "checkpoint_path would load weights" in result.stderr


def test_the_help_says_that_code_is_refused(cli: Cli) -> None:
    shown = " ".join(cli("check", "--help").stdout.split())
    assert "runs code (file.py:factory) is refused without --allow-code" in shown
