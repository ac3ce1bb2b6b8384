"""``mbcost roof``: what is printed of a device, and a measured one as a file that is read."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from mbcost.errors import missing
from mbcost.studies.device.profile import load_device
from tests.conftest import Cli

REFUSED = {
    ("v2",): "mbcost: --device: on which device? (like --device raspberry-pi-5; ",
    ("v2", "--device", "rasberry-pi-5"): "mbcost: no device is called 'rasberry-pi-5' (did you "
    "mean 'raspberry-pi-5'?; or a YAML file, ",
    ("v2", "--device", "none.yaml"): "mbcost: none.yaml: ",
    ("v2", "--device", "nucleo-f446re", "--dtype", "fp16"): "mbcost: configs/devices/"
    "nucleo-f446re.yaml: has no peak in fp16 (--dtype fp32 or int8)",
    ("v2", "--device", "h100-sxm", "--dtype", "int9"): "mbcost: --dtype: unknown value 'int9' (did "
    "you mean 'int8'?)",
    ("v2", "--device", "h100-sxm", "--by", "block"): "mbcost: --by: unknown view 'block'",
    ("v1", "v2", "--device", "h100-sxm", "--by", "kind"): "mbcost: --by: shows the parts of one",
    ("v2", "--device", "h100-sxm", "--columns", "ms"): "mbcost: --columns: unknown column 'ms'",
    ("v2", "--device", "h100-sxm", "--threads", "2"): "mbcost: --threads: is of a measurement",
    ("v2", "--device", "h100-sxm", "-o", "host.yaml"): "mbcost: -o: is of a measurement",
    ("--device", "h100-sxm", "--dtype", "fp16"): "mbcost: --dtype: is of a TARGET",
    ("--device", "h100-sxm", "--size", "96"): "mbcost: --size: is of a TARGET",
    ("--by", "layer"): "mbcost: --by: is of a TARGET on a --device",
    ("-o", "host.yam"): "mbcost: -o host.yam: unknown suffix '.yam' (did you mean '.yaml'?)",
    ("--columns", "ms"): "mbcost: --columns: unknown column 'ms'",
    ("-o", "nowhere/host.yaml"): "mbcost: nowhere/host.yaml: its directory does not exist",
}


@pytest.mark.parametrize("args", REFUSED, ids=" ".join)
def test_what_makes_no_sense_is_one_message(
    cli: Cli, args: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = cli("roof", *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(REFUSED[args])
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_bound_says_that_it_is_one_and_never_latency(cli: Cli) -> None:
    printed = cli("roof", "v1", "v2", "--device", "raspberry-pi-5").stdout
    assert "at least ms" in printed
    assert "a lower bound, not a latency" in printed
    assert "latency" not in printed.replace("not a latency", "")
    assert "the bandwidth of L2 and L3 is not known" in printed
    for form in ("markdown", "latex"):
        text = cli("roof", "v2", "--device", "h100-sxm", "--format", form).stdout
        assert "a lower bound, not a latency" in text


def test_files_hold_the_bound_in_seconds_with_the_device(cli: Cli) -> None:
    args = ("roof", "v1", "v2@alpha=0.5", "--device", "raspberry-pi-5", "--dtype", "int8")
    document = json.loads(cli(*args, "--format", "json").stdout)
    assert document["device"]["peaks"]["int8"]["mult_adds_per_s"] == 307_200_000_000
    v1, v2 = document["bounds"]
    assert v1["at_least_seconds"] >= v1["mult_adds"] / 307_200_000_000
    assert (v1["bound"], v1["dtype"], v1["device"]) == ("compute", "int8", "raspberry-pi-5")
    assert v2["settings"] == {"alpha": 0.5}
    rows = list(csv.DictReader(io.StringIO(cli(*args, "--format", "csv").stdout)))
    assert [float(row["at_least_seconds"]) for row in rows] == [
        v1["at_least_seconds"],
        v2["at_least_seconds"],
    ]


@pytest.mark.parametrize("by", ["layer", "kind"])
def test_parts_add_up(cli: Cli, by: str) -> None:
    args = ("roof", "v3-small", "--device", "stm32f746g-disco", "--dtype", "int8", "--by", by)
    document = json.loads(cli(*args, "--format", "json").stdout)
    rows = document[f"by_{by}"]
    total = sum(row["at_least_seconds"] for row in rows)
    assert total == pytest.approx(document["at_least_seconds"])
    assert sum(row["mult_adds"] for row in rows) == document["mult_adds"] == 56_510_400
    assert sum(row["moved_bytes"] for row in rows) == document["moved_bytes"]
    assert sum(row["bound_share"] for row in rows) == pytest.approx(1)


def test_a_device_is_shown_with_its_sources(cli: Cli) -> None:
    printed = cli("roof", "--device", "raspberry_pi_5", "--format", "csv").stdout
    rows = {row["ceiling"]: row for row in csv.DictReader(io.StringIO(printed))}
    assert set(rows) == {"fp32", "fp16", "int8", "L1", "L2 and L3", "memory"}
    assert rows["fp32"]["source"].startswith("4 cores × 2.4 GHz × 2 pipes × 4 lanes: Arm ")
    assert (rows["memory"]["bytes_per_s"], rows["memory"]["bytes"]) == ("17068000000", "")
    assert (rows["L2 and L3"]["bytes_per_s"], rows["L2 and L3"]["bytes"]) == ("", "4456448")


def test_show_prints_a_device_to_start_from(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(cli("show", "nucleo-f446re").stdout, "utf-8")
    assert load_device(str(path)).peaks == load_device("nucleo-f446re").peaks


def test_a_measured_machine_is_a_device_that_is_read(cli: Cli, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    path, table = tmp_path / "host.yaml", tmp_path / "host.json"
    path.write_text("old")
    result = cli("roof", "--seconds", "0.01", "-o", str(path), "-o", str(table), "-o", "-")
    assert result.exit_code == 0
    assert result.stderr == f"wrote {path}\nwrote {table}\n"
    device = load_device(str(path))
    assert set(device.peaks) >= {"fp32", "fp16", "bf16"}
    assert ("int8" in device.peaks) is not bool(missing(["onnx", "onnxruntime"]))
    assert device.cores == 1
    assert device.bandwidths[-1].level == "memory"
    assert all("best of" in peak.source for peak in device.peaks.values())
    assert device.measured
    assert set(device.measured) >= {"cpu", "threads", "date", "versions"}
    document = json.loads(table.read_text())
    assert {d: p["mult_adds_per_s"] for d, p in document["peaks"].items()} == {
        dtype: peak.rate for dtype, peak in device.peaks.items()
    }
    bounded = cli("roof", "v2", "--device", str(path))
    assert bounded.exit_code == 0
    assert "as far as what was measured there is the most that it can do" in bounded.stdout


def test_a_file_that_is_wrong_is_refused_with_its_line(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "source: x\npeaks:\n  fp32:\n    mult_add_per_s: 1G\n    source: y\n", encoding="utf-8"
    )
    result = cli("roof", "v2", "--device", str(path))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        f"mbcost: {path}:4: peaks.fp32.mult_add_per_s: unknown key 'mult_add_per_s' (did you mean "
        "'mult_adds_per_s'?)\n"
    )
