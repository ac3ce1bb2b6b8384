"""What moves bytes: sums of arrays as large as a cache holds, or larger than all of them.

Bytes are those that are read and written. What a cache fetches of a line before it is written to
(a quarter of an addition's traffic) is not counted: no layer's is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from mbcost.modules.roof.caches import Cache, caches
from mbcost.modules.roof.case import Call, Case
from mbcost.units import bytes_in_words

MEMORY = "memory"
FLOAT = 4
SHARES = (0.2, 0.5, 0.8)
"""Of a cache, what is moved."""
SMALL = 2**17
"""Bytes below which one call goes over them many times: a call alone takes about a microsecond."""
TIMES = 1024
BEYOND = 4
"""So many times all caches is what is moved in memory."""
LEAST = 2**26
"""Bytes of it at least, and what caches are taken to hold where the system tells none."""
PART = 8
"""Of the machine's memory it is at most this part."""


class Level(NamedTuple):
    """A cache or memory, and what is moved to see how fast it is."""

    name: str
    bytes: int | None
    """What it and all before it hold together; None of memory."""
    sets: tuple[int, ...]
    """Bytes of the arrays that are moved: more than the level before holds, less than this one."""


def levels(
    threads: int, known: list[Cache] | None = None, memory: int | None = None
) -> list[Level]:
    """Return the levels of this machine from the core outwards, memory the last.

    At several threads a cache of each core is not told apart from the others, so that the first
    level has no set. ``memory`` is the machine's own unless given.
    """
    found: list[Level] = []
    held = 0
    for cache in caches() if known is None else known:
        reach = cache.reach(threads)
        sets = [int(reach * share) for share in SHARES]
        first = not found
        fitting = tuple(size for size in sets if size > 1.5 * held and (threads == 1 or not first))
        held += reach
        found.append(Level(cache.name, held, fitting))
    if not found:
        held = LEAST
        found.append(Level("caches", held, ()))
    size = max(LEAST, BEYOND * held)
    room = (_memory() if memory is None else memory) // PART
    return [*found, Level(MEMORY, None, (size,) if size <= room else ())]


def cases(threads: int) -> Iterator[Case]:
    """Yield the calls of each level."""
    for level in levels(threads):
        for size in level.sets:
            moves = (_add, _sum) if size < SMALL else (_add, _sum, _fill)
            yield from (move(level.name, size) for move in moves)


def _memory() -> int:
    """Return the bytes of memory that there are."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 2**32


def _words(what: str, size: int) -> str:
    return f"{what} of {bytes_in_words(size)}"


def _add(level: str, size: int) -> Case:
    """Return the sum of two arrays, written to a third."""
    small = size < SMALL
    # of a small set a row of each: the third's rows lie one line (16 floats) behind the other
    n = size // (3 * FLOAT) // 16 * 16
    times = TIMES if small else 1

    def make() -> Call:
        import torch

        one, other = torch.ones(n), torch.ones(n)
        if not small:
            out = torch.ones(n)
            return lambda: torch.add(one, other, out=out)
        rows, others = one.expand(times, n), other.expand(times, n)
        out = torch.ones(n + 16 * times).as_strided((times, n), (16, 1))
        return lambda: torch.add(rows, others, out=out)

    return Case(level, _words("torch add", size), 3 * FLOAT * n * times, make)


def _sum(level: str, size: int) -> Case:
    """Return the sum over an array, which is only read."""
    n, times = size // FLOAT // 16 * 16, TIMES if size < SMALL else 1

    def make() -> Call:
        import torch

        rows = torch.ones(n).expand(times, n)
        return lambda: torch.sum(rows)

    return Case(level, _words("torch sum", size), FLOAT * n * times, make)


def _fill(level: str, size: int) -> Case:
    """Return what writes an array, which is not read."""
    n = size // FLOAT // 16 * 16

    def make() -> Call:
        import torch

        array = torch.ones(n)
        return lambda: array.fill_(1.0)

    return Case(level, _words("torch fill", size), FLOAT * n, make)
