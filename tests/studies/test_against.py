"""Measured times against a device's roofs, by arithmetic of their own."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from mbcost.errors import MbcostError
from mbcost.studies.device.against import Against, check
from mbcost.studies.device.figures import parts, times
from mbcost.studies.device.latency import Asked, Run, runs_of, timing
from mbcost.studies.device.latency_table import FIELDS, latency_table, record
from mbcost.studies.device.parts import shares
from mbcost.studies.device.profile import Device, load_device
from mbcost.studies.device.shares_table import share_records, shares_table
from mbcost.targets.resolve import resolve, resolve_one

YAML = """
source: made up
cores: 1
peaks: {fp32: {mult_adds_per_s: 1G, source: made up}}
bandwidths: [{level: memory, bytes_per_s: 1GB, source: made up}]
"""


@pytest.fixture
def device(tmp_path: Path) -> Device:
    path = tmp_path / "slow.yaml"
    path.write_text(YAML, "utf-8")
    return load_device(str(path))


def run_of(target: str) -> Run:
    (run,) = runs_of([resolve_one(target)], Asked())
    return run


def test_the_roof_of_a_block_is_its_mult_adds_and_bytes(device: Device) -> None:
    run = run_of("standard@in=8,out=16,size=9,kernel=3,stride=1,act=none,fold_bn=true")
    mult_adds = 9 * 9 * 9 * 8 * 16
    moved = 4 * (9 * 8 * 16 + 16 + 9 * 9 * (8 + 16))
    least = max(mult_adds, moved) / 1e9
    found = Against(run, device).record(2 * least)
    assert found["device"] == "slow"
    assert math.isclose(found["at_least_seconds"], least)
    assert math.isclose(found["of_roof"], 0.5)
    assert found["bound"] == "compute"
    assert Against(run, device).record(2.01 * least)["bound"] == "overhead"


def test_what_moves_more_than_it_multiplies_is_bound_by_memory(device: Device) -> None:
    run = run_of("standard@in=64,out=8,size=4,kernel=1,stride=1,act=none,fold_bn=true")
    moved = 4 * (64 * 8 + 8 + 16 * (64 + 8))
    assert moved > 16 * 64 * 8 * 0.8
    found = Against(run, device).record(1e-9)
    assert math.isclose(found["at_least_seconds"], max(moved, 16 * 64 * 8) / 1e9)
    linear = run_of("v3-small@alpha=0.35,size=32,classes=1000")
    path = next(row.path for row in linear.counted.report.layers if row.kind == "linear")
    assert Against(linear, device).parts([path], 1e-9)["bound"] == "memory"


def test_without_a_device_nothing_is_said_of_one(device: Device) -> None:
    made = timing([run_of("standard@size=8")], Asked(rounds=6))
    assert record(made, 0)["of_roof"] is None
    with_it = record(made, 0, device)
    assert tuple(with_it) == FIELDS
    assert with_it["of_roof"] * with_it["seconds"] == pytest.approx(with_it["at_least_seconds"])
    assert "of_roof" not in [column.key for column in latency_table(made).columns]
    assert {"of_roof", "bound"} <= {c.key for c in latency_table(made, device=device).columns}


@pytest.mark.parametrize("by", ["layer", "kind", "block"])
def test_the_bounds_of_the_rows_come_to_that_of_the_whole(by: str, device: Device) -> None:
    made = shares(run_of("v2@alpha=0.35,size=32"), Asked(rounds=2))
    rows = share_records(made, by, device)
    whole = record(made.timing, 0, device)["at_least_seconds"]
    assert math.isclose(sum(row["at_least_seconds"] or 0 for row in rows), whole)
    assert {"of_roof", "bound"} <= {c.key for c in shares_table(made, by, device=device).columns}


def test_a_device_of_other_cores_or_without_the_dtype_is_refused(device: Device) -> None:
    run = run_of("standard")
    check([run], device, 1)
    with pytest.raises(MbcostError, match=r"slow.yaml: is of 1 cores together, not of 2"):
        check([run], device, 2)
    (half,) = runs_of([resolve_one("standard")], Asked(("onnx",), ("fp16",)))
    with pytest.raises(MbcostError, match="has no peak in fp16"):
        check([half], device, 1)


def test_figures_have_a_row_for_each_run_and_layer(device: Device) -> None:
    made = timing(runs_of(resolve(["standard@size=8"]), Asked(("eager", "onnx"))), Asked(rounds=6))
    rows = times(made).rows
    assert [row["name"] for row in rows] == ["standard@size=8 eager", "standard@size=8 onnx"]
    assert [row["seconds"] for row in rows] == [made.time(i).median for i in range(2)]
    apart = shares(run_of("v2@alpha=0.35,size=32"), Asked(rounds=2))
    blocks = parts(apart, "block").table().rows
    assert math.isclose(sum(row["mult_adds_share"] for row in blocks), 1)
    points = parts(apart, "layer", device).table().rows
    layers = [row for row in apart.run.counted.report.layers if row.mult_adds]
    assert [row["path"] for row in points] == [row.path for row in layers]
    for row in points:
        assert math.isclose(row["mult_adds_per_second"] * row["seconds"], row["mult_adds"])
