"""What CI reads: annotations of GitHub Actions, its summary, JUnit's XML, and exit codes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mbcost.cli.summary import MAX_BYTES
from mbcost.output.formats.github import annotation, to_github
from mbcost.output.formats.junit import to_junit
from mbcost.output.table import Column, Finding, Table
from tests import ROOT
from tests.conftest import Cli
from tests.nasty import NASTY

BUDGETS = "budgets:\n  v1: {max_params: 5M}\n  v2:\n    max_params: 3M\n    max_mult_adds: 301M\n"


def read(line: str) -> tuple[str, dict[str, str], str]:
    """Return (command, properties, message) as the runner reads a line."""

    def back(text: str, *marks: tuple[str, str]) -> str:
        for mark, letter in (*marks, ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
            text = text.replace(mark, letter)
        return text

    found = re.fullmatch(r"::(\w+) ([^\n]*?)::([^\n]*)", line)
    assert found, line
    pairs = [each.split("=", 1) for each in found[2].split(",")]
    properties = {key: back(value, ("%3A", ":"), ("%2C", ",")) for key, value in pairs}
    return found[1], properties, back(found[3])


@pytest.fixture
def budgets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "b.yaml").write_text(BUDGETS, "utf-8")
    return tmp_path


def test_a_failed_check_is_annotated_at_its_budget(budgets: Path, cli: Cli) -> None:
    result = cli("check", "--budget", "b.yaml", "--format", "github")
    assert result.exit_code == 1
    first, stop, *table, start = result.stdout.splitlines()
    command, properties, message = read(first)
    assert command == "error"
    assert properties == {"file": "b.yaml", "line": "4", "title": "v2: params"}
    assert message.startswith("over budget: 3,504,872 params, limit 3,000,000 (−16.8% slack)\n")
    assert "rows.10.linear 36.5%" in message
    assert re.fullmatch(r"::stop-commands::\w{32}", stop)
    assert start == f"::{stop.rpartition(':')[2]}::"
    assert table[0] == "1 of 3 checks failed"


def test_the_steps_summary_gets_the_table_once(
    budgets: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    (budgets / "summary.md").write_text("before\n", "utf-8")
    args = ("check", "--budget", "b.yaml")
    cli(*args, "--format", "github")
    text = (budgets / "summary.md").read_text("utf-8")
    assert text == f"before\n{cli(*args, '--format', 'markdown').stdout}\n"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "nowhere/summary.md")
    failed = cli(*args, "--format", "github")
    assert failed.exit_code == 2
    assert failed.stderr.startswith("mbcost: GITHUB_STEP_SUMMARY: nowhere/summary.md: cannot be ")


def test_junit_has_a_case_per_check(budgets: Path, cli: Cli) -> None:
    result = cli("check", "--budget", "b.yaml", "-o", "report.xml")
    assert result.exit_code == 1
    root = ElementTree.fromstring((budgets / "report.xml").read_text("utf-8"))
    (suite,) = root
    assert [suite.get(key) for key in ("tests", "failures", "errors")] == ["3", "1", "0"]
    cases = [(c.get("classname"), c.get("name"), c.get("line"), len(c)) for c in suite]
    assert cases == [
        ("v1", "params", "2", 1),
        ("v2", "params", "4", 1),
        ("v2", "mult-adds", "5", 1),
    ]
    said = [element.text for element in suite.iter("system-out")]
    assert said == [
        "4,231,976 params, limit 5,000,000 (+15.4% slack)",
        "300,774,272 mult-adds, limit 301,000,000 (+0.0750% slack)",
    ]
    (failure,) = suite.iter("failure")
    assert failure.get("message") == (
        "over budget: 3,504,872 params, limit 3,000,000 (−16.8% slack)"
    )
    assert "rows.10.linear 36.5%" in str(failure.text)
    printed = cli("check", "--budget", "b.yaml", "--format", "junit").stdout
    assert printed == (budgets / "report.xml").read_text("utf-8")


def test_a_target_of_a_yaml_is_annotated_there(budgets: Path, cli: Cli) -> None:
    (budgets / "mine.yaml").write_text(cli("show", "v3-small").stdout, "utf-8")
    args = ("check", "mine.yaml@alpha=0.5", "--max-params", "1M", "--format", "github")
    _, properties, _ = read(cli(*args).stdout.splitlines()[0])
    assert properties["file"] == "mine.yaml"
    assert properties["title"] == "mine.yaml@alpha=0.5: params"
    lines = (budgets / "mine.yaml").read_text("utf-8").splitlines()
    heaviest = lines[int(properties["line"]) - 1]
    assert heaviest == [line for line in lines if line.startswith("  - {block")][-1]
    maps = ("check", "mine.yaml", "--max-activation-bytes", "1", "--format", "github")
    assert "line" not in read(cli(*maps).stdout.splitlines()[0])[1]


def test_what_grew_is_annotated_at_its_row_in_the_repository(
    budgets: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    nets = budgets / "nets"
    nets.mkdir()
    monkeypatch.chdir(nets)
    monkeypatch.setenv("GITHUB_WORKSPACE", str(budgets))
    mine = nets / "mine.yaml"
    mine.write_text(cli("show", "v2").stdout, "utf-8")
    assert cli("baseline", "mine.yaml", "-o", "cost.json").exit_code == 0
    text = mine.read_text("utf-8")
    assert text.count("c: 96,") == 1
    mine.write_text(text.replace("c: 96,", "c: 104,"), "utf-8")
    row = next(i for i, line in enumerate(text.splitlines(), 1) if "c: 96," in line)
    for args in (("check", "mine.yaml", "--baseline", "cost.json"), ("diff", "cost.json")):
        after = ("mine.yaml",) if args[0] == "diff" else ()
        first = cli(*args, *after, "--format", "github").stdout.splitlines()[0]
        command, properties, _ = read(first)
        assert command == ("notice" if after else "error")
        assert (properties["file"], properties["line"]) == ("nets/mine.yaml", str(row))
    monkeypatch.setenv("GITHUB_WORKSPACE", str(budgets / "elsewhere"))
    assert "file=mine.yaml," in cli("diff", "cost.json", "mine.yaml", "--format", "github").stdout


def test_a_limit_that_was_typed_is_not_at_a_line_of_the_file(budgets: Path, cli: Cli) -> None:
    args = ("check", "v2", "--budget", "b.yaml", "--max-params", "2M", "--format", "github")
    _, properties, _ = read(cli(*args).stdout.splitlines()[0])
    assert properties == {"title": "v2: params"}


def test_a_growth_for_all_targets_and_an_older_name_have_their_lines(
    budgets: Path, cli: Cli
) -> None:
    cli("baseline", "v1", "v2", "-o", "cost.json")
    saved = json.loads((budgets / "cost.json").read_text("utf-8"))
    for each in saved["targets"]:
        each["params"] //= 2
    (budgets / "cost.json").write_text(json.dumps(saved), "utf-8")
    text = "max_growth: 1%\nbaseline: cost.json\nbudgets:\n  v1:\n    max_param_bytes: 1MB\n"
    (budgets / "b.yaml").write_text(f"{text}  v2: {{max_growth: 2%}}\n", "utf-8")
    shown = cli("check", "--budget", "b.yaml", "--format", "github").stdout
    found = [read(line)[1] for line in shown.split("::stop")[0].splitlines()]
    places = {each["title"]: each["line"] for each in found}
    assert places == {
        "v1: params since baseline": "1",
        "v1: weight bytes fp32": "5",
        "v2: params since baseline": "6",
    }


def test_the_budget_of_a_yaml_is_named_beside_its_row(budgets: Path, cli: Cli) -> None:
    (budgets / "mine.yaml").write_text(cli("show", "v2").stdout, "utf-8")
    (budgets / "b.yaml").write_text("budgets:\n  mine.yaml: {max_params: 1M}\n", "utf-8")
    first = cli("check", "--budget", "b.yaml", "--format", "github").stdout.splitlines()[0]
    _, properties, message = read(first)
    assert properties["file"] == "mine.yaml"
    assert message.endswith("\nthe limit stands in b.yaml:2")


def test_a_block_of_a_set_is_annotated_at_its_key(budgets: Path, cli: Cli) -> None:
    text = "input: [3, 32, 32]\nblocks:\n  a: {block: conv, c: 8}\n  b: {block: conv, c: 8}\n"
    (budgets / "set.yaml").write_text(text, "utf-8")
    shown = cli("check", "set.yaml", "--max-params", "1", "--format", "github").stdout
    found = [read(line)[1] for line in shown.split("::stop")[0].splitlines()]
    assert [(each["file"], each["line"]) for each in found] == [
        ("set.yaml", "3"),
        ("set.yaml", "4"),
    ]


MODEL = """
import torch

class Odd(torch.nn.Module):
    def forward(self, x):
        return torch.linalg.inv(x)

def build():
    return Odd()
"""


def test_an_operator_without_a_formula_is_said_as_such(budgets: Path, cli: Cli) -> None:
    (budgets / "model.py").write_text(MODEL, "utf-8")
    args = ("check", "model.py:build@size=8", "--max-params", "1M", "--format", "github")
    result = cli(*args)
    assert result.exit_code == 1
    (line,) = result.stdout.split("::stop")[0].splitlines()
    command, properties, message = read(line)
    assert (command, properties["file"]) == ("error", "model.py")
    assert "aten.linalg_inv" in message or "linalg_inv" in message
    assert "over budget" not in message


def test_a_summary_has_as_many_rows_as_github_shows(
    budgets: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    (budgets / "summary.md").write_text("x" * (MAX_BYTES - 2000), "utf-8")
    assert cli("diff", "v1", "v2", "--format", "github").exit_code == 0
    text = (budgets / "summary.md").read_text("utf-8")[MAX_BYTES - 2000 :]
    assert 500 < len(text.encode()) <= 2000
    whole = cli("diff", "v1", "v2", "--format", "markdown").stdout
    left_out = whole.count("\n| ") - text.count("\n| ")
    assert f"- {left_out} rows left out: a summary holds 1 MiB" in text
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "")
    assert cli("diff", "v1", "v2", "--format", "github").exit_code == 0


def test_junit_on_a_stdout_of_another_encoding_is_still_what_it_says(budgets: Path) -> None:
    name = "größe.yaml"
    (budgets / name).write_text((ROOT / "configs/networks/v2.yaml").read_text("utf-8"), "utf-8")
    command = [sys.executable, "-m", "mbcost", "check", name, "--max-params", "1M"]
    found = []
    for encoding in ("utf-8", "latin-1", "ascii"):
        env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": encoding}
        done = subprocess.run(
            [*command, "--format", "junit"], env=env, capture_output=True, check=False
        )
        assert done.returncode == 1
        root = ElementTree.fromstring(done.stdout)
        found.append([(e.tag, e.attrib, e.text) for e in root.iter()])
    assert found[0] == found[1] == found[2]
    assert found[0][2][1]["classname"] == name


@pytest.mark.parametrize("name", NASTY)
def test_no_name_is_a_command_or_markup(name: str) -> None:
    finding = Finding(name, name, passed=False, message=name, file=name, line=3)
    line = annotation(finding)
    assert "\n" not in line
    assert "\r" not in line
    if name.strip():
        command, properties, _ = read(line)
        assert command == "error"
        assert set(properties) <= {"file", "line", "title"}
    rows = [{"name": f"::error::{name}"}]
    table = Table((Column("name", "name"),), rows, (), rows, rows, name, findings=(finding,))
    lines = to_github(table).splitlines()
    stops = [i for i, each in enumerate(lines) if each.startswith("::stop-commands::")]
    hidden = [i for i, each in enumerate(lines) if each.lstrip().startswith("::error::")]
    assert len(stops) == 1
    assert hidden
    assert stops[0] < min(hidden)
    (case,) = ElementTree.fromstring(to_junit(table)).iter("testcase")
    assert case.find("failure") is not None


def test_what_a_pull_request_changes_is_a_notice_per_target(budgets: Path, cli: Cli) -> None:
    cli("baseline", "v1", "v2", "v3-small", "-o", "a.json")
    cli("baseline", "v2@alpha=1.0", "v2", "v3-small", "-o", "b.json")
    (budgets / "c.json").write_text(cli("baseline", "v3-small", "v2", "--classes", "10").stdout)
    args = ("diff", "a.json", "c.json", "--format", "github")
    result = cli(*args)
    assert result.exit_code == 0
    found = [read(line) for line in result.stdout.split("::stop")[0].splitlines()]
    assert [(c, p["title"]) for c, p, _ in found] == [
        ("notice", "v1: removed"),
        ("notice", "v2: changed"),
        ("notice", "v3-small: changed"),
    ]
    assert found[0][2] == "4,231,976 params, 568,740,352 mult-adds"
    assert found[1][2].splitlines()[:2] == [
        "1 row changed",
        "params: 3,504,872 → 2,236,682 (−1,268,190, −36.2%)",
    ]
    assert cli(*args, "--exit-code").exit_code == 1


@pytest.mark.parametrize(
    ("sides", "code"),
    [
        (("v2", "v2"), 0),
        (("v2", "v2@classes=10"), 1),
        (("v2", "v1"), 1),
        (("v2", "v0"), 2),
        (("vgg16", "vgg16@fold_bn=true"), 1),
    ],
)
def test_diff_exits_like_git_where_asked(cli: Cli, sides: tuple[str, str], code: int) -> None:
    assert cli("diff", *sides, "--exit-code").exit_code == code
    assert cli("diff", *sides).exit_code == (2 if code == 2 else 0)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("compare", "v1", "--fast", "--format", "github"), "--format: unknown format 'github'"),
        (("diff", "v1", "v2", "--format", "junit"), "--format: unknown format 'junit'"),
        (("compare", "v1", "--fast", "-o", "a.xml"), "-o a.xml: unknown suffix '.xml'"),
        (("diff", "v1", "v2", "-o", "a.xml"), "-o a.xml: unknown suffix '.xml'"),
    ],
)
def test_other_commands_refuse_them(cli: Cli, args: tuple[str, ...], message: str) -> None:
    result = cli(*args)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"mbcost: {message}")
