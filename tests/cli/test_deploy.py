"""``mbcost deploy``: what it writes, what it refuses, and what it leaves alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
import torch

from mbcost.modules import build
from mbcost.studies.deploy_table import FIELDS
from mbcost.targets.resolve import resolve_one
from tests.conftest import Cli

SMALL = ("deploy", "v3-small", "--size", "32")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_network_and_its_record_are_written(cli: Cli, folder: Path) -> None:
    result = cli(*SMALL, "-o", "net.onnx", "-o", "net.json", "-o", "net.csv", "-o", "-")
    assert result.exit_code == 0, result.stderr
    assert result.stderr.splitlines() == ["wrote net.onnx", "wrote net.json", "wrote net.csv"]
    (record,) = json.loads((folder / "net.json").read_text("utf-8"))
    assert tuple(record)[: len(FIELDS)] == FIELDS
    assert record["file_bytes"] == (folder / "net.onnx").stat().st_size
    assert (folder / "net.csv").read_text("utf-8").startswith(",".join(FIELDS))
    assert "net.onnx" in result.stdout
    assert "verified: read back" in result.stdout
    graph = onnx.load(folder / "net.onnx").graph
    assert [dim.dim_value for dim in graph.input[0].type.tensor_type.shape.dim] == [1, 3, 32, 32]


def test_two_formats_are_two_rows(cli: Cli, folder: Path) -> None:
    result = cli(*SMALL, "-o", "net.onnx", "-o", "net.tflite", "--format", "json")
    assert result.exit_code == 0, result.stderr
    onnx_row, tflite_row = json.loads(result.stdout)
    assert (onnx_row["layout"], onnx_row["arena_bytes"]) == ("nchw", None)
    assert (tflite_row["layout"], tflite_row["file_format"]) == ("nhwc", "TFLite")
    assert tflite_row["arena_bytes"] >= tflite_row["predicted_peak_bytes"] > 0
    assert tflite_row["arena_measured"]
    assert tflite_row["predicted_bytes"] == onnx_row["predicted_bytes"]
    assert tflite_row["file_bytes"] == (folder / "net.tflite").stat().st_size
    assert (folder / "net.tflite").read_bytes()[4:8] == b"TFL3"


def test_without_litert_it_says_what_to_install(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    result = cli(*SMALL, "-o", "net.tflite")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "pip install 'mbcost[tflite]'" in result.stderr
    assert list(folder.iterdir()) == []


def test_without_tflite_micro_the_arena_is_a_prediction(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tflite_micro", None)
    result = cli(*SMALL, "-o", "net.tflite", "-o", "net.json")
    assert result.exit_code == 0, result.stderr
    (row,) = json.loads((folder / "net.json").read_text("utf-8"))
    assert (row["arena_measured"], row["verified"]) == (False, True)


def test_two_files_are_two_rows_and_equal(cli: Cli, folder: Path) -> None:
    result = cli(
        *SMALL,
        "-o",
        "a.onnx",
        "-o",
        "b.ONNX",
        "-o",
        "./a.onnx",
        "--format",
        "csv",
        "--columns",
        "file",
    )
    assert result.stdout.splitlines() == ["file", "a.onnx", "b.ONNX"]
    assert (folder / "a.onnx").read_bytes() == (folder / "b.ONNX").read_bytes()


def test_layout_batch_and_range_are_those_of_the_file(cli: Cli, folder: Path) -> None:
    told = ("--layout", "nhwc", "--input-range", "0:255", "--batch", "2")
    assert cli(*SMALL, *told, "-o", "net.onnx").exit_code == 0
    model = onnx.load(folder / "net.onnx")
    shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    assert shape == [2, 32, 32, 3]
    said = {prop.key: prop.value for prop in model.metadata_props}
    assert (said["mbcost.layout"], said["mbcost.input_range"]) == ("nhwc", "0:255")
    assert said["mbcost.settings"] == "size=32,batch=2"


def saved(change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    state = build(resolve_one("v3-small@size=32").graph).state_dict()
    change(state)
    torch.save(state, "net.pt")


def test_weights_of_a_file_are_written(cli: Cli, folder: Path) -> None:
    saved(lambda state: state["rows.15.linear.bias"].copy_(torch.arange(1000)))
    result = cli(*SMALL, "--weights", "net.pt", "-o", "net.onnx", "--format", "json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)[0]["weights_from"] == "net.pt"
    model = onnx.load(folder / "net.onnx")
    (bias,) = (t for t in model.graph.initializer if t.name == "rows.15.linear.bias")
    assert onnx.numpy_helper.to_array(bias).tolist() == list(range(1000))


def test_weights_of_another_network_leave_the_file_as_it_was(cli: Cli, folder: Path) -> None:
    (folder / "net.onnx").write_bytes(b"before")
    saved(lambda state: state.pop("rows.0.bn.bias"))
    result = cli(*SMALL, "--weights", "net.pt", "-o", "net.onnx")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("mbcost: net.pt: lacks rows.0.bn.bias (")
    assert (folder / "net.onnx").read_bytes() == b"before"
    assert sorted(path.name for path in folder.iterdir()) == ["net.onnx", "net.pt"]


def test_a_seed_that_torch_does_not_take_is_refused(cli: Cli, folder: Path) -> None:
    result = cli(*SMALL, "--seed", str(2**64), "-o", "net.onnx")
    assert result.exit_code == 2
    assert "--seed" in result.stderr
    assert list(folder.iterdir()) == []


BAD = {
    "no file": ((), "-o: no file for the network (-o net.onnx or -o net.tflite)"),
    "a table alone": (
        ("-o", "net.csv"),
        "-o: no file for the network (-o net.onnx or -o net.tflite)",
    ),
    "suffix": (("-o", "net.onxn"), "-o net.onxn: unknown suffix '.onxn' (did you mean '.onnx'?)"),
    "no directory": (("-o", "none/net.onnx"), "none/net.onnx: its directory does not exist"),
    "dtype": (("--dtype", "int4"), "--dtype: unknown value 'int4' (did you mean 'int8'?)"),
    "layout": (("--layout", "nwhc"), "--layout: unknown value 'nwhc' (did you mean 'nhwc'?)"),
    "layout of TFLite": (
        ("--layout", "nchw", "-o", "net.tflite"),
        "--layout: a file of TFLite has no layout 'nchw' (nhwc, its operators' own)",
    ),
    "range of one": (("--input-range", "1"), "--input-range: '1' is not a span of values (like"),
    "range of words": (("--input-range", "a:b"), "--input-range: 'a:b': 'a' is not a number"),
    "empty range": (("--input-range", "1:1"), "--input-range: '1:1' ends before it has begun"),
    "endless range": (("--input-range", "0:inf"), "--input-range: '0:inf': 'inf' is not a number"),
    "column": (("--columns", "fil"), "--columns: unknown column 'fil' (did you mean 'file'?)"),
    "no weights": (("--weights", "none.pt"), "none.pt: cannot be read: No such file"),
    "too large": (("--batch", "4096", "--size", "224"), "v3-small: is too large to be run here"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_usage_is_one_message_and_no_file(case: str, cli: Cli, folder: Path) -> None:
    options, message = BAD[case]
    target = [] if "-o" in options or case == "no file" else ["-o", "net.onnx"]
    result = cli(*(SMALL if "--size" not in options else SMALL[:2]), *options, *target)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"mbcost: {message}")
    assert result.stderr.count("\n") == 1
    assert list(folder.iterdir()) == []
