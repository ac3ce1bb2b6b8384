"""A sweep as units: stretches of a space, or of a seeded sample of it, that are counted alone.

A unit's configs depend on the plan and the unit's number only, so any process may count any unit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mbcost.errors import MbcostError
from mbcost.space import Space
from mbcost.sweep.learnt import Choices, Ints
from mbcost.sweep.reader import Reader

UNIT = 2**16
"""Configs of a unit, before any is dropped."""

MAX_ENUMERATED = 10**9


@dataclass(frozen=True)
class Plan:
    """Which configs are counted: all of a space, or ``samples`` drawn from it with ``seed``.

    Those above ``at_most`` (a figure's largest value) are dropped. A sample is drawn with
    replacement, each axis evenly; the first configs of a larger sample are the smaller one.
    """

    space: Space
    samples: int | None = None
    seed: int = 0
    at_most: Mapping[str, int] = field(default_factory=dict)
    unit: int = UNIT

    def __post_init__(self) -> None:
        if self.samples is None and self.space.size > MAX_ENUMERATED:
            raise MbcostError(
                f"has {self.space.size:.3g} configs, too many to count each",
                place=self.space.target,
                way_out=f"--samples 1000000 draws some; up to {MAX_ENUMERATED:,} are enumerated",
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
        rest = (self.samples, self.seed, sorted(self.at_most.items()), self.unit)
        return hashlib.sha256(repr((*parts, *rest)).encode()).hexdigest()

    def choices(self, unit: int) -> Choices:
        """Return the unit's configs, each network of an enumeration once."""
        first = unit * self.unit
        n = min(self.unit, self.total - first)
        sizes = [len(axis.values) for axis in self.space.axes]
        found = np.empty((len(sizes), n), np.int32)
        if self.samples is not None:
            random = np.random.default_rng([self.seed, unit])
            for i, size in enumerate(sizes):
                found[i] = random.integers(0, size, self.unit, dtype=np.int32)[:n]
            return found
        rest = np.arange(first, first + n)
        for i in reversed(range(len(sizes))):
            rest, found[i] = np.divmod(rest, sizes[i])
        again = np.zeros(n, bool)
        for i in range(len(sizes)):
            idle = ~self.meaning(i, found)
            again |= idle & (found[i] > 0)
        return found[:, ~again] if again.any() else found

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


@dataclass
class Batch:
    """The configs of a unit that were kept, and their figures."""

    choices: Choices
    figures: dict[str, Ints]


def count_unit(plan: Plan, reader: Reader, unit: int) -> Batch:
    """Return a unit's costs."""
    choices = plan.choices(unit)
    counted = reader.count(choices, plan.at_most)
    if len(counted.kept) < choices.shape[1]:
        choices = choices[:, counted.kept]
    return Batch(choices, counted.figures)
