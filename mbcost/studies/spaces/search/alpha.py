"""The α that costs a given number of mult-adds: ``mbcost search --target-mult-adds``.

Every width is a step function of α that never falls, so the costs are steps too. Where a width
steps is known (int(c·α) at k/c; multiples of d at half a multiple, or where 90 % of the value are
passed), so each step is looked at, not a grid of α that may miss one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, Decimal
from math import ceil, inf
from typing import NamedTuple

from mbcost.errors import LayerError, MbcostError
from mbcost.networks.blocks import MERGES
from mbcost.networks.network import Network
from mbcost.networks.rows import Row
from mbcost.networks.rules import MAX_MULTIPLIER
from mbcost.networks.scaling import Scaling
from mbcost.studies.spaces.space import Axis, Space
from mbcost.units import parse_count, percent, thousands

TENTHS = tuple(float(Decimal(i) / 10) for i in range(1, int(10 * MAX_MULTIPLIER) + 1))
SPREAD = 4
"""Between two neighbours of ``TENTHS`` the costs stay within this factor of theirs: they rise with
the widths, but for a convolution that is left out where two widths happen to be equal."""
MAX_STEPS = 50_000


class Step(NamedTuple):
    """A stretch of α that builds the same widths; every α from ``low`` to ``high`` but perhaps
    these two themselves."""

    low: float
    high: float
    alpha: float
    """One α for sure within it."""
    widths: tuple[int, ...]


def solve_alpha(space: Space, target: int) -> tuple[float, int]:
    """Return the α whose mult-adds are nearest to ``target``, and those mult-adds.

    Of several such α it is the one with the fewest decimals, of those the smallest.
    """
    _check_alone(space)
    scaling = _Scaling(space)
    coarse = _mult_adds(space, TENTHS)
    if not coarse:
        space.spec.graph({**space.settings, "alpha": 1.0})  # raises with the row that does not fit
    best = min((abs(cost - target) for cost in coarse.values()), default=inf)
    steps = scaling.steps(_cells(coarse, target, best))
    costs = _mult_adds(space, [step.alpha for step in steps])
    if not costs:
        raise MbcostError("cannot be built at any alpha", place=space.target, way_out="fix a row")
    best = min(abs(cost - target) for cost in costs.values())
    nearest = [step for step in steps if abs(costs.get(step.alpha, inf) - target) == best]
    found = [(scaling.shortest(step), costs[step.alpha]) for step in nearest]
    alpha, cost = min(found, key=lambda each: (_decimals(each[0]), each[0]))
    return float(alpha), cost


def solved(space: Space, target: str) -> tuple[Space, list[str]]:
    """Return the space at the α that costs ``target`` mult-adds, and that in words."""
    try:
        wanted = parse_count(target)
    except MbcostError as error:
        raise error.at("--target-mult-adds") from None
    alpha, cost = solve_alpha(space, wanted)
    share = cost / wanted - 1 if wanted else inf
    note = (
        f"alpha {alpha} comes nearest to {thousands(wanted)} mult-adds: {thousands(cost)} "
        f"({percent(share, 2, '+')}); widths change in steps, so no alpha may hit it exactly"
    )
    return replace(space, settings={**space.settings, "alpha": alpha}), [note]


def _check_alone(space: Space) -> None:
    if "alpha" not in space.spec.accepts:
        raise MbcostError(
            "has no alpha to solve for", place=space.target, way_out="a network: v1, v2, v3-large"
        )
    given = [axis.key for axis in space.axes if len(axis.values) > 1]
    given += ["alpha"] * ("alpha" in space.settings)
    if given:
        more = f" and {len(given) - 3} more" if len(given) > 3 else ""
        raise MbcostError(
            f"solves for alpha alone, and {', '.join(given[:3])}{more} is given too",
            place="--target-mult-adds",
            way_out="give one value of each, and no alpha",
        )


def _decimals(alpha: Decimal) -> int:
    exponent = alpha.normalize().as_tuple().exponent
    return max(0, -int(exponent))


def _mult_adds(space: Space, alphas: Sequence[float]) -> dict[float, int]:
    """Return the mult-adds at each α at which the network can be built."""
    import numpy as np

    from mbcost.studies.spaces.reader import Reader

    if not alphas:
        return {}
    try:
        choices = np.arange(len(alphas), dtype=np.int32)[None]
        varied = replace(space, axes=(Axis("alpha", tuple(alphas)),))
        counted = Reader(varied, ("mult_adds",)).count(choices)
    except MbcostError:
        if len(alphas) == 1:
            return {}
        half = len(alphas) // 2  # too thin to be built at the small end
        return _mult_adds(space, alphas[:half]) | _mult_adds(space, alphas[half:])
    return dict(zip(alphas, counted.figures["mult_adds"].tolist(), strict=True))


def _cells(costs: Mapping[float, int], target: int, best: float) -> Iterator[tuple[float, float]]:
    """Yield each stretch between tenths in which some α may cost ``best`` or less off target."""
    low = 0.0
    for high in TENTHS:
        least = costs.get(low, 0) / SPREAD
        most = costs.get(high, inf) * SPREAD
        if least <= target + best and most >= target - best:
            yield low, high
        low = high


class _Scaling:
    """The widths of a network that α scales, and where they step."""

    def __init__(self, space: Space) -> None:
        assert isinstance(space.spec, Network)
        self.network = space.spec
        self.settings = space.settings
        scaling = self.network.scaling({**self.settings, "alpha": 1.0})
        recorder = _Recorder(**vars(scaling))
        for row in self.network.rows:
            recorder.record(row)
        self.scaled = sorted(recorder.seen)
        self.target = space.target

    def widths(self, alpha: float) -> tuple[int, ...] | None:
        """Return what is built; None where no channel is left."""
        scaling = self.network.scaling({**self.settings, "alpha": alpha})
        try:
            return tuple([scaling.scaled(c, scale) for c, scale in self.scaled])
        except LayerError:
            return None

    def edges(self, low: float, high: float) -> list[float]:
        """Return ``low``, ``high`` and each α between them at which a width steps."""
        found = {low, high}
        for c, scale in self.scaled:
            if self.network.width == "divisible" and scale != "truncate":
                divisor = self.network.scaling(self.settings).rounding.divisor
                first, last = int(low * c / divisor) - 1, ceil(high * c / divisor) + 1
                found.update((k + 0.5) * divisor / c for k in range(first, last))
                found.update(k * divisor / 0.9 / c for k in range(first, last))
            elif scale != "fixed":
                found.update(k / c for k in range(int(low * c), ceil(high * c) + 1))
            if len(found) > MAX_STEPS:
                break
        return sorted(alpha for alpha in found if low <= alpha <= high)

    def steps(self, cells: Iterator[tuple[float, float]]) -> list[Step]:
        """Return the stretches of α within these cells, in order."""
        steps: list[Step] = []
        looked = 0
        for low, high in cells:
            edges = self.edges(low, high)
            looked += len(edges)
            if looked > MAX_STEPS:
                raise MbcostError(
                    f"its widths step more than {thousands(MAX_STEPS)} times near this cost",
                    place=self.target,
                    way_out="`mbcost search --alpha 0.5:0.6:0.001 --max-mult-adds N` tries some",
                )
            for edge, following in zip(edges, [*edges[1:], edges[-1]], strict=True):
                self._add(steps, edge, edge, edge)
                if following > edge:
                    self._add(steps, edge, following, (edge + following) / 2)
        return steps

    def _add(self, steps: list[Step], low: float, high: float, alpha: float) -> None:
        widths = self.widths(alpha) if alpha > 0 else None
        if widths is None:
            return
        if steps and steps[-1].widths == widths:
            steps[-1] = steps[-1]._replace(high=high)
        else:
            steps.append(Step(low, high, alpha, widths))

    def shortest(self, step: Step) -> Decimal:
        """Return the α of a step with the fewest decimals, of those the smallest."""
        for decimals in range(17):
            unit = Decimal(1).scaleb(-decimals)
            first = (Decimal(step.low) / unit).to_integral_value(ROUND_CEILING)
            for i in range(3):  # either end may belong to the neighbour
                alpha = (first + i) * unit
                within = step.low <= alpha <= step.high and alpha > 0
                if within and self.widths(float(alpha)) == step.widths:
                    return alpha
        return Decimal(repr(step.alpha))


@dataclass(frozen=True)
class _Recorder(Scaling):
    """A scaling that keeps which widths it scales, and by which rule."""

    seen: set[tuple[int, str]] = field(default_factory=set)

    def record(self, row: Row) -> None:
        """Scale the widths of a row."""
        if row.block in MERGES:
            return
        self.row(row)
        fields = self.tailed(row)
        if "exp" in fields and self.expansion == "absolute":
            self.seen.add((fields["exp"], "full"))

    def scaled(self, c: int, scale: str) -> int:
        self.seen.add((c, scale))
        return super().scaled(c, scale)
