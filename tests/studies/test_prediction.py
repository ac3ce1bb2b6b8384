"""Predicted top-1: its errors by another way of reckoning, and what it refuses to predict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import mbcost
from mbcost.errors import MbcostError
from mbcost.networks.network import Network
from mbcost.networks.yaml import builtin
from mbcost.studies.prediction import (
    FAMILIES,
    Fit,
    error_bar,
    fitted,
    predicted_top1,
    published_points,
)
from tests import ROOT
from tests.conftest import Cli
from tests.prediction_report import REPORT, rank_correlation, report


def network(name: str) -> Network:
    found = builtin(name)
    assert isinstance(found, Network)
    return found


def by_the_hat_matrix() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what is predicted of each published point without it, and what is published.

    From the YAMLs and one solution of the normal equations: the residual of a point that is left
    out is its residual ÷ (1 − its leverage).
    """
    rows, top1 = [], []
    for i, name in enumerate(FAMILIES):
        for point in network(name).published:
            assert isinstance(point.size, int)
            assert point.top1 is not None
            a, r = np.log(point.alpha), np.log(point.size / 224)
            rows.append([*np.eye(len(FAMILIES))[i], a, a**2, r, r**2])
            top1.append(point.top1)
    x, y = np.array(rows), np.log(100 - np.array(top1))
    inverse = np.linalg.inv(x.T @ x)
    residual = y - x @ (inverse @ (x.T @ y))
    leverage = np.einsum("ij,jk,ik->i", x, inverse, x)
    return 100 - np.exp(y - residual / (1 - leverage)), np.array(top1)


def differs(fit: Fit) -> bool:
    """Return whether what a fit says of left-out points is not what the hat matrix says."""
    expected, _ = by_the_hat_matrix()
    return not np.allclose(fit.left_out, expected, rtol=0, atol=1e-8)


def test_left_out_points_are_as_near_as_was_asked() -> None:
    fit = fitted()
    expected, top1 = by_the_hat_matrix()
    assert len(fit.points) == len(top1) == 49
    assert not differs(fit)
    off = abs(expected - top1)
    assert fit.error() == pytest.approx(off.mean(), abs=1e-8)
    assert off.mean() <= 0.8
    assert off.max() <= 3.1
    assert rank_correlation(fit.left_out, top1.tolist()) >= 0.98
    for name in FAMILIES:
        of_family = off[[p.family == name for p in fit.points]]
        assert error_bar(name) == round(float(of_family.mean()), 2)


def test_a_fit_with_another_term_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison above can fail: a point off by one, a coefficient off by a thousandth."""
    points = published_points()
    assert differs(Fit((points[0]._replace(top1=points[0].top1 + 1), *points[1:])))
    solve = np.linalg.lstsq

    def off(*args: Any, **kwargs: Any) -> Any:
        found = solve(*args, **kwargs)
        return (found[0] + np.eye(8)[4] / 1000, *found[1:])

    monkeypatch.setattr("mbcost.studies.prediction.np.linalg.lstsq", off)
    assert differs(Fit(points))


def test_rank_correlation_is_one_minus_squared_differences() -> None:
    """By the other formula, which holds without ties."""
    xs, ys = [1.0, 4.0, 2.0, 9.0, 3.0], [2.0, 3.0, 1.0, 5.0, 4.0]
    d2 = sum((sorted(xs).index(x) - sorted(ys).index(y)) ** 2 for x, y in zip(xs, ys, strict=True))
    assert rank_correlation(xs, ys) == pytest.approx(1 - 6 * d2 / (5 * 24))
    assert rank_correlation([1, 1, 2], [1, 1, 2]) == pytest.approx(1)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_prediction_is_the_formula_and_rises_with_alpha_and_size(name: str) -> None:
    fit, own = fitted(), [p for p in published_points() if p.family == name]
    offsets, (a1, a2, r1, r2) = fit.coefficients[:4], fit.coefficients[4:]
    offset = offsets[FAMILIES.index(name)]
    alphas = np.linspace(min(p.alpha for p in own), max(p.alpha for p in own), 9).tolist()
    sides = range(min(p.side for p in own), max(p.side for p in own) + 1, 32)
    grid = [
        [predicted_top1(network(name), {"alpha": a, "size": (s, s)}) for s in sides] for a in alphas
    ]
    for a, row in zip(alphas, grid, strict=True):
        for s, found in zip(sides, row, strict=True):
            x, y = np.log(a), np.log(s / 224)
            formula = 100 - np.exp(offset + a1 * x + a2 * x * x + r1 * y + r2 * y * y)
            assert found == round(float(formula), 2)
    assert (np.diff(grid, axis=0) > 0).all()
    assert (np.diff(grid, axis=1) > 0).all()


REFUSED = {
    "search v2 --alpha 0.25,0.5": "alpha 0.25 is outside what is published (alpha from 0.35 to",
    "search v2 --size 300": "size 300x300 is outside what is published (square images from 96 to",
    "search v1 --size 96": "size 96x96 is outside what is published (square images from 128 to",
    "search v2 --rho 0.2,1": "size 45x45 is outside what is published",
    "search v2 --size 224x160": "size 224x160 is outside",
    "search v2 --classes 10": "nothing is published with classes 10 (leave out --classes)",
    "search v2 --classes 1000,10": "nothing is published with classes 10",
    "search v3-large --reduced-tail": "nothing is published with reduced_tail True",
    "search v2 --round-nearest 4": "nothing is published with round_nearest 4",
    "search v2 --in 1": "nothing is published with in 1",
    "search v2 --set rows.3.t=3,6": "rows.3.t: its top-1 cannot be predicted",
    "search v1-shallow": "the fit is of v1, v2, v3-large, v3-small with their own rows alone",
    "search v3-large-torchvision": "the fit is of v1, v2, v3-large, v3-small",
    "search mnasnet-a1": "the fit is of v1, v2, v3-large, v3-small",
    "search standard": "a block has no published top-1",
    "search ofa-mobilenetv3 --samples 10": "its top-1 cannot be predicted",
    "sweep v2 --alpha 0.5,2 -o x.csv": "alpha 2.0 is outside what is published",
    "sweep v2 --alpha 0.4:1.4:0.001 --size 96:224": "too many to predict",
}


@pytest.mark.parametrize("line", REFUSED)
def test_what_the_fit_says_nothing_of_is_refused(
    cli: Cli, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = cli(*line.split(), "--accuracy", "predicted", "--verify", "0")
    assert (result.exit_code, result.stdout) == (2, "")
    assert REFUSED[line] in result.stderr
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_row_of_ones_own_is_refused_and_a_copy_is_not(tmp_path: Path) -> None:
    from mbcost.targets.resolve import resolve_one

    text = (ROOT / "configs" / "networks" / "v2.yaml").read_text("utf-8")
    copy, changed = tmp_path / "copy.yaml", tmp_path / "changed.yaml"
    copy.write_text(text)
    changed.write_text(text.replace("t: 6, c: 96", "t: 5, c: 96"))
    read = [resolve_one(str(path)).spec for path in (copy, changed)]
    assert isinstance(read[0], Network)
    assert isinstance(read[1], Network)
    own = predicted_top1(network("v2"), {"alpha": 0.6})
    assert predicted_top1(read[0], {"alpha": 0.6}) == own
    with pytest.raises(MbcostError, match="with their own rows"):
        predicted_top1(read[1], {"alpha": 0.6})


def test_a_search_finds_what_looking_at_every_config_finds(cli_json: Any) -> None:
    found = cli_json(
        "search", "v2", "--accuracy", "predicted", "--max-mult-adds", "120M", "--verify", "2"
    )
    alphas = sorted({0.35, 1.4, 1.3, *(i / 20 for i in range(7, 29))})
    best = max(
        (predicted_top1(network("v2"), {"alpha": a, "size": (s, s)}), -count, a, s)
        for a in alphas
        for s in range(96, 225, 32)
        if (count := mbcost.count("v2", alpha=a, size=s).mult_adds) <= 120_000_000
    )
    winner = found["winner"]
    assert found["objective"] == ["predicted_top1"]
    assert (winner["predicted_top1"], -winner["mult_adds"]) == best[:2]
    assert (winner["alpha"], winner["size"]) == best[2:]
    assert winner["predicted_top1_error"] == error_bar("v2")
    assert winner["top1"] is None  # a prediction never stands in the published column
    assert found["configs"] == len(alphas) * 5


def test_the_front_of_predicted_top1_and_cost(cli_json: Any) -> None:
    found = cli_json(
        "search", "v3-small", "--accuracy", "predicted", "--verify", "0",
        "--objective=predicted_top1,-mult_adds", "--alpha", "0.35:1.25:0.15", "--size", "96:256:32",
    )  # fmt: skip
    points = {
        (
            predicted_top1(network("v3-small"), {"alpha": a, "size": (s, s)}),
            mbcost.count("v3-small", alpha=a, size=s).mult_adds,
        )
        for a in (0.35, 0.5, 0.65, 0.8, 0.95, 1.1, 1.25)
        for s in range(96, 257, 32)
    }
    best = {p for p in points if not any(q != p and q[0] >= p[0] and q[1] <= p[1] for q in points)}
    assert {(row["predicted_top1"], row["mult_adds"]) for row in found["front"]} == best
    assert 5 < len(best) < len(points)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_files_of_a_sweep_hold_predictions(cli: Cli, tmp_path: Path, suffix: str) -> None:
    import pandas as pd

    path = tmp_path / f"x{suffix}"
    args = ("sweep", "v1", "--alpha", "0.25,0.6", "--rho", "0.6,1", "--accuracy", "predicted")
    result = cli(*args, "-o", str(path))
    assert result.exit_code == 0, result.stderr
    rows = pd.read_csv(path) if suffix == ".csv" else pd.read_parquet(path)
    expected = [
        predicted_top1(network("v1"), {"alpha": a, "rho": r}) for a in (0.25, 0.6) for r in (0.6, 1)
    ]
    assert rows["predicted_top1"].tolist() == expected
    assert set(rows["predicted_top1_error"]) == {error_bar("v1")}
    plain = cli("sweep", "v1", "--alpha", "0.25,0.6", "--format", "json", "--verify", "0")
    assert "predicted_top1" not in json.loads(plain.stdout)[0]


def test_one_config_has_its_prediction_and_the_note_says_what_it_is(cli: Cli) -> None:
    args = ("search", "v1", "--alpha", "0.3", "--size", "224", "--accuracy", "predicted")
    result = cli(*args, "--verify", "1")
    assert result.exit_code == 0, result.stderr
    assert "predicted top-1: of a fit over 49 published points" in result.stdout
    assert "the 8 of v1" in result.stdout
    assert f"{error_bar('v1'):.1f}" in result.stdout


def test_the_report_is_what_the_script_prints() -> None:
    assert REPORT.read_text("utf-8") == report(fitted()), "python -m tests.regenerate writes it"
