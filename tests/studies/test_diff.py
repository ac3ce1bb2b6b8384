from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mbcost.networks.yaml import builtins
from mbcost.output.formats import FORMATS
from tests.conftest import Cli

Json = Callable[..., Any]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", sorted(builtins()))
def test_a_target_does_not_differ_from_itself(name: str, cli_json: Json) -> None:
    found = cli_json("diff", name, name)
    assert found["changes"] == []
    assert found["params_delta"] == found["mult_adds_delta"] == 0


def test_the_deltas_of_the_layers_add_up_to_those_of_the_totals(cli_json: Json) -> None:
    for after in ("v2@alpha=0.5", "v3-large", "v2@fold_bn=true", "v2@size=96", "standard"):
        found = cli_json("diff", "v2", after)
        costs = {t: cli_json("compare", t, "--fast")[0] for t in ("v2", after)}
        for figure in ("params", "mult_adds"):
            total = costs[after][figure] - costs["v2"][figure]
            assert found[f"{figure}_delta"] == total
            assert sum(row[f"{figure}_delta"] for row in found["changes"]) == total


def test_a_width_multiplier_changes_layers_and_adds_none(cli_json: Json) -> None:
    changes = cli_json("diff", "v2", "v2", "--size", "96")["changes"]
    assert changes == []  # the setting goes to both
    changes = cli_json("diff", "v2", "v2@alpha=0.5")["changes"]
    assert {row["change"] for row in changes} == {"changed"}
    assert {row["path"] for row in changes} == {row["path_before"] for row in changes}


def test_saved_reports_and_targets_are_the_same_side(here: Path, cli: Cli, cli_json: Json) -> None:
    assert cli("model", "v2", "--fast", "-o", "a.json").exit_code == 0
    assert cli("model", "v2", "--alpha", "0.5", "--fast", "-o", "b.json").exit_code == 0
    assert cli("baseline", "v2", "v1", "-o", "cost.json").exit_code == 0
    wanted = cli_json("diff", "v2", "v2@alpha=0.5")
    for sides in (("a.json", "b.json"), ("cost.json:v2", "b.json"), ("v2", "b.json")):
        found = cli_json("diff", *sides)
        assert found["changes"] == wanted["changes"]
        assert found["params_after"] == wanted["params_after"]
    # of a file of several, the one with the other side's name
    assert cli_json("diff", "cost.json", "v2")["changes"] == []


def test_reports_without_layers_are_compared_by_kind(here: Path, cli: Cli, cli_json: Json) -> None:
    assert cli("compare", "v2", "--fast", "-o", "a.json").exit_code == 0
    found = cli_json("diff", "a.json", "v3-small")
    assert found["by"] == "kind"
    assert found["changes"] == cli_json("diff", "v2", "v3-small", "--by", "kind")["changes"]
    assert sum(row["params_delta"] for row in found["changes"]) == found["params_delta"] != 0
    shown = cli("diff", "a.json", "v3-small").stdout
    assert "a report without layers (of `mbcost compare`) is compared by kind of layer" in shown


def test_files_of_several_reports_are_compared_target_by_target(
    here: Path, cli: Cli, cli_json: Json
) -> None:
    assert cli("compare", "v1", "v2", "v3-small", "--fast", "-o", "a.json").exit_code == 0
    assert (
        cli("baseline", "v2", "v3-small", "v3-large", "--size", "96", "-o", "b.json").exit_code == 0
    )
    found = cli_json("diff", "a.json", "b.json")
    assert found["by"] == "target"
    totals = [row for row in found["changes"] if row["kind"] is None]
    assert {row["target"]: row["change"] for row in totals} == {
        "v1": "removed",
        "v2": "changed",
        "v3-small": "changed",
        "v3-large": "added",
    }
    assert totals[1]["what"] == "input 3×224×224 → 3×96×96"
    kinds = [row for row in found["changes"] if row["kind"] and row["target"] == "v2"]
    single = cli_json("diff", "a.json:v2", "b.json:v2")  # a report without layers: by kind
    assert [{**row, "target": None} for row in kinds] == [
        {**dict.fromkeys(("target", "path", "path_before", "what")), **row}
        for row in single["changes"]
    ]
    assert "params_delta" not in found  # no sum over networks that have nothing to do with it
    shown = cli("diff", "a.json", "b.json")
    assert "\nparams:" not in shown.stdout
    assert shown.stdout.rstrip().endswith("targets: 1 added, 1 removed, 2 changed")


def test_the_layers_of_each_target_are_those_of_its_own_diff(
    here: Path, cli: Cli, cli_json: Json
) -> None:
    sides = (("v1", "v2", "v3-small"), ("v1", "v2", "v3-small", "--classes", "10"))
    for name, args in zip(("a.json", "b.json"), sides, strict=True):
        assert cli("baseline", *args, "-o", name).exit_code == 0
    found = cli_json("diff", "a.json", "b.json")["changes"]
    assert [row["target"] for row in found if row["kind"] is None] == ["v1", "v2", "v3-small"]
    for target in sides[0]:
        own = [row for row in found if row["target"] == target]
        total, *layers = [{k: v for k, v in row.items() if k != "target"} for row in own]
        single = cli_json("diff", f"a.json:{target}", f"b.json:{target}")
        assert layers == single["changes"]
        assert len(layers) == 1
        figures = [key for key in total if key.endswith(("_before", "_after", "_delta", "_growth"))]
        assert {k: total[k] for k in figures if k != "path_before"} == {
            k: single[k] for k in figures if k != "path_before"
        }
    shown = cli("diff", "a.json", "b.json", "--format", "markdown").stdout
    assert "| changed | v2 | rows.10.linear | output 1000 → 10 |" in shown
    assert "| changed | v2 | total | classes unset → 10 |" in shown
    kinds = cli_json("diff", "a.json", "b.json", "--by", "kind")["changes"]
    assert {row["path"] for row in kinds} == {None}
    assert {row["kind"] for row in kinds} == {None, "linear"}


def test_layers_that_change_while_the_total_stays_are_a_change(
    here: Path, cli: Cli, cli_json: Json
) -> None:
    text = "name: mine\ninput: [3, 32, 32]\nrows:\n"
    for name, kernels in (("a.json", (3, 5)), ("b.json", (5, 3))):
        rows = [f"  - {{block: conv, c: 3, k: {k}}}\n" for k in kernels]
        (here / "mine.yaml").write_text(text + "".join(rows), "utf-8")
        assert cli("baseline", "mine.yaml", "v1", "-o", name).exit_code == 0
    found = cli_json("diff", "a.json", "b.json")["changes"]
    total, *layers = found
    assert (total["change"], total["params_delta"], total["mult_adds_delta"]) == ("changed", 0, 0)
    assert {row["target"] for row in found} == {"mine.yaml"}
    assert layers
    single = cli_json("diff", "a.json:mine.yaml", "b.json:mine.yaml")["changes"]
    assert [{**row, "target": None} for row in layers] == [{**r, "target": None} for r in single]
    shown = cli("diff", "a.json", "b.json").stdout
    assert shown.rstrip().endswith("targets: 1 changed, 1 unchanged")


@pytest.mark.parametrize("format_", FORMATS)
def test_every_format_has_the_signs_and_the_totals(format_: str, cli: Cli) -> None:
    result = cli("diff", "v2", "v2@fold_bn=true", "--format", format_)
    assert (result.exit_code, result.stderr) == (0, "")
    if format_ == "csv":
        rows = list(csv.DictReader(io.StringIO(result.stdout)))
        assert sum(int(row["params_delta"]) for row in rows) == -17056
    elif format_ == "json":
        assert json.loads(result.stdout)["params_growth"] == -17056 / 3504872
    else:
        minus = "$-$" if format_ == "latex" else "−"
        assert f"{minus}17.1" in result.stdout


def test_markdown_of_a_change_is_a_pull_request_comment(cli: Cli) -> None:
    text = cli("diff", "v2", "v2@classes=10", "--format", "markdown").stdout
    lines = text.splitlines()
    assert lines[0] == "### v2 → v2@classes=10"
    assert lines[4] == (
        "| changed | rows.10.linear | output 1000 → 10 | −1.27 | −99.0% | −1.27 | −99.0% |"
    )
    assert lines[5].startswith("| **total** |")
    assert "- params: 3,504,872 → 2,236,682 (−1,268,190, −36.2%)" in lines
    assert "- mult-adds: 300,774,272 → 299,507,072 (−1,267,200, −0.421%)" in lines
    assert "- layers: 1 changed, 104 unchanged" in lines


def test_exact_gives_every_digit(cli: Cli) -> None:
    shown = cli("diff", "v2", "v2@classes=10", "--exact").stdout
    assert "−1,268,190" in shown.splitlines()[3]


BROKEN = {
    "missing.json": (None, "missing.json: cannot be read: No such file or directory"),
    "corrupt.json": ('{"target": "v2", ', "corrupt.json:1: is not valid JSON"),
    "empty.json": ("", "empty.json:1: is not valid JSON"),
    "foreign.json": ('{"model": "v2"}', "foreign.json: lacks 'target'"),
    "list.json": ("[1, 2]", "list.json: [0]: is not a report"),
    "none.json": ("[]", "none.json: holds no reports"),
    "text.json": ('"v2"', "text.json: holds no reports"),
    "deep.json": ("[" * 100_000, "deep.json: is not JSON that mbcost wrote"),
    "digits.json": ("1" * 10_000, "digits.json: is not JSON that mbcost wrote"),
    "bytes.json": ("\udcff", "bytes.json: is not JSON that mbcost wrote"),
    "future.json": (
        '{"format": "mbcost baseline", "format_version": 2, "targets": []}',
        "future.json: is 'mbcost baseline' of version 2 (this mbcost reads 'mbcost baseline' of "
        "version 1; write it anew with `mbcost baseline`)",
    ),
    "older.json": (
        '{"target": "v2", "params": 1, "versions": {"mbcost": "0.0.1"}}',
        "older.json: lacks 'mult_adds' (written by mbcost 0.0.1, this is ",
    ),
    "negative.json": (
        '{"target": "v2", "params": -1, "mult_adds": 1, "convention": "papers"}',
        "negative.json: params: -1 is not a count",
    ),
    "words.json": (
        '{"target": "v2", "params": 1, "mult_adds": "many", "convention": "papers"}',
        "words.json: mult_adds: 'many' is not a count",
    ),
    "layer.json": (
        '{"target": "v2", "params": 1, "mult_adds": 1, "convention": "papers", '
        '"layers": [{"path": "conv", "params": 1.5, "mult_adds": 1}]}',
        "layer.json: layers[0]: params: 1.5 is not a count",
    ),
    "shape.json": (
        '{"target": "v2", "params": 1, "mult_adds": 1, "convention": "papers", '
        '"layers": [{"path": "conv", "params": 1, "mult_adds": 1, "input": 3}]}',
        "shape.json: layers[0]: input: 3 is not a shape",
    ),
    **{
        f"{key}.json": (
            f'{{"target": "v2", "params": 1, "mult_adds": 1, "convention": "papers", '
            f'"params_by_kind": {{}}, "mult_adds_by_kind": {{}}, "{key}": {value}}}',
            f"{key}.json: {key}: {problem}",
        )
        for key, value, problem in (
            ("input", '["a", "b"]', "a list is not a shape"),  # a letter holds itself without end
            ("output", "[[[1]]]", "a list is not a shape"),
            ("alpha", "{}", "a mapping is not a number"),
            ("batch", "[1]", "a list is not a number"),
            ("fold_bn", '"no"', "'no' is not true or false"),
            ("params_by_kind", '{"conv": "x"}', "a mapping is not counts by kind"),
            ("mult_adds_by_kind", "7", "7 is not counts by kind"),
            ("layers", "7", "is not a list"),
            ("settings", '{"size": [[1]]}', "a mapping is not a mapping of words and numbers"),
        )
    },
    "vast.json": (
        f'{{"target": "v2", "params": {10**400}, "mult_adds": 1, "convention": "papers"}}',
        f"vast.json: params: {str(10**400)[:53]}…{'0' * 26} is not a count",
    ),
    "infinite.json": (
        '{"target": "v2", "params": 1, "mult_adds": 1, "convention": "papers", "alpha": 1e400}',
        "infinite.json: alpha: inf is not a number",
    ),
    "target.json": (
        '{"target": ["v2"], "params": 1, "mult_adds": 1, "convention": "papers"}',
        "target.json: target: a list is not text",
    ),
    "convention.json": (
        '{"target": "v2", "params": 1, "mult_adds": 1, "convention": ["papers"]}',
        "convention.json: convention: a list is not text",
    ),
    "kind.json": (
        '{"target": "v2", "params": 1, "mult_adds": 1, "convention": "papers", '
        '"layers": [{"path": "conv", "kind": ["conv"], "params": 1, "mult_adds": 1}]}',
        "kind.json: layers[0]: kind: a list is not text",
    ),
    "kernel.json": (
        '{"target": "v2", "params": 1, "mult_adds": 1, "convention": "papers", '
        '"layers": [{"path": "conv", "kernel": {}, "params": 1, "mult_adds": 1}]}',
        "kernel.json: layers[0]: kernel: a mapping is not a number",
    ),
    "pathless.json": (
        '{"target": "v2", "params": 1, "mult_adds": 1, "convention": "papers", '
        '"layers": [{"params": 1, "mult_adds": 1}]}',
        "pathless.json: layers[0]: lacks 'path'",
    ),
    "nested-format.json": (
        f'{{"format": {"[" * 900}{"]" * 900}}}',
        "nested-format.json: is a list of version None",
    ),
    "bare.json": (
        '{"target": "v2", "params": 1, "mult_adds": 1, "convention": "papers"}',
        "bare.json: v2: has neither layers nor params_by_kind",
    ),
    "torch.json": (
        '{"target": "v2", "params": 1, "mult_adds": 1, "convention": "torch"}',
        "torch.json: counts mult-adds by the convention 'torch', not 'papers'",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_report_is_one_message(name: str, here: Path, cli: Cli) -> None:
    text, problem = BROKEN[name]
    if text is not None:
        (here / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    result = cli("diff", "v2", name)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"mbcost: {problem}")
    assert result.stderr.count("\n") == 1


def test_a_directory_is_not_a_report(here: Path, cli: Cli) -> None:
    (here / "cost.json").mkdir()
    result = cli("diff", "v2", "cost.json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "cost.json: is a directory" in result.stderr


def test_a_report_that_is_not_in_the_file_names_the_nearest(here: Path, cli: Cli) -> None:
    assert cli("baseline", "v2", "v3-small", "-o", "cost.json").exit_code == 0
    result = cli("diff", "cost.json:v3-smal", "v3-small")
    assert result.exit_code == 2
    assert result.stderr == (
        "mbcost: cost.json: no report of 'v3-smal' (did you mean 'v3-small'?)\n"
    )


def test_a_setting_that_fits_no_side_is_an_error(here: Path, cli: Cli) -> None:
    assert cli("baseline", "v2", "-o", "cost.json").exit_code == 0
    result = cli("diff", "cost.json", "cost.json", "--alpha", "0.5")
    assert result.exit_code == 2
    assert result.stderr.startswith("mbcost: --alpha: fits none of the targets")


def test_an_unknown_view_names_the_known_ones(cli: Cli) -> None:
    result = cli("diff", "v1", "v2", "--by", "row")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "mbcost: --by: unknown view 'row' (one of: layer, kind)\n"


def test_a_baseline_is_sorted_and_always_the_same(here: Path, cli: Cli) -> None:
    one = cli("baseline", "v3-small", "v1", "v2@alpha=0.5", "v1")
    two = cli("baseline", "v2@alpha=0.5", "v1", "v3-small")
    assert one.exit_code == 0
    assert one.stdout == two.stdout
    document = json.loads(one.stdout)
    assert [item["target"] for item in document["targets"]] == ["v1", "v2@alpha=0.5", "v3-small"]
    for item in document["targets"]:
        assert sum(layer["params"] for layer in item["layers"]) == item["params"]
        assert sum(layer["mult_adds"] for layer in item["layers"]) == item["mult_adds"]
        assert "versions" not in item
    shown = cli("baseline", "v1", "--format", "table").stdout
    assert "v1" in shown
    assert "4.23" in shown
