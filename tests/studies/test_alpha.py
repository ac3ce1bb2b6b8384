"""The α that costs a number of mult-adds, against every step of every width by exact fractions."""

from __future__ import annotations

import json
import random
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

import mbcost
from mbcost.studies.spaces.search.alpha import solve_alpha
from mbcost.studies.spaces.space_file import load_space
from tests.conftest import Cli

MOST = 10


def exact_width(value: Fraction, divisor: int | None) -> int:
    """Return a scaled width: truncated, or the multiple of ``divisor`` by the papers' rule."""
    if divisor is None:
        return int(value)
    nearest = max(divisor, int((value + Fraction(divisor, 2)) / divisor) * divisor)
    return nearest + divisor if nearest < Fraction(9, 10) * value else nearest


def exact_steps(widths: list[int], divisor: int | None) -> list[Fraction]:
    """Return an α between each two neighbouring steps of the widths, all there are."""
    edges = {Fraction(0), Fraction(MOST)}
    for c in widths:
        if divisor is None:
            edges |= {Fraction(k, c) for k in range(1, MOST * c)}
        else:
            for k in range(MOST * c // divisor + 2):
                edges |= {Fraction((2 * k + 1) * divisor, 2 * c), Fraction(10 * k * divisor, 9 * c)}
    inside = sorted(edge for edge in edges if edge <= MOST)
    return [(a + b) / 2 for a, b in pairwise(inside)]


def exact_cost(alpha: Fraction, rows: list[tuple[int, int]], divisor: int | None) -> int | None:
    """Return the mult-adds of a 1×1 stem, then inverted residuals (exp, c) with k = 1, on 1×1."""
    c_in, total = 3, 0
    for exp, c in rows:
        built = exact_width(c * alpha, divisor)
        if exp:
            wide = exact_width(exp * alpha, divisor)
            if not wide:
                return None
            total += wide * (c_in if wide != c_in else 0) + wide + wide * built
        else:
            total += c_in * built
        if not built:
            return None
        c_in = built
    return total


def test_no_step_of_any_width_is_nearer(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    for seed in range(20):
        rng = random.Random(seed)
        divisor = rng.choice([None, 4, 8])
        rows = [(0, rng.randint(4, 24))]
        rows += [(rng.choice([rng.randint(6, 30), rows[-1][1]]), rng.randint(6, 30)) for _ in "12"]
        data = {
            "input": [3, 1, 1],
            "width": "divisible" if divisor else "truncate",
            "divisor": divisor or 8,
            "rows": [
                {"block": "inverted_residual", "exp": exp, "c": c, "k": 1}
                if exp
                else {"block": "conv", "c": c, "k": 1}
                for exp, c in rows
            ],
        }
        path.write_text(yaml.safe_dump(data))
        alphas = exact_steps([width for row in rows for width in row if width], divisor)
        costs = [(exact_cost(alpha, rows, divisor), alpha) for alpha in alphas]
        known = [cost for cost, _ in costs if cost is not None]
        between = sorted(known)
        i = rng.randrange(len(between) - 1)
        for target in (rng.randint(1, max(known)), (between[i] + between[i + 1]) // 2):
            alpha, cost = solve_alpha(load_space(str(path)), target)
            assert cost == mbcost.count(path, alpha=alpha).mult_adds, f"seed {seed}"
            least = min(abs(known - target) for known in known)
            assert abs(cost - target) <= least, f"seed {seed}, target {target}"


def test_the_nearest_step_lies_between_two_tenths_of_a_thousandth() -> None:
    """V3-Small has a step of 54,150,432 at α 0.9514 that a grid around 0.94 does not see."""
    alpha, cost = solve_alpha(load_space("v3-small"), 54_597_937)
    assert cost == 54_150_432 == mbcost.count("v3-small", alpha=alpha).mult_adds
    assert mbcost.count("v3-small", alpha=0.9514).mult_adds == cost
    assert mbcost.count("v3-small", alpha=0.94).mult_adds == 54_107_744


@pytest.mark.parametrize("name", ["v1", "v2", "v3-large-torchvision", "deeplabv3-v2"])
def test_no_alpha_of_a_grid_is_nearer_or_shorter(name: str) -> None:
    rng = random.Random(name)
    grid = [i / 200 for i in range(20, 400, 9)]
    costs = {alpha: mbcost.count(name, alpha=alpha).mult_adds for alpha in grid}
    for target in (costs[grid[7]] + 1, rng.randint(min(costs.values()), max(costs.values()))):
        alpha, cost = solve_alpha(load_space(name), target)
        assert cost == mbcost.count(name, alpha=alpha).mult_adds
        least = min(abs(known - target) for known in costs.values())
        assert abs(cost - target) <= least
        for shorter, known in costs.items():
            if len(repr(shorter)) < len(repr(alpha)):
                assert abs(known - target) > abs(cost - target)


def test_the_alpha_shown_is_the_one_counted(cli: Cli) -> None:
    """Also where six digits would not name it."""
    target = mbcost.count("v1", alpha=1.0009765625).mult_adds  # c = 1024 steps there
    result = cli(
        "search", "v1", "--target-mult-adds", str(target), "--verify", "0", "--format", "json"
    )
    assert result.exit_code == 0, result.stderr
    winner = json.loads(result.stdout)["winner"]
    assert winner["mult_adds"] == target
    shown = cli("search", "v1", "--target-mult-adds", str(target), "--verify", "0").stdout
    assert f"alpha {winner['alpha']} comes nearest" in shown
    assert mbcost.count("v1", alpha=winner["alpha"]).mult_adds == target


MISTAKES = {
    "one alpha": (["v2", "--alpha", "0.5"], "solves for alpha alone, and alpha is given too"),
    "alphas": (["v2", "--alpha", "0.5,1"], "solves for alpha alone, and alpha is given too"),
    "inline": (["v2@alpha=0.5"], "solves for alpha alone, and alpha is given too"),
    "sizes": (["v2", "--size", "96,128"], "solves for alpha alone, and size is given too"),
    "space": (["ofa-mobilenetv3"], "more is given too"),
    "block": (["standard"], "has no alpha"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_cannot_be_solved_is_one_message(cli: Cli, mistake: str) -> None:
    args, message = MISTAKES[mistake]
    result = cli("search", *args, "--target-mult-adds", "60M", "--verify", "0")
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def test_a_network_that_no_alpha_builds_says_which_row(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text("input: [3, 4, 4]\nrows:\n  - {block: conv, c: 8, k: 9, p: 0}\n")
    result = cli("search", str(path), "--target-mult-adds", "60M")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "rows[0]" in result.stderr
    path.write_text("input: [3, 4, 4]\nrows:\n  - {block: conv, c: 1000000, k: 1}\n")
    result = cli("search", str(path), "--target-mult-adds", "20M")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "step more than 50,000 times" in result.stderr
