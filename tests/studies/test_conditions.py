"""What is compared is comparable: every row says under which settings it was counted."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mbcost
from mbcost.networks.network import Network
from mbcost.networks.settings import SETTINGS
from mbcost.networks.yaml import builtins
from mbcost.output.formats.html import to_html
from mbcost.studies.compare.records import RECORD_KEYS
from mbcost.targets.resolve import resolve_one
from tests.conftest import Cli

Json = Callable[..., Any]

ALPHA = ("compare", "v1", "resnet50", "--alpha", "0.5", "--fast")
SENTENCE = "alpha 0.5 changes v1, not resnet50"


@pytest.mark.parametrize("format_name", ["table", "markdown", "latex"])
def test_a_setting_that_fits_some_targets_is_told_in_every_format(
    cli: Cli, format_name: str
) -> None:
    stdout = cli(*ALPHA, "--format", format_name).stdout
    assert SENTENCE in stdout
    lines = [line.lstrip("| ") for line in stdout.splitlines()]
    rows = [line for line in lines if line.startswith(("v1 ", "resnet50 "))]
    assert len(rows) == 2
    assert "alpha 0.5" in rows[0]
    assert "alpha" not in rows[1]
    assert "settings" in stdout


def test_a_setting_that_fits_some_targets_is_told_in_files(cli: Cli, cli_json: Json) -> None:
    assert [r["settings"] for r in cli_json(*ALPHA)] == [{"alpha": 0.5}, {}]
    rows = list(csv.DictReader(io.StringIO(cli(*ALPHA, "--format", "csv").stdout)))
    assert [row["settings"] for row in rows] == ["alpha 0.5", ""]


def test_a_setting_that_fits_some_targets_is_told_in_a_notebook() -> None:
    comparison = mbcost.compare("v1", "resnet50", alpha=0.5)
    html = comparison._repr_html_()
    assert SENTENCE in html
    assert "<td" in html
    assert ">alpha 0.5</td>" in html
    assert html == to_html(comparison.table())
    assert list(comparison.frame()["settings"]) == [{"alpha": 0.5}, {}]


def test_a_setting_that_another_target_has_of_itself_is_told(cli: Cli) -> None:
    stdout = cli("compare", "standard", "v1", "--in", "64", "--size", "56", "--fast").stdout
    assert "input 64×56×56, batch 1; in 64 changes v1, not standard\n" in stdout


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("v1", "v2"),
        ("v1", "v2", "--alpha", "0.5"),
        ("v1", "v2", "--alpha", "1", "--size", "224", "--in", "3"),
        ("v1", "resnet50", "--batch", "1"),
        ("v1", "v2@alpha=0.5"),
        ("--in", "64", "--out", "128", "--size", "224"),
        ("v2", "--fold-bn"),
        ("v1", "resnet50", "--alpha", "1"),
    ],
)
def test_nothing_is_told_where_rows_are_counted_alike_or_say_it_themselves(
    cli: Cli, args: tuple[str, ...]
) -> None:
    stdout = cli("compare", *args, "--fast").stdout
    assert "changes" not in stdout
    assert "settings" not in stdout


def test_rows_of_different_inputs_show_them(cli: Cli, cli_json: Json) -> None:
    stdout = cli("compare", "v1", "standard", "--fast").stdout
    assert "3×224×224 " in stdout
    assert "64×224×224 " in stdout
    assert "input" not in cli("compare", "v1", "v2", "--fast").stdout.splitlines()[2]


def test_rows_of_different_batches_show_them(cli: Cli) -> None:
    lines = cli("compare", "v1@batch=4", "v2", "--fast").stdout.splitlines()
    assert lines[0] == "input 3×224×224"
    assert [line.split()[:2] for line in lines[4:6]] == [["v1@batch=4", "4"], ["v2", "1"]]


def test_an_input_that_only_some_take_shows_in_every_row(cli: Cli) -> None:
    args = ("compare", "torchvision:resnet18", "v2", "--input", "2x3x64x64", "--fast")
    lines = cli(*args).stdout.splitlines()
    assert lines[0] == "input 2x3x64x64 changes torchvision:resnet18, not v2"
    shown = [line.split()[:3] for line in lines if line.startswith(("torchvision:", "v2"))]
    assert shown[:2] == [["torchvision:resnet18", "3×64×64", "2"], ["v2", "3×224×224", "1"]]


def test_a_setting_inline_beside_one_for_all_shows_both(cli: Cli) -> None:
    stdout = cli("compare", "v1@alpha=0.5", "v2", "v3-small", "--alpha", "0.75", "--fast").stdout
    assert "alpha 0.75 changes v2, v3-small, not v1@alpha=0.5" in stdout
    assert [stdout.count(f"alpha {a} ") for a in ("0.5", "0.75")] == [1, 3]


def test_many_targets_are_told_by_their_number(cli: Cli) -> None:
    targets = ("v1", "v2", "v3-small", "resnet50", "vgg16", "squeezenet", "v3-large")
    known = [target for target in targets if target in builtins()]
    stdout = cli("compare", *known, *known[:1] * 2, "--alpha", "0.5", "--fast").stdout
    takers = sum("alpha" in resolve_one(name).spec.accepts for name in known) + 2
    assert f"alpha 0.5 changes {takers} of {len(known) + 2} targets" in stdout


def values_of(name: str) -> str:
    special = {"size": "96x64", "act": "relu6", "alpha": "0.6", "rho": "0.7"}
    truths = {"reduced_tail": "true", "fold_bn": "true"}
    return special.get(name) or truths.get(name) or "3"


TAKEN = [
    (target, name)
    for target in ("v2", "v3-large", "deeplabv3-v2", "inverted-residual", "resnet50")
    for name in resolve_one(target).spec.accepts
    if name in SETTINGS
]


@pytest.mark.parametrize(("target", "name"), TAKEN)
def test_every_setting_that_a_target_takes_is_in_its_baseline(
    cli: Cli, tmp_path: Path, target: str, name: str
) -> None:
    value = "4" if name == "output_stride" else values_of(name)
    option = [f"--{name.replace('_', '-')}", *([value] if value != "true" else [])]
    plain, other = tmp_path / "plain.json", tmp_path / "other.json"
    assert cli("baseline", target, "-o", str(plain)).exit_code == 0
    made = cli("baseline", target, *option, "-o", str(other))
    assert made.exit_code == 0, made.stderr
    saved = json.loads(other.read_text())["targets"][0]
    assert list(saved["settings"]) == [name]
    assert json.loads(plain.read_text())["targets"][0]["settings"] == {}
    same = cli("check", target, *option, "--baseline", str(other))
    assert (same.exit_code, same.stderr) == (0, "")
    if not resolve_one(target, {name: value}).changed_by(name):
        return
    for settings, baseline in (([], other), (option, plain)):
        result = cli("check", target, *settings, "--baseline", str(baseline))
        assert result.exit_code == 2
        assert f"its {target!r} has " in result.stderr
        assert "write it anew with `mbcost baseline`" in result.stderr


def test_a_baseline_of_the_same_settings_said_otherwise_is_the_same(
    cli: Cli, tmp_path: Path
) -> None:
    path = str(tmp_path / "cost.json")
    cli("baseline", "v2", "--rho", "0.5", "--classes", "1000", "-o", path)
    assert cli("check", "v2", "--size", "112", "--baseline", path).exit_code == 0
    args = ("--round-nearest", "8", "--in", "3", "--alpha", "1", "--batch", "1")
    assert cli("check", "v2", "--size", "112", *args, "--baseline", path).exit_code == 0


def test_a_report_with_other_settings_is_no_baseline_either(cli: Cli, tmp_path: Path) -> None:
    for command in ("model", "compare"):
        path = str(tmp_path / f"{command}.json")
        assert cli(command, "v2", "--classes", "10", "--fast", "-o", path).exit_code == 0
        assert cli("check", "v2", "--classes", "10", "--baseline", path).exit_code == 0
        result = cli("check", "v2", "--baseline", path)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "its 'v2' has classes 10, not unset" in result.stderr


def test_growth_of_the_networks_own_classes_is_growth(cli: Cli, tmp_path: Path) -> None:
    mine, path = tmp_path / "mine.yaml", str(tmp_path / "cost.json")
    text = cli("show", "v1").stdout
    mine.write_text(text, "utf-8")
    cli("baseline", str(mine), "-o", path)
    mine.write_text(text.replace("classes: 1000", "classes: 1001"), "utf-8")
    result = cli("check", str(mine), "--baseline", path)
    assert result.exit_code == 1
    assert "over budget" in result.stderr


def test_a_baseline_without_settings_still_counts_what_it_tells(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    cli("baseline", "v2", "--alpha", "0.5", "-o", str(path))
    document = json.loads(path.read_text())
    del document["targets"][0]["settings"]
    path.write_text(json.dumps(document))
    assert cli("check", "v2", "--alpha", "0.5", "--baseline", str(path)).exit_code == 0
    assert cli("check", "v2", "--baseline", str(path)).exit_code == 2
    args = ("check", "v2", "--alpha", "0.5", "--classes", "10", "--baseline", str(path))
    assert cli(*args).exit_code == 2


@pytest.mark.parametrize(
    "settings", [{"nope": 1}, {"alpha": "wide"}, {"size": [1, 2, 3]}, {"in": None}, {"in": {}}]
)
def test_settings_of_a_baseline_that_are_none_are_a_message(
    cli: Cli, tmp_path: Path, settings: dict[str, Any]
) -> None:
    path = tmp_path / "cost.json"
    cli("baseline", "v2", "-o", str(path))
    document = json.loads(path.read_text())
    document["targets"][0]["settings"] = settings
    path.write_text(json.dumps(document))
    result = cli("check", "v2", "--baseline", str(path))
    assert result.exit_code == 2
    assert f"mbcost: {path}: " in result.stderr
    assert "settings" in result.stderr
    assert result.stderr.count("\n") == 1


def test_check_says_what_a_setting_changed(cli: Cli, cli_json: Json) -> None:
    args = ("check", "v1", "resnet50", "--alpha", "0.5", "--max-params", "30M")
    assert SENTENCE in cli(*args).stdout
    assert "v1: alpha 0.5, input 3×224×224, batch 1." in cli(*args, "--format", "markdown").stdout
    assert [c["settings"] for c in cli_json(*args)["checks"]] == [{"alpha": 0.5}, {}]
    rows = list(csv.DictReader(io.StringIO(cli(*args, "--format", "csv").stdout)))
    assert [row["settings"] for row in rows] == ["alpha 0.5", ""]


def test_a_figure_of_shares_says_what_a_setting_changed(cli: Cli) -> None:
    args = ("plot", "share", "v1", "resnet50", "--show-data")
    result = cli(*args, "--alpha", "0.5")
    assert SENTENCE in result.stderr
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    told = {(row["target"], row["settings"]) for row in rows}
    assert told == {("v1", "alpha 0.5"), ("resnet50", "")}
    alike = cli(*args, "--size", "96")
    assert alike.stderr == ""
    assert "settings" not in alike.stdout


def test_diff_says_which_settings_differ(cli: Cli, tmp_path: Path) -> None:
    path = str(tmp_path / "cost.json")
    cli("baseline", "v2", "--classes", "10", "-o", path)
    stdout = cli("diff", path, "v2").stdout
    assert "counted under different conditions: classes 10 → unset" in stdout


@pytest.mark.parametrize("args", [("--unit", "flop"), ("--convention", "torch")])
def test_flops_stand_in_a_field_of_their_own(
    cli: Cli, cli_json: Json, args: tuple[str, ...]
) -> None:
    true = mbcost.count("v2", batch=2).mult_adds
    record = cli_json("model", "v2", "--batch", "2", "--fast", *args)
    compared = cli_json("compare", "v2", "--batch", "2", "--fast", *args)[0]
    for found in (record, compared):
        assert (found["mult_adds"], found["flops"], found["unit"]) == (true, 2 * true, "flop")
        assert sum(found["mult_adds_by_kind"].values()) == true
        assert sum(found["flops_by_kind"].values()) == 2 * true
    for layer in record["layers"]:
        assert layer["flops"] == 2 * layer["mult_adds"]
    for by in ("layer", "block", "kind"):
        text = cli("model", "v2", "--batch", "2", "--by", by, "--fast", *args, "--format", "csv")
        rows = list(csv.DictReader(io.StringIO(text.stdout)))
        assert sum(int(row["flops"]) for row in rows) == 2 * true
        assert sum(int(row["mult_adds"]) for row in rows) == true
        assert {row["unit"] for row in rows} == {"flop"}
        assert {row["convention"] for row in rows} == {record["convention"]}
    table = cli("compare", "v2", "--batch", "2", "--fast", *args, "--exact").stdout
    assert f"{2 * true:,}" in table
    assert f" {true:,}" not in table


def test_without_flops_the_unit_says_so_and_there_are_none(cli: Cli, cli_json: Json) -> None:
    for args in ((), ("--convention", "thop"), ("--unit", "mult-add")):
        record = cli_json("compare", "v2", "--fast", *args)[0]
        assert record["unit"] == "mult-add"
        assert "flops" not in record
        assert list(record)[: len(RECORD_KEYS)] == list(RECORD_KEYS)


def test_flops_and_mult_adds_may_stand_side_by_side(cli: Cli) -> None:
    args = ("compare", "v2", "--fast", "--unit", "flop", "--columns", "mult_adds,flops", "--exact")
    assert "300,774,272  601,548,544" in cli(*args).stdout
    by_layer = cli(*("model", *args[1:])).stdout
    assert "300,774,272  601,548,544" in by_layer


def test_a_restated_ratio_is_that_of_the_figures_shown(cli_json: Json) -> None:
    for args in ((), ("--convention", "fvcore"), ("--unit", "flop"), ("--convention", "torch")):
        one, two = cli_json("compare", "v1", "v2", "--fast", *args)
        assert two["mult_adds_ratio"] == two["mult_adds"] / one["mult_adds"]


def test_settings_read_back_as_they_were_given() -> None:
    subject = resolve_one("v2@size=96x64,alpha=0.5", {"classes": 10, "fold_bn": True, "batch": 2})
    record = mbcost.compare("v2@size=96x64,alpha=0.5", classes=10, batch=2).records()[0]
    assert record["settings"] == {"classes": 10, "batch": 2, "size": "96x64", "alpha": 0.5}
    assert isinstance(subject.spec, Network)
    assert set(subject.shared) == {"classes", "fold_bn", "batch"}
