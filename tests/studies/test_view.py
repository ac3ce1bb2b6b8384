"""The views of ``mbcost model``: branches, levels, the rows that cost most; sums by other means."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

import mbcost
from tests.conftest import Cli

Json = Callable[..., Any]
Sums = dict[str, list[int]]


def rows_of(cli: Cli, *args: str) -> list[dict[str, Any]]:
    result = cli("model", *args, "--fast", "--format", "csv")
    assert result.exit_code == 0, result.stderr
    return [
        {**row, "params": int(row["params"]), "mult_adds": int(row["mult_adds"])}
        for row in csv.DictReader(io.StringIO(result.stdout))
    ]


def by_prefix(layers: list[dict[str, Any]], parts: int, skipped: int = 0) -> Sums:
    """Return params, mult-adds and layers by the first components of their paths."""
    sums: Sums = defaultdict(lambda: [0, 0, 0])
    for layer in layers:
        if layer["params"] or layer["mult_adds"]:
            path = ".".join(layer["path"].split(".")[: parts + skipped])
            sums[path][0] += layer["params"]
            sums[path][1] += layer["mult_adds"]
            sums[path][2] += 1
    return sums


def figures(rows: list[dict[str, Any]]) -> Sums:
    return {r["path"]: [r["params"], r["mult_adds"], int(r["layers"])] for r in rows}


@pytest.mark.parametrize("target", ["v1", "v2@alpha=0.35,size=96", "v3-large", "inverted-residual"])
@pytest.mark.parametrize("depth", [1, 2, 3, 9])
def test_each_level_has_the_sums_of_the_layers_under_it(cli: Cli, target: str, depth: int) -> None:
    layers = rows_of(cli, target)
    skipped = int(all(layer["path"].startswith("rows.") for layer in layers))
    expected = by_prefix(layers, depth, skipped)
    assert figures(rows_of(cli, target, "--depth", str(depth))) == expected
    tree = rows_of(cli, target, "--tree", "--depth", str(depth))
    for level in range(1, depth + 1):
        known = by_prefix(layers, level, skipped)
        found = figures([row for row in tree if int(row["depth"]) == level - 1])
        assert found == {path: known[path] for path in found}
        assert level > 1 or found == known


def test_a_tree_has_every_branch_before_what_is_in_it(cli: Cli) -> None:
    tree = rows_of(cli, "v2", "--tree")
    layers = [row["path"] for row in rows_of(cli, "v2") if row["params"] or row["mult_adds"]]
    assert [row["path"] for row in tree if row["kind"]] == layers
    for i, row in enumerate(tree):
        if row["depth"] != "0":
            above = [r for r in tree[:i] if int(r["depth"]) == int(row["depth"]) - 1][-1]
            assert row["path"].startswith(f"{above['path']}.")
    shown = cli("model", "v2", "--tree", "--fast").stdout
    assert "\n  rows.2.0 " in shown
    assert "\n    rows.2.0.expand " in shown


@pytest.mark.parametrize("by", ["layer", "block", "kind"])
def test_the_top_rows_are_those_with_the_most_mult_adds(cli: Cli, by: str) -> None:
    every = rows_of(cli, "v3-small", "--by", by)
    most = sorted((row["mult_adds"] for row in every), reverse=True)[:4]
    top = rows_of(cli, "v3-small", "--by", by, "--top", "4")
    assert [row["mult_adds"] for row in top] == most
    heavy = rows_of(cli, "v3-small", "--by", by, "--top", "4", "--sort", "-params")
    assert [r["params"] for r in heavy] == sorted((r["params"] for r in every), reverse=True)[:4]


def test_what_is_left_out_of_the_top_is_summed(cli: Cli) -> None:
    text = cli("model", "v2", "--top", "5", "--exact", "--fast").stdout
    layers = [layer for layer in rows_of(cli, "v2") if layer["params"] or layer["mult_adds"]]
    layers.sort(key=lambda layer: (-layer["mult_adds"], -layer["params"]))
    params, mult_adds = (sum(x[key] for x in layers[5:]) for key in ("params", "mult_adds"))
    line = next(line for line in text.splitlines() if line.startswith("100 others"))
    assert f"{params:,}" in line
    assert f"{mult_adds:,}" in line
    share = sum(layer["mult_adds"] for layer in layers[:5]) / 300_774_272
    assert f"the first 5 of 105: {100 * share:.1f}% of the mult-adds, 23.7% of the params" in text
    whole = cli("model", "v2", "--top", "500", "--fast").stdout
    assert "others" not in whole
    assert "the first" not in whole


def test_the_json_keeps_every_layer(cli_json: Json) -> None:
    whole = cli_json("model", "v2", "--fast")
    for args in (["--top", "3"], ["--tree"], ["--depth", "1"]):
        assert cli_json("model", "v2", "--fast", *args)["layers"] == whole["layers"]
    branches = cli_json("model", "v2", "--fast", "--depth", "1")["by_branch"]
    assert sum(row["params"] for row in branches) == mbcost.count("v2").params


def test_columns_and_flops_of_branches(cli: Cli) -> None:
    args = ("v2", "--depth", "1", "--columns", "path,layers,flops", "--fast", "--format", "csv")
    lines = cli("model", *args).stdout.splitlines()
    assert lines[:2] == ["path,layers,flops", "rows.0,2,21676032"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--tree", "--top", "3"], "--top: takes branches out of their tree (--depth N --top N)"),
        (["--tree", "--by", "kind"], "--by kind: --tree sums modules, not each kind (leave out "),
        (["--depth", "2", "--by", "block"], "--by block: --depth sums modules, not each block"),
        (["--by", "blok"], "--by: unknown view 'blok' (did you mean 'block'?)"),
    ],
)
def test_what_does_not_go_together_is_refused(cli: Cli, args: list[str], message: str) -> None:
    result = cli("model", "v2", *args)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"mbcost: {message}")
