"""How far off predicted top-1 is: ``python -m tests.prediction_report`` prints the fit, its points,
and what is predicted of each of them by a fit over all others.

``python -m tests.regenerate`` keeps it in ``reports/prediction.md``.
"""

from __future__ import annotations

from collections.abc import Sequence

from mbcost.studies.prediction import FAMILIES, TERMS, Fit, fitted
from tests import ROOT

REPORT = ROOT / "reports" / "prediction.md"


def ranks(values: Sequence[float]) -> list[float]:
    """Return the rank of each value; equals share the mean of theirs."""
    return [
        sum(v < value for v in values) + (sum(v == value for v in values) - 1) / 2
        for value in values
    ]


def rank_correlation(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Return Spearman's ρ: the correlation of the ranks."""
    middle = (len(xs) - 1) / 2
    a, b = ([r - middle for r in ranks(values)] for values in (xs, ys))
    across = sum(x * y for x, y in zip(a, b, strict=True))
    return float(across / (sum(x * x for x in a) * sum(y * y for y in b)) ** 0.5)


def report(fit: Fit) -> str:
    """Return the report of a fit."""
    top1 = [p.top1 for p in fit.points]
    names = [*(f"offset of {family}" for family in FAMILIES), *TERMS]
    lines = [
        "# Predicted top-1",
        "",
        "Written by `python -m tests.regenerate`, printed by `python -m tests.prediction_report`.",
        "ln(100 − top-1) is an offset per family and terms in α and ρ (height ÷ native height), by",
        f"least squares over {len(fit.points)} published points that `configs/networks/` carries.",
        "",
        f"Each point left out in turn: mean error {fit.error():.2f} points of top-1, at most "
        f"{max(fit.errors()):.2f}, rank correlation {rank_correlation(fit.left_out, top1):.3f}.",
        "",
        "| family | points | mean error | largest |",
        "|---|--:|--:|--:|",
    ]
    for family in FAMILIES:
        errors = fit.errors(family)
        lines.append(f"| {family} | {len(errors)} | {fit.error(family):.2f} | {max(errors):.2f} |")
    lines += ["", "| coefficient | value |", "|---|--:|"]
    lines += [f"| {n} | {c:.4f} |" for n, c in zip(names, fit.coefficients, strict=True)]
    lines += [
        "",
        "| family | α | size | published | fitted | left out | off |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for p, left_out in zip(fit.points, fit.left_out, strict=True):
        within = fit.top1(p.family, p.alpha, p.rho)
        lines.append(
            f"| {p.family} | {p.alpha} | {p.side} | {p.top1:.1f} | {within:.2f} "
            f"| {left_out:.2f} | {left_out - p.top1:+.2f} |"
        )
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    print(report(fitted()), end="")
