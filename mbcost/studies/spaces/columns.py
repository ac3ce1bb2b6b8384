"""The columns of a sweep: what was chosen, then what it costs, in bytes where a dtype says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from typing import Any

import numpy as np

from mbcost.errors import MbcostError
from mbcost.networks.network import Network
from mbcost.networks.spec import Spec
from mbcost.studies import prediction
from mbcost.studies.spaces.learnt import Ints
from mbcost.studies.spaces.parts import Figures, input_feed
from mbcost.studies.spaces.plan import UNKNOWN, Batch, Plan
from mbcost.studies.spaces.space import Axis, Space
from mbcost.units import size_value, thousands

MAX_PREDICTED = 20_000
"""Combinations of α and size whose top-1 is predicted: some seconds."""
COST_KEYS = Figures._fields
"""The columns of costs that every sweep has; ``*_bytes`` are in the dtype."""


@dataclass(frozen=True)
class Field:
    """A column: a figure, or a label per combination of axes; without axes everyone has the first.

    Of an axis over layers the last label stands where that layer is not there. With ``codes`` only
    these combinations have a label of their own, all others the first.
    """

    key: str
    labels: tuple[Any, ...] = ()
    axes: tuple[int, ...] = ()
    figure: str = ""
    codes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Layout:
    """The columns of a plan's results."""

    plan: Plan

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The columns in order."""
        space = self.plan.space
        chosen = [Field("name", (space.spec.name,))]
        known = {axis.key: i for i, axis in enumerate(space.axes)}
        facts = space.spec.facts(space.settings)
        for key in ("alpha", "rho", "size", "classes", "batch"):
            if key in known:
                labels = [label(value) for value in space.axes[known[key]].values]
                chosen.append(Field(key, tuple(labels), (known[key],)))
            elif key == "size" and "rho" in known:
                chosen.append(Field("size", _sizes_of_rho(space, known["rho"]), (known["rho"],)))
            elif key == "batch":
                chosen.append(Field(key, (space.settings.get("batch", 1),)))
            elif facts[key] is not None and (key != "rho" or "rho" in space.settings):
                chosen.append(Field(key, (label(facts[key]),)))
        keys = {field.key for field in chosen}
        chosen += [
            Field(key, (label(value),))
            for key, value in space.settings.items()
            if key not in (*keys, *known)
        ]
        for i, axis in enumerate(space.axes):
            if axis.key not in keys:
                chosen.append(Field(axis.key, (*map(label, axis.values), None), (i,)))
        chosen += [Field(key, figure=key) for key in (*COST_KEYS, *self.plan.whole)]
        predicted = _predicted(space) if self.plan.predicted else ()
        return (*chosen, *_top1(space), *predicted)

    def positions(self, field: Field, batch: Batch) -> Ints | None:
        """Return each config's index into the field's labels; None where all have the first."""
        if not field.axes:
            return None
        axes = self.plan.space.axes
        positions = np.zeros(batch.choices.shape[1], np.int64)
        for i in field.axes:
            positions = positions * len(axes[i].values) + batch.choices[i]
        if field.codes:
            codes = np.array(field.codes)
            at = np.minimum(np.searchsorted(codes, positions), len(codes) - 1)
            return np.where(codes[at] == positions, at + 1, 0)
        if len(field.axes) == 1 and self.plan.space.conditions(field.axes[0]):
            there = self.plan.meaning(field.axes[0], batch.choices)
            positions = np.where(there, positions, len(field.labels) - 1)
        return positions

    def column(self, field: Field, batch: Batch) -> list[Any]:
        """Return the field's values, one per config."""
        if field.figure:
            values: list[Any] = batch.figures[field.figure].tolist()
            return [None if value == UNKNOWN else value for value in values]
        positions = self.positions(field, batch)
        if positions is None:
            return list(field.labels[:1]) * int(batch.choices.shape[1])
        return [field.labels[position] for position in positions.tolist()]

    def records(self, batch: Batch, keys: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Return the configs as records."""
        wanted = [field for field in self.fields if keys is None or field.key in keys]
        columns = [self.column(field, batch) for field in wanted]
        names = [field.key for field in wanted]
        return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _top1(space: Space) -> list[Field]:
    """Return the column of published top-1 accuracies where only α, size and batch vary."""
    spec, settings = space.spec, space.settings
    keys = [axis.key for axis in space.axes]
    if not isinstance(spec, Network) or not {"alpha", "size", "rho", "batch"}.issuperset(keys):
        return []
    axes = tuple(i for i, key in enumerate(keys) if key != "batch")
    own = [_facts(spec, settings, space.axes[i]) for i in axes]
    found: dict[int, float] = {}
    for row in spec.published:
        wanted = {"alpha": row.alpha, "size": row.sides}
        places = [[i for i, v in enumerate(vs) if v == wanted[k]] for k, vs in own]
        for chosen in product(*places):
            given, code = dict(settings), 0
            for i, place in zip(axes, chosen, strict=True):
                axis = space.axes[i]
                given[axis.key] = axis.values[place]
                code = code * len(axis.values) + place
            if (top1 := spec.top1(given)) is not None:
                found[code] = top1
    if not found:
        return []
    if not axes:
        return [Field("top1", (found[0],))]
    codes = sorted(found)
    return [Field("top1", (None, *(found[code] for code in codes)), axes, codes=tuple(codes))]


def _predicted(space: Space) -> list[Field]:
    """Return the columns of predicted top-1 and of its error bar; refuse what has none."""
    if any(axis.slots for axis in space.axes):
        slotted = next(axis.key for axis in space.axes if axis.slots)
        raise MbcostError(
            "its top-1 cannot be predicted: the fit is of networks with their own rows",
            place=f"{space.target}: {slotted}",
            way_out="leave it out; or --accuracy published",
        )
    family = prediction.family_of(space.spec, space.settings)
    axes = [i for i, axis in enumerate(space.axes) if axis.key in ("alpha", "size", "rho")]
    for axis in space.axes:
        for value in axis.values if axis.key not in prediction.FREE else ():
            prediction.family_of(space.spec, {**space.settings, axis.key: value})
    if (n := prod(len(space.axes[i].values) for i in axes)) > MAX_PREDICTED:
        raise MbcostError(
            f"{thousands(n)} combinations of alpha and size are too many to predict",
            place=space.target,
            way_out=f"a coarser step; at most {thousands(MAX_PREDICTED)}",
        )
    given = [[(space.axes[i].key, value) for value in space.axes[i].values] for i in axes]
    labels = [
        prediction.predicted(family, space.spec, {**space.settings, **dict(chosen)})
        for chosen in product(*given)
    ]
    error = Field("predicted_top1_error", (prediction.error_bar(family),))
    return [Field("predicted_top1", tuple(labels), tuple(axes)), error]


def _facts(spec: Spec, settings: Mapping[str, Any], axis: Axis) -> tuple[str, list[Any]]:
    """Return what a setting decides, alpha or size, and its values."""
    if axis.key == "alpha":
        return "alpha", list(axis.values)
    return "size", [spec.facts({**settings, axis.key: v})["size"] for v in axis.values]


def label(value: Any) -> Any:
    """Return a setting's or a field's value as a column shows it."""
    return size_value(*value) if isinstance(value, tuple) else value


def _sizes_of_rho(space: Space, axis: int) -> tuple[Any, ...]:
    sizes = []
    for rho in space.axes[axis].values:
        settings = {k: v for k, v in space.settings.items() if k != "size"}
        sizes.append(size_value(*input_feed(space, {**settings, "rho": rho}).x[1:]))
    return tuple(sizes)
