"""A sweep as units: stretches of a space, or of a seeded sample of it, that are counted alone.

A unit's configs depend on the plan and the unit's number only, so any process may count any unit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

from mbcost.errors import MbcostError
from mbcost.graph.training import BatchTooSmallError
from mbcost.studies.memory.stated import OF_WHOLE, Stated
from mbcost.studies.spaces.learnt import LIMIT, Choices, Ints, too_large
from mbcost.studies.spaces.parts import DEFAULT, INPUT_SETTINGS
from mbcost.studies.spaces.reader import Reader
from mbcost.studies.spaces.space import MAX_AXES, Axis, Space
from mbcost.units import thousands

UNIT = 2**16
"""Configs of a unit, before any is dropped."""

UNIT_OF_WHOLE = 2**12
"""The same where each network is counted by itself: seconds, after which a sweep can go on."""
UNKNOWN = -1
"""Stands for a figure of ``OF_WHOLE`` that a search has no need of."""

MAX_ENUMERATED = 10**9
MAX_SAMPLES = 10**9
MAX_GRID = 10**7
"""Combinations of settings: each may cost every row a count of its own, where the fields of rows
are shared by many configs."""
MAX_INPUTS = 10**6
MAX_LEARNT = 500_000
"""Costs that a reader keeps, a kilobyte each, before it starts anew."""


@dataclass(frozen=True)
class Plan:
    """Which configs are counted: all of a space, or ``samples`` drawn from it with ``seed``.

    Those above ``at_most`` (a column's largest value) are dropped. A sample is drawn with
    replacement, each axis evenly; the first configs of a larger sample are the smaller one.
    """

    space: Space
    samples: int | None = None
    seed: int = 0
    at_most: Mapping[str, int] = field(default_factory=dict)
    unit: int = UNIT
    stated: Stated = DEFAULT
    whole: tuple[str, ...] = ()
    """The figures of ``OF_WHOLE`` that are counted too, each network by itself."""
    predicted: bool = False
    """Whether the top-1 is predicted too; a config of which it cannot be is refused."""

    def __post_init__(self) -> None:
        """Refuse what would take too long or too much memory, before it is taken."""
        space = self.space
        if self.samples is not None and self.samples > MAX_SAMPLES:
            raise MbcostError(
                f"{_many(self.samples)} configs are too many to draw",
                place="--samples",
                way_out=f"at most {thousands(MAX_SAMPLES)}",
            )
        if self.samples is None and space.size > MAX_ENUMERATED:
            raise MbcostError(
                f"has {_many(space.size)} configs, too many to count each",
                place=space.target,
                way_out="--samples 1000000 draws some; or a coarser step or fewer values, as up to "
                f"{thousands(MAX_ENUMERATED)} are enumerated",
            )
        settings = [axis for axis in space.axes if not axis.slots and axis.key != "batch"]
        inputs = [axis for axis in settings if axis.key in INPUT_SETTINGS]
        if self.samples is None:
            self._check_grid(settings, MAX_GRID, "--samples 100000 draws some; or ")
        self._check_grid(inputs, MAX_INPUTS, "")
        if len(space.axes) > MAX_AXES:
            raise MbcostError(
                f"{thousands(len(space.axes))} fields vary",
                place=space.target,
                way_out=f"at most {thousands(MAX_AXES)}: "
                "fix some, or choose per row rather than per layer",
            )

    def _check_grid(self, axes: Sequence[Axis], most: int, otherwise: str) -> None:
        size = prod(len(axis.values) for axis in axes)
        if size > most:
            each = " × ".join(f"{thousands(len(axis.values))} of {axis.key}" for axis in axes)
            raise MbcostError(
                f"has {_many(size)} configs of settings ({each}), too many to count each",
                place=self.space.target,
                way_out=f"{otherwise}a coarser step, like --alpha 0.35:1.4:0.05 --size 96:224:32; "
                f"up to {thousands(most)} are counted",
            )

    @property
    def total(self) -> int:
        """How many configs are looked at."""
        return self.space.size if self.samples is None else self.samples

    @property
    def units(self) -> int:
        """How many units there are."""
        return -(-self.total // self.unit)

    @cached_property
    def fingerprint(self) -> str:
        """A digest of all that decides the result."""
        parts = (self.space.spec, sorted(self.space.settings.items()), self.space.axes)
        limits = sorted(self.at_most.items())
        rest = (self.samples, self.seed, limits, self.unit, self.stated, self.whole)
        found = (*parts, *rest, self.predicted)
        return hashlib.sha256(repr(found).encode()).hexdigest()

    def choices(self, unit: int) -> Choices:
        """Return the unit's configs, each network of an enumeration once."""
        first = unit * self.unit
        n = min(self.unit, self.total - first)
        if self.samples is not None:
            return self._drawn(first, n)
        sizes = [len(axis.values) for axis in self.space.axes]
        found = np.empty((len(sizes), n), np.int32)
        rest = np.arange(first, first + n)
        for i in reversed(range(len(sizes))):
            rest, found[i] = np.divmod(rest, sizes[i])
        again = np.zeros(n, bool)
        for i in range(len(sizes)):
            idle = ~self.meaning(i, found)
            again |= idle & (found[i] > 0)
        return found[:, ~again] if again.any() else found

    def _drawn(self, first: int, n: int) -> Choices:
        """Return ``n`` configs of the sample, which is drawn in stretches of its own: ``UNIT``."""
        pieces = []
        for stretch in range(first // UNIT, -(-(first + n) // UNIT)):
            random = np.random.default_rng([self.seed, stretch])
            drawn = [
                random.integers(0, len(axis.values), UNIT, dtype=np.int32)
                for axis in self.space.axes
            ]
            start = stretch * UNIT
            whole = np.array(drawn, np.int32).reshape(len(drawn), UNIT)
            pieces.append(whole[:, max(first - start, 0) : first + n - start])
        return np.concatenate(pieces, axis=1)

    def meaning(self, i: int, choices: Choices) -> NDArray[np.bool_]:
        """Return where axis ``i`` changes anything (see ``Space.means``)."""
        conditions = self.space.conditions(i)
        found = np.full(choices.shape[1], not conditions)
        for axis, n, repeat in conditions:
            if axis is None:
                found |= repeat < n
            else:
                found |= np.array(self.space.axes[axis].values)[choices[axis]] > repeat
        return found


UNTRAINED = "torch trains no batch-norm of one value per channel"
"""Why a config with a batch of 1 may have no training peak."""


@dataclass
class Batch:
    """The configs of a unit that were kept, and their figures."""

    choices: Choices
    figures: dict[str, Ints]


def count_unit(plan: Plan, reader: Reader, unit: int, *, whole: bool = True) -> Batch:
    """Return a unit's costs; without ``whole`` those alone that arrays have."""
    choices = plan.choices(unit)
    counted = reader.count(choices, plan.at_most)
    if len(counted.kept) < choices.shape[1]:
        choices = choices[:, counted.kept]
    batch = Batch(choices, counted.figures)
    return with_whole(plan, batch) if whole and plan.whole else batch


def with_whole(plan: Plan, batch: Batch) -> Batch:
    """Return the configs with the figures of ``plan.whole``, those that are within its limits."""
    kept, rows = [], []
    for i, choice in enumerate(batch.choices.T.tolist()):
        row = whole_figures(plan, choice)
        if row is not None:
            kept.append(i)
            rows.append(row)
    figures = {key: values[kept] for key, values in batch.figures.items()}
    found = np.array(rows, np.int64).reshape(len(rows), len(plan.whole))
    figures |= {key: found[:, i] for i, key in enumerate(plan.whole)}
    return Batch(batch.choices[:, kept], figures)


def whole_figures(plan: Plan, choice: Sequence[int]) -> list[int] | None:
    """Return the figures of ``plan.whole`` of a config; None where one is above its limit, or
    torch does not train so small a batch of it."""
    found: list[int] = []
    spec, settings = plan.space.at(choice)
    graph, batch = spec.graph(settings), settings.get("batch", 1)
    for key in plan.whole:
        try:
            figure = OF_WHOLE[key](graph, batch, plan.stated)
        except BatchTooSmallError:
            return None
        except MbcostError as error:
            raise error.at(f"{plan.space.target}: {plan.space.describe(choice)}") from None
        if figure > plan.at_most.get(key, figure):
            return None
        if figure >= LIMIT:
            raise too_large(plan.space, key)
        found.append(figure)
    return found


class Counting:
    """Counts the units of a plan one after the other, in bounded memory.

    What is learnt of one unit helps with the next; of a fine grid it would fill the memory.
    """

    def __init__(self, plan: Plan, most_learnt: int = MAX_LEARNT, *, whole: bool = True) -> None:
        self.plan = plan
        self.most_learnt = most_learnt
        self.whole = whole
        self.reader = Reader(plan.space, stated=plan.stated)

    def __call__(self, unit: int) -> Batch:
        """Return a unit's costs."""
        if sum(len(table.next) for table in self.reader.tables) > self.most_learnt:
            self.reader = Reader(self.plan.space, stated=self.plan.stated)
        return count_unit(self.plan, self.reader, unit, whole=self.whole)


def _many(number: int) -> str:
    """Return a number of configs in words that stay short: 100,000,000 or 10^40."""
    return thousands(number) if number < 10**15 else f"about 10^{len(str(number)) - 1}"
