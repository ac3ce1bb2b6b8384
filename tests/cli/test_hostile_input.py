"""Paths, values and targets that no one should give: each is one message with a way out."""

from __future__ import annotations

import ast
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mbcost
from mbcost.errors import MbcostError, did_you_mean, shortened
from tests.conftest import Cli

NETWORK = "input: [3, 8, 8]\nrows:\n  - {block: conv, c: 8}\n"
PACKAGE = Path(mbcost.__file__).parent


class Unprintable:
    """Neither a name nor a number."""


VALUES = {
    "None": None,
    "an object": Unprintable(),
    "bytes": b"1",
    "nan": math.nan,
    "infinity": math.inf,
    "minus infinity": -math.inf,
    "true": True,
    "a huge int": 10**5000,
    "a large int": 10**300,
    "a negative int": -1,
    "a list": [1],
    "a list in a list": [[1], 2],
    "an empty list": [],
    "a tuple of words": ("a", "b"),
    "a dict": {"a": 1},
    "a class": Unprintable,
    "a function": len,
    "a surrogate": "\ud800",
    "a NUL": "a\0b",
    "a long word": "9" * 10_000,
}
CALLS: dict[str, Callable[[Any], object]] = {
    "load": lambda value: mbcost.load(value),
    "count": lambda value: mbcost.count(value),
    "compare": lambda value: mbcost.compare(value),
    "a reference": lambda value: mbcost.compare("v2", "v1", reference=value),
    "counters": lambda value: mbcost.compare("v2", counters=value),
    "a counter": lambda value: mbcost.compare("v2", counters=[value]),
    "a network's count": lambda value: mbcost.load("v2").count(size=value),
    "a block's count": lambda value: mbcost.load("standard").count(k=value),
    "a dtype": lambda value: mbcost.count("v2").weight_bytes(value),
    "a figure": lambda value: mbcost.count("v2").by_kind(value),
}
SETTINGS = ("alpha", "rho", "size", "classes", "batch", "in_", "round_nearest", "input", "kernel")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("value", VALUES)
def test_a_value_of_a_wrong_type_is_one_message(call: str, value: str) -> None:
    meant = {
        "a reference": ("None",),
        "counters": ("an empty list",),
        "a network's count": ("a list",),  # of one side, or one number
        "a block's count": ("a list",),
    }
    if value in meant.get(call, ()):
        CALLS[call](VALUES[value])
        return
    with pytest.raises(MbcostError) as caught:
        CALLS[call](VALUES[value])
    assert len(str(caught.value)) < 2000
    assert caught.value.way_out


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("value", VALUES)
def test_a_setting_of_a_wrong_type_is_one_message(name: str, value: str) -> None:
    target = "standard" if name == "kernel" else "v2"
    no_input = name == "input" and value == "None"
    if no_input or (value == "a list" and name != "input"):  # of one number, which is that number
        mbcost.count(target, **{name: VALUES[value]})
        return
    with pytest.raises(MbcostError) as caught:
        mbcost.count(target, **{name: VALUES[value]})
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize("value", VALUES)
def test_an_input_of_a_wrong_type_is_one_message(value: str) -> None:
    from torch import nn

    module = nn.Conv2d(3, 4, 3)
    if value == "None":
        assert mbcost.count(module, input=None).mult_adds == 4 * 27 * 222 * 222
        return
    with pytest.raises(MbcostError) as caught:
        mbcost.count(module, input=VALUES[value])
    assert len(str(caught.value)) < 2000
    with pytest.raises(MbcostError, match="a target is a name or a path, not Conv2d"):
        CALLS["load"](module)


def test_a_list_that_holds_itself_is_refused() -> None:
    sides: list[Any] = []
    sides.append(sides)
    for value in (sides, (sides, 3), [sides, sides]):
        with pytest.raises(MbcostError):
            mbcost.count("v2", size=value)


PATHS = {
    "a name over 255 bytes": "n" * 300,
    "a symlink loop": "loop",
    "a symlink loop above it": "loop/x",
    "a NUL": "a\0b",
    "a directory": "folder",
    "a pipe without end": "pipe",
    "a device without end": "/dev/zero",
    "nothing": "missing",
    "a file above it": "file/x",
}
READERS = {
    "model": (".yaml", ("model", "{}", "--fast")),
    "compare": (".yaml", ("compare", "{}@size=8", "--fast")),
    "sweep": (".yaml", ("sweep", "{}")),
    "a budget": (".yaml", ("check", "--budget", "{}")),
    "a baseline": (".json", ("check", "v2", "--baseline", "{}")),
    "diff": (".json", ("diff", "v2", "{}")),
    "a figure": (".csv", ("plot", "sweep", "{}", "--show-data")),
    "Python": (".py", ("model", "{}:build")),
    "a bare name": ("", ("model", "{}", "--fast")),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_cannot_be_read_is_one_message(
    reader: str, path: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suffix, command = READERS[reader]
    monkeypatch.chdir(tmp_path)
    os.symlink("loop", "loop")
    os.symlink(f"loop{suffix}", f"loop{suffix}.x")
    Path("file").write_text("")
    name = PATHS[path] if path == "a device without end" else f"{PATHS[path]}{suffix}"
    if PATHS[path] == "loop" and suffix:
        os.symlink(name, name)
    if PATHS[path] == "folder":
        Path(name).mkdir()
    if PATHS[path] == "pipe":
        os.mkfifo(name)
    result = cli(*(part.replace("{}", name) for part in command))
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("mbcost: ")
    assert result.stderr.count("\n") == 1
    assert len(result.stderr) < 3000


@pytest.mark.skipif(os.geteuid() == 0, reason="root may search every directory")
def test_a_directory_that_may_not_be_searched_says_so(cli: Cli, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    for command in (("model", f"{closed}/x.yaml"), ("model", f"{closed}/x.py:f")):
        result = cli(*command)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "Permission denied" in result.stderr


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("a@b/mine.yaml", ""),
        ("a@b/mine.yaml", "@size=16"),
        ("mine@home.yaml", ""),
        ("mine@home.yaml", "@size=16"),
        ("mine@alpha=0.5.yaml", ""),
        ("user@host/a@b/x@y.yaml", "@size=16,batch=2"),
    ],
)
def test_a_path_may_hold_an_at_sign(
    name: str, settings: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(NETWORK)
    result = cli("compare", f"{name}{settings}", "--fast", "--format", "json")
    assert result.exit_code == 0, result.stderr
    side = 16 if settings else 8
    assert f'"size": {side},' in result.stdout


def test_an_at_sign_in_a_set_of_blocks_and_before_a_member(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("set@2.yaml").write_text("blocks: {thin: {block: conv}, wide: {block: conv, k: 5}}\n")
    assert cli("compare", "set@2.yaml", "--fast").exit_code == 0
    assert cli("model", "set@2.yaml:wide@in=8", "--fast").exit_code == 0
    result = cli("model", "v2@alpha", "--fast")
    assert result.exit_code == 2
    assert "'alpha' is not a setting" in result.stderr


def test_a_file_name_that_is_not_utf8_is_counted(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"n\xff.yaml")
    path.write_text(NETWORK)
    assert mbcost.count(path).params == 3 * 9 * 8 + 16


def test_a_field_that_a_block_needs_is_named_in_a_set_of_blocks(tmp_path: Path) -> None:
    from mbcost.networks.blocks import BLOCKS, ONE_OF, block_fields

    path = tmp_path / "set.yaml"
    lacking = []
    for block in BLOCKS:
        path.write_text(f"blocks: {{mine: {{block: {block}}}}}\n")
        needed = [f.name for f in block_fields(BLOCKS[block]).values() if f.required]
        needed += ONE_OF.get(block, ())
        if not {*needed} - {"c"} or block == "conv":
            mbcost.load(path)
            continue
        lacking.append(block)
        with pytest.raises(MbcostError, match=r":1: blocks\.mine: ") as caught:
            mbcost.load(path)
        assert caught.value.way_out
    assert len(lacking) >= 9
    path.write_text("blocks: {mine: {block: conv, c: 8, t: 2}}\n")
    with pytest.raises(MbcostError, match="exactly one of 'c' and 't'"):
        mbcost.load(path)


ZERO = "input: [3, 8, 8]\nrows:\n  - {block: activation, act: relu}\n"


def test_limits_of_zero_hold_on_a_network_that_costs_nothing(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "zero.yaml"
    path.write_text(ZERO)
    limits = ("--max-params", "0", "--max-mult-adds", "0")
    assert cli("check", str(path), *limits, "--max-param-bytes", "0").exit_code == 0
    result = cli("search", str(path), "--size", "8,16", *limits, "--verify", "0")
    assert result.exit_code == 0, result.stderr
    assert cli("diff", str(path), "v2").exit_code == 0


def test_a_csv_of_empty_and_vast_cells_says_which(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "grid.csv"
    for cell, problem in (
        ("", ":2: mult_adds: is empty (like"),
        ("1e400", ":2: mult_adds: '1e400' is not a number"),
        ("nan", ":2: mult_adds: 'nan' is not a number"),
        ("1e308", ":2: mult_adds: 1e308 is out of range"),
        ("x" * 5000, ":2: mult_adds: 'xxx"),
    ):
        path.write_text(f"alpha,size,mult_adds\n1,224,{cell}\n")
        result = cli("plot", "sweep", str(path), "--show-data")
        assert (result.exit_code, result.stdout) == (2, "")
        assert problem in result.stderr
        assert len(result.stderr) < 800
    path.write_text("alpha,size,mult_adds\nhalf,224,1e59\n1,192,-1e59\n")
    assert cli("plot", "sweep", str(path), "--show-data", "--format", "table").exit_code == 0


def test_every_error_of_the_package_has_a_way_out() -> None:
    bare = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                keywords = {keyword.arg for keyword in node.keywords}
                if name in ("MbcostError", "LayerError") and not keywords & {"way_out", None}:
                    bare.append(f"{path.relative_to(PACKAGE)}:{node.lineno}")
                if name == "error" and _of_document(node) and "way_out" not in keywords:
                    bare.append(f"{path.relative_to(PACKAGE)}:{node.lineno}")
    assert bare == []


def _of_document(node: ast.Call) -> bool:
    owner = node.func.value if isinstance(node.func, ast.Attribute) else None
    return getattr(owner, "id", getattr(owner, "attr", "")) == "document"


def test_a_message_never_echoes_a_value_at_full_length(tmp_path: Path) -> None:
    path = tmp_path / "long.yaml"
    word = "x" * 50_000
    for text in (
        f"input: [3, 8, 8]\nrows: [{{block: {word}}}]\n",
        f"input: [3, 8, 8]\nrows: [{{block: conv, c: 8, ? {word} : 1}}]\n",
        f"input: {word}\nrows: [{{block: conv, c: 8}}]\n",
        f"input: [3, 8, 8]\nrows: [{{block: conv, c: 8, name: {word}}}]\n",
    ):
        path.write_text(text)
        with pytest.raises(MbcostError) as caught:
            mbcost.load(path)
        assert len(str(caught.value)) < 1500
        assert "xxx…xxx" in str(caught.value)


def test_what_is_shortened_keeps_its_beginning_and_its_end() -> None:
    assert shortened("a" * 9, 9) == "a" * 9
    assert shortened("begin" + "x" * 99 + "end", 20).startswith("begin")
    assert shortened("begin" + "x" * 99 + "end", 20).endswith("end")
    assert len(shortened("x" * 99, 20)) == 20
    assert shortened("x" * 99, None) == "x" * 99


def test_where_nothing_is_known_the_way_out_says_so() -> None:
    assert did_you_mean("x", []) == "there is none to choose from"
    assert did_you_mean("alhpa" + "x" * 10**6, ["alpha"]) == "one of: alpha"
