from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from mbcost.cli import app
from mbcost.cost import DTYPES
from mbcost.networks.yaml import builtins
from mbcost.output.formats import FORMATS
from mbcost.studies.guard.budget import LIMITS, option_of
from mbcost.studies.memory.stated import Stated
from mbcost.targets.resolve import resolve_one
from tests import ROOT
from tests.conftest import Cli
from tests.pages import files_of

Json = Callable[..., Any]
V2 = {"params": 3504872, "mult_adds": 300774272}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("key", LIMITS)
@pytest.mark.parametrize("target", ["v2", "v3-small@alpha=0.5,batch=2", "standard"])
def test_a_figure_is_within_its_own_value_and_over_one_less(
    target: str, key: str, cli: Cli, cli_json: Json
) -> None:
    value = LIMITS[key].of_subject(resolve_one(target), Stated())
    option = f"--{key.replace('_', '-')}"
    within = cli_json("check", target, option, str(value))
    assert within["passed"] is True
    assert within["checks"][0]["value"] == within["checks"][0]["limit"] == value
    assert within["checks"][0]["slack"] == 0
    over = cli("check", target, option, str(value - 1), "--format", "json")
    assert over.exit_code == 1
    assert json.loads(over.stdout)["passed"] is False
    assert over.stderr.startswith(f"mbcost: over budget: {target}: {value:,} ")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("folded", [False, True])
def test_weight_bytes_are_those_compare_shows(dtype: str, folded: bool, cli_json: Json) -> None:
    records = cli_json("compare", "v2", "--fold-bn", "--fast")
    fold = ["--fold-bn"] if folded else []
    found = cli_json("check", "v2", "--max-weight-bytes", "1GB", "--dtype", dtype, *fold)
    assert found["checks"][0]["value"] == records[folded][f"{dtype}_bytes"]
    assert found["checks"][0]["figure"] == f"weight bytes {dtype}"


@pytest.mark.parametrize("key", [key for key in LIMITS if LIMITS[key].of_layer])
@pytest.mark.parametrize("name", sorted(builtins()))
def test_what_the_layers_cost_adds_up_to_the_figure(name: str, key: str) -> None:
    limit, subject = LIMITS[key], resolve_one(name)
    report = subject.report
    assert limit.of_layer is not None
    for dtype in DTYPES:
        stated = Stated(dtype)
        parts = sum([limit.of_layer(layer, report, stated) for layer in report.layers])
        assert parts == limit.of_subject(subject, stated) > 0


def test_the_layers_that_cost_most_are_named(cli: Cli, cli_json: Json) -> None:
    found = cli_json("check", "v2", "--max-params", "4M")
    layers = cli_json("model", "v2", "--fast")["layers"]
    heaviest = sorted(layers, key=lambda layer: -layer["params"])[:3]
    assert found["checks"][0]["layers"] == [
        {"path": layer["path"], "value": layer["params"]} for layer in heaviest
    ]
    shown = cli("check", "v2", "--max-params", "4M").stdout
    assert "v2, params: cost most rows.10.linear 36.5%, rows.8.conv 11.7%" in shown


@pytest.mark.parametrize("format_", FORMATS)
def test_over_budget_every_format_is_still_whole(format_: str, cli: Cli) -> None:
    result = cli("check", "v2", "--max-params", "3.5M", "--max-mult-adds", "301M",
                 "--format", format_)  # fmt: skip
    assert result.exit_code == 1
    assert "FAIL" in result.stdout
    assert "pass" in result.stdout
    assert result.stderr == (
        "mbcost: over budget: v2: 3,504,872 params, limit 3,500,000 (−0.139% slack)\n"
    )


def test_a_summary_in_markdown_says_it_in_its_heading(cli: Cli) -> None:
    lines = cli("check", "v2", "--max-params", "3.5M", "--format", "markdown").stdout.splitlines()
    assert lines[0] == "### 1 of 1 checks failed"
    assert lines[4] == "| FAIL | v2 | params | 3,504,872 | 3,500,000 | −0.139% |"


@pytest.mark.parametrize(
    ("limit", "code"),
    [("3504872", 0), ("3504871", 1), ("3504.872e3", 0), ("3504.871e3", 1), ("'3504871e0'", 1),
     ("3.504872e6", 0), ("18014398509481985.0", 2), ("9e300", 2), ("3504872.5", 2), (".inf", 2),
     (".nan", 2), ("-3e6", 2)],
)  # fmt: skip
def test_a_limit_may_be_a_power_of_ten(cli: Cli, tmp_path: Path, limit: str, code: int) -> None:
    (tmp_path / "b.yaml").write_text(f"budgets: {{v2: {{max_params: {limit}}}}}", "utf-8")
    assert cli("check", "--budget", str(tmp_path / "b.yaml")).exit_code == code
    if limit[0].isdigit() and code < 2:
        assert cli("check", "v2", "--max-params", limit).exit_code == code


BUDGETS = """\
dtype: int8
fold_bn: true
budgets:
  v2: {max_params: 3_500_000, max_mult_adds: 301M}
  v2@alpha=0.5:
    max_weight_bytes: 1.5 MiB
    dtype: fp32
    fold_bn: false
"""


def test_a_budget_file_checks_its_targets(here: Path, cli: Cli) -> None:
    (here / "budgets.yaml").write_text(BUDGETS, "utf-8")
    result = cli("check", "--budget", "budgets.yaml", "--format", "json")
    assert result.exit_code == 1
    checks = json.loads(result.stdout)["checks"]
    assert [(c["target"], c["figure"], c["limit"], c["passed"]) for c in checks] == [
        ("v2", "params", 3500000, True),  # 3,487,816 as folded
        ("v2", "mult-adds", 301000000, True),
        ("v2@alpha=0.5", "weight bytes fp32", 1572864, False),
    ]
    assert checks[0]["value"] == 3487816
    assert checks[2]["value"] == 4 * 1968680


def test_targets_choose_and_options_win_over_the_file(here: Path, cli: Cli) -> None:
    (here / "budgets.yaml").write_text(BUDGETS, "utf-8")
    chosen = cli("check", "v2", "--budget", "budgets.yaml", "--format", "json")
    assert chosen.exit_code == 0
    assert {c["target"] for c in json.loads(chosen.stdout)["checks"]} == {"v2"}
    stricter = cli("check", "v2", "--budget", "budgets.yaml", "--max-params", "3M")
    assert stricter.exit_code == 1
    assert "limit 3,000,000" in stricter.stderr


BROKEN = {
    "budgets: {}": "b.yaml:1: budgets: no target has a budget",
    "dtype: fp32": "b.yaml:1: the key 'budgets' is missing",
    "budgets:\n  v2: {max-params: 3M}": (
        "b.yaml:2: budgets.v2.max-params: unknown key 'max-params' (did you mean 'max_params'?)"
    ),
    "budget:\n  v2: {}": "b.yaml:1: budget: unknown key 'budget' (did you mean 'budgets'?)",
    "budgets:\n  v2: {max_params: -3}": "b.yaml:2: budgets.v2.max_params: '-3' is not a count",
    "budgets:\n  v2: {max_params: -3M}": "b.yaml:2: budgets.v2.max_params: '-3M' is not a count",
    "budgets:\n  v2: {max_params: 1.5}": (
        "b.yaml:2: budgets.v2.max_params: must be text, not a number 1.5"
    ),
    "budgets:\n  v2: {max_params: true}": (
        "b.yaml:2: budgets.v2.max_params: must be text, not true/false True"
    ),
    "budgets:\n  v2: {max_param_bytes: 4M}": (
        "b.yaml:2: budgets.v2.max_param_bytes: '4M' is not a size in bytes"
    ),
    "budgets:\n  v2:\n    max_params: 3M\n    dtype: int4": (
        "b.yaml:4: budgets.v2.dtype: unknown value 'int4' (did you mean 'int8'?)"
    ),
    "dtype: int4\nbudgets: {v2: {max_params: 3M}}": "b.yaml:1: dtype: unknown value 'int4'",
    "fold_bn: 1\nbudgets: {v2: {max_params: 3M}}": "b.yaml:1: fold_bn: is neither true nor false",
    "max_growth: 1\nbudgets: {v2: {max_params: 3M}}": (
        "b.yaml:1: max_growth: '1' is not a percentage (like 1% or 0.5%)"
    ),
    "max_growth: 1%\nbudgets: {v2: {max_params: 3M}}": (
        "b.yaml:2: budgets.v2: a growth needs a baseline to compare with"
    ),
    "budgets:\n  v2:": "b.yaml:2: budgets.v2: must be a mapping",
    "budgets:\n  v2: {}": "b.yaml:2: budgets.v2: nothing to check against",
    "budgets:\n  v2: {max_params: 3M}\n  v9: {max_params: 3M}": (
        "b.yaml:3: budgets.v9: no network or block is called 'v9'"
    ),
    "budgets:\n  v2@alpha=-1: {max_params: 3M}": (
        "b.yaml:2: budgets.v2@alpha=-1: v2@alpha=-1: alpha: -1 is out of range"
    ),
    "budgets:\n  gone.yaml: {max_params: 3M}": "b.yaml:2: budgets.gone.yaml: gone.yaml: cannot be",
    "baseline: gone.json\nbudgets: {v2: {}}": "gone.json: cannot be read: No such file",
    "budgets:\n  v2: {max_params: 3M}\n  v2: {max_params: 3M}": "b.yaml:3: duplicate key 'v2'",
    "- v2": "b.yaml:1: must be a mapping",
}


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_budget_file_is_one_message_with_its_line(text: str, here: Path, cli: Cli) -> None:
    (here / "b.yaml").write_text(text, "utf-8")
    result = cli("check", "--budget", "b.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"mbcost: {BROKEN[text]}")
    assert result.stderr.count("\n") == 1


USAGE = {
    ("check",): "no target",
    ("check", "v2"): "nothing to check against (some of --max-params",
    ("check", "v9", "--max-params", "1"): "no network or block is called 'v9'",
    ("check", "v2", "--max-params", "-3M"): "--max-params: '-3M' is not a count",
    ("check", "v2", "--max-params", "many"): "--max-params: 'many' is not a count",
    ("check", "v2", "--max-params", "9" * 5000): "--max-params: '999",
    ("check", "v2", "--max-param-bytes", "4M"): "--max-weight-bytes: '4M' is not a size in bytes",
    ("check", "v2", "--max-weight-bytes", "4MB", "--dtype", "int4"): (
        "--dtype: unknown value 'int4' (did you mean 'int8'?)"
    ),
    ("check", "v2", "--max-params", "4M", "--dtype", "int8"): "--dtype: changes nothing without",
    ("check", "v2", "--max-growth", "1%"): (
        "--max-growth: a growth needs a baseline to compare with"
    ),
    ("check", "v2", "--max-params", "4M", "--expand", "2"): "--expand: fits none of the targets",
    ("check", "--budget", "gone.yaml"): "gone.yaml: cannot be read: No such file",
    ("check", "v2", "--baseline", "gone.json"): "gone.json: cannot be read: No such file",
    ("check", "v2", "--max-params", "4M", "--columns", "cost"): "--columns: unknown column 'cost'",
}


@pytest.mark.parametrize("args", USAGE)
def test_bad_usage_is_one_message(args: tuple[str, ...], here: Path, cli: Cli) -> None:
    result = cli(*args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"mbcost: {USAGE[args]}")


def test_a_target_without_a_budget_names_the_nearest(here: Path, cli: Cli) -> None:
    (here / "b.yaml").write_text("budgets: {v3-small: {max_params: 3M}}", "utf-8")
    result = cli("check", "v3-smal", "--budget", "b.yaml")
    assert result.exit_code == 2
    assert result.stderr == (
        "mbcost: b.yaml: holds no budget of 'v3-smal' (did you mean 'v3-small'?)\n"
    )


def network(path: Path, last: int) -> str:
    """Write v2 with another width of its last convolution."""
    text = builtins()["v2"].path.read_text("utf-8")
    assert "c: 1280" in text
    path.write_text(text.replace("c: 1280", f"c: {last}"), "utf-8")
    return path.name


def test_growth_is_over_the_baseline_to_the_unit(here: Path, cli: Cli, cli_json: Json) -> None:
    target = network(here / "mine.yaml", 1280)
    assert cli("baseline", target, "-o", "cost.json").exit_code == 0
    same = cli_json("check", target, "--baseline", "cost.json")
    assert [c["limit"] for c in same["checks"]] == list(V2.values())
    assert [c["growth"] for c in same["checks"]] == [0, 0]
    network(here / "mine.yaml", 1288)  # 8 channels of 320, 2 and 1000 parameters
    grown = cli("check", target, "--baseline", "cost.json", "--format", "json")
    assert grown.exit_code == 1
    params = json.loads(grown.stdout)["checks"][0]
    assert params["value"] - params["baseline"] == 8 * (320 + 2 + 1000)
    assert params["layers"] == [
        {"path": "rows.10.linear", "value": 8000},
        {"path": "rows.8.conv", "value": 2560},
        {"path": "rows.8.bn", "value": 16},
    ]
    assert "3,515,448 params since baseline, limit 3,504,872" in grown.stderr
    within = cli_json("check", target, "--baseline", "cost.json", "--max-growth", "1%")
    assert [c["limit"] for c in within["checks"]] == [n * 101 // 100 for n in V2.values()]
    shown = cli("check", target, "--baseline", "cost.json", "--max-growth", "1%").stdout
    assert "mine.yaml, params since baseline: grew most rows.10.linear +8,000" in shown


def test_a_smaller_network_has_slack_over_its_baseline(
    here: Path, cli: Cli, cli_json: Json
) -> None:
    target = network(here / "mine.yaml", 1280)
    assert cli("model", target, "--fast", "-o", "cost.json").exit_code == 0
    network(here / "mine.yaml", 640)
    found = cli_json("check", target, "--baseline", "cost.json")
    assert all(c["slack"] > 0 > c["growth"] for c in found["checks"])


@pytest.mark.parametrize(
    ("written", "checked", "problem"),
    [
        (["v2"], ["v1"], "cost.json: no report of 'v1' (one of: v2)"),
        (["v2"], ["v2", "--size", "96"], "its 'v2' has input 3x224x224, not 3x96x96"),
        (["v2"], ["v2", "--alpha", "0.5"], "its 'v2' has alpha 1.0, not 0.5"),
        (["v2", "--batch", "4"], ["v2"], "its 'v2' has batch 4, not 1"),
        (["v2", "--fold-bn"], ["v2"], "its 'v2' has fold_bn true, not false"),
    ],
)
def test_a_baseline_of_something_else_is_an_error(
    written: list[str], checked: list[str], problem: str, here: Path, cli: Cli
) -> None:
    assert cli("baseline", *written, "-o", "cost.json").exit_code == 0
    result = cli("check", *checked, "--baseline", "cost.json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert problem in result.stderr


def test_the_schema_knows_a_budget_file_and_refuses_what_is_refused() -> None:
    import jsonschema
    import yaml

    from mbcost.studies.schema import json_schema

    validator = jsonschema.Draft202012Validator(json_schema())
    assert list(validator.iter_errors(yaml.safe_load(BUDGETS))) == []
    refused = {"max_params: -3", "max_params: 1.5", "max_param_bytes: 4M", "max-params: 3M"}
    for text in refused:
        assert list(validator.iter_errors(yaml.safe_load(f"budgets: {{v2: {{{text}}}}}")))


def test_the_documented_ci_job_runs(here: Path, cli: Cli) -> None:
    import re
    import shlex

    import yaml

    files = files_of(ROOT / "docs" / "guard-in-ci.md")
    (here / "budgets.yaml").write_text(files["budgets.yaml"], "utf-8")
    [committed] = re.findall(r"# mbcost (baseline .*)", files["budgets.yaml"])
    assert cli(*shlex.split(committed)).exit_code == 0
    steps = yaml.safe_load(files[".github/workflows/cost.yml"])["jobs"]["cost"]["steps"]
    lines = [line for step in steps for line in step.get("run", "").splitlines()]
    commands = [line.strip().split(" > ")[0] for line in lines if "mbcost " in line]
    ran = [shlex.split(line)[1:] for line in commands if line.startswith("mbcost ")]
    assert [args[0] for args in ran] == ["baseline", "diff", "diff"]
    [budget] = [step["with"]["budget"] for step in steps if "mbcost@" in step.get("uses", "")]
    ran.append(["check", "--budget", budget])
    for args in ran:
        result = cli(*args)
        assert result.exit_code == 0, result.stderr
    assert cli("diff", "cost.json", "now.json").stdout.endswith("targets: 2 unchanged\n")
    assert (here / "cost.json").read_text("utf-8") == (here / "now.json").read_text("utf-8")


def test_the_bytes_of_weights_have_one_name_and_an_older_one(here: Path, cli: Cli) -> None:
    new = cli("check", "v2", "--max-weight-bytes", "2MB", "--dtype", "int8")
    assert new.exit_code == 1
    assert cli("check", "v2", "--max-param-bytes", "2MB", "--dtype", "int8").stdout == new.stdout
    text = "dtype: int8\nbudgets:\n  v2: {%s: 2MB}\n"
    for key in ("max_weight_bytes", "max_param_bytes"):
        (here / "b.yaml").write_text(text % key, "utf-8")
        assert cli("check", "--budget", "b.yaml").stdout == new.stdout
    (here / "b.yaml").write_text(text % "max_weight_bytes: 2MB, max_param_bytes", "utf-8")
    both = cli("check", "--budget", "b.yaml")
    assert both.exit_code == 2
    assert both.stderr == (
        "mbcost: b.yaml:3: budgets.v2.max_param_bytes: means the same as 'max_weight_bytes', which "
        "is there too (keep one)\n"
    )


def test_every_command_with_budgets_takes_the_same_options() -> None:
    group: Any = typer.main.get_command(app)
    names = {"--dtype", "--fuse", "--optimizer", *(option_of(key) for key in LIMITS)}
    found = [
        {p.opts[0]: (p.opts, p.help, p.metavar) for p in group.get_command(None, name).params}
        for name in ("check", "sweep", "search")
    ]
    for options in found:
        shared = names & options.keys()
        assert {n: options[n] for n in shared} == {n: found[0][n] for n in shared}
        assert names - shared <= {"--max-total-bytes"}


@pytest.mark.parametrize("target", ["v2", "v3-small@alpha=0.5", "standard", "lraspp-v2"])
def test_activations_are_those_of_a_sweep(target: str, cli: Cli, cli_json: Json) -> None:
    [row] = cli_json("sweep", target, "--verify", "0", "--dtype", "fp16")
    most = row["peak_activation_bytes"]
    assert most == cli_json("memory", target, "--dtype", "fp16")[0]["peak_activation_bytes"]
    args = ("check", target, "--dtype", "fp16", "--format", "markdown", "--max-activation-bytes")
    assert cli(*args, str(most)).exit_code == 0
    over = cli(*args, str(most - 1))
    assert over.exit_code == 1
    assert "peak activation bytes fp16" in over.stderr
    assert "every layer writing a new map, the image held by its caller, in fp16." in over.stdout


OF_MEMORY = {
    ("--max-activation-bytes", "--dtype", "int8"): ("peak_activation_bytes", ("--dtype", "int8")),
    ("--max-activation-bytes", "--fuse", "none"): ("lower_bound_bytes", ("--fuse", "none")),
    ("--max-activation-bytes", "--fuse", "all", "--dtype", "int8"): (
        "lower_bound_bytes",
        ("--fuse", "all", "--dtype", "int8"),
    ),
    ("--max-arena-bytes", "--dtype", "int8"): ("arena_bytes", ("--dtype", "int8")),
    ("--max-arena-bytes", "--fuse", "all"): ("arena_bytes", ("--fuse", "all")),
    ("--max-train-peak-bytes",): ("train_peak_bytes", ("--train",)),
    ("--max-train-peak-bytes", "--optimizer", "adam"): (
        "train_peak_bytes",
        ("--train", "--optimizer", "adam"),
    ),
}


@pytest.mark.parametrize("args", OF_MEMORY)
@pytest.mark.parametrize("target", ["v3-small@batch=2", "shufflenet"])
def test_limits_on_memory_are_on_what_memory_says(
    target: str, args: tuple[str, ...], cli: Cli, cli_json: Json
) -> None:
    key, options = OF_MEMORY[args]
    value = cli_json("memory", target, *options)[0][key]
    option, *rest = args
    assert cli_json("check", target, option, str(value), *rest)["checks"][0]["value"] == value
    over = cli("check", target, option, str(value - 1), *rest)
    assert over.exit_code == 1
    assert f"{value:,}" in over.stderr


def test_an_arena_is_what_an_interpreter_takes_at_least(cli: Cli) -> None:
    args = ("v3-small", "--max-arena-bytes", "1GB")
    for command in (("check",), ("sweep", "--verify", "0"), ("search", "--verify", "0")):
        words = cli(command[0], *args, *command[1:]).stdout
        assert "an interpreter takes at least the arena: what it keeps besides" in words
        assert "fits" not in words
        without = cli(command[0], "v3-small", "--max-params", "9M", *command[1:]).stdout
        assert "interpreter" not in without


def test_a_budget_file_says_fuse_and_optimizer(here: Path, cli: Cli) -> None:
    (here / "b.yaml").write_text(
        "dtype: int8\nfuse: all\nbudgets:\n"
        "  v3-small: {max_activation_bytes: 351232}\n"
        "  v1: {fuse: tflite, max_arena_bytes: 1204224, optimizer: adam,\n"
        "       max_train_peak_bytes: 1GB}\n",
        "utf-8",
    )
    result = cli("check", "--budget", "b.yaml", "--format", "json")
    assert result.exit_code == 0
    checks = json.loads(result.stdout)["checks"]
    assert [(c["value"], c["dtype"], c["fuse"], c["optimizer"]) for c in checks] == [
        (351_232, "int8", "all", None),
        (1_204_224, "int8", "tflite", None),
        (checks[2]["value"], None, None, "adam"),
    ]
    typed = cli("check", "--budget", "b.yaml", "--fuse", "tflite")
    assert typed.exit_code == 1
    assert "v3-small: 401,408 peak activation bytes int8 tflite, limit 351,232" in typed.stderr
    (here / "b.yaml").write_text("fuse: some\nbudgets: {v1: {max_params: 3M}}", "utf-8")
    wrong = cli("check", "--budget", "b.yaml")
    assert wrong.exit_code == 2
    assert "b.yaml:1: fuse: unknown value 'some'" in wrong.stderr


@pytest.mark.parametrize("option", ["--fuse", "--optimizer"])
@pytest.mark.parametrize("command", ["check", "sweep", "search"])
def test_an_option_that_changes_nothing_is_refused(cli: Cli, command: str, option: str) -> None:
    value = {"--fuse": "all", "--optimizer": "adam"}[option]
    if command != "check" and option == "--fuse":
        return  # every sweep has the peak
    result = cli(command, "v2", "--max-params", "9M", option, value)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{option}: changes nothing without" in result.stderr


ELSEWHERE = "from torch import nn\n\ndef f():\n    return nn.Conv2d(3, 4, 3)\n"


def test_maps_of_a_model_from_elsewhere_are_traced(here: Path, cli: Cli, cli_json: Json) -> None:
    (here / "m.py").write_text(ELSEWHERE)
    most = cli_json("memory", "m.py:f")[0]["peak_activation_bytes"]
    assert most == 4 * (3 * 224 * 224 + 4 * 222 * 222)
    assert cli("check", "m.py:f", "--max-activation-bytes", str(most)).exit_code == 0
    assert cli("check", "m.py:f", "--max-activation-bytes", str(most - 1)).exit_code == 1


@pytest.mark.parametrize(
    ("args", "option"),
    [
        (("--max-activation-bytes", "1MB", "--dtype", "int8"), "--dtype"),
        (("--max-activation-bytes", "1MB", "--fuse", "none"), "--fuse"),
        (("--max-arena-bytes", "1MB"), "--max-arena-bytes"),
        (("--max-train-peak-bytes", "1MB"), "--max-train-peak-bytes"),
    ],
)
def test_what_needs_a_graph_is_not_known_of_a_model_from_elsewhere(
    here: Path, cli: Cli, args: tuple[str, ...], option: str
) -> None:
    (here / "m.py").write_text(ELSEWHERE)
    result = cli("check", "m.py:f", *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"m.py:f: {option}: is a model from elsewhere" in result.stderr


def test_what_cannot_be_trained_is_no_budget_kept(cli: Cli) -> None:
    result = cli("check", "v2", "--size", "32", "--max-train-peak-bytes", "1GB")
    assert (result.exit_code, result.stdout) == (2, "")
    problem = "a batch-norm of one value per channel cannot be trained"
    assert result.stderr.startswith(f"mbcost: v2: rows.6.0.depthwise.bn: {problem}")
