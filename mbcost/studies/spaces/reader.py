"""The closed form over arrays of configs: another reader of the same lowering.

A row of a network costs what its block costs after what comes before, and those combinations are
few: so each part keeps those met so far, filled by the scalar lowering, and a million configs are a
million look-ups per row. Networks whose rows branch are counted whole, once per combination.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mbcost.errors import MbcostError
from mbcost.studies.memory.stated import Stated
from mbcost.studies.spaces.learnt import (
    LIMIT,
    MAX_SETTINGS,
    Choices,
    Ints,
    LearntCosts,
    too_large,
    unravelled,
)
from mbcost.studies.spaces.parts import (
    DEFAULT,
    INPUT_SETTINGS,
    OF_BATCH,
    SUMS,
    Figures,
    image_bytes,
    input_feed,
    parts,
    setting_axes,
)
from mbcost.studies.spaces.space import Space
from mbcost.units import thousands

PEAK = "peak_activation_bytes"


@dataclass
class Counted:
    """Costs of the configs that were kept: which ones (columns of the choices), and figures."""

    kept: Ints
    figures: dict[str, Ints]


class Reader:
    """Counts arrays of configs of a space; what it learns stays for the next array."""

    def __init__(
        self,
        space: Space,
        figures: Sequence[str] = Figures._fields,
        stated: Stated = DEFAULT,
    ) -> None:
        self.space = space
        self.stated = stated
        self.wanted = [name for name in Figures._fields if name in figures]
        self.tables = [LearntCosts(part, space, self.wanted) for part in parts(space, stated)]
        for before, after in zip(self.tables, self.tables[1:], strict=False):
            after.feeds = before.fed_on
        keys = [axis.key for axis in space.axes]
        self.input_axes = [i for i, key in enumerate(keys) if key in INPUT_SETTINGS]
        self.setting_axes = setting_axes(space)
        self.inputs, self.images = self._inputs()
        self.batch_axis = keys.index("batch") if "batch" in keys else None
        batches = [space.settings.get("batch", 1)]
        if self.batch_axis is not None:
            batches = list(space.axes[self.batch_axis].values)
        self.batches = np.array(batches, np.int64)

    def _inputs(self) -> tuple[Ints, Ints]:
        """Return what each combination of input settings feeds, numbered in the first table, and
        the bytes of the image that is held meanwhile."""
        axes = [self.space.axes[i] for i in self.input_axes]
        combinations = prod(len(axis.values) for axis in axes)
        if combinations > MAX_SETTINGS:
            raise MbcostError(
                f"{thousands(combinations)} combinations of "
                f"{' and '.join(axis.key for axis in axes)}",
                place=self.space.target,
                way_out=f"at most {thousands(MAX_SETTINGS)}: fewer values",
            )
        feeds = self.tables[0].feeds if self.tables else {}
        numbers, images = [], []
        for index in range(combinations):
            settings = {k: v for k, v in self.space.settings.items() if k in INPUT_SETTINGS}
            chosen = unravelled(index, [axis.values for axis in axes])
            settings |= zip([axis.key for axis in axes], chosen, strict=True)
            feed = input_feed(self.space, settings)
            numbers.append(feeds.setdefault(feed, len(feeds)))
            images.append(image_bytes(feed.x, self.stated))
        return np.array(numbers, np.int64), np.array(images, np.int64)

    def count(self, choices: Choices, at_most: Mapping[str, int] | None = None) -> Counted:
        """Return the costs of the configs in ``choices``, without those above ``at_most``.

        A config is dropped at the first row at which a figure passes its limit; where it is not,
        and a figure passes 64 bits, ``MbcostError`` is raised.
        """
        n = choices.shape[1]
        kept = np.arange(n)
        fed = self._code(self.input_axes, choices)
        feed = np.take(self.inputs, fed)
        beside: dict[str, Any] = {PEAK: self.images[0 if len(self.images) == 1 else fed]}
        settings = self._code(self.setting_axes, choices)
        batch: Any = self.batches[0 if self.batch_axis is None else choices[self.batch_axis]]
        totals = {name: np.zeros(n, np.int64) for name in self.wanted}
        most = dict.fromkeys(self.wanted, 0)  # what no total can pass: seldom a matter of 64 bits
        limits: dict[str, Any] = {
            name: limit // batch - beside.get(name, 0) if name in OF_BATCH else limit
            for name, limit in (at_most or {}).items()
            if name in self.wanted and limit < LIMIT  # nothing that is counted is above that
        }
        for table in self.tables:
            entries = table.entries_of(feed, settings, choices)
            for name, total in totals.items():
                cost = np.take(table.figures[name], entries)
                if name in SUMS:
                    np.add(total, cost, out=total)
                    most[name] += table.largest[name]
                else:
                    np.maximum(total, cost, out=total)
                    most[name] = max(most[name], table.largest[name])
            feed = np.take(table.next, entries)
            if limits:
                fits = _fits(totals, limits)
                if not fits.all():
                    kept, feed, choices = kept[fits], feed[fits], choices[:, fits]
                    settings = settings[fits]
                    totals = {name: total[fits] for name, total in totals.items()}
                    limits = {name: _some(limit, fits) for name, limit in limits.items()}
                    batch = _some(batch, fits)
                    beside = {name: _some(size, fits) for name, size in beside.items()}
            for name, total in totals.items():
                if most[name] >= LIMIT and _too_large(total).any():
                    raise too_large(self.space, name)
        for name in OF_BATCH:
            if name in totals:
                always = beside.get(name, 0)
                if (totals[name] > (LIMIT - 1) // batch - always).any():
                    raise too_large(self.space, name)
                totals[name] = (totals[name] + always) * batch
        return Counted(kept, totals)

    def _code(self, axes: Sequence[int], choices: Choices) -> Ints:
        code = np.zeros(choices.shape[1], np.int64)
        for i in axes:
            code = code * len(self.space.axes[i].values) + choices[i]
        return code


def _some(values: Any, fits: NDArray[np.bool_]) -> Any:
    """Return the values that are kept, of one per config; one for all stays."""
    return values[fits] if isinstance(values, np.ndarray) and values.ndim else values


def _fits(totals: Mapping[str, Ints], limits: Mapping[str, Any]) -> NDArray[np.bool_]:
    fits = np.ones(len(next(iter(totals.values()))), bool)
    for name, limit in limits.items():
        fits &= (totals[name] <= limit) & ~_too_large(totals[name])
    return fits


def _too_large(total: Ints) -> NDArray[np.bool_]:
    """Return where a total passed 64 bits: the sum of two that fit is negative then."""
    passed: NDArray[np.bool_] = (total < 0) | (total == LIMIT)
    return passed
