"""The median of samples and its distribution-free interval; of two calls, that of their ratio.

Nothing is assumed of how times are distributed: on a machine that others use they have a long tail
and come in bursts. A round runs every call once, so that what slows a round slows all its calls,
and the ratio of two of them in one round hardly feels it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from statistics import median
from typing import NamedTuple

FEWEST = 6
"""So many samples have an interval at 95 % at least: between all of five the median lies in 93.75 %
of cases."""


class Estimate(NamedTuple):
    """A median and between which samples the true one lies; no interval of too few samples."""

    median: float
    low: float | None = None
    high: float | None = None

    @property
    def margin(self) -> float | None:
        """The farther end's distance from the median ÷ the median."""
        if self.low is None or self.high is None:
            return None
        return max(self.high - self.median, self.median - self.low) / self.median

    def within(self, margin: float) -> bool:
        """Return whether the interval is known and no wider than ± ``margin`` of the median."""
        return self.margin is not None and self.margin <= margin


def rank(samples: int) -> int | None:
    """Return the largest k for which the true median lies between the k-th smallest and the k-th
    largest sample in at least 95 % of cases; None of too few samples.

    It lies outside where fewer than k of n samples fall on one side of it: each does so with
    probability 1/2, so with 2 · Σ C(n, i) ÷ 2ⁿ over i < k (H. A. David, Order Statistics, 7.1).
    """
    outside = k = 0
    while 40 * (outside + comb(samples, k)) <= 2**samples:
        outside += comb(samples, k)
        k += 1
    return k or None


def estimate(samples: Sequence[float]) -> Estimate:
    """Return the median of samples with its 95 % interval."""
    ordered = sorted(samples)
    k = rank(len(ordered))
    if k is None:
        return Estimate(median(ordered))
    return Estimate(median(ordered), ordered[k - 1], ordered[-k])


def ratio(samples: Sequence[float], reference: Sequence[float]) -> Estimate:
    """Return the median of the rounds' ratios, one call to another, with its 95 % interval."""
    return estimate([mine / other for mine, other in zip(samples, reference, strict=True)])


def drifts(before: Sequence[float], after: Sequence[float]) -> bool:
    """Return whether all of a window of samples lie below, or above, all of the one before it.

    Of two windows of five without drift that is so in 2 of C(10, 5) = 252 cases.
    """
    return max(after) < min(before) or min(after) > max(before)
