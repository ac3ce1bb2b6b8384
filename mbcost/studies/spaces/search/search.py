"""The best config of a space under budgets: ``mbcost search``.

One pass over the space, in chunks, keeps the best config under all budgets, and the best with each
budget lifted: a budget is binding if without it a better config would win.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mbcost.errors import CheckFailedError, MbcostError, did_you_mean
from mbcost.networks.spec import Spec
from mbcost.output.table import Record
from mbcost.studies.guard.budget import LIMITS, option_of
from mbcost.studies.pareto import MAX_OBJECTIVES, pareto_front
from mbcost.studies.spaces.columns import Layout
from mbcost.studies.spaces.learnt import LIMIT
from mbcost.studies.spaces.plan import UNKNOWN, UNTRAINED, Batch, Counting, whole_figures
from mbcost.studies.spaces.space import Space
from mbcost.studies.spaces.verify import Sample, Verifier
from mbcost.units import percent, thousands


@dataclass(frozen=True, slots=True)
class Objective:
    """A column, and whether the largest (+1) or the smallest (-1) is best."""

    key: str
    sign: int = 1


def parse_objectives(text: str, keys: Sequence[str]) -> tuple[Objective, ...]:
    """Return the objectives in ``top1,-mult_adds``."""
    found = []
    for item in text.split(","):
        key = item.strip().lstrip("-").replace("-", "_")
        if key not in keys:
            raise MbcostError(
                f"unknown objective {key!r}", place="--objective", way_out=did_you_mean(key, keys)
            )
        found.append(Objective(key, -1 if item.strip().startswith("-") else 1))
    if len({objective.key for objective in found}) < len(found):
        raise MbcostError("names a column twice", place="--objective", way_out="keep one")
    if len(found) > MAX_OBJECTIVES:
        raise MbcostError(
            f"{len(found)} objectives", place="--objective", way_out=f"at most {MAX_OBJECTIVES}"
        )
    return tuple(found)


@dataclass
class Found:
    """The best configs so far: one, or the Pareto front; as choices, records and values."""

    objectives: tuple[Objective, ...]
    choices: list[tuple[int, ...]] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)

    def add(self, choices: Sequence[tuple[int, ...]], records: Sequence[Record]) -> None:
        """Take in more configs."""
        self.choices += choices
        self.records += records
        keep = self._best()
        self.choices = [self.choices[i] for i in keep]
        self.records = [self.records[i] for i in keep]

    def _best(self) -> list[int]:
        if not self.records:
            return []
        points = [self.value(record) for record in self.records]
        if len(self.objectives) > 1:
            return pareto_front(points)
        # of equals the cheapest, then the first
        ranked = range(len(points))
        return [max(ranked, key=lambda i: (points[i], *_cheapness(self.records[i]), -i))]

    def value(self, record: Record) -> tuple[float, ...]:
        """Return a record's objectives, more is better."""
        return tuple(o.sign * record[o.key] for o in self.objectives)


def _cheapness(record: Record) -> tuple[int, int]:
    return -record["mult_adds"], -record["params"]


@dataclass(frozen=True)
class Constraint:
    """A budget: a column of the sweep and its largest value; ``option`` is how it is typed."""

    key: str
    limit: int

    @property
    def option(self) -> str:
        """The option that sets it."""
        return next(option_of(limit.key) for limit in LIMITS.values() if limit.column == self.key)


@dataclass
class Answer:
    """What a search found: the best under all budgets, and the best with each one lifted."""

    layout: Layout
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...]
    found: Found
    lifted: dict[str, Found]
    anything: Found
    misses: _Misses
    seen: Sample[tuple[tuple[int, ...], dict[str, int]]]
    """Some of the configs that were looked at, and what was found of them."""
    looked: int = 0
    trained: int = 0
    """Those that are not left out since torch does not train so small a batch of them."""
    feasible: int = 0
    unrated: int = 0
    """Configs within the budgets that have no value of an objective: no published accuracy."""

    @property
    def winner(self) -> Record:
        """The best config's record."""
        return self.found.records[0]

    @property
    def spec(self) -> tuple[Spec, dict[str, Any]]:
        """The best config as spec and settings."""
        return self.layout.plan.space.at(self.found.choices[0])

    def add(self, batch: Batch) -> None:
        """Take in a batch of configs."""
        self.looked += batch.choices.shape[1]
        batch = self._with_whole(batch)
        n = batch.choices.shape[1]
        self.trained += n
        self.seen.add(n, lambda i: _one(batch, i))
        values = {c.key: _column(self.layout, batch, c.key) for c in self.constraints}
        over = {c.key: values[c.key] > min(c.limit, LIMIT) for c in self.constraints}
        broken = np.sum(list(over.values()), axis=0) if over else np.zeros(n, int)
        rated = _rated(self.layout, batch, self.objectives)
        self.feasible += int((broken == 0).sum())
        self.unrated += int(((broken == 0) & ~rated).sum())
        _take(self.found, self.layout, batch, (broken == 0) & rated)
        if len(self.objectives) == 1:
            for constraint in self.constraints:
                within_others = broken - over[constraint.key] == 0
                _take(self.lifted[constraint.key], self.layout, batch, within_others & rated)
            _take(self.anything, self.layout, batch, rated)
        self.misses.add(self.layout, batch, values, over, broken)

    def _with_whole(self, batch: Batch) -> Batch:
        """Return the batch with the figures of whole networks, where they decide anything.

        A config that is over two other budgets is neither the winner nor the best with one lifted.
        One of which torch does not train so small a batch is left out.
        """
        plan = self.layout.plan
        if not plan.whole:
            return batch
        cheap = [c for c in self.constraints if c.key not in plan.whole]
        n = batch.choices.shape[1]
        broken = np.zeros(n, int)
        if not any(objective.key in plan.whole for objective in self.objectives):
            for c in cheap:
                broken += batch.figures[c.key] > min(c.limit, LIMIT)
        found = np.full((n, len(plan.whole)), UNKNOWN, np.int64)
        kept = np.ones(n, bool)
        for i in np.flatnonzero(broken < 2).tolist():
            row = whole_figures(plan, batch.choices[:, i].tolist())
            if row is None:
                kept[i] = False
            else:
                found[i] = row
        more = {key: found[:, i] for i, key in enumerate(plan.whole)}
        figures = {key: values[kept] for key, values in (batch.figures | more).items()}
        return Batch(batch.choices[:, kept], figures)

    def checked(self) -> Answer:
        """Return itself if there is a winner, or raise with the nearest miss of every budget."""
        space = self.layout.plan.space
        if not self.trained:
            raise CheckFailedError(
                f"none of {thousands(self.looked)} configs can be trained: {UNTRAINED}",
                place=space.target,
                way_out="--batch 2 or more, or a larger --size",
            )
        if not self.feasible:
            raise self.misses.error(space, self.looked)
        if not self.found.records:
            raise CheckFailedError(
                f"{thousands(self.feasible)} configs are within the budget, "
                "none with a published accuracy",
                place=space.target,
                way_out="--objective mult_adds",
            )
        return self

    def verify(self, verifier: Verifier) -> None:
        """Build what is shown, then some of what it was chosen from."""
        verifier.rows(self.found.records)
        for choice, figures in self.seen.items:
            if len(verifier.built) < verifier.k:
                verifier.figures(choice, figures)

    def describe(self) -> str:
        """Return where the winner comes from, for its YAML."""
        space = self.layout.plan.space
        budgets = " ".join(f"{c.option} {c.limit}" for c in self.constraints)
        return f"{space.target} at {space.describe(self.found.choices[0])}\n{budgets}".strip()

    def binding(self) -> list[str]:
        """Return the budgets without which a better config would win."""
        best = self.found.value(self.winner)
        return [
            constraint.key
            for constraint in self.constraints
            if any(self.found.value(r) > best for r in self.lifted[constraint.key].records)
        ]

    def limited(self) -> bool:
        """Return whether a config that is over some budget would be better."""
        best = self.found.value(self.winner)
        return any(self.found.value(record) > best for record in self.anything.records)


def search_steps(
    layout: Layout,
    budgets: Mapping[str, int],
    objectives: tuple[Objective, ...],
    verify: int = 0,
    count: Counting | None = None,
) -> Iterator[tuple[int, Answer]]:
    """Yield (configs looked at, the answer so far) over the layout's plan.

    ``verify`` of them are kept to be built; ``count`` stands in for a new reader of the plan.
    """
    constraints = tuple(Constraint(key, limit) for key, limit in budgets.items())
    answer = Answer(
        layout,
        objectives,
        constraints,
        Found(objectives),
        {constraint.key: Found(objectives) for constraint in constraints},
        Found(objectives),
        _Misses(constraints),
        Sample(verify, layout.plan.seed),
    )
    count = count or Counting(layout.plan, whole=False)
    for unit in range(layout.plan.units):
        answer.add(count(unit))
        yield answer.looked, answer


def search(layout: Layout, budgets: Mapping[str, int], objectives: tuple[Objective, ...]) -> Answer:
    """Return the best config of the layout's plan, or raise ``CheckFailedError`` if none fits."""
    *_, (_, answer) = search_steps(layout, budgets, objectives)
    return answer.checked()


def default_objective(keys: Sequence[str]) -> str:
    """Return predicted top-1 where asked for, published where there is one, else mult-adds."""
    if "predicted_top1" in keys:
        return "predicted_top1"
    return "top1" if "top1" in keys else "mult_adds"


def _one(batch: Batch, i: int) -> tuple[tuple[int, ...], dict[str, int]]:
    figures = {k: int(v[i]) for k, v in batch.figures.items() if int(v[i]) != UNKNOWN}
    return tuple(batch.choices[:, i].tolist()), figures


def _column(layout: Layout, batch: Batch, key: str) -> NDArray[np.float64] | NDArray[np.int64]:
    known = next(known for known in layout.fields if known.key == key)
    if known.figure:
        return batch.figures[known.figure]
    labels = np.array([np.nan if v is None else v for v in known.labels], np.float64)
    positions = layout.positions(known, batch)
    return labels[np.zeros(batch.choices.shape[1], int) if positions is None else positions]


def _rated(layout: Layout, batch: Batch, objectives: Sequence[Objective]) -> NDArray[np.bool_]:
    rated = np.ones(batch.choices.shape[1], bool)
    for objective in objectives:
        if objective.key == "top1":
            rated &= ~np.isnan(_column(layout, batch, objective.key))
    return rated


def _take(found: Found, layout: Layout, batch: Batch, wanted: NDArray[np.bool_]) -> None:
    """Add the wanted configs of a batch that can still be best."""
    at = np.flatnonzero(wanted)
    if not len(at):
        return
    columns = [o.sign * _column(layout, batch, o.key)[at] for o in found.objectives]
    if len(columns) == 1:
        at = at[columns[0] == columns[0].max()]
        for key in ("mult_adds", "params"):
            costs = batch.figures[key][at]
            at = at[costs == costs.min()]
        at = at[:1]
    else:
        at = at[pareto_front(list(zip(*(c.tolist() for c in columns), strict=True)))]
    few = Batch(batch.choices[:, at], {k: v[at] for k, v in batch.figures.items()})
    found.add([tuple(column) for column in few.choices.T.tolist()], layout.records(few))


class _Misses:
    """Per budget the config that misses it least: of those within all other budgets, if any."""

    def __init__(self, constraints: Sequence[Constraint]) -> None:
        self.constraints = constraints
        self.nearest: dict[str, tuple[int, int, Record]] = {}

    def add(
        self,
        layout: Layout,
        batch: Batch,
        values: Mapping[str, NDArray[Any]],
        over: Mapping[str, NDArray[np.bool_]],
        broken: NDArray[Any],
    ) -> None:
        """Take in a batch."""
        for constraint in self.constraints:
            key = constraint.key
            at = np.flatnonzero(over[key])
            if not len(at):
                continue
            order = np.lexsort((values[key][at], broken[at] > 1))
            best = at[order[:1]]
            rank = (int(broken[best[0]] > 1), int(values[key][best[0]]))
            if key not in self.nearest or rank < self.nearest[key][:2]:
                one = Batch(batch.choices[:, best], {k: v[best] for k, v in batch.figures.items()})
                self.nearest[key] = (*rank, layout.records(one)[0])

    def error(self, space: Space, looked: int) -> CheckFailedError:
        """Return the error that names the nearest miss of every budget."""
        lines = []
        axes = [axis.key for axis in space.axes]
        for constraint in self.constraints:
            if constraint.key not in self.nearest:
                continue
            breaks_more, value, record = self.nearest[constraint.key]
            config = " ".join(f"{key}={record[key]}" for key in axes if record[key] is not None)
            share = value / constraint.limit - 1 if constraint.limit else float("inf")
            also = ", over another budget too" if breaks_more else ""
            lines.append(
                f"{constraint.option} {thousands(constraint.limit)}: nearest {thousands(value)} "
                f"({percent(share, 1, '+')}) at {config or 'the only config'}{also}"
            )
        return CheckFailedError(
            f"none of {thousands(looked)} configs is within the budget; " + "; ".join(lines),
            place=space.target,
            way_out="a larger budget, or a wider --alpha or --size",
        )
