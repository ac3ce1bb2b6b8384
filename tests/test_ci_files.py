"""The GitHub action, the pre-commit hook and the documented job, run step by step in a shell."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from tests import ROOT
from tests.pages import files_of
from tests.test_light import FOUR, required

BUDGETS = "budgets:\n  v2: {max_params: %s}\n  v1: {max_mult_adds: 600M}\n"
PIP = '#!/bin/bash\necho "$@" >> "$HOME/python.log"\n'
GH = f"""#!{sys.executable}
import json, os, re, sys
store, args = os.environ["HOME"] + "/comments.json", sys.argv[1:]
comments = json.load(open(store)) if os.path.exists(store) else []
match args:
    case ["api", "repos/me/nets/issues/7/comments", "--paginate", "--jq", asked]:
        login, mark = re.search('login == "(.*?)"', asked)[1], re.search('th[(]"(.*?)"', asked)[1]
        for each in comments:
            if each["user"]["login"] == login and each["body"].startswith(mark):
                print(each["id"])
    case ["pr", "comment", "7", "--repo", "me/nets", "--body-file", file]:
        new = {{"id": 100 + len(comments), "user": {{"login": "github-actions[bot]"}}}}
        comments.append({{**new, "body": open(file).read()}})
    case ["api", "--method", "PATCH", place, "--field", field] if field.startswith("body=@"):
        (one,) = [c for c in comments if place == f"repos/me/nets/issues/comments/{{c['id']}}"]
        one["body"] = open(field.removeprefix("body=@")).read()
    case _:
        sys.exit(f"gh: {{args}}")
json.dump(comments, open(store, "w"))
"""
"""Keeps the comments of one pull request in a file."""


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


def test_every_line_of_targets_is_checked(home: Path) -> None:
    done = run_action(targets="v2\nv1\n", args="--max-params 4M\n--fold-bn")
    assert done.returncode == 1
    assert "::error title=v1%3A params::" in done.stdout
    assert "v2, params" in done.stdout


def test_another_python_is_set_up_unless_the_version_is_empty() -> None:
    (setup, *_) = action()["runs"]["steps"]
    assert setup["if"] == "${{ inputs.python-version != '' }}"
    assert setup["with"] == {"python-version": "${{ inputs.python-version }}"}
    known = {f"${{{{ inputs.{name} }}}}" for name in action()["inputs"]}
    used = re.findall(r"\$\{\{ inputs\.[\w-]+ \}\}", (ROOT / "action.yml").read_text("utf-8"))
    assert set(used) == known


def bounds(words: list[str]) -> dict[str, str]:
    """Return the requirements among ``words`` by name, each as it is written."""
    return {Requirement(word).name: word for word in words if not word.startswith("-")}


def test_what_action_and_hook_install_is_what_the_closed_form_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    known = bounds(project["dependencies"])
    four = {name: known[name] for name in FOUR}
    (install,) = [s for s in action()["runs"]["steps"] if "pip" in s.get("run", "")]
    words = shlex.split(install["run"].splitlines()[0])
    assert words[:5] == ["python", "-m", "pip", "install", "--quiet"]
    assert bounds(words[5:]) == four
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    added = hook["additional_dependencies"]
    assert "--no-deps" in added
    found = bounds(added)
    assert {name: found[name] for name in four} == four
    assert {name.lower() for name in found} >= {name.lower() for name in required(FOUR)}
    assert not {"torch", "pandas", "fvcore", "torchinfo"} & found.keys()


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


def comment_step() -> Any:
    """Return the step of the documented job that comments."""
    files = files_of(ROOT / "docs" / "guard-in-ci.md")
    steps = yaml.safe_load(files[".github/workflows/cost.yml"])["jobs"]["cost"]["steps"]
    (step,) = [step for step in steps if "gh " in step.get("run", "")]
    assert step["shell"] == "bash"
    return step


COMMENTS = [
    {"id": 1, "user": {"login": "someone"}, "body": "<!-- mbcost -->\nmine"},
    {"id": 2, "user": {"login": "github-actions[bot]"}, "body": "see <!-- mbcost -->"},
]


def test_the_jobs_comment_is_updated_and_not_repeated(home: Path) -> None:
    step = comment_step()
    environment = {"REPOSITORY": "me/nets", "NUMBER": "7"}
    assert set(step["env"]) == {"GH_TOKEN", *environment}
    (home / "comments.json").write_text(json.dumps(COMMENTS), "utf-8")

    def comments() -> list[str]:
        assert shell(step["run"], **environment).returncode == 0
        known = json.loads((home / "comments.json").read_text("utf-8"))
        assert known[:2] == COMMENTS
        return [each["body"] for each in known[2:]]

    files = files_of(ROOT / "docs" / "guard-in-ci.md")
    [committed] = re.findall(r"# (mbcost baseline .*)", files["budgets.yaml"])
    assert shell(committed).returncode == 0
    (first,) = comments()
    assert first.startswith("<!-- mbcost -->\n### cost.json → now.json\n")
    assert "targets: 2 unchanged" in first
    assert shell(f"{committed} --classes 10").returncode == 0
    (second,) = comments()
    assert second.startswith("<!-- mbcost -->\n### cost.json → now.json\n")
    assert "targets: 2 changed" in second
    assert json.loads((home / "now.json").read_text("utf-8"))


def test_a_comment_that_is_too_long_is_by_kind(home: Path) -> None:
    names = [f"v2@alpha={0.5 + i / 100:.2f}" for i in range(16)]
    assert shell(f"mbcost baseline {' '.join(names)} -o cost.json").returncode == 0
    script = comment_step()["run"].replace("v3-small v2@alpha=0.5", " ".join(names))
    script = script.replace("--fold-bn -o", "--batch 2 -o")
    done = shell(script, REPOSITORY="me/nets", NUMBER="7")
    assert done.returncode == 0, done.stderr
    whole = shell("mbcost diff cost.json now.json --format markdown").stdout
    (comment,) = json.loads((home / "comments.json").read_text("utf-8"))
    assert len(whole.encode()) > 65_000 > len(comment["body"].encode())
    assert "pointwise" in comment["body"]


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_what_is_asked_of_the_comments_is_jq(home: Path) -> None:
    own = {"id": 3, "user": {"login": "github-actions[bot]"}, "body": "<!-- mbcost -->\n### a"}
    (asked,) = re.findall(r"mine='(.*?)'", comment_step()["run"], re.S)
    known = json.dumps([*COMMENTS, own])
    done = subprocess.run(["jq", asked], input=known, capture_output=True, text=True, check=True)
    assert done.stdout == "3\n"
