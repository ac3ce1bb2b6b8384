"""Names from files, keys and modules do nothing on the way through a command."""

from __future__ import annotations

import csv
import os
import pty
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from mbcost.errors import visible
from mbcost.networks.network import Network
from mbcost.networks.yaml import load_specs
from mbcost.networks.yaml.write import spec_yaml
from mbcost.output.formats import FORMATS
from mbcost.output.formats.csv import plain
from tests.conftest import Cli
from tests.nasty import NASTY


@pytest.mark.parametrize("name", [n for n in NASTY if "\x00" not in n])
def test_a_block_of_any_name_is_written_as_yaml_that_reads_back(name: str, tmp_path: Path) -> None:
    source = tmp_path / "blocks.yaml"
    block = {"block": "conv", "c": 8}
    source.write_text(yaml.safe_dump({"input": [3, 32, 32], "blocks": {name: block}}), "utf-8")
    (spec,) = load_specs(source).values()
    again = tmp_path / "again.yaml"
    again.write_text(spec_yaml(spec, {}, f"the winner of {name}"), "utf-8")
    assert list(load_specs(again)) == [name]


def test_a_network_of_nasty_names_is_written_as_yaml_that_reads_back(tmp_path: Path) -> None:
    for name in NASTY:
        if "\x00" in name:
            continue
        rows: list[dict[str, object]] = [
            {"block": "conv", "c": 8, "name": name},
            {"block": "conv", "c": 8, "name": f"{name} 2"},
            {"block": "add", "inputs": [name, f"{name} 2"]},
        ]
        source = tmp_path / "net.yaml"
        document = {"source": name, "input": [3, 8, 8], "width": "none", "rows": rows}
        source.write_text(yaml.safe_dump(document), "utf-8")
        (spec,) = load_specs(source).values()
        again = tmp_path / "again.yaml"
        again.write_text(spec_yaml(spec, {}, name), "utf-8")
        (written,) = load_specs(again).values()
        assert isinstance(written, Network)
        assert isinstance(spec, Network)
        assert [row.name for row in written.rows] == [row.name for row in spec.rows]
        assert written.source == spec.source


def nasty_set(directory: Path) -> Path:
    """Return a set of blocks whose file and keys have nasty names."""
    path = directory / "\x1b[31mred\r.yaml"
    block = {"block": "conv", "c": 8}
    names = [name for name in NASTY if "\x00" not in name]
    data = {"input": [3, 32, 32], "blocks": dict.fromkeys(names, block)}
    path.write_text(yaml.safe_dump(data), "utf-8")
    return path


@pytest.mark.parametrize("command", ["compare", "model", "list", "diff", "baseline", "check"])
@pytest.mark.parametrize("name", FORMATS)
def test_commands_print_what_can_be_printed(
    cli: Cli, tmp_path: Path, command: str, name: str
) -> None:
    path = str(nasty_set(tmp_path))
    member = f"{path}:{NASTY[0]}"
    args = {
        "compare": ["compare", path, "--fast"],
        "model": ["model", member, "--fast"],
        "list": ["list"],
        "diff": ["diff", member, f"{path}:{NASTY[2]}"],
        "baseline": ["baseline", path],
        "check": ["check", path, "--max-params", "1"],
    }[command]
    result = cli(*args, "--format", name)
    assert result.exit_code == (command == "check"), result.stderr
    for text in (result.stdout, result.stderr):
        assert text.replace("\n", "").isprintable()


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "+a,b", "-1\r\n=2", "\x1b[31mred"])
def test_a_sweep_of_any_name_is_a_csv_without_formulas(cli: Cli, tmp_path: Path, name: str) -> None:
    source = tmp_path / "blocks.yaml"
    blocks = {name: {"block": "conv", "c": 8}, "other": {"block": "conv", "c": 8}}
    source.write_text(yaml.safe_dump({"input": [3, 32, 32], "blocks": blocks}), "utf-8")
    path = tmp_path / "x.csv"
    args = ["--kernel", "1,3,5", "--verify", "0", "-o", str(path)]
    result = cli("sweep", f"{source}:{name}", *args)
    assert result.exit_code == 0, result.stderr
    assert path.read_text("utf-8").replace("\n", "").isprintable()
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [plain(row["name"]) for row in rows] == [visible(name)] * 3
    assert not any(row["name"].startswith(("=", "+", "-", "@")) for row in rows)
    assert [row["kernel"] for row in rows] == ["1", "3", "5"]


@pytest.mark.parametrize(
    "args",
    [
        ["compare", "\x1b[31mno"],
        ["compare", "no\rsuch.yaml"],
        ["compare", "v2@\x1b=3"],
        ["compare", "v2", "--fast", "--columns", "\x1b[31m"],
        ["compare", "v2", "--fast", "-o", "no\x1b/such/x.csv"],
        ["plot", "share", "v2", "-o", "x.\x1b[31m"],
        ["sweep", "v2", "--set", "rows.\x1b=3"],
        ["show", "\x1b[31m"],
        ["check", "\x1b[31m", "--max-params", "1"],
        ["diff", "\x1b.json", "v2"],
    ],
)
def test_what_is_refused_is_named_in_one_line(cli: Cli, args: list[str]) -> None:
    result = cli(*args)
    assert result.exit_code == 2
    assert result.stderr.rstrip("\n").isprintable(), result.stderr
    assert result.stderr.startswith("mbcost: ")


def test_a_terminal_is_sent_no_escape_of_a_name(tmp_path: Path) -> None:
    path = nasty_set(tmp_path)
    pid, terminal = pty.fork()
    if pid == 0:
        args = [sys.executable, "-m", "mbcost", "compare", str(path), "--fast"]
        os.environ["COLUMNS"] = "200"
        os.execv(sys.executable, args)
    sent = b""
    try:
        while piece := os.read(terminal, 65536):
            sent += piece
    except OSError:  # the other end is gone
        pass
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0, sent
    text = sent.decode()
    assert "pwned" in text
    for raw in ("\x1b]0;", "\x1b[31m", "\x9b", "\x85", chr(0x202E)):
        assert raw not in text


@pytest.mark.parametrize("by", ["kind", "block"])
def test_figures_of_nasty_names_are_whole(cli: Cli, by: str, tmp_path: Path) -> None:
    blocks = {f"_{i}$x^{name}": {"block": "conv", "c": 8} for i, name in enumerate(NASTY[:8])}
    path = tmp_path / "set.yaml"
    path.write_text(yaml.safe_dump({"input": [3, 32, 32], "blocks": blocks}), "utf-8")
    drawn = tmp_path / "x.svg"
    result = cli("plot", "share", str(path), "--by", by, "-o", str(drawn))
    assert result.exit_code == 0, result.stderr
    assert ElementTree.fromstring(drawn.read_text("utf-8")).tag.endswith("svg")


def test_modules_of_nasty_names_are_listed_as_text(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text(
        "from torch import nn\n"
        "def f():\n"
        "    net = nn.Sequential()\n"
        "    net.add_module('\\x1b[31mred\\r|=1', nn.Conv2d(3, 8, 1))\n"
        "    return net\n",
        "utf-8",
    )
    for name in FORMATS:
        result = cli("model", f"{path}:f", "--fast", "--format", name)
        assert result.exit_code == 0, result.stderr
        assert result.stdout.replace("\n", "").isprintable()
        assert "red" in result.stdout
