"""YAML configs: what is valid loads, what is not says file, line, key, problem and way out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import mbcost
from mbcost.errors import MbcostError
from mbcost.networks.yaml import builtins
from mbcost.networks.yaml.catalog import configs_dir
from mbcost.studies.schema import json_schema
from tests.conftest import Validate

ROW = "input: [3, 8, 8]\nrows:\n  - {block: conv, c: 8"

BAD = {
    "not YAML": (ROW, r":4: is not valid YAML"),
    "empty": ("", r"is empty"),
    "comments alone": ("# nothing\n", r"is empty"),
    "text": ("just words\n", r":1: must be a mapping.*not text 'just words'"),
    "a list": ("- 1\n", r":1: must be a mapping.*not a list"),
    "neither": ("name: x\n", r"neither rows .* nor blocks"),
    "rows of the wrong type": ("input: [3, 8, 8]\nrows: 5\n", r":2: rows: must be a list"),
    "no rows": ("input: [3, 8, 8]\nrows: []\n", r":2: rows: must be a list, not an empty list"),
    "no input": ("rows:\n  - {block: conv, c: 8}\n", r"'input' is missing"),
    "two-sided input": ("input: [3, 8]\nrows: [{block: conv, c: 8}]\n", r":1: input: 2 numbers"),
    "zero size": (
        "input: [3, 0, 8]\nrows: [{block: conv, c: 8}]\n",
        r":1: input\[1\]: 0 is out of range",
    ),
    "unknown top key": (ROW + "}\nclases: 10\n", r":4: clases: .*did you mean 'classes'"),
    "unknown block": (
        "input: [3, 8, 8]\nrows:\n  - {block: inverted_residal, c: 8}\n",
        r":3: rows\[0\]\.block: .*did you mean 'inverted_residual'",
    ),
    "no block": ("input: [3, 8, 8]\nrows:\n  - {c: 8}\n", r":3: rows\[0\]: the key 'block'"),
    "unknown field": (ROW + ", kk: 3}\n", r":3: rows\[0\]\.kk: unknown key 'kk'"),
    "missing field": (
        "input: [3, 8, 8]\nrows:\n  - {block: linear}\n",
        r":3: rows\[0\]: the key 'c' is missing",
    ),
    "two ways to say one thing": (ROW + ", t: 2}\n", r"exactly one of 'c' and 't'"),
    "duplicate key": (ROW + "}\ninput: [1, 1, 1]\n", r":4: duplicate key 'input'"),
    "duplicate key in a row": (ROW + ", c: 9}\n", r":3: duplicate key 'c'"),
    "negative channels": ("input: [3, 8, 8]\nrows: [{block: conv, c: -8}]\n", r"-8 is out of"),
    "zero stride": (ROW + ", s: 0}\n", r":3: rows\[0\]\.s: 0 is out of range"),
    "too many channels": (
        f"input: [3, 8, 8]\nrows: [{{block: conv, c: {2**20 + 1}}}]\n",
        r"out of range \(1 to 1048576\)",
    ),
    "too many repeats": (ROW + ", n: 1001}\n", r"1001 is out of range"),
    "a truth for a number": (ROW + ", k: true}\n", r"must be a whole number, not true/false True"),
    "a number for a truth": (ROW + ", norm: 1}\n", r"neither true nor false"),
    "a date for a number": (
        ROW + ", k: 2024-01-01}\n",
        r"must be a whole number, not text '2024-01-01'",
    ),
    "not a number": (
        "input: [3, 8, 8]\nrows: [{block: conv, t: .nan}]\n",
        r"nan is out of range",
    ),
    "zero expansion": (
        "input: [3, 8, 8]\nrows: [{block: inverted_residual, c: 8, t: 0}]\n",
        r"must be above 0",
    ),
    "unknown activation": (ROW + ", act: relu7}\n", r":3: rows\[0\]\.act: .*did you mean 'relu"),
    "unknown scale": (ROW + ", scale: wide}\n", r"\.scale: unknown value 'wide'"),
    "classes unset": ("input: [3, 8, 8]\nrows: [{block: linear, c: classes}]\n", r"is not set"),
    "kernel larger than its map": (ROW + ", k: 9, p: 0}\n", r":3: rows\[0\]: .*a kernel of 9"),
    "groups that do not divide": (ROW + ", groups: 2}\n", r":3: rows\[0\]: .*2 groups"),
    "strides that shrink the map to nothing": (
        ROW + ", p: 0, n: 5}\n",
        r":3: rows\[0\]: rows\.0\.3\.conv: a kernel of 3",
    ),
    "recursive alias": ("a: &a [*a]\nrows: *a\n", r":1: an alias contains itself"),
    "alias bomb": (
        "a0: &a0 [x]\n"
        + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9))
        + "rows: *a8\n",
        r"more than 100000 values",
    ),
    "deep nesting": ("rows: " + "[" * 5000 + "]" * 5000 + "\n", r":1: is nested more than 64 deep"),
    "a key that is a list": ("? [1, 2]\n: 3\n", r":1: a key must be a word"),
    "a tag": ("rows: !!python/object:os.system {}\n", r":1: the tag '!!python/object:os.system'"),
    "a tag on a truth": (ROW + ", norm: !!bool x}\n", r":3: the tag '!!bool' is not read"),
    "a tag on a date": (ROW + ", k: !!timestamp x}\n", r":3: the tag '!!timestamp'"),
    "a tag on nothing": (ROW + ", k: !!int ''}\n", r":3: the tag '!!int'"),
    "a tag of one's own": (ROW + ", k: !mine 3}\n", r":3: the tag '!mine'"),
    "a tag on a key": ("!!str input: [3, 8, 8]\n", r":1: a key must be a word"),
    "an integer of 5,000 digits": (ROW + f", k: {'9' * 5000}}}\n", r":3: a number of 5,000 char"),
    "octal": (ROW + ", k: 010}\n", r":3: 010 is 8 .*write 8 or 10 in decimal"),
    "octal of YAML 1.2": (ROW + ", k: 0o10}\n", r":3: 0o10 is 8 .*write 8 in decimal"),
    "a leading zero": (ROW + ", k: 08}\n", r":3: 08 is 8 .*write 8 in decimal"),
    "sexagesimal": (
        "input: [3, 8, 8]\nrows: [{block: conv, c: 1:30}]\n",
        r":2: 1:30 is 90 .*write 90",
    ),
    "a sexagesimal fraction": (ROW + ", k: 1:30.5}\n", r":3: 1:30.5 is 90.5 "),
    "a sexagesimal of three": ("classes: 10:50:10\n", r":1: 10:50:10 is 39010 "),
    "hexadecimal": (ROW + ", k: 0x1F}\n", r":3: 0x1F is 31 .*write 31"),
    "binary": (ROW + ", k: 0b11}\n", r":3: 0b11 is 3 .*write 3"),
    "an alias of nothing": ("rows: *a\n", r":1: no anchor is called 'a'"),
    "deep through aliases": (
        "a0: &a0 [x]\n"
        + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 80))
        + "rows: *a79\n",
        r"nested more than 64 deep",
    ),
    "two documents": ("input: [3, 8, 8]\n---\nrows: []\n", r"holds a second document"),
    "too many blocks": (
        "input: [3, 8, 8]\nrows:\n" + "  - {block: conv, c: 8, n: 1000}\n" * 11,
        r"rows repeat 11,000 times in all \(at most 10,000\)",
    ),
    "channels without bound": (ROW + "}\n  - {block: conv, t: 1024, n: 30}\n", r":4: .* channels"),
    "published without size": (
        ROW + "}\npublished:\n  - {alpha: 1.0}\n",
        r":5: published\[0\]: the key 'size' is missing",
    ),
    "published nonsense": (
        ROW + "}\npublished:\n  - {alpha: 1.0, size: 8, params: lots}\n",
        r":5: published\[0\]\.params: 'lots' is not a count",
    ),
    "an empty set": ("blocks: {}\n", r"no block is defined"),
    "expansion unset in a set": (
        "blocks:\n  a: {block: inverted_residual}\n",
        r":2: blocks\.a: needs exactly one of 't' and 'exp'",
    ),
}


@pytest.mark.parametrize("problem", BAD)
def test_a_bad_config_names_place_problem_and_way_out(problem: str, tmp_path: Path) -> None:
    text, message = BAD[problem]
    path = tmp_path / "mine.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(MbcostError, match=message) as caught:
        mbcost.count(path)
    assert caught.value.exit_code == 2
    assert str(path) in str(caught.value)


def test_files_that_are_no_configs_are_refused(tmp_path: Path) -> None:
    big = tmp_path / "big.yaml"
    with big.open("wb") as file:
        file.truncate(50 * 10**6)
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(bytes(range(256)) * 4)
    folder = tmp_path / "folder.yaml"
    folder.mkdir()
    missing = tmp_path / "missing.yaml"
    for path, problem in (
        (big, "larger than 1 MB"),
        (binary, "not a text file"),
        (folder, "is a directory"),
        (missing, "No such file"),
    ):
        with pytest.raises(MbcostError, match=problem):
            mbcost.load(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission_says_so(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("rows: []")
    path.chmod(0)
    with pytest.raises(MbcostError, match="Permission denied"):
        mbcost.load(path)


@pytest.mark.parametrize("name", builtins())
def test_a_copy_of_a_builtin_counts_the_same(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.yaml"
    path.write_bytes(builtins()[name].path.read_bytes())
    copy, original = mbcost.count(path), mbcost.count(name)
    assert (copy.params, copy.mult_adds, copy.name) == (original.params, original.mult_adds, name)


def test_kebab_case_and_snake_case_are_one_word() -> None:
    assert mbcost.load("v3_large") == mbcost.load("v3-large") == mbcost.load("V3-Large")


def test_blocks_of_a_users_set_are_named_by_key(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "input: [8, 16, 16]\nc: 24\nblocks:\n"
        "  thin: {block: depthwise-separable, k: 5}\n"
        "  wide: {block: inverted-residual, t: 6, se: 0.25}\n"
    )
    comparison = mbcost.compare(path)
    assert [s.target for s in comparison.subjects] == [f"{path}:thin", f"{path}:wide"]
    assert mbcost.count(f"{path}:thin").y == (24, 16, 16)
    with pytest.raises(MbcostError, match="did you mean 'thin'"):
        mbcost.count(f"{path}:thinn")
    with pytest.raises(MbcostError, match="holds 2 blocks"):
        mbcost.count(path)


CONFIGS = sorted(path for path in configs_dir().glob("*/*.yaml") if path.parent.name != "papers")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_every_config_obeys_the_schema(path: Path, validate: Validate) -> None:
    validate(yaml.safe_load(path.read_text("utf-8")))


@pytest.mark.parametrize(
    "change",
    [
        {"rows": []},
        {"rows": [{"block": "convv", "c": 8}]},
        {"rows": [{"block": "conv", "c": 8, "kk": 3}]},
        {"rows": [{"block": "conv", "c": -1}]},
        {"input": [3, 8]},
        {"width": "wide"},
        {"typo": 1},
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(
    change: dict[str, Any], validate: Validate
) -> None:
    good = {"input": [3, 8, 8], "rows": [{"block": "conv", "c": 8}]}
    validate(good)
    with pytest.raises(jsonschema.ValidationError):
        validate({**good, **change})


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
