"""The Pareto front: the points to which no other is equal or better in everything."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

MAX_OBJECTIVES = 3


def pareto_front(points: Sequence[Sequence[float]]) -> list[int]:
    """Return the indices of the points that no other dominates, in order; more is better.

    A point dominates another if it is at least as large in every coordinate and larger in one;
    equal points stay together. O(n log n) comparisons, for one to three coordinates.
    """
    if not points:
        return []
    padded = [(*point, 0, 0)[:3] for point in points]
    order = sorted(range(len(points)), key=lambda i: padded[i], reverse=True)
    front: list[int] = []
    ys: list[float] = []  # of the points so far that no other beats in (y, z): y rises …
    zs: list[float] = []  # … and z falls
    previous = None
    kept = False
    for i in order:
        if padded[i] != previous:
            previous = padded[i]
            _, y, z = padded[i]
            at = bisect_left(ys, y)
            kept = at == len(ys) or zs[at] < z
            if kept:
                start = at
                while start and zs[start - 1] <= z:
                    start -= 1
                end = at + (at < len(ys) and ys[at] == y)
                ys[start:end], zs[start:end] = [y], [z]
        if kept:
            front.append(i)
    return sorted(front)
