"""The arena of a schedule: where each storage lies, planned as TFLite Micro plans it.

Its ``GreedyMemoryPlanner`` places buffers by size, the largest first, and of one size the later one
first; each in the lowest gap between those that are alive at the same time as it, or behind them.
LiteRT's planner for larger machines gives other figures, and is not modelled.
"""

from __future__ import annotations

from typing import NamedTuple

from mbcost.errors import MbcostError
from mbcost.graph.liveness import Schedule, spans

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

    It is never smaller than the peak of the schedule, the largest live set, and that is no larger
    with any other plan.
    """
    if align < 1:
        raise MbcostError(f"an alignment of {align} bytes", place="align", way_out="16, or 1")
    sizes = [-(-storage.size // align) * align for storage in schedule.storages]
    alive = spans(schedule)
    placed: list[list[int]] = [[] for _ in range(len(schedule.operators) or 1)]
    offsets = [0] * len(sizes)
    head = 0
    for storage in sorted(range(len(sizes)), key=lambda i: (sizes[i], i), reverse=True):
        first, last = alive[storage]
        beside = {other for operator in placed[first : last + 1] for other in operator}
        offset = 0
        for start, end in sorted((offsets[i], offsets[i] + sizes[i]) for i in beside):
            if start - offset >= sizes[storage]:
                break
            offset = max(offset, end)
        offsets[storage] = offset
        head = max(head, offset + sizes[storage])
        for operator in placed[first : last + 1]:
            operator.append(storage)
    return Arena(head, tuple(offsets))
