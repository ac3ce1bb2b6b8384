"""``mbcost sweep``: grids and samples as tables and files, and what happens when things break."""

from __future__ import annotations

import csv
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest

import mbcost
from mbcost.errors import MbcostError
from mbcost.networks.spec import report
from mbcost.studies.memory.stated import OF_WHOLE, Stated
from mbcost.studies.spaces.chunks import Chunks, locked
from mbcost.studies.spaces.columns import Layout
from mbcost.studies.spaces.plan import Plan
from mbcost.studies.spaces.space_file import load_space
from mbcost.studies.spaces.sweep.resumable import to_chunks, whole
from tests.conftest import Cli

MBCOST = (sys.executable, "-m", "mbcost")
OFA = ("sweep", "ofa-mobilenetv3", "--verify", "0", "--samples")


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_grid_is_every_combination_and_each_figure_the_closed_forms(cli_json: Any) -> None:
    rows = cli_json("sweep", "v2", "--alpha", "0.35:1.4:0.35", "--size", "96,224", "--verify", "0")
    assert [(row["alpha"], row["size"]) for row in rows] == [
        (alpha, size) for alpha in (0.35, 0.7, 1.05, 1.4) for size in (96, 224)
    ]
    for row in rows:
        found = mbcost.count("v2", alpha=row["alpha"], size=row["size"])
        for key in ("params", "params_weights", "params_all", "mult_adds"):
            assert row[key] == getattr(found, key)
        assert row["weight_bytes"] == 4 * found.params


def test_top1_is_shown_for_exactly_what_was_published(cli_json: Any) -> None:
    args = ("sweep", "v1", "--alpha", "0.5,0.6", "--size", "160,224", "--verify", "0")
    rows = cli_json(*args)
    shown = {(row["alpha"], row["size"]): row["top1"] for row in rows}
    assert shown == {(0.5, 160): 60.2, (0.5, 224): 63.7, (0.6, 160): None, (0.6, 224): None}
    assert cli_json(*args, "--classes", "1000") == rows
    assert "top1" not in cli_json(*args, "--classes", "10")[0]  # trained for another task
    assert "top1" not in cli_json(*args, "--set", "rows.3.k=3,5")[0]


def test_rho_scales_the_native_size(cli_json: Any) -> None:
    rows = cli_json("sweep", "v1", "--rho", "0.5,1", "--verify", "0")
    assert [(row["rho"], row["size"]) for row in rows] == [(0.5, 112), (1.0, 224)]


def test_a_pivot_has_an_axis_down_and_an_axis_across(cli_json: Any) -> None:
    rows = cli_json(
        "sweep", "v2", "--alpha", "0.5,1", "--size", "96,224", "--pivot", "alpha,size",
        "--figure", "params", "--verify", "0",
    )  # fmt: skip
    small, large = (mbcost.count("v2", alpha=alpha).params for alpha in (0.5, 1))
    assert rows == [
        {"alpha": 0.5, "96": small, "224": small},
        {"alpha": 1.0, "96": large, "224": large},
    ]


def test_a_table_has_small_bars_and_the_verified_line(cli: Cli) -> None:
    result = cli("sweep", "v1", "--alpha", "0.5,1", "--size", "64", "--verify", "2")
    assert result.exit_code == 0
    assert "████████" in result.stdout
    assert "verified to the unit: 2 configs built, torchinfo on 2 and fvcore on 2" in result.stdout
    markdown = cli("sweep", "v1", "--alpha", "0.5,1", "--verify", "0", "--format", "markdown")
    assert "█" not in markdown.stdout


def test_a_block_can_be_swept(cli_json: Any) -> None:
    rows = cli_json(
        "sweep", "inverted-residual", "--expand", "2,4", "--size", "28", "--verify", "0"
    )
    for row in rows:
        found = mbcost.count("inverted-residual", expand=row["expand"], size=28)
        assert (row["params"], row["mult_adds"]) == (found.params, found.mult_adds)


def test_csv_and_parquet_hold_the_same_and_what_the_closed_form_says(
    cli: Cli, tmp_path: Path
) -> None:
    lines, columns = tmp_path / "ofa.csv", tmp_path / "ofa.parquet"
    result = cli(*OFA, "300", "-o", str(lines), "-o", str(columns))
    assert (result.exit_code, result.stdout) == (0, "")
    rows = read(lines)
    table = pyarrow.parquet.read_table(columns).to_pylist()
    assert len(rows) == len(table) == 300
    text = [{k: "" if v is None else str(v) for k, v in row.items()} for row in table]
    assert text == rows
    space = load_space("ofa-mobilenetv3")
    for row in table[:10]:
        choice = [
            0 if row[axis.key] is None else _labels(axis.values).index(row[axis.key])
            for axis in space.axes
        ]
        found = report(*space.at(choice))
        assert (row["params"], row["mult_adds"]) == (found.params, found.mult_adds)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ofa.csv", "ofa.parquet"]


def _labels(values: tuple[Any, ...]) -> list[Any]:
    return [value[0] if isinstance(value, tuple) else value for value in values]


def test_a_budget_leaves_out_what_is_over_it(cli: Cli, tmp_path: Path) -> None:
    path, some = tmp_path / "all.csv", tmp_path / "some.csv"
    cli(*OFA, "2000", "-o", str(path))
    result = cli(*OFA, "2000", "-o", str(some), "--max-mult-adds", "150M", "--max-params", "5M")
    rows = read(path)
    fits = [r for r in rows if int(r["mult_adds"]) <= 150e6 and int(r["params"]) <= 5e6]
    assert read(some) == fits
    assert f"{len(fits):,} of 2,000 configs" in result.stderr
    assert 0 < len(fits) < 1000


def test_workers_change_nothing(tmp_path: Path) -> None:
    """Two units, so that the processes share them."""
    one, two = tmp_path / "1.csv", tmp_path / "2.csv"
    for path, workers in ((one, "1"), (two, "2")):
        command = [*MBCOST, *OFA, "70000", "-o", str(path), "--workers", workers]
        subprocess.run(command, check=True, capture_output=True)
    assert one.read_bytes() == two.read_bytes()
    with one.open() as lines:
        assert sum(1 for _ in lines) == 70_001


MISTAKES = {
    "range": (["sweep", "v2", "--alpha", "1:0.5:0.1"], "--alpha: '1:0.5:0.1' ends before"),
    "step": (["sweep", "v2", "--size", "96:224:0"], "--size: '96:224:0' has a step"),
    "value": (["sweep", "v2", "--alpha", "0,1"], "--alpha: 0 is out of range"),
    "unknown target": (["sweep", "v22"], "did you mean 'v2'"),
    "foreign target": (["sweep", "torchvision:resnet18"], "has no rows to vary"),
    "rho and size": (["sweep", "v2", "--rho", "1", "--size", "96"], "rho and size both"),
    "misfit": (["sweep", "v2", "--kernel", "3,5"], "--kernel: "),
    "field": (["sweep", "v2", "--set", "rows.3.tt=1"], "no field 'tt'"),
    "pivot": (["sweep", "v2", "--alpha", "1,0.5", "--pivot", "alpha,siz"], "'siz' does not vary"),
    "one-sided pivot": (
        ["sweep", "v2", "--alpha", "1,0.5", "--pivot", "alpha", "--verify", "0"],
        "needs two axes",
    ),
    "figure": (
        ["sweep", "v2", "--alpha", "1,0.5", "--size", "96,128", "--pivot", "alpha,size",
         "--figure", "mult_add", "--verify", "0"],
        "did you mean 'mult_adds'",
    ),
    "too many rows": ([*OFA, "20000"], "too many for a table"),
    "too many to enumerate": (["sweep", "ofa-mobilenetv3"], "--samples 1000000 draws some"),
    "resume what": (["sweep", "v2", "--resume"], "--resume: needs a file to go on with"),
    "directory": (["sweep", "v2", "-o", "no/such/x.csv"], "its directory does not exist"),
    "sorted parquet": (["sweep", "v2", "--sort", "params", "-o", "x.parquet"], "leave out --sort"),
    "too small a map": (
        ["sweep", "standard", "--size", "2,8", "--kernel", "5", "--padding", "0", "--verify", "0"],
        "a kernel of 5 is larger than its padded input of 2",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_message(cli: Cli, mistake: str) -> None:
    args, message = MISTAKES[mistake]
    result = cli(*args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_grid_that_the_budget_empties_is_exit_one(cli: Cli) -> None:
    result = cli("sweep", "v2", "--alpha", "0.5,1", "--max-params", "1k", "--verify", "0")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "none of 2 configs is within the budget" in result.stderr


def test_a_closed_pipe_ends_quietly() -> None:
    command = [*MBCOST, *OFA, "200000", "--format", "csv"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout
    assert process.stderr
    assert process.stdout.readline().startswith(b"name,alpha,size")
    process.stdout.close()
    message = process.stderr.read()
    assert (process.wait(timeout=60), message) == (0, b"")


def run(cwd: Path, *args: str, most_bytes: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run mbcost; ``most_bytes`` is the largest file it may write, as on a disk that fills up."""

    def limit() -> None:
        if most_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    return subprocess.run(
        [*MBCOST, *args], capture_output=True, text=True, cwd=cwd, preexec_fn=limit, check=False
    )


def test_a_full_disk_keeps_finished_chunks_and_a_resume_goes_on(tmp_path: Path) -> None:
    """The first chunk fits, the joined file does not."""
    args = (*OFA, "131072", "-o", "x.csv")
    result = run(tmp_path, *args, most_bytes=15_000_000)
    assert result.returncode == 2
    assert "x.csv: cannot be written" in result.stderr
    assert "--resume goes on" in result.stderr
    assert "Traceback" not in result.stderr
    parts = sorted(path.name for path in (tmp_path / "x.csv.parts").glob("0*.csv"))
    assert [part[:15] for part in parts] == ["00000000-65536-", "00000001-65536-"]
    before = [(tmp_path / "x.csv.parts" / part).stat().st_mtime_ns for part in parts]

    result = run(tmp_path, *args)
    assert result.returncode == 2
    assert "an interrupted sweep left its parts" in result.stderr
    result = run(tmp_path, *OFA, "131072", "--seed", "1", "-o", "x.csv", "--resume")
    assert result.returncode == 2
    assert "belongs to another sweep: plan differ" in result.stderr
    after = [(tmp_path / "x.csv.parts" / part).stat().st_mtime_ns for part in parts]
    assert before == after

    (tmp_path / "x.csv.parts" / parts[1]).write_text("torn")
    assert run(tmp_path, *args, "--resume").returncode == 0
    assert run(tmp_path, *OFA, "131072", "-o", "y.csv").returncode == 0
    assert (tmp_path / "x.csv").read_bytes() == (tmp_path / "y.csv").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.csv", "y.csv"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("plan.json", "{", "plan.json: the resume file cannot be read"),
        ("plan.json", "[1]", "plan.json: the resume file cannot be read"),
    ],
)
def test_a_broken_resume_file_says_so(
    cli: Cli, tmp_path: Path, name: str, text: str, message: str
) -> None:
    path = tmp_path / "x.csv"
    (tmp_path / "x.csv.parts").mkdir()
    (tmp_path / "x.csv.parts" / name).write_text(text)
    result = cli(*OFA, "10", "-o", str(path), "--resume")
    assert result.exit_code == 2
    assert message in result.stderr


WHOLE = ("--alpha", "0.25,0.5,0.75", "--size", "64:160:32", "--batch", "1,2", "--dtype", "int8")


def by_memory(cli_json: Any, *options: str) -> dict[tuple[float, int, int], dict[str, Any]]:
    """Return what ``mbcost memory`` says of each config of ``WHOLE`` of v3-small."""
    targets = [
        f"v3-small@alpha={alpha},size={size},batch={batch}"
        for alpha in (0.25, 0.5, 0.75)
        for size in (64, 96, 128, 160)
        for batch in (1, 2)
    ]
    rows = cli_json("memory", *targets, *options)
    keys = [(r["settings"]["alpha"], r["settings"]["size"], r["batch"]) for r in rows]
    return dict(zip([(a, s, b) for a, s, b in keys], rows, strict=True))


@pytest.mark.parametrize("fuse", ["none", "all"])
def test_limits_on_whole_networks_keep_what_is_within_all_of_them(
    cli: Cli, cli_json: Any, tmp_path: Path, fuse: str
) -> None:
    """Arena and training peak to a table, CSV and Parquet, by one process and by two."""
    deployed = by_memory(cli_json, "--dtype", "int8", "--fuse", fuse)
    trained = by_memory(cli_json, "--train", "--optimizer", "adam")
    figures = {
        key: (row["lower_bound_bytes"], row["arena_bytes"], trained[key]["train_peak_bytes"])
        for key, row in deployed.items()
    }
    columns = zip(*figures.values(), strict=True)
    limits = [sorted(column)[at] for column, at in zip(columns, (19, 18, 17), strict=True)]
    expected = {
        key: row
        for key, row in figures.items()
        if all(value <= most for value, most in zip(row, limits, strict=True))
    }
    assert 3 < len(expected) < 18
    options = ("--max-activation-bytes", "--max-arena-bytes", "--max-train-peak-bytes")
    budgets = [text for pair in zip(options, map(str, limits), strict=True) for text in pair]
    args = ("sweep", "v3-small", *WHOLE, "--fuse", fuse, "--optimizer", "adam", *budgets)
    args = (*args, "--verify", "2")
    found = cli_json(*args)
    parquet, alone, both = tmp_path / "x.parquet", tmp_path / "x.csv", tmp_path / "y.csv"
    result = cli(*args, "-o", str(parquet), "-o", str(alone))
    assert "verified to the unit" in result.stderr
    cli(*args, "-o", str(both), "--workers", "2")
    assert both.read_bytes() == alone.read_bytes()
    keys = ("peak_activation_bytes", "arena_bytes", "train_peak_bytes")
    for rows in (found, pyarrow.parquet.read_table(parquet).to_pylist(), read(alone)):
        assert {
            (float(r["alpha"]), int(r["size"]), int(r["batch"])): tuple(int(r[k]) for k in keys)
            for r in rows
        } == expected


def test_a_whole_figure_stands_where_it_is_asked_for(cli: Cli, cli_json: Any) -> None:
    args = ("sweep", "v1", "--alpha", "0.25,0.5", "--size", "64", "--verify", "0")
    assert not {"arena_bytes", "train_peak_bytes"} & cli_json(*args)[0].keys()
    rows = cli_json(*args, "--columns", "alpha,arena_bytes", "--sort", "-train_peak_bytes")
    for row, alpha in zip(rows, (0.5, 0.25), strict=True):
        [memory] = cli_json("memory", f"v1@alpha={alpha},size=64")
        assert row == {"alpha": alpha, "arena_bytes": memory["arena_bytes"]}
    pivot = ("--batch", "1,2", "--pivot", "alpha,batch", "--figure", "train_peak_bytes")
    [first, _] = cli_json(*args, *pivot)
    for batch in ("1", "2"):
        [memory] = cli_json("memory", "v1@alpha=0.25,size=64", "--batch", batch, "--train")
        assert first[batch] == memory["train_peak_bytes"]
    shown = cli(*args, "--columns", "alpha,arena_bytes", "--format", "markdown").stdout
    assert "an interpreter takes at least the arena" in shown


NOTE = "torch trains no batch-norm of one value per channel: a config that has one"


def test_a_config_that_cannot_be_trained_is_left_out_and_that_is_said(
    cli: Cli, cli_json: Any, tmp_path: Path
) -> None:
    """v2 at 32×32 ends in maps of 1×1, over which a batch-norm needs two images."""
    args = ("sweep", "v2", "--alpha", "0.35", "--size", "32,64", "--batch", "1,2", "--verify", "0")
    limit = ("--max-train-peak-bytes", "1GB")
    assert cli("memory", "v2", "--alpha", "0.35", "--size", "32", "--train").exit_code == 2
    rows = cli_json(*args, *limit)
    assert [(row["size"], row["batch"]) for row in rows] == [(32, 2), (64, 1), (64, 2)]
    for row in rows:
        config = f"v2@alpha=0.35,size={row['size']}"
        [memory] = cli_json("memory", config, "--batch", str(row["batch"]), "--train")
        assert row["train_peak_bytes"] == memory["train_peak_bytes"]
    assert NOTE in cli(*args, *limit).stdout
    assert NOTE not in cli(*args, *limit, "--batch", "2").stdout
    assert cli(*args, *limit, "-o", str(tmp_path / "x.csv")).exit_code == 0
    assert len(read(tmp_path / "x.csv")) == 3
    shown = cli(*args, "--columns", "size,batch,train_peak_bytes", "--format", "csv")
    assert len(shown.stdout.splitlines()) == 1 + 3


def test_a_sample_is_the_same_whatever_is_counted(cli: Cli, tmp_path: Path) -> None:
    """Smaller units do not change what is drawn: a limit leaves some of the same configs."""
    args = ("sweep", "mobilenet-grid", "--samples", "30", "--seed", "3", "--verify", "0")
    limits = ("--max-mult-adds", "60M", "--max-arena-bytes", "1GB")
    assert cli(*args, "-o", str(tmp_path / "all.csv")).exit_code == 0
    assert cli(*args, *limits, "-o", str(tmp_path / "some.csv")).exit_code == 0
    everything, some = read(tmp_path / "all.csv"), read(tmp_path / "some.csv")
    assert 0 < len(some) < 30
    assert all(int(row.pop("arena_bytes")) > 0 for row in some)
    assert some == [row for row in everything if int(row["mult_adds"]) <= 60_000_000]


def test_a_sample_does_not_depend_on_its_units() -> None:
    space = load_space("ofa-mobilenetv3")
    whole = Plan(space, 200_000).choices
    pieces = Plan(space, 200_000, unit=70_001)
    found = np.concatenate([pieces.choices(unit) for unit in range(pieces.units)], axis=1)
    assert (found == np.concatenate([whole(unit) for unit in range(4)], axis=1)).all()


def test_a_sweep_with_whole_figures_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """What is finished is another sweep's where the fusion or the optimizer differs."""
    space = load_space("v1").narrowed({"alpha": "0.25,0.5", "size": "64,96"})
    limits = {"arena_bytes": 300_000}
    plan = Plan(space, None, 0, limits, 1, Stated("int8", "tflite"), tuple(OF_WHOLE))
    path = tmp_path / "x.csv"
    chunks = Chunks(path, Layout(plan))
    with locked([chunks]):
        for _ in zip(range(3), to_chunks(chunks), strict=False):
            pass
        left = len(chunks.finished())
    assert 0 < left < plan.units
    others = {"fuse": Stated("int8", "all"), "optimizer": Stated("int8", "tflite", "adam")}
    for name, other in others.items():
        changed = Chunks(path, Layout(replace(plan, stated=other)))
        with locked([changed]), pytest.raises(MbcostError, match=f"plan and {name} differ"):
            next(to_chunks(changed, resume=True))
    with locked([chunks]):
        for _ in to_chunks(chunks, resume=True):
            pass
        resumed = whole(chunks).read_bytes()
        chunks.remove()
    fresh = Chunks(tmp_path / "y.csv", Layout(plan))
    with locked([fresh]):
        for _ in to_chunks(fresh):
            pass
        assert whole(fresh).read_bytes() == resumed
        fresh.remove()
