"""The GitHub action, the pre-commit hook and the documented job, run step by step in a shell."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import ROOT
from tests.pages import files_of

BUDGETS = "budgets:\n  v2: {max_params: %s}\n  v1: {max_mult_adds: 600M}\n"
PIP = '#!/bin/bash\necho "$@" >> "$HOME/python.log"\n'
GH = """#!/bin/bash
printf '%s\\n' "$*" >> "$HOME/gh.log"
case "$1 $2" in
  "api repos/"*) if [ -e "$HOME/comment" ]; then echo 42; fi ;;
esac
if [ "$1 $2" = "pr comment" ]; then cp "${@: -1}" "$HOME/comment"; fi
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with an mbcost and a bin of its own in the PATH."""
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    mine = f'#!/bin/bash\nPYTHONPATH={ROOT} exec {sys.executable} -m mbcost "$@"\n'
    for name, text in {"mbcost": mine, "python": PIP, "gh": GH}.items():
        (bin_ / name).write_text(text, "utf-8")
        (bin_ / name).chmod(0o755)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{bin_}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shell(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a step as GitHub does: bash that stops at the first error."""
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def action() -> Any:
    return yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))


def run_action(**given: str) -> subprocess.CompletedProcess[str]:
    """Run the steps of the action that are shell, with inputs as a workflow gives them."""
    inputs = {name: each["default"] for name, each in action()["inputs"].items()} | given
    steps = [step for step in action()["runs"]["steps"] if "run" in step]
    context = {"github.action_path": str(ROOT), **{f"inputs.{k}": v for k, v in inputs.items()}}
    for step in steps:
        assert "${{" not in step["run"], "an input in a script could be code"
        environment = {
            name: re.sub(r"\$\{\{ (.*?) \}\}", lambda found: context[found[1]], value)
            for name, value in step.get("env", {}).items()
        }
        last = shell(step["run"], **environment)
        if last.returncode:
            break
    return last


@pytest.mark.parametrize(("limit", "code", "verdict"), [("4M", 0, "pass"), ("3M", 1, "FAIL")])
def test_the_action_checks_a_budget(home: Path, limit: str, code: int, verdict: str) -> None:
    (home / "b.yaml").write_text(BUDGETS % limit, "utf-8")
    done = run_action(budget="b.yaml", report="report.xml")
    assert done.returncode == code, done.stderr
    assert (home / "output").read_text("utf-8") == f"verdict={verdict}\n"
    assert ("::error file=b.yaml,line=2" in done.stdout) is bool(code)
    assert f"| {'FAIL' if code else 'pass'} | v2 |" in (home / "summary.md").read_text("utf-8")
    assert "<testsuites" in (home / "report.xml").read_text("utf-8")
    installs = (home / "python.log").read_text("utf-8").splitlines()
    assert installs[1] == f"-m pip install --quiet --no-deps {ROOT}"
    assert "torch" not in " ".join(installs)


def test_the_action_takes_targets_options_and_a_baseline(home: Path) -> None:
    assert shell("mbcost baseline v2 -o base.json").returncode == 0
    done = run_action(targets="v2", baseline="base.json", args="--max-growth 1%")
    assert (done.returncode, done.stderr) == (0, "")
    assert "params since baseline" in done.stdout
    (home / "output").unlink()
    wrong = run_action(targets="v9", args="--max-params 1M")
    assert wrong.returncode == 2
    assert "no network or block is called 'v9'" in wrong.stderr
    assert not (home / "output").exists()


def test_an_input_is_never_code(home: Path) -> None:
    run_action(targets="v2 $(touch owned) `touch owned` ; touch owned", args="--max-params 5M")
    assert not (home / "owned").exists()


def test_the_hook_runs_as_pre_commit_runs_it(home: Path) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert (hook["language"], hook["pass_filenames"]) == ("python", False)
    assert re.search(hook["files"], "nets/mine.yaml")
    script = " ".join([hook["entry"], *hook["args"]])
    assert shell(script).returncode == 2
    (home / "budgets.yaml").write_text(BUDGETS % "4M", "utf-8")
    assert shell(script).returncode == 0
    (home / "budgets.yaml").write_text(BUDGETS % "3M", "utf-8")
    assert shell(script).returncode == 1


def test_the_jobs_comment_is_updated_and_not_repeated(home: Path) -> None:
    files = files_of(ROOT / "docs" / "guard-in-ci.md")
    (home / "budgets.yaml").write_text(files["budgets.yaml"], "utf-8")
    [committed] = re.findall(r"# (mbcost baseline .*)", files["budgets.yaml"])
    assert shell(committed).returncode == 0
    steps = yaml.safe_load(files[".github/workflows/cost.yml"])["jobs"]["cost"]["steps"]
    (step,) = [step for step in steps if "gh " in step.get("run", "")]
    environment = {"REPOSITORY": "me/nets", "NUMBER": "7"}
    assert set(step["env"]) == {"GH_TOKEN", *environment}
    for _ in range(2):
        done = shell(step["run"], **environment)
        assert done.returncode == 0, done.stderr
    calls = (home / "gh.log").read_text("utf-8").splitlines()
    assert [call.split()[:2] for call in calls if "--jq" not in call] == [
        ["pr", "comment"],
        ["api", "--method"],
    ]
    assert "repos/me/nets/issues/comments/42" in calls[-1]
    comment = (home / "comment").read_text("utf-8")
    assert comment.startswith("<!-- mbcost -->\n### cost.json → now.json\n")
    assert json.loads((home / "now.json").read_text("utf-8"))
