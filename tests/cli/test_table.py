"""``mbcost table``: a paper's tables and figures from one file, as typed one by one, or none."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from mbcost.cli.entries import TABLES, paper_file, read_entries
from mbcost.errors import MbcostError
from mbcost.networks.yaml.check import check
from mbcost.networks.yaml.document import parse_document
from tests import ROOT
from tests.conftest import Cli

PAPER = """\
defaults:
  fast: true
  prefix: {params: k, mult_adds: M}
  headings: {mult_adds: MAdds}
tables:
  - command: compare
    targets: [v1 as MobileNet, 'v2@alpha=0.5 as MobileNetV2 0.5×']
    columns: [target, params, mult_adds]
    digits: 4
    bold: best
    output: [tables/cost.tex, tables/cost.csv]
  - command: model
    target: v2
    by: kind
    alpha: 0.35
    output: tables/kinds.md
  - command: memory
    targets: nets/mine.yaml
    output: tables/memory.txt
  - command: sweep
    target: v1
    alpha: [0.5, 1]
    size: 128:224:96
    verify: 0
    output: grid.csv
figures:
  - plot: sweep
    source: v1
    alpha: [0.5, 1]
    output: sweep.csv
"""
"""A file of every kind: a look, an own network, a sweep that streams."""

TYPED = {
    "tables/cost.tex": (
        *("compare", "v1 as MobileNet", "v2@alpha=0.5 as MobileNetV2 0.5×", "--fast"),
        *("--columns", "target,params,mult_adds", "--digits", "4", "--bold", "best"),
        *("--prefix", "params=k,mult_adds=M", "--headings", "mult_adds=MAdds"),
    ),
    "tables/cost.csv": (
        *("compare", "v1 as MobileNet", "v2@alpha=0.5 as MobileNetV2 0.5×", "--fast"),
        *("--columns", "target,params,mult_adds"),
    ),
    "tables/kinds.md": (
        *("model", "v2", "--by", "kind", "--alpha", "0.35", "--fast"),
        *("--prefix", "params=k,mult_adds=M", "--headings", "mult_adds=MAdds"),
    ),
    "tables/memory.txt": ("memory", "nets/mine.yaml"),
    "grid.csv": ("sweep", "v1", "--alpha", "0.5,1", "--size", "128:224:96", "--verify", "0"),
    "sweep.csv": ("plot", "sweep", "v1", "--alpha", "0.5,1"),
}
"""The same, typed."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> Path:
    """A paper's folder with an own network, in which one stands."""
    monkeypatch.chdir(tmp_path)
    for name in ("tables", "nets"):
        (tmp_path / name).mkdir()
    (tmp_path / "nets" / "mine.yaml").write_text(cli("show", "v1").stdout, "utf-8")
    (tmp_path / "paper.yaml").write_text(PAPER, "utf-8")
    return tmp_path


def files(folder: Path) -> list[str]:
    found = [p.relative_to(folder) for p in folder.rglob("*") if p.is_file()]
    return sorted(map(str, {*found} - {Path("paper.yaml"), Path("nets/mine.yaml")}))


def test_a_file_writes_what_its_entries_write_when_typed(cli: Cli, folder: Path) -> None:
    result = cli("table", "paper.yaml")
    assert (result.exit_code, result.stdout) == (0, ""), result.stderr
    assert files(folder) == sorted(TYPED)
    assert [s for s in result.stderr.splitlines() if "wrote" in s] == [f"wrote {n}" for n in TYPED]
    made = {name: (folder / name).read_bytes() for name in TYPED}
    for name, args in TYPED.items():
        typed = cli(*args, "-o", name)
        assert typed.exit_code == 0, typed.stderr
        assert made[name] == (folder / name).read_bytes(), name


def test_paths_are_those_from_the_folder_of_the_file(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = folder.parent / "away"
    away.mkdir()
    monkeypatch.chdir(away)
    path = os.path.relpath(folder / "paper.yaml")
    result = cli("table", path)
    assert result.exit_code == 0, result.stderr
    assert f"wrote {Path(path).parent}/tables/cost.tex\n" in result.stderr
    assert files(folder) == sorted(TYPED)
    assert os.listdir(away) == []
    assert Path.cwd() == away


def test_a_default_gives_way_to_an_entry_and_passes_by_a_table_without_the_column(
    cli: Cli, folder: Path
) -> None:
    Path("paper.yaml").write_text(
        "defaults: {fast: true, prefix: {params: k, top1: M, mult_adds: G}}\n"
        "tables:\n"
        "  - {command: compare, targets: v2, columns: [target, params], output: a.md}\n"
        "  - {command: compare, targets: v2, columns: [target, params], prefix: M, output: b.md}\n"
        "  - {command: compare, targets: v2, fast: false, counter: torch, output: c.json}\n",
        "utf-8",
    )
    result = cli("table", "paper.yaml")
    assert result.exit_code == 0, result.stderr
    assert "| v2 | 3,505 |" in Path("a.md").read_text("utf-8")
    assert "| v2 | 3.50 |" in Path("b.md").read_text("utf-8")
    assert '"torch_flops": 601548544' in Path("c.json").read_text("utf-8")


def test_messages_name_the_table_that_they_are_of(cli: Cli, folder: Path) -> None:
    Path("paper.yaml").write_text(
        "tables:\n  - {command: compare, targets: v2, fast: true, span: 1, output: a.md}\n", "utf-8"
    )
    result = cli("table", "paper.yaml")
    assert result.exit_code == 0
    assert result.stderr.startswith("mbcost: a.md: --span 1 leaves out ")


COST = "tables:\n  - command: compare\n    targets: [v1, v2]\n    fast: true\n    output: a.tex\n"
WRONG = {
    "an option": (
        f"{COST}    digit: 3\n",
        "paper.yaml:6: tables[0].digit: unknown key 'digit' (did you mean 'digits'?)",
    ),
    "its value": (
        f"{COST}    prefix: X\n",
        "paper.yaml:6: tables[0].prefix: unknown prefix 'X' (one of: k, M, G, T)",
    ),
    "a value that Typer reads": (
        f"{COST}    digits: 99\n",
        "paper.yaml:6: tables[0].digits: Invalid value for '--digits': 99 is not in the range "
        "1<=x<=15.",
    ),
    "a truth": (f"{COST}    caption: yes\n", "paper.yaml:6: tables[0].caption: must be text or a"),
    "a text": (f"{COST}    plain: 3\n", "paper.yaml:6: tables[0].plain: is neither true nor"),
    "nothing": (f"{COST}    columns:\n", "paper.yaml:6: tables[0].columns: must be text or a"),
    "empty": (f"{COST}    caption: ''\n", "paper.yaml:6: tables[0].caption: is empty (leave it"),
    "no word": (f"{COST}    headings: {{}}\n", "paper.yaml:6: tables[0].headings: is empty ("),
    "a column": (
        f"{COST}    headings: {{mult_add: M}}\n",
        "paper.yaml:6: tables[0].headings: no column 'mult_add' here (did you mean 'mult_adds'?)",
    ),
    "a target": (
        COST.replace("[v1, v2]", "\n    - v1\n    - v2@alhpa=1"),
        "paper.yaml:5: tables[0].targets[1]: v2@alhpa=1: no setting 'alhpa' here",
    ),
    "a command": (
        COST.replace("compare", "comapre"),
        "paper.yaml:2: tables[0].command: unknown command 'comapre' (did you mean 'compare'?)",
    ),
    "no output": (
        COST.replace("output", "#"),
        "paper.yaml:2: tables[0]: the key 'output' is missing",
    ),
    "a suffix": (
        COST.replace("a.tex", "a.xyz"),
        "paper.yaml:5: tables[0].output: a.xyz: unknown suffix '.xyz'",
    ),
    "a folder": (
        COST.replace("a.tex", "no/a.tex"),
        "paper.yaml:5: tables[0].output: no/a.tex: its directory does not exist (mkdir -p no)",
    ),
    "stdout": (
        COST.replace("a.tex", "'-'"),
        "paper.yaml:5: tables[0].output: names no file (a name like cost.tex)",
    ),
    "one file twice": (
        COST + COST.partition("\n")[2].replace("a.tex", "tables/../a.tex"),
        "paper.yaml:9: tables[1].output: tables/../a.tex: is the same file as a.tex",
    ),
    "a figure": (
        f"{COST}figures:\n  - {{plot: pie, output: b.svg}}\n",
        "paper.yaml:7: figures[0].plot: unknown plot 'pie' (one of: accuracy, share",
    ),
    "a default": (
        f"defaults: {{fats: true}}\n{COST}",
        "paper.yaml:1: defaults.fats: unknown key 'fats' (did you mean 'fast'?)",
    ),
    "a default's value": (
        f"defaults:\n  digits: 99\n{COST}",
        "paper.yaml:2: defaults.digits: Invalid value for '--digits': 99 is not in the range",
    ),
    "a default's column": (
        f"defaults:\n  prefix: {{mult_add: M}}\n{COST}",
        "paper.yaml:2: defaults.prefix.mult_add: no table has a column 'mult_add' (did you mean",
    ),
    "no entry": ("defaults: {fast: true}\n", "paper.yaml: holds no table and no figure (tables:"),
    "code": (
        COST.replace("[v1, v2]", "[v1, 'm.py:build']"),
        "paper.yaml:3: tables[0].targets: 'm.py:build' runs the code of that file (--allow-code",
    ),
    "the last one": (
        f"{COST}  - {{command: model, target: v9, fast: true, output: b.md}}\n",
        "paper.yaml:6: tables[1].target: no network or block is called 'v9'",
    ),
    "two where one is meant": (
        f"{COST}  - {{command: model, target: [v1, v2], output: b.md}}\n",
        "paper.yaml:6: tables[1].target: 2 where one is meant",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_names_its_line_and_nothing_is_written(case: str, cli: Cli, folder: Path) -> None:
    text, message = WRONG[case]
    Path("paper.yaml").write_text(text, "utf-8")
    result = cli("table", "paper.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"mbcost: {message}"), result.stderr
    assert result.stderr.count("\n") == 1
    assert files(folder) == []


def test_what_fails_a_check_is_exit_one_and_nothing_is_written(cli: Cli, folder: Path) -> None:
    Path("m.py").write_text(
        "import torch\n\nclass Net(torch.nn.Module):\n    def forward(self, x):\n"
        "        return torch.fft.fft(x).real\n\ndef build():\n    return Net()\n",
        "utf-8",
    )
    Path("paper.yaml").write_text(
        COST + "  - {command: compare, targets: 'm.py:build', strict: true, output: b.md}\n",
        "utf-8",
    )
    result = cli("table", "paper.yaml", "--allow-code")
    assert result.exit_code == 1
    assert "paper.yaml:6: tables[1]" in result.stderr
    assert files(folder) == ["m.py"]


def test_a_file_is_refused_that_is_none(cli: Cli, folder: Path) -> None:
    result = cli("table", "no.yaml")
    assert result.exit_code == 2
    assert result.stderr.startswith("mbcost: no.yaml: ")


@pytest.mark.parametrize("word", TABLES)
def test_every_option_that_the_help_shows_is_a_key(word: str, cli: Cli) -> None:
    shown = re.findall(r"^  (?:-o, )?--([a-z-]+)", cli(word, "--help").stdout, re.M)
    keys = {option.replace("-", "_") for option in shown} - {"help", "format"}
    assert len(keys) > 3
    for key in keys:
        text = f"tables: [{{command: {word}, {key}: 7, {key}x: 7}}]"
        with pytest.raises(MbcostError, match=f"unknown key '{key}x'"):
            check(paper_file(), (document := parse_document(text, "a.yaml")).data, document)


def test_the_schema_takes_the_file_and_refuses_a_misspelt_key(cli: Cli, folder: Path) -> None:
    schema = json.loads(cli("schema").stdout)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    validator.validate(yaml.safe_load(PAPER))
    assert not validator.is_valid(yaml.safe_load(PAPER.replace("digits:", "digit:")))
    assert not validator.is_valid(yaml.safe_load(PAPER.replace("command: model", "command: show")))


def test_the_entries_of_a_file_are_read_without_torch(folder: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom mbcost.cli.entries import read_entries\n"
        "read_entries(Path('paper.yaml'))\n"
        "print({'torch', 'pandas', 'matplotlib'} & {*sys.modules})"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env
    )
    assert done.stdout == "set()\n"
    assert len(read_entries(folder / "paper.yaml")) == 5
