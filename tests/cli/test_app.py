"""The command line: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mbcost.networks.yaml import builtins
from mbcost.studies.compare.records import RECORD_KEYS
from mbcost.studies.device.profile import device_files
from mbcost.studies.spaces.space_file import space_files
from tests.conftest import Cli

MBCOST = (sys.executable, "-m", "mbcost")

BAD_USAGE = {
    "unknown target": (["compare", "v4"], "no network or block is called 'v4'"),
    "near target": (["model", "vv2"], "did you mean 'v2'"),
    "empty target": (["compare", ""], "TARGET: is empty"),
    "alpha zero": (["compare", "v2", "--alpha", "0"], "--alpha: 0 is out of range"),
    "alpha negative": (["compare", "v2", "--alpha", "-1"], "--alpha: -1 is out of range"),
    "alpha nan": (["compare", "v2", "--alpha", "nan"], "--alpha: nan is out of range"),
    "alpha huge": (["compare", "v2", "--alpha", "1e6"], "above 0, at most 10"),
    "alpha a word": (["compare", "v2", "--alpha", "wide"], "'wide' is not a number"),
    "size zero": (["model", "v2", "--size", "0"], "--size: 0 is out of range (1 to 65536 pixels)"),
    "size huge": (["model", "v2", "--size", "1000000000"], "1000000000 is out of range"),
    "size a word": (["model", "v2", "--size", "big"], "--size: 'big' is not a size"),
    "in zero": (["compare", "--in", "0"], "--in: 0 is out of range"),
    "batch zero": (["compare", "--batch", "0"], "--batch: 0 is out of range"),
    "act": (["compare", "--act", "rellu"], "--act: unknown value 'rellu' (did you mean 'relu'?)"),
    "option that fits nothing": (
        ["compare", "--alpha", "0.5"],
        "--alpha: fits none of the targets",
    ),
    "expand without expansion": (["compare", "standard", "--expand", "3"], "--expand: fits none"),
    "reduced tail of v2": (["model", "v2", "--reduced-tail"], "--reduced-tail: fits none"),
    "size and rho": (["model", "v2", "--size", "96", "--rho", "0.5"], "rho and size both"),
    "rho to nothing": (["model", "v2", "--rho", "0.001"], "makes the input 0x0"),
    "inline unknown": (["model", "v2@alhpa=1"], "did you mean 'alpha'"),
    "inline without value": (["model", "v2@alpha"], "'alpha' is not a setting"),
    "inline twice": (["model", "v2@alpha=1,alpha=2"], "'alpha' is set twice"),
    "inline misfit": (["compare", "v2@kernel=3"], "no setting 'kernel' here"),
    "format": (["compare", "--format", "cvs"], "did you mean 'csv'"),
    "suffix": (["compare", "-o", "x.cvs"], "-o x.cvs: unknown suffix '.cvs' (did you mean '.csv'"),
    "counter": (["compare", "--counter", "torchinf"], "did you mean 'torchinfo'"),
    "counter and fast": (["compare", "--fast", "--counter", "torch"], "--fast: "),
    "columns": (["compare", "--fast", "--columns", "parms"], "did you mean 'params'"),
    "no columns": (["compare", "--fast", "--columns", ","], "--columns: names no column"),
    "sort": (["compare", "--fast", "--sort", "parms"], "--sort: unknown key 'parms'"),
    "reference": (["compare", "--fast", "--reference", "v9"], "--reference: 'v9' is not compared"),
    "by": (["model", "v2", "--by", "layr"], "--by: unknown view 'layr' (did you mean 'layer'?)"),
    "show": (["show", "v9"], "no space, network or block is called 'v9'"),
    "kernel larger than its map": (
        ["compare", "--size", "4", "--kernel", "9", "--padding", "0"],
        "a kernel of 9 is larger than its padded input of 4",
    ),
    "no channel left": (["model", "v1", "--alpha", "0.01"], "no channel is left"),
    "command": (["comprae"], "Did you mean 'compare'?"),
    "option": (["compare", "--alhpa", "1"], "--alpha"),
    "argument": (["model"], "TARGET"),
}


@pytest.mark.parametrize("mistake", BAD_USAGE)
def test_a_mistake_is_one_message_and_exit_code_two(cli: Cli, mistake: str) -> None:
    args, message = BAD_USAGE[mistake]
    result = cli(*args)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_compare_defaults_to_the_three_blocks(cli: Cli) -> None:
    result = cli("compare", "--fast")
    assert result.exit_code == 0
    assert result.stderr == ""
    for block in ("standard", "depthwise-separable", "inverted-residual"):
        assert block in result.stdout
    assert "8.4× fewer" in result.stdout
    assert "no counter was run" in result.stdout


def test_compare_runs_the_counters_and_says_so(cli: Cli) -> None:
    result = cli("compare", "--size", "32")
    assert "verified: torchinfo and fvcore, each as its convention predicts" in result.stdout
    result = cli("compare", "--size", "32", "--counter", "torch")
    assert "verified: torch counts as its convention predicts" in result.stdout


def test_json_records_hold_the_agreed_keys_and_nulls(cli: Cli) -> None:
    records = json.loads(cli("compare", "v1", "standard", "--fast", "--format", "json").stdout)
    for record in records:
        assert list(record) == [*RECORD_KEYS, "params_by_kind", "mult_adds_by_kind"]
        assert record["torchinfo_mult_adds"] is record["verified"] is None
        assert sum(record["params_by_kind"].values()) == record["params"]
        assert sum(record["mult_adds_by_kind"].values()) == record["mult_adds"]
    assert (records[0]["alpha"], records[0]["rho"], records[0]["size"]) == (1.0, 1.0, 224)
    assert (records[1]["alpha"], records[1]["classes"]) == (None, None)
    assert records[0]["versions"].keys() == {"mbcost"}


def test_inline_settings_win_over_options_for_all(cli: Cli) -> None:
    out = cli("compare", "v1", "v2@alpha=0.5,size=160x96", "--alpha", "0.75", "--fast")
    records = json.loads(
        cli(
            "compare", "v1", "v2@alpha=0.5,size=160x96", "--alpha", "0.75", "--fast",
            "--rho", "0.5", "--format", "json",
        ).stdout
    )  # fmt: skip
    assert out.exit_code == 0
    assert [r["alpha"] for r in records] == [0.75, 0.5]
    assert [r["size"] for r in records] == [112, "160x96"]
    assert [r["rho"] for r in records] == [0.5, None]
    assert records[1]["input"] == [3, 160, 96]


def test_networks_take_other_channels_classes_and_batches(cli: Cli) -> None:
    args = ("--in", "1", "--classes", "10", "--batch", "4", "--size", "96x64")
    record = json.loads(cli("model", "v3-small", *args, "--format", "json").stdout)
    assert record["input"] == [1, 96, 64]
    assert record["output"] == [10]
    assert record["verified"] is True


def test_reference_and_sort(cli: Cli) -> None:
    records = json.loads(
        cli(
            "compare", "v1", "v2", "v3-small", "--fast", "--reference", "v2", "--sort", "-params",
            "--format", "json",
        ).stdout
    )  # fmt: skip
    assert [r["name"] for r in records] == ["v1", "v2", "v3-small"]
    assert [r["params_ratio"] for r in records][1] == 1
    rising = cli("compare", "v1", "v2", "v3-small", "--fast", "--sort", "params", "--format", "csv")
    assert [line.split(",")[0] for line in rising.stdout.splitlines()[1:]] == [
        "v3-small",
        "v2",
        "v1",
    ]


def test_columns_choose_what_every_format_shows(cli: Cli) -> None:
    args = ("compare", "v1", "--fast", "--columns", "name,mult-adds")
    assert cli(*args, "--format", "csv").stdout.splitlines()[0] == "name,mult_adds"
    assert json.loads(cli(*args, "--format", "json").stdout)[0].keys() == {"name", "mult_adds"}
    assert (
        "params"
        not in cli(*args, "--format", "latex")
        .stdout.split(r"\midrule")[0]
        .split("Mode")[-1]
        .split(r"\toprule")[1]
    )


@pytest.mark.parametrize("by", ["layer", "block", "kind"])
@pytest.mark.parametrize("name", ["v2", "v3-large", "inverted-residual"])
def test_model_totals_are_the_rows_added_up(cli: Cli, name: str, by: str) -> None:
    record = json.loads(cli("model", name, "--fast", "--by", by, "--format", "json").stdout)
    rows = record["layers"] if by == "layer" else record[f"by_{by}"]
    assert sum(row["params"] for row in rows) == record["params"]
    assert sum(row["mult_adds"] for row in rows) == record["mult_adds"]
    table = cli("model", name, "--fast", "--by", by, "--exact").stdout
    total = next(line for line in table.splitlines() if line.startswith("total"))
    assert f"{record['params']:,}" in total
    assert f"{record['mult_adds']:,}" in total


def test_model_prints_torchinfos_four_lines(cli: Cli) -> None:
    stdout = cli("model", "v1", "--batch", "2", "--fast").stdout
    assert "Input size (MB): 1.20\n" in stdout
    assert "Forward/backward pass size (MB): 161.38\n" in stdout
    assert "Params size (MB): 16.93\n" in stdout
    assert "Estimated Total Size (MB): 179.51\n" in stdout


def test_explain_predicts_the_saving_of_a_separable_block(cli: Cli) -> None:
    args = ("--in", "512", "--out", "512", "--size", "14", "--stride", "1")
    found = json.loads(cli("explain", "depthwise-separable", *args, "--format", "json").stdout)
    assert found["predicted_ratio"] == pytest.approx(1 / 512 + 1 / 9)
    assert found["counted_ratio"] == pytest.approx(found["predicted_ratio"], rel=1e-12)
    formulas = {row["path"]: row for row in found["layers"]}
    conv = formulas["depthwise.conv"]
    assert conv["mult_adds_formula"] == "3²·512/512·512·14·14"
    assert conv["mult_adds"] == 9 * 512 * 14 * 14
    assert "predicted: 1/N + 1/k²" in cli("explain", "depthwise-separable", *args).stdout


@pytest.mark.parametrize("name", ["v3-large", "v2-projection", "inverted-residual"])
def test_explained_formulas_evaluate_to_the_figures(cli: Cli, name: str) -> None:
    found = json.loads(
        cli("explain", name, "--size", "64", "--batch", "3", "--format", "json").stdout
    )
    for row in found["layers"]:
        for key in ("params", "mult_adds"):
            formula = row[f"{key}_formula"].replace("²", "**2").replace("·", "*").replace("/", "//")
            assert eval(formula or "0", {}) == row[key]  # 64//64 is exact: groups divide


def test_list_names_every_builtin(cli: Cli) -> None:
    rows = json.loads(cli("list", "--format", "json").stdout)
    assert {row["name"] for row in rows} == {*builtins(), *space_files(), *device_files()}
    assert all(row["source"] for row in rows)


def test_show_prints_a_yaml_to_start_from(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(cli("show", "v2").stdout)
    mine = json.loads(cli("model", str(path), "--fast", "--format", "json").stdout)
    assert (
        mine["mult_adds"]
        == json.loads(cli("model", "v2", "--fast", "--format", "json").stdout)["mult_adds"]
    )


def test_a_counter_skipped_is_null_with_a_note_and_an_error_if_asked_for(cli: Cli) -> None:
    result = cli("model", "v2", "--size", "4096", "--format", "json")
    record = json.loads(result.stdout)
    assert result.exit_code == 0
    assert record["fvcore_flops"] is None
    assert record["torchinfo_mult_adds"] > record["mult_adds"]
    assert "fvcore skipped: one image's largest layer takes" in result.stderr
    asked = cli("model", "v2", "--size", "4096", "--counter", "fvcore")
    assert asked.exit_code == 2
    assert "fvcore cannot run" in asked.stderr


def test_a_large_batch_gives_the_figures_of_one_image_times_the_batch(cli: Cli) -> None:
    counters = ("--counter", "torchinfo", "--counter", "torch", "--counter", "fvcore")
    one, many = (
        json.loads(cli("model", "v2", "--batch", n, *counters, "--format", "json").stdout)
        for n in ("1", "256")
    )
    for key in ("mult_adds", "torchinfo_mult_adds", "torch_flops", "fvcore_flops"):
        assert many[key] == 256 * one[key]
    assert many["verified"] is True


def test_files_are_written_whole_and_stdout_stays_silent(cli: Cli, tmp_path: Path) -> None:
    files = [tmp_path / f"table{suffix}" for suffix in (".txt", ".md", ".csv", ".tex", ".json")]
    args = [word for path in files for word in ("-o", str(path))]
    result = cli("compare", "--fast", *args)
    assert result.exit_code == 0
    assert result.stdout == ""
    assert all(f"wrote {path}" in result.stderr for path in files)
    assert all(path.read_text("utf-8") for path in files)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(p.name for p in files)
    both = cli("compare", "--fast", "-o", str(files[2]), "-o", "-")
    assert "standard" in both.stdout


def test_output_that_cannot_be_written_leaves_the_old_file(cli: Cli, tmp_path: Path) -> None:
    missing = cli("compare", "--fast", "-o", str(tmp_path / "no" / "x.csv"))
    assert (missing.exit_code, missing.stdout) == (2, "")
    assert "its directory does not exist" in missing.stderr
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    assert "is a directory" in cli("compare", "--fast", "-o", str(folder)).stderr
    old = tmp_path / "old.csv"
    old.write_text("kept")
    failed = cli("compare", "v4", "--fast", "-o", str(old))
    assert failed.exit_code == 2
    assert old.read_text() == "kept"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_a_message(cli: Cli, tmp_path: Path) -> None:
    link = tmp_path / "full.csv"
    link.symlink_to("/dev/full")
    result = cli("compare", "--fast", "-o", str(link))
    assert result.exit_code == 2
    assert "cannot be written: No space left on device" in result.stderr


def test_a_closed_pipe_ends_quietly() -> None:
    read, write = os.pipe()
    os.close(read)
    process = subprocess.run(
        [*MBCOST, "model", "v2", "--fast"], stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert (process.returncode, process.stderr) == (0, b"")


def test_an_interrupt_exits_with_130() -> None:
    process = subprocess.Popen(
        [*MBCOST, "compare", "v2", "--size", "512", "--batch", "4"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        # a suite that runs in the background ignores it, and children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    maps = Path(f"/proc/{process.pid}/maps")
    while "libtorch" not in maps.read_text():  # the counters have begun
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate()
    assert process.returncode == 130
    assert b"Traceback" not in stderr


def test_version_names_the_counters(cli: Cli) -> None:
    from importlib.metadata import version

    stdout = cli("--version").stdout
    for package in ("torch", "torchinfo", "fvcore"):
        assert f"{package} {version(package)}" in stdout
    assert stdout.startswith("mbcost ")


def test_help_of_every_command_explains_it(cli: Cli) -> None:
    commands = cli("--help").stdout.split("Commands:")[1]
    for line in commands.strip().splitlines():
        name = line.split()[0]
        result = cli(name, "--help")
        assert result.exit_code == 0
        assert "Usage: " in result.stdout
