"""What CI reads: annotations of GitHub Actions, its summary, JUnit's XML, and exit codes."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mbcost.output.formats.github import annotation, to_github
from mbcost.output.formats.junit import to_junit
from mbcost.output.table import Column, Finding, Table
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
    assert properties == {"file": "b.yaml", "line": "3", "title": "v2: params"}
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
        ("v1", "params", "2", 0),
        ("v2", "params", "3", 1),
        ("v2", "mult-adds", "3", 0),
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
    assert properties == {"file": "mine.yaml", "title": "mine.yaml@alpha=0.5: params"}


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
    [(("v2", "v2"), 0), (("v2", "v2@classes=10"), 1), (("v2", "v1"), 1), (("v2", "v0"), 2)],
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
