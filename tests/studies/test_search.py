"""The best network under budgets, against a search that looks at every config by itself."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest

import mbcost
from mbcost.errors import CheckFailedError
from mbcost.networks.network import Network
from mbcost.networks.yaml import builtin
from mbcost.studies.memory.figures import record
from mbcost.studies.memory.stated import Stated
from mbcost.studies.spaces.columns import Layout
from mbcost.studies.spaces.plan import Plan
from mbcost.studies.spaces.search.alpha import solve_alpha
from mbcost.studies.spaces.search.search import Objective, search
from mbcost.studies.spaces.space_file import load_space
from mbcost.targets.subject import Subject
from mbcost.units import parse_count
from tests.conftest import Cli

GRID_V1 = ("--alpha", "0.25,0.5,0.75,1", "--size", "128:224:32")


def one_by_one(network: str, alphas: list[float], sizes: list[int]) -> list[dict[str, Any]]:
    """Return the grid's costs by the scalar closed form."""
    rows = []
    for alpha in alphas:
        for size in sizes:
            found = mbcost.count(network, alpha=alpha, size=size)
            rows.append(
                {
                    "alpha": alpha,
                    "size": size,
                    "params": found.params,
                    "mult_adds": found.mult_adds,
                }
            )
    return rows


def test_v1_under_150m_is_what_its_table_says(cli_json: Any) -> None:
    found = cli_json("search", "v1", "--max-mult-adds", "150M", *GRID_V1, "--verify", "0")
    network = builtin("v1")
    assert isinstance(network, Network)
    printed = [
        (row.top1, row.alpha, row.size)
        for row in network.published
        if row.top1 is not None and parse_count(row.mult_adds or "1T") <= 150_000_000
    ]
    assert len(printed) >= 3
    winner = found["winner"]
    assert (winner["top1"], winner["alpha"], winner["size"]) == max(printed)
    assert found["constraints"][0]["binding"] is True
    assert found["configs"] == 16


@pytest.mark.parametrize("network", ["v2", "v3-large"])
@pytest.mark.parametrize("objective", ["mult_adds", "params"])
def test_the_winner_is_the_best_of_the_grid(cli_json: Any, network: str, objective: str) -> None:
    rows = one_by_one(network, [0.25, 0.5, 0.75, 1.0, 1.25], [96, 128, 160, 192, 224])
    budgets = {"mult_adds": 200_000_000, "params": 4_000_000}
    fitting = [row for row in rows if all(row[key] <= v for key, v in budgets.items())]
    best = max(row[objective] for row in fitting)
    cheapest = min(row["mult_adds"] for row in fitting if row[objective] == best)
    found = cli_json(
        "search", network, "--alpha", "0.25:1.25:0.25", "--size", "96:224:32", "--verify", "0",
        "--max-mult-adds", "200M", "--max-params", "4M", "--objective", objective,
    )  # fmt: skip
    assert found["winner"][objective] == best
    assert found["winner"]["mult_adds"] == cheapest
    assert found["feasible"] == len(fitting)
    for constraint in found["constraints"]:
        key = constraint["key"]
        assert constraint["slack"] == budgets[key] - found["winner"][key] >= 0
        others = [row for row in rows if all(row[k] <= v for k, v in budgets.items() if k != key)]
        assert constraint["binding"] == (max(row[objective] for row in others) > best)


def test_a_front_of_two_objectives_is_no_worse_than_any_config(cli_json: Any) -> None:
    found = cli_json("search", "v3-large", "--objective=top1,-mult_adds", "--verify", "0")
    network = builtin("v3-large")
    assert isinstance(network, Network)
    points = [
        (row.top1, mbcost.count("v3-large", alpha=row.alpha, size=row.size).mult_adds)
        for row in network.published
        if row.top1 is not None
    ]
    expected = {
        (a, m)
        for a, m in points
        if not any((b >= a and k <= m and (b, k) != (a, m)) for b, k in points)
    }
    assert {(row["top1"], row["mult_adds"]) for row in found["front"]} == expected


def test_a_search_in_chunks_finds_what_one_chunk_finds() -> None:
    space = load_space("v2").narrowed({"alpha": "0.3:1.3:0.05", "size": "96:224:8"})
    budgets = {"mult_adds": 150_000_000, "peak_activation_bytes": 5_000_000}
    objectives = (Objective("params"), Objective("mult_adds", -1))
    for chosen in (objectives, objectives[:1]):
        answers = [search(Layout(Plan(space, unit=unit)), budgets, chosen) for unit in (50, 5000)]
        assert answers[0].found.records == answers[1].found.records
        assert answers[0].feasible == answers[1].feasible
        assert answers[0].looked == answers[1].looked == space.size


def test_nothing_feasible_is_exit_one_with_the_nearest_miss_of_every_budget(cli: Cli) -> None:
    result = cli("search", "v2", "--max-params", "1M", "--max-mult-adds", "9M", "--verify", "0")
    assert result.exit_code == 1
    assert result.stdout == ""
    nearest = mbcost.count("v2", alpha=0.25, size=96)
    assert nearest.mult_adds <= 9_000_000  # so that only params is missed there
    assert f"--max-params 1,000,000: nearest {nearest.params:,}" in result.stderr
    assert "over another budget too" in result.stderr  # of mult-adds: nothing is within params
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("name", ["v1", "v2", "v3-large", "v3-small"])
def test_alpha_is_solved_for_a_cost_that_some_alpha_has(name: str) -> None:
    wanted = mbcost.count(name, alpha=0.37).mult_adds
    solved, cost = solve_alpha(load_space(name), wanted)
    assert cost == wanted == mbcost.count(name, alpha=solved).mult_adds


def test_target_mult_adds_on_the_command_line(cli: Cli) -> None:
    result = cli("search", "v2", "--target-mult-adds", "60M", "--verify", "0", "--format", "json")
    winner = json.loads(result.stdout)["winner"]
    assert winner["mult_adds"] == mbcost.count("v2", alpha=winner["alpha"]).mult_adds
    assert winner["size"] == 224
    assert abs(winner["mult_adds"] / 60e6 - 1) < 0.01


def test_the_winner_is_written_as_a_yaml_that_model_takes(
    cli: Cli, cli_json: Any, tmp_path: Path
) -> None:
    path, data = tmp_path / "winner.yaml", tmp_path / "winner.json"
    result = cli(
        "search", "v3-small", "--max-mult-adds", "30M", "--objective", "mult_adds", "--verify", "0",
        "-o", str(path), "-o", str(data),
    )  # fmt: skip
    assert result.exit_code == 0
    winner = json.loads(data.read_text())["winner"]
    model = cli_json("model", str(path), "--fast")
    for key in ("params", "params_all", "mult_adds", "size"):
        assert model[key] == winner[key]
    assert path.read_text().startswith("# v3-small at alpha=")


def test_a_table_says_slack_and_binding(cli: Cli) -> None:
    result = cli("search", "v1", "--max-mult-adds", "150M", "--max-params", "50M", "--verify", "0")
    assert "--max-mult-adds 150,000,000: slack 502,912 (0.3%), binding" in result.stdout
    assert "not binding" in result.stdout
    result = cli("search", "v1", "--max-params", "1G", "--verify", "0")
    assert "no budget binds" in result.stdout


MISTAKES = {
    "objective": (["search", "v2", "--objective", "speed"], "unknown objective 'speed'"),
    "twice": (["search", "v2", "--objective", "params,-params"], "names a column twice"),
    "four": (
        ["search", "v2", "--objective", "params,mult_adds,params_all,weight_bytes"],
        "at most 3",
    ),
    "front as yaml": (
        ["search", "v2", "--objective", "top1,-params", "-o", "x.yaml", "--verify", "0"],
        "a front is many networks",
    ),
    "budget": (["search", "v2", "--max-params", "lots"], "--max-params: 'lots' is not a count"),
    "bytes": (["search", "v2", "--max-weight-bytes", "4XB"], "'4XB' is not a size in bytes"),
    "dtype": (["search", "v2", "--dtype", "fp8"], "--dtype: unknown value 'fp8'"),
    "target and alpha": (
        ["search", "v2", "--alpha", "0.5", "--target-mult-adds", "60M"],
        "solves for alpha alone",
    ),
    "target of a block": (["search", "standard", "--target-mult-adds", "1M"], "has no alpha"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_message(cli: Cli, mistake: str) -> None:
    args, message = MISTAKES[mistake]
    result = cli(*args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_bytes_follow_the_dtype(cli_json: Any) -> None:
    def winner(dtype: str) -> Any:
        return cli_json(
            "search", "v2", "--max-weight-bytes", "4MB", "--max-activation-bytes", "1MB",
            "--objective", "mult_adds", "--dtype", dtype, "--verify", "0",
        )["winner"]  # fmt: skip

    for dtype in ("fp16", "int8"):  # in fp32 4 MB hold a million params: no V2 is that small
        found = winner(dtype)
        counted = mbcost.count("v2", alpha=found["alpha"], size=found["size"])
        assert found["weight_bytes"] == counted.weight_bytes(dtype) <= 4_000_000
        assert found["peak_activation_bytes"] <= 1_000_000


COLUMNS = ("arena_bytes", "peak_activation_bytes", "params", "mult_adds")


@pytest.mark.parametrize("stated", [Stated("int8"), Stated("int8", "all")], ids=["eager", "all"])
def test_a_search_under_the_arena_is_the_best_of_what_memory_says(stated: Stated) -> None:
    """And what binds: each budget lifted, the arena's too, against every config by itself."""
    space = load_space("v1").narrowed({"alpha": "0.25,0.5,0.75,1", "size": "96:224:32"})
    rows = []
    for index in range(space.size):
        spec, settings = space.at(space.choice(index))
        subject = Subject("config", spec, settings)
        memory = record(subject, stated.how())
        peak = "peak_activation_bytes" if stated.fuse is None else "lower_bound_bytes"
        found = (memory["arena_bytes"], memory[peak])
        rows.append((*found, subject.report.params, subject.report.mult_adds))

    def within(limits: tuple[int, ...], but: int = -1) -> list[tuple[int, ...]]:
        each = [[i == but or row[i] <= limits[i] for i in range(4)] for row in rows]
        return [row for row, fits in zip(rows, each, strict=True) if all(fits)]

    seen = set()
    layout = Layout(Plan(space, stated=stated, whole=("arena_bytes",)))
    columns = [sorted(column)[4::5] for column in zip(*rows, strict=True)]
    for limits in product(*columns):
        best = max((row[3] for row in within(limits)), default=None)
        budgets = dict(zip(COLUMNS, limits, strict=True))
        if best is None:
            with pytest.raises(CheckFailedError, match="is within the budget"):
                search(layout, budgets, (Objective("mult_adds"),))
            continue
        answer = search(layout, budgets, (Objective("mult_adds"),))
        assert answer.feasible == len(within(limits))
        assert answer.winner["mult_adds"] == best
        assert tuple(answer.winner[key] for key in COLUMNS) in rows
        lifted = [max(row[3] for row in within(limits, i)) > best for i in range(4)]
        assert answer.binding() == [COLUMNS[i] for i in range(4) if lifted[i]]
        assert answer.limited() == (max(row[3] for row in rows) > best)
        seen.update(answer.binding())
    assert {"arena_bytes", "mult_adds"} <= seen


def test_the_network_that_fits_once_it_is_fused_is_found(cli: Cli, cli_json: Any) -> None:
    """Unfused it needs 294,912 bytes, 221,184 as TFLite runs it."""
    args = ("search", "v1", "--alpha", "0.25", "--size", "192", "--dtype", "int8", "--verify", "1")
    budget = ("--max-activation-bytes", "221184", "--objective", "mult_adds")
    assert cli_json(*args, *budget, "--fuse", "tflite")["winner"]["size"] == 192
    assert cli(*args, *budget, "--fuse", "none").exit_code == 1
    miss = cli(*args, *budget)
    assert miss.exit_code == 1
    assert "--max-activation-bytes 221,184: nearest 405,504 (+83.3%)" in miss.stderr


def test_an_objective_of_the_whole_network(cli_json: Any) -> None:
    args = ("search", "v1", "--alpha", "0.25,0.5", "--size", "64,96", "--verify", "0")
    found = cli_json(*args, "--objective", "-train_peak_bytes", "--optimizer", "adam")
    targets = [f"v1@alpha={a},size={s}" for a in (0.25, 0.5) for s in (64, 96)]
    memory = cli_json("memory", *targets, "--train", "--optimizer", "adam")
    assert found["winner"]["train_peak_bytes"] == min(row["train_peak_bytes"] for row in memory)


def test_an_arena_that_nothing_is_within_names_the_nearest(cli: Cli) -> None:
    args = ("search", "v1", "--alpha", "0.25,1", "--size", "96,224", "--dtype", "int8")
    result = cli(*args, "--max-arena-bytes", "10kB", "--max-params", "9M", "--verify", "0")
    assert result.exit_code == 1
    assert (
        "--max-arena-bytes 10,000: nearest 73,728 (+637.3%) at alpha=0.25 size=96" in result.stderr
    )


def test_a_config_that_cannot_be_trained_never_wins(cli: Cli) -> None:
    """v2 at 32×32 ends in maps of 1×1, over which a batch-norm needs two images."""
    args = ("search", "v2", "--alpha", "0.35", "--verify", "0", "--objective", "-mult_adds",
            "--max-train-peak-bytes", "1GB")  # fmt: skip
    run = cli(*args, "--size", "32:96:32", "--format", "json")
    assert run.exit_code == 0, run.stderr
    found = json.loads(run.stdout)
    assert (found["winner"]["size"], found["configs"], found["feasible"]) == (64, 3, 2)
    run = cli(*args, "--size", "32")
    assert run.exit_code == 1
    assert "none of 1 configs can be trained: torch trains no batch-norm of one" in run.stderr
    assert cli(*args, "--size", "32", "--batch", "2").exit_code == 0
