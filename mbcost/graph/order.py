"""The best order of a schedule's operators: of all that are possible, one with the least peak.

A branching graph can run in many orders. What is alive depends only on which operators have run, so
the search goes over sets of them, from the least peak up, and its first complete set is the best
(as in arXiv:2003.02369). Two things keep it small:

- An operator that comes before or after every other splits the schedule: each part is searched
  alone.
- An operator that is ready, needs no more than the peak so far and leaves no more alive than before
  may always run at once: whatever else was to run before it then finds no more alive than it did.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import NamedTuple

from mbcost.errors import MbcostError
from mbcost.graph.liveness import Operator, Schedule, peak

MAX_STATES = 20_000
"""Sets of operators that are looked at in all: about a second."""
MAX_OPERATORS = 1024
"""In a part that no single operator splits; a larger one keeps its order."""


class Ordered(NamedTuple):
    """A schedule in its best order, or in the best that was found."""

    schedule: Schedule
    order: tuple[int, ...]
    """Operators by their indices in the schedule that was given."""
    size: int
    """Its peak in bytes."""
    exact: bool
    """Whether no order has a smaller peak; False where the search gave up."""
    states: int
    """Sets of operators that were looked at."""


def best_order(schedule: Schedule, max_states: int = MAX_STATES) -> Ordered:
    """Return ``schedule`` in the order with the least peak; it gives up after ``max_states``.

    A part that it gave up on keeps its order, so that the peak never grows. What runs in place must
    be decided afterwards, since it depends on the order.
    """
    if any(_is_in_place(schedule, operator) for operator in schedule.operators):
        raise MbcostError("the order of operators in place", way_out="order first, then in place")
    floor = max([_need(schedule, operator) for operator in schedule.operators], default=0)
    order: list[int] = []
    exact, states = True, 0
    for part in _parts(schedule):
        found = None
        if 1 < len(part) <= MAX_OPERATORS:
            search = _Search(schedule, order, part)
            found = search.run(floor, max_states - states)
            states += search.states
            exact = exact and found is not None
        elif len(part) > 1:
            exact = False
        order += part if found is None else found
    ordered = reordered(schedule, order)
    return Ordered(ordered, tuple(order), peak(ordered).size, exact, states)


def reordered(schedule: Schedule, order: Sequence[int]) -> Schedule:
    """Return ``schedule`` in another order; storages are numbered as they are then written."""
    operators = [schedule.operators[i] for i in order]
    written = [storage for operator in operators for storage in operator.writes]
    new = {old: i for i, old in enumerate(dict.fromkeys((*schedule.given, *written)))}

    def renamed(storages: Sequence[int]) -> tuple[int, ...]:
        return tuple([new[storage] for storage in storages])

    return Schedule(
        tuple([schedule.storages[old] for old in new]),
        tuple([Operator(o.path, renamed(o.reads), renamed(o.writes)) for o in operators]),
        renamed(schedule.given),
        renamed(schedule.kept),
    )


def _is_in_place(schedule: Schedule, operator: Operator) -> bool:
    return all(schedule.storages[s].category == "temporary" for s in operator.writes)


def _need(schedule: Schedule, operator: Operator) -> int:
    """Return the bytes alive at an operator whatever the order: what it reads and writes."""
    return sum(schedule.storages[s].size for s in {*operator.reads, *operator.writes})


def _after(schedule: Schedule) -> list[list[int]]:
    """Return, for each operator, those whose output it reads."""
    writer = {s: i for i, operator in enumerate(schedule.operators) for s in operator.writes}
    return [[writer[s] for s in operator.reads if s in writer] for operator in schedule.operators]


def _parts(schedule: Schedule) -> list[list[int]]:
    """Return the operators in parts that follow each other, each but the last ended by a split.

    An operator splits where each one before it feeds one up to it, and each after it reads one from
    it on: then there is a way to it from all before, and from it to all after.
    """
    count = len(schedule.operators)
    first, last = [count] * count, [-1] * count
    for i, sources in enumerate(_after(schedule)):
        for source in sources:
            first[source] = min(first[source], i)
            last[i] = max(last[i], source)
    nearest = [count] * (count + 1)
    for i in reversed(range(count)):
        nearest[i] = min(nearest[i + 1], last[i])
    parts: list[list[int]] = [[]]
    farthest = -1
    for i in range(count):
        parts[-1].append(i)
        if farthest <= i <= nearest[i + 1]:
            parts.append([])
        farthest = max(farthest, first[i])
    return [part for part in parts if part]


class _State(NamedTuple):
    """Operators that have run; the smallest is the next to be looked at."""

    size: int
    """The peak so far."""
    waiting: int
    """Operators that have not run: of one peak, the one nearest to the end comes first."""
    mask: int
    alive: int
    ready: tuple[int, ...]
    path: tuple[object, ...]
    """The last operator and the path before it."""


class _Search:
    """The search of one part: operators by their places in it, sets of them as bits."""

    def __init__(self, schedule: Schedule, done: Sequence[int], part: Sequence[int]) -> None:
        operators = schedule.operators
        self.part = part
        self.states = 0
        place = {operator: i for i, operator in enumerate(part)}
        readers: dict[int, int] = {}
        late = set(schedule.kept)
        past = set(done)
        for i, operator in enumerate(operators):
            for storage in operator.reads:
                if i in place:
                    readers[storage] = readers.get(storage, 0) | 1 << place[i]
                elif i not in past:
                    late.add(storage)
        sizes = [storage.size for storage in schedule.storages]
        self.writes = [sum(sizes[s] for s in operators[i].writes) for i in part]
        self.frees = [
            [
                (readers.get(storage, 0), sizes[storage])
                for storage in {*operators[i].reads, *operators[i].writes} - late
            ]
            for i in part
        ]
        sources = _after(schedule)
        self.needs = [sum(1 << place[j] for j in {*sources[i]} & place.keys()) for i in part]
        self.feeds = [
            [j for j, need in enumerate(self.needs) if need >> i & 1] for i in place.values()
        ]
        before = {s for i in done for s in operators[i].writes} | {*schedule.given}
        self.alive = sum(sizes[s] for s in before & (readers.keys() | late))
        read = {s for operator in operators for s in operator.reads}
        unread = {*schedule.given} - read - {*schedule.kept}
        self.first = 0 if done else sum(sizes[s] for s in unread)

    def run(self, floor: int, max_states: int) -> list[int] | None:
        """Return the best order of the part, None where it takes more than ``max_states``."""
        whole = (1 << len(self.part)) - 1
        ready = tuple([i for i, need in enumerate(self.needs) if not need])
        heap = [_State(floor, len(self.part), 0, self.alive, ready, ())]
        best = {0: floor}
        while heap:
            state = heappop(heap)
            if state.mask == whole:
                return self.order(state.path)
            if state.size > best[state.mask]:
                continue
            if self.states == max_states:
                return None
            self.states += 1
            for after in self.following(state):
                if after.size < best.get(after.mask, after.size + 1):
                    best[after.mask] = after.size
                    heappush(heap, after)
        raise AssertionError("operators that wait for each other")

    def following(self, state: _State) -> list[_State]:
        """Return what may run next: one operator alone where that can do no harm."""
        found = []
        for i in state.ready:
            mask = state.mask | 1 << i
            most = state.alive + self.writes[i] + (0 if state.mask else self.first)
            alive = state.alive + self.writes[i]
            alive -= sum([size for readers, size in self.frees[i] if not readers & ~mask])
            ready = [j for j in state.ready if j != i]
            ready += [j for j in self.feeds[i] if not self.needs[j] & ~mask]
            after = _State(
                max(state.size, most), state.waiting - 1, mask, alive, (*ready,), (i, state.path)
            )
            if most <= state.size and alive <= state.alive:
                return [after]
            found.append(after)
        return found

    def order(self, path: tuple[object, ...]) -> list[int]:
        """Return the operators of a path from its end, by their indices in the schedule."""
        found: list[int] = []
        while path:
            last, before = path
            assert isinstance(last, int)
            assert isinstance(before, tuple)
            found.append(self.part[last])
            path = before
        return found[::-1]
