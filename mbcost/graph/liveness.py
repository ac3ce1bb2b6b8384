"""Which storages are alive when: the one schedule that everything about memory reads.

A ``Schedule`` is a list of operators over storages, made of a graph by ``eager``, ``deployed`` or
``training``; what is read last by an operator is freed after it. To add a way of running: a
function ``Graph → Schedule`` in a file of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import prod
from typing import NamedTuple

from mbcost.graph.graph import Node
from mbcost.graph.primitives import Shape


class Storage(NamedTuple):
    """A piece of memory that is written once and freed as a whole."""

    name: str
    """The path of the layer that writes it, ``input`` for the image."""
    size: int
    """In bytes."""
    category: str
    """One of ``CATEGORIES``."""


CATEGORIES = (
    "input",
    "target",
    "parameter",
    "buffer",
    "optimizer",
    "gradient",
    "saved",
    "activation",
    "temporary",
)
"""What a storage holds; the first five are there before anything runs."""


class Operator(NamedTuple):
    """A step of a schedule, by indices of storages: what it reads, and what it allocates.

    Views read and allocate nothing of their own, and so are no operators: who reads a view reads
    the storage below it. What an operator writes in place it reads.
    """

    path: str
    reads: tuple[int, ...]
    writes: tuple[int, ...]


class Schedule(NamedTuple):
    """Operators in the order in which they run, and what they work on."""

    storages: tuple[Storage, ...]
    operators: tuple[Operator, ...]
    given: tuple[int, ...]
    """Storages that are there before the first operator; freed after their last reader, unless
    they are kept."""
    kept: tuple[int, ...]
    """Storages that are never freed: what is put out, and what the caller holds."""


class Peak(NamedTuple):
    """The most bytes alive at once, and the operator that runs then: the first such one."""

    size: int
    at: int


class Moment(NamedTuple):
    """An operator that has run and freed nothing yet."""

    path: str
    size: int
    """All that is alive, in bytes."""
    alive: tuple[Storage, ...]
    freed: tuple[Storage, ...]
    """Those of them that nothing reads from here on."""


def freed(
    reads: Iterable[Sequence[int]], writes: Iterable[Sequence[int]], kept: Iterable[int]
) -> list[list[int]]:
    """Return, for each operator, the storages that nothing reads once it has run.

    What nothing reads at all is freed after the operator that wrote it, or after the first one
    where it was given.
    """
    last: dict[int, int] = {}
    found: list[list[int]] = []
    for i, (read, written) in enumerate(zip(reads, writes, strict=True)):
        for storage in written:
            last[storage] = i
        for storage in read:
            last[storage] = i
        found.append([])
    for storage in last.keys() - set(kept):
        found[last[storage]].append(storage)
    return found


def frees(schedule: Schedule) -> list[list[int]]:
    """Return, for each operator of a schedule, the storages that are freed after it."""
    operators = schedule.operators
    found = freed([o.reads for o in operators], [o.writes for o in operators], schedule.kept)
    if operators:
        read = {storage for o in operators for storage in o.reads}
        found[0] += [s for s in schedule.given if s not in read and s not in schedule.kept]
    return found


def live_sets(schedule: Schedule) -> Iterator[frozenset[int]]:
    """Yield the storages alive when each operator has run and freed nothing yet."""
    alive = set(schedule.given)
    for operator, gone in zip(schedule.operators, frees(schedule), strict=True):
        alive.update(operator.writes)
        yield frozenset(alive)
        alive.difference_update(gone)


def moments(schedule: Schedule) -> Iterator[Moment]:
    """Yield what is alive when each operator has run, and what it frees."""
    storages = schedule.storages
    gone = frees(schedule)
    for i, alive in enumerate(live_sets(schedule)):
        found = tuple([storages[storage] for storage in sorted(alive)])
        freed = tuple([storages[storage] for storage in sorted(gone[i])])
        yield Moment(schedule.operators[i].path, sum(s.size for s in found), found, freed)


def alive_bytes(schedule: Schedule) -> list[int]:
    """Return the bytes alive when each operator has run and freed nothing yet."""
    sizes = [storage.size for storage in schedule.storages]
    alive = sum(sizes[storage] for storage in schedule.given)
    found = []
    for operator, gone in zip(schedule.operators, frees(schedule), strict=True):
        for storage in operator.writes:
            alive += sizes[storage]
        found.append(alive)
        for storage in gone:
            alive -= sizes[storage]
    return found


def peak(schedule: Schedule, start: int = 0, stop: int | None = None) -> Peak:
    """Return the peak over the operators from ``start`` to ``stop``; of none, what is given."""
    alive = alive_bytes(schedule)[start:stop]
    if not alive:
        return Peak(sum(schedule.storages[storage].size for storage in schedule.given), start)
    most = max(alive)
    return Peak(most, start + alive.index(most))


def spans(schedule: Schedule) -> list[tuple[int, int]]:
    """Return the first and the last operator, both included, that each storage is alive at."""
    end = max(len(schedule.operators) - 1, 0)
    first = dict.fromkeys(schedule.given, 0)
    last = dict.fromkeys(range(len(schedule.storages)), end)
    for i, (operator, gone) in enumerate(zip(schedule.operators, frees(schedule), strict=True)):
        first.update(dict.fromkeys(operator.writes, i))
        last.update(dict.fromkeys(gone, i))
    return [(first[storage], last[storage]) for storage in range(len(schedule.storages))]


def without_input(schedule: Schedule) -> Schedule:
    """Return a schedule in which the image takes no bytes: it lies somewhere else."""
    storages = [s._replace(size=0) if s.category == "input" else s for s in schedule.storages]
    return schedule._replace(storages=tuple(storages))


def freed_after(nodes: Sequence[Node], outputs: Sequence[int] = ()) -> list[list[int]]:
    """Return, for each node, the maps that nothing reads once it has run; -1 is the input.

    What is put out is never freed: ``outputs``, or the last map where they are not given.
    """
    kept = outputs or (len(nodes) - 1,)
    found = freed([node.inputs for node in nodes], [(i,) for i in range(len(nodes))], kept)
    if nodes and not any(-1 in node.inputs for node in nodes) and -1 not in kept:
        found[0].append(-1)
    return found


def largest_activation(x: Shape, nodes: Sequence[Node]) -> int:
    """Return the elements of the largest map: the input ``x`` or what a layer puts out."""
    return max(prod(x), max((node.elements for node in nodes), default=0))
