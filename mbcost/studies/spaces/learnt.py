"""What a part costs by what it is fed, by settings and by choices, learnt as they are met.

Numbers stand for everything: a combination of settings and choices has a number, what it comes to
has one (``Part.built``), and so have what is fed to the part and each cost. A million configs are
two look-ups a part.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mbcost.errors import LayerError, MbcostError
from mbcost.networks.scaling import Feed
from mbcost.studies.spaces.parts import MAXIMA, Figures, Part, setting_axes
from mbcost.studies.spaces.space import Space
from mbcost.units import shape_text, thousands

Ints = NDArray[np.int64]
Choices = NDArray[np.int32]
"""(axes, configs): an index into each axis's values, a config per column."""

LIMIT = 2**63 - 1
"""Costs are below this, for arrays hold 64-bit integers; it stands for all that are not."""

MAX_SETTINGS = 10**6
MAX_CHOICES = 10**9
"""Within these, a combination's number fits 64 bits."""

DENSE = 2**20
"""Codes up to which a plain array finds a code's number."""


def too_large(space: Space, figure: str) -> MbcostError:
    """Return the error for a cost that arrays of 64-bit integers cannot hold."""
    return MbcostError(
        f"{figure} passes 2⁶³, more than a sweep holds",
        place=space.target,
        way_out="a smaller size or batch; `mbcost model` counts one config without a limit",
    )


def unravelled(number: int, values: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Return the combination with this number; the last one varies fastest."""
    found = []
    for each in reversed(values):
        number, position = divmod(number, len(each))
        found.append(each[position])
    return tuple(reversed(found))


class Codes:
    """A number for each code met, which ``learn`` gives: of new codes, in order, one each."""

    def __init__(self, learn: Callable[[list[int]], Sequence[int]]) -> None:
        self.learn = learn
        self.codes = np.zeros(0, np.int64)  # sorted …
        self.numbers = np.zeros(0, np.int64)  # … and their numbers
        self.place = np.zeros(0, np.int32)  # where codes are few: number by code, -1 if unknown

    def of(self, codes: Ints, possible: int) -> Ints:
        """Return the number of each code, all below ``possible``."""
        found = self._find(codes, possible)
        if len(self.codes) < possible and found.size and found.min() < 0:
            new = np.unique(codes[found < 0])
            numbers = np.array(self.learn(new.tolist()), np.int64)
            merged = np.append(self.codes, new)
            order = np.argsort(merged, kind="stable")
            self.codes = merged[order]
            self.numbers = np.append(self.numbers, numbers)[order]
            if len(self.place):
                self.place[new] = numbers
            found = self._find(codes, possible)
        return found

    def recode(self, codes: Callable[[Ints], Ints]) -> None:
        """Change every known code; their order must stay."""
        self.codes = codes(self.codes)
        self.place = np.zeros(0, np.int32)

    def _find(self, codes: Ints, possible: int) -> Ints:
        if possible <= DENSE:
            if len(self.place) < possible:
                self.place = np.full(min(DENSE, 2 * possible), -1, np.int32)
                self.place[self.codes] = self.numbers
            return np.take(self.place, codes)
        self.place = np.zeros(0, np.int32)
        if not len(self.codes):
            return np.full(len(codes), -1)
        at = np.minimum(np.searchsorted(self.codes, codes), len(self.codes) - 1)
        return np.where(self.codes[at] == codes, self.numbers[at], -1)


class LearntCosts:
    """A part's costs, and what it feeds, by entry; an entry is what is built and what is fed."""

    def __init__(self, part: Part, space: Space, wanted: Sequence[str]) -> None:
        self.part = part
        self.maxima = any(name in MAXIMA for name in wanted)
        self.space = space
        self.wanted = wanted
        self.axes = [space.axes[i] for i in (*setting_axes(space), *part.axes)]
        self.settings = len(setting_axes(space))
        settings = prod(len(axis.values) for axis in self.axes[: self.settings])
        self.sizes = [len(axis.values) for axis in self.axes[self.settings :]]
        if settings > MAX_SETTINGS or prod(self.sizes) > MAX_CHOICES:
            raise MbcostError(
                f"{thousands(settings)} combinations of settings, "
                f"{thousands(prod(self.sizes))} of one row's fields",
                place=space.target,
                way_out=f"at most {thousands(MAX_SETTINGS)} and {thousands(MAX_CHOICES)}: "
                "fewer values",
            )
        self.combinations = settings * prod(self.sizes)
        self.feeds: dict[Feed, int] = {}
        self.feeds_coded = 0
        self.fed_on: dict[Feed, int] = {}
        self.built: dict[Hashable, int] = {}
        self.built_from: list[tuple[Any, ...]] = []
        """By number of what is built, the first combination that came to it."""
        self.numbers = Codes(self._build)
        self.entries = Codes(self._count)
        self.next = np.zeros(0, np.int64)
        self.figures = {name: np.zeros(0, np.int64) for name in wanted}
        self.largest = dict.fromkeys(wanted, 0)

    def entries_of(self, feeds: Ints, settings: Ints, choices: Choices) -> Ints:
        """Return each config's place in ``next`` and ``figures``."""
        code = settings.copy()
        for axis, size in zip(self.part.axes, self.sizes, strict=True):
            code *= size
            code += choices[axis]
        number = self.numbers.of(code, self.combinations)
        known = len(self.feeds)
        if known != self.feeds_coded:
            self._recode(known)
        np.multiply(number, known, out=code)
        code += feeds
        return self.entries.of(code, len(self.built) * known)

    def _recode(self, known: int) -> None:
        before, self.feeds_coded = max(1, self.feeds_coded), known

        def codes(old: Ints) -> Ints:
            number, feed = np.divmod(old, before)
            return number * known + feed

        self.entries.recode(codes)

    def _build(self, codes: list[int]) -> list[int]:
        found = []
        for code in codes:
            values = unravelled(code, [axis.values for axis in self.axes])
            try:
                built = self.part.built(values[: self.settings], values[self.settings :])
            except LayerError as error:
                raise self._at(values, error) from None
            if built not in self.built:
                self.built[built] = len(self.built)
                self.built_from.append(values)
            found.append(self.built[built])
        return found

    def _count(self, codes: list[int]) -> range:
        feeds, built = list(self.feeds), list(self.built)
        rows: list[Figures] = []
        following = []
        for code in codes:
            number, fed = divmod(code, self.feeds_coded)
            try:
                cost, after = self.part.cost(built[number], feeds[fed], self.maxima)
            except LayerError as error:
                raise self._at(self.built_from[number], error, feeds[fed]) from None
            rows.append(cost)
            following.append(self.fed_on.setdefault(after, len(self.fed_on)))
        for name in self.wanted:
            new = [min(LIMIT, getattr(row, name)) for row in rows]
            self.largest[name] = max(self.largest[name], *new)
            self.figures[name] = np.append(self.figures[name], np.array(new, np.int64))
        first = len(self.next)
        self.next = np.append(self.next, np.array(following, np.int64))
        return range(first, first + len(codes))

    def _at(
        self, values: tuple[Any, ...], error: LayerError, feed: Feed | None = None
    ) -> MbcostError:
        words = [f"{axis.key}={v}" for axis, v in zip(self.axes, values, strict=True)]
        words += [f"input={shape_text(feed.x)}"] if feed else []
        return error.at(f"{self.space.target}: {' '.join(words)}")
