"""``mbcost latency``: what it prints, writes and refuses. No test asserts a time."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mbcost.studies.device.latency_table import FIELDS
from mbcost.studies.device.shares_table import VIEWS
from tests import ROOT
from tests.conftest import Cli

SMALL = ("latency", "standard", "depthwise-separable", "--size", "8", "--rounds", "8")


def test_blocks_side_by_side(cli: Cli) -> None:
    result = cli("latency", "--size", "8", "--rounds", "8")
    assert result.exit_code == 0, result.stderr
    title, *lines = result.stdout.splitlines()
    assert title == "input 64×8×8, batch 1, eager, fp32, 1 thread"
    heads = "target mult-adds median (ms) ± 95 % vs standard ± 95 % GMAC/s mult-adds/byte wall"
    assert set(heads.split()) <= set(result.stdout.split())
    names = [line.split()[0] for line in lines[3:6]]
    assert names == ["standard", "depthwise-separable", "inverted-residual"]
    assert "of 8 rounds after" in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize("further", [(), ("--by", "kind"), ("--by", "layer", "--device")])
def test_a_figure_is_drawn_beside(further: tuple[str, ...], cli: Cli, tmp_path: Path) -> None:
    device = tmp_path / "slow.yaml"
    device.write_text(
        "source: made up\npeaks: {fp32: {mult_adds_per_s: 1G, source: made up}}\n", "utf-8"
    )
    given = (*further, str(device)) if "--device" in further else further
    plot = tmp_path / "a.svg"
    result = cli(*SMALL[:2], "--size", "8", "--rounds", "6", *given, "--plot", str(plot))
    assert result.exit_code == 0, result.stderr
    assert result.stderr == f"wrote {plot}\n"
    assert plot.read_text("utf-8").count("<path") > 3


def test_files_agree_with_each_other(cli: Cli, tmp_path: Path) -> None:
    wide, full = tmp_path / "a.csv", tmp_path / "a.json"
    result = cli(*SMALL, "-o", str(wide), "-o", str(full))
    assert result.exit_code == 0, result.stderr
    with wide.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    document = json.loads(full.read_text("utf-8"))
    assert [tuple(row) for row in rows] == [FIELDS, FIELDS]
    for row, record in zip(rows, document, strict=True):
        for key in ("target", "mult_adds", "seconds", "ratio_low", "cpu", "date"):
            assert row[key] == str(record[key]), key
        assert len(record["cpu_samples"]) == len(record["wall_samples"]) == 8
        assert sorted(record["cpu_samples"])[3] <= record["seconds"]
        assert record["seconds"] <= sorted(record["cpu_samples"])[4]
        assert round(record["gmacs_per_second"] * 1e9 * record["seconds"]) == record["mult_adds"]
        assert {"mbcost", "torch"} <= set(record["versions"])


def test_runtimes_and_dtypes_are_all_measured(cli: Cli) -> None:
    result = cli(*SMALL[:2], *SMALL[3:], "--runtime", "onnx,litert", "--dtype", "fp32,int8")
    assert result.exit_code == 0, result.stderr
    rows = [line.split()[:3] for line in result.stdout.splitlines()[4:8]]
    assert rows == [
        ["standard", runtime, dtype] for runtime in ("onnx", "litert") for dtype in ("fp32", "int8")
    ]
    assert "the file that `mbcost deploy` writes" in result.stdout


@pytest.mark.parametrize("by", VIEWS)
def test_one_target_is_taken_apart(by: str, cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "parts.json"
    args = ("latency", "v3-small", "--alpha", "0.35", "--size", "32", "--rounds", "6", "--by", by)
    result = cli(*args, "--runtime", "onnx", "-o", "-", "-o", str(path))
    assert result.exit_code == 0, result.stderr
    document = json.loads(path.read_text("utf-8"))
    rows = document[f"by_{by}"]
    assert sum(row["mult_adds"] for row in rows) == document["mult_adds"]
    assert all(len(row["samples"]) == 6 for row in rows if row["seconds"] is not None)
    assert f"{document['parts_of_whole']:.3g}"[:3] in result.stdout
    assert "they are not scaled to it" in result.stdout
    assert "(between layers)" in result.stdout


REFUSED = {
    ("v2", "--runtime", "torch"): "--runtime: unknown value 'torch' (one of: eager, compile, onnx,",
    ("v2", "--dtype", "int8"): "--dtype: the runtime eager has no 'int8' (fp32, or another --run",
    ("v2", "--runtime", "onnx,compile", "--dtype", "fp32,int8"): "--dtype: the runtime compile has",
    ("v1", "v2", "--reference", "v3"): "--reference: 'v3' is none of what is measured (",
    ("v2", "--by", "layers"): "--by: unknown view 'layers' (did you mean 'layer'?)",
    ("v1", "v2", "--by", "layer"): "--by: takes one target apart",
    ("v2", "--by", "kind", "--runtime", "litert"): "--by: the runtime litert does not tell where",
    ("v2", "--rounds", "0"): "--rounds: 0 is out of range (1 to 100000)",
    ("v2", "--rounds", "some"): "--rounds: 'some' is not a whole number (1 to 100000)",
    ("v2", "--columns", "ms"): "--columns: unknown column 'ms'",
    ("v2", "--by", "kind", "--columns", "rounds"): "--columns: unknown column 'rounds'",
    ("v2", "--sort", "speed"): "--sort: unknown key 'speed'",
    ("v2", "--size", "65536"): "v2: is too large to be run here: a layer's maps take 825 GB",
    ("torchvision:alexnet", "--runtime", "litert"): "torchvision:alexnet: is a model from elsewh",
}


@pytest.mark.parametrize("args", REFUSED, ids=" ".join)
def test_what_is_refused_is_one_message(args: tuple[str, ...], cli: Cli) -> None:
    result = cli("latency", *args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"mbcost: {REFUSED[args]}"), result.stderr
    assert result.stderr.count("\n") == 1


def test_a_model_that_raises_in_its_forward_is_one_message(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(
        "import torch\n"
        "class Loud(torch.nn.Linear):\n"
        "    def forward(self, x):\n"
        "        print('here')\n"
        "        if x.device.type == 'cpu' and self.broken:\n"
        "            raise ValueError('no such\\nluck')\n"
        "        return super().forward(x)\n"
        "def build(broken=False):\n"
        "    model = Loud(224, 2)\n"
        "    model.broken = broken\n"
        "    return model\n",
        "utf-8",
    )
    target = f"{tmp_path / 'model.py'}:build"
    result = cli("latency", target, "--rounds", "6")
    assert result.exit_code == 0, result.stderr
    assert "here" not in result.stdout
    result = cli("latency", f"{target}@broken=true", "--rounds", "6")
    assert result.exit_code == 2
    expected = f"{target}@broken=true (eager fp32): does not run: ValueError: no such (another"
    assert result.stderr.splitlines()[-1].startswith(f"mbcost: {expected}")


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Any]:
    """Start ``mbcost latency`` in a process of its own, as a terminal would."""
    running: list[subprocess.Popen[str]] = []

    def start(*args: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "mbcost", "latency", *args],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # a shell's background job ignores it, and hands that down
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.wait()


def test_ctrl_c_keeps_the_rounds_that_were_finished(started: Any, tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(
        "import pathlib, torch\n"
        "class Model(torch.nn.Linear):\n"
        "    calls = 0\n"
        "    def forward(self, x):\n"
        "        Model.calls += 1\n"
        "        if Model.calls == 100:\n"
        "            pathlib.Path('ran').touch()\n"
        "        return super().forward(x)\n"
        "def build():\n"
        "    return Model(224, 2)\n",
        "utf-8",
    )
    process = started("model.py:build", "--rounds", "100000", "-o", "kept.json", "-o", "-")
    end = time.monotonic() + 120
    while not (tmp_path / "ran").exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    (record,) = json.loads((tmp_path / "kept.json").read_text("utf-8"))
    assert record["stopped"] == "interrupted"
    assert 0 < record["rounds"] == len(record["cpu_samples"]) < 100_000
    words = f"{record['rounds']:,} of 100,000 rounds were finished and are what is shown"
    assert words in out


def test_ctrl_c_before_the_first_round_says_so(started: Any, tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(
        "import pathlib, time, torch\n"
        "class Model(torch.nn.Linear):\n"
        "    calls = 0\n"
        "    def forward(self, x):\n"
        "        Model.calls += x.device.type == 'cpu'\n"
        "        if Model.calls > 3:\n"
        "            pathlib.Path('ran').touch()\n"
        "            time.sleep(60)\n"
        "        return super().forward(x)\n"
        "def build():\n"
        "    return Model(224, 2)\n",
        "utf-8",
    )
    process = started("model.py:build", "-o", "kept.json")
    end = time.monotonic() + 120
    while not (tmp_path / "ran").exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert err.endswith("interrupted before the first round was finished: nothing to show\n")
    assert not (tmp_path / "kept.json").exists()
