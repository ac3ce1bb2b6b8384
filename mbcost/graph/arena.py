"""The arena of a schedule: where each storage lies, planned as TFLite Micro plans it.

Its ``GreedyMemoryPlanner`` places buffers by size, the largest first, and of one size the later one
first; each in the lowest gap between those that are alive at the same time as it, or behind them.
LiteRT's planner for larger machines gives other figures, and is not modelled.
"""

from __future__ import annotations

from bisect import insort
from typing import NamedTuple

from mbcost.errors import MbcostError
from mbcost.graph.liveness import Schedule, spans

_Placed = tuple[int, int, int, int]
"""Where a storage begins and ends, and the first and the last operator that it is alive at."""
ALIGN = 16
"""TFLite Micro's ``MicroArenaBufferAlignment``, in bytes."""


class Arena(NamedTuple):
    """Where each storage of a schedule lies, in bytes from the start."""

    size: int
    """The planned head: where the last storage ends."""
    offsets: tuple[int, ...]
    """Of each storage."""


def arena(schedule: Schedule, align: int = ALIGN) -> Arena:
    """Return the planned arena; each storage takes its size rounded up to ``align`` bytes.

    It is never smaller than the schedule's peak, the largest live set, which no plan undercuts.
    """
    if align < 1:
        raise MbcostError(f"an alignment of {align} bytes", place="align", way_out="16, or 1")
    sizes = [-(-storage.size // align) * align for storage in schedule.storages]
    alive = spans(schedule)
    placed: list[_Placed] = []
    beside: list[list[_Placed]] = [[] for _ in range(len(schedule.operators) or 1)]
    offsets = [0] * len(sizes)
    for storage in sorted(range(len(sizes)), key=lambda i: (sizes[i], i), reverse=True):
        size, (first, last) = sizes[storage], alive[storage]
        operators = beside[first : last + 1]
        if sum(map(len, operators)) < len(placed):
            others = sorted({other for operator in operators for other in operator})
        else:  # alive for long, as what many read: once through all is less
            others = [other for other in placed if other[2] <= last and first <= other[3]]
        offset = 0
        for start, end, _, _ in others:
            if start - offset >= size:
                break
            offset = max(offset, end)
        offsets[storage] = offset
        found = (offset, offset + size, first, last)
        insort(placed, found)
        for operator in operators:
            operator.append(found)
    head = max([end for _, end, _, _ in placed], default=0)
    return Arena(head, tuple(offsets))
