"""Top-1 that nobody published, predicted inside a family: V1, V2, V3-Large and V3-Small.

ln(100 − top-1) = offset of the family + terms in ln α and ln ρ with squares, by least squares over
the points that the families' own YAMLs carry. Nothing is kept: each fit is made of the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from math import exp, log
from typing import Any, NamedTuple

import numpy as np

from mbcost.errors import MbcostError
from mbcost.networks.network import Network
from mbcost.networks.settings import Settings
from mbcost.networks.spec import Spec
from mbcost.networks.yaml import builtin
from mbcost.units import decimals, number

FAMILIES = ("v1", "v2", "v3-large", "v3-small")
TERMS = ("ln α", "ln² α", "ln ρ", "ln² ρ")
DIGITS = 2
"""Decimals of a prediction in per cent: far below its error, and the same on every machine."""
FREE = ("alpha", "size", "rho", "batch", "fold_bn")
"""Settings under which a prediction is made: two that it is of, two that change no answer."""


class Point(NamedTuple):
    """A published top-1, in per cent, of a square image with this side."""

    family: str
    alpha: float
    side: int
    rho: float
    top1: float


@cache
def family_network(family: str) -> Network:
    """Return the built-in network of a family."""
    network = builtin(family)
    assert isinstance(network, Network)
    return network


@cache
def published_points() -> tuple[Point, ...]:
    """Return every published top-1 of the families at an α and a size, all else as it is."""
    found = []
    for family in FAMILIES:
        network = family_network(family)
        for row in network.published:
            height, width = row.sides
            if row.top1 is not None and height == width and set(row.settings) == {"alpha", "size"}:
                found.append(Point(family, row.alpha, height, height / network.x[1], row.top1))
    return tuple(found)


def _row(family: str, alpha: float, rho: float) -> list[float]:
    a, r = log(alpha), log(rho)
    return [*(float(family == name) for name in FAMILIES), a, a * a, r, r * r]


@dataclass(frozen=True)
class Fit:
    """The least squares over ``points``."""

    points: tuple[Point, ...]

    @cached_property
    def coefficients(self) -> tuple[float, ...]:
        """An offset per family, then one per term."""
        rows = np.array([_row(p.family, p.alpha, p.rho) for p in self.points])
        errors = np.log([100 - p.top1 for p in self.points])
        solved = np.linalg.lstsq(rows, errors, rcond=None)[0]
        return tuple(solved.tolist())

    def top1(self, family: str, alpha: float, rho: float) -> float:
        """Return the predicted top-1 in per cent."""
        terms = zip(self.coefficients, _row(family, alpha, rho), strict=True)
        return 100 - exp(sum(c * x for c, x in terms))

    @cached_property
    def left_out(self) -> tuple[float, ...]:
        """What is predicted of each point by the fit over all others."""
        found = []
        for i, p in enumerate(self.points):
            others = Fit(self.points[:i] + self.points[i + 1 :])
            found.append(others.top1(p.family, p.alpha, p.rho))
        return tuple(found)

    def errors(self, family: str | None = None) -> list[float]:
        """Return how far off each left-out point is, in points of per cent, unsigned."""
        pairs = zip(self.points, self.left_out, strict=True)
        return [abs(found - p.top1) for p, found in pairs if family in (None, p.family)]

    def error(self, family: str | None = None) -> float:
        """Return the error bar: the mean of ``errors``."""
        errors = self.errors(family)
        return sum(errors) / len(errors)


@cache
def fitted() -> Fit:
    """Return the fit over all that is published."""
    return Fit(published_points())


@cache
def alphas_of(family: str) -> tuple[float, float]:
    """Return the least and the largest α that is published."""
    found = [p.alpha for p in published_points() if p.family == family]
    return min(found), max(found)


@cache
def sides_of(family: str) -> tuple[int, int]:
    """Return the smallest and the largest image that is published."""
    found = [p.side for p in published_points() if p.family == family]
    return min(found), max(found)


def _layers(network: Network) -> tuple[Any, ...]:
    """Return what decides the layers of a network, wherever its YAML lies."""
    rows = tuple(row._replace(place="") for row in network.rows)
    scaling = (network.width, network.divisor, network.min_width, network.expansion)
    return (network.x, rows, network.classes, *scaling, network.output_stride)


def family_of(spec: Spec, settings: Settings) -> str:
    """Return the family that the fit knows this network in, under all but its α and size."""
    if not isinstance(spec, Network):
        raise _refused(spec.name, "a block has no published top-1", "a network: v1, v2, v3-large")
    own = _layers(spec)
    family = next((name for name in FAMILIES if _layers(family_network(name)) == own), None)
    if family is None:
        raise _refused(
            spec.name,
            f"the fit is of {', '.join(FAMILIES)} with their own rows alone",
            "one of these, without --set; or --accuracy published",
        )
    as_it_is = {
        "in": spec.x[0],
        "classes": spec.classes,
        "reduced_tail": False,
        "round_nearest": spec.divisor,
    }
    for name, value in settings.items():
        if name not in FREE and value != as_it_is.get(name):
            raise _refused(
                spec.name,
                f"nothing is published with {name} {value}",
                f"leave out --{name.replace('_', '-')}",
            )
    return family


def check_alpha(family: str, alpha: float) -> None:
    """Refuse an α that nothing is published on either side of."""
    low, high = alphas_of(family)
    if not low <= alpha <= high:
        raise _refused(
            family,
            f"alpha {alpha} is outside what is published",
            f"alpha from {number(low)} to {number(high)}",
        )


def check_sides(family: str, sides: tuple[int, int]) -> None:
    """Refuse an image that is not square, or that nothing is published on either side of."""
    low, high = sides_of(family)
    height, width = sides
    if height != width or not low <= height <= high:
        raise _refused(
            family,
            f"size {height}x{width} is outside what is published",
            f"square images from {low} to {high}",
        )


def predicted_top1(spec: Spec, settings: Settings) -> float:
    """Return the predicted top-1 in per cent, or raise where the fit says nothing."""
    return predicted(family_of(spec, settings), spec, settings)


def predicted(family: str, spec: Spec, settings: Settings) -> float:
    """Return the same where the family is known."""
    facts = spec.facts(settings)
    alpha, (side, width) = facts["alpha"], facts["size"]
    check_alpha(family, alpha)
    check_sides(family, (side, width))
    return round(fitted().top1(family, alpha, side / family_network(family).x[1]), DIGITS)


def error_bar(family: str) -> float:
    """Return the mean leave-one-out error of a family, in points of per cent."""
    return round(fitted().error(family), DIGITS)


def words(family: str) -> str:
    """Return what a prediction is, for below a table."""
    errors = fitted().errors(family)
    return (
        f"predicted top-1: of a fit over {len(published_points())} published points of "
        f"{', '.join(FAMILIES)}, measured by nobody; ±: the mean error of the {len(errors)} of "
        f"{family}, each left out of the fit in turn (at most {decimals(max(errors), 1)})"
    )


def _refused(place: str, problem: str, way_out: str) -> MbcostError:
    return MbcostError(f"its top-1 cannot be predicted: {problem}", place=place, way_out=way_out)
