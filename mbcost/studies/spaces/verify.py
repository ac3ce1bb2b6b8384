"""What was emitted, held against a build: rows as they were written, the winner as it is shown.

A row names its config. That is built; its figures by the scalar closed form must be the row's, and
torchinfo and fvcore must count its module as the closed form does.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import StringIO
from operator import itemgetter
from pathlib import Path
from random import Random
from typing import Any, Generic, TypeVar

import numpy as np

from mbcost.errors import CheckFailedError
from mbcost.modules.counters import COUNTERS, DEFAULT_COUNTERS, require, verify
from mbcost.networks.network import Network
from mbcost.studies import prediction
from mbcost.studies.compare.agreement import raise_if_different
from mbcost.studies.memory.stated import OF_WHOLE
from mbcost.studies.spaces.columns import Layout, label
from mbcost.studies.spaces.parts import scalar_figures
from mbcost.studies.spaces.sweep.writers import WRITERS
from mbcost.targets.subject import Subject
from mbcost.units import thousands

Item = TypeVar("Item")


class Sample(Generic[Item]):
    """``k`` of all items that it is shown, each as likely as any other."""

    def __init__(self, k: int, seed: int) -> None:
        self.k = k
        self.random = np.random.default_rng([seed, 1])
        self.kept: list[tuple[float, Item]] = []

    def add(self, n: int, item: Callable[[int], Item]) -> None:
        """Show it ``n`` more items; ``item`` is asked for those that are kept."""
        if not self.k:
            return
        keys = self.random.random(n)  # the k smallest of all are kept
        most = self.kept[-1][0] if len(self.kept) == self.k else 1.0
        at = np.flatnonzero(keys < most)
        for i in at[np.argsort(keys[at])][: self.k].tolist():
            self.kept.append((keys[i], item(i)))
        self.kept = sorted(self.kept, key=itemgetter(0))[: self.k]

    @property
    def items(self) -> list[Item]:
        """What is kept."""
        return [item for _, item in self.kept]


class Verifier:
    """Holds ``k`` rows of each output against builds, and says in the end what was verified."""

    def __init__(self, layout: Layout, k: int) -> None:
        self.layout = layout
        self.space = layout.plan.space
        self.k = k
        if k:
            counters = [COUNTERS[name] for name in DEFAULT_COUNTERS]
            require(counters, any_will_do=True, place="--verify", instead=", or --verify 0")
        self.ran = dict.fromkeys(DEFAULT_COUNTERS, 0)
        self.built: dict[tuple[int, ...], dict[str, int]] = {}

    def sample(self) -> Sample[Any]:
        """Return an empty sample of the size that is verified, drawn with the plan's seed."""
        return Sample(self.k, self.layout.plan.seed)

    def rows(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Verify rows that are shown."""
        sample = self.sample()
        sample.add(len(rows), rows.__getitem__)
        for row in sample.items:
            self.row(row)

    def passing(self, texts: Iterable[str]) -> Iterator[str]:
        """Yield pieces of CSV, the header first, and verify rows of them in the end."""
        sample = self.sample()
        keys: list[str] = []
        for text in texts:
            yield text
            if self.k:
                rows = list(csv.reader(StringIO(text)))
                if keys:
                    sample.add(len(rows), rows.__getitem__)
                else:
                    (keys,) = rows
        for row in sample.items:
            self.row(dict(zip(keys, row, strict=True)))

    def file(self, path: Path) -> Path:
        """Return a file that was written, once rows read back from it are verified."""
        if self.k:
            random = Random(self.layout.plan.seed)
            writer = WRITERS[path.suffix](self.layout)
            for row in writer.some_rows(path, self.k, random):
                self.row(row)
        return path

    def row(self, row: Mapping[str, Any]) -> None:
        """Raise ``CheckFailedError`` where a row says anything else than its config's build.

        Its values are as emitted, or the texts of them.
        """
        choice = self._choice(row)
        expected = self._expected(choice)
        for key, value in row.items():
            if key != "name" and _text(value) != _text(expected.get(key)):
                self._differs(choice, key, value, expected.get(key))
        missing = set(expected) - set(row)
        if missing:
            raise CheckFailedError(f"a row lacks {', '.join(sorted(missing))}", **self._at(choice))

    def figures(self, choice: tuple[int, ...], figures: Mapping[str, int]) -> None:
        """Raise ``CheckFailedError`` where what a search saw of a config is not its build's."""
        expected = self.build(choice)
        for key, value in figures.items():
            if value != expected[key]:
                self._differs(choice, key, value, expected[key])

    def build(self, choice: tuple[int, ...]) -> dict[str, int]:
        """Return a config's columns of costs by the scalar closed form, confirmed by counters."""
        if choice not in self.built:
            spec, settings = self.space.at(choice)
            subject = Subject(f"{self.space.target}: {self._words(choice)}", spec, settings)
            stated = self.layout.plan.stated
            self.built[choice] = scalar_figures(spec, settings, stated)[0]._asdict()
            for key in self.layout.plan.whole:
                self.built[choice][key] = OF_WHOLE[key](subject.graph, subject.batch, stated)
            bench = subject.workbench()
            for name in DEFAULT_COUNTERS:
                verification = verify(COUNTERS[name], bench, subject.report)
                raise_if_different(subject, verification)
                self.ran[name] += verification.agrees is True
        return self.built[choice]

    def line(self) -> str:
        """Return what was verified, in words."""
        if not self.k:
            return "not verified (--verify 0)"
        if not self.built:
            return "not verified: no config was emitted"
        built = f"{len(self.built)} config{'s' if len(self.built) > 1 else ''} built"
        who = " and ".join(f"{name} on {n}" for name, n in self.ran.items() if n)
        return (
            f"verified to the unit: {built}, {who}" if who else f"not verified: {built}, too large"
        )

    def _choice(self, row: Mapping[str, Any]) -> tuple[int, ...]:
        """Return the config that a row names; an axis that means nothing is empty."""
        found = []
        for axis in self.space.axes:
            texts = [_text(label(value)) for value in axis.values]
            text = _text(row.get(axis.key))
            if text and text not in texts:
                raise CheckFailedError(
                    f"a row says {axis.key} {text}, which is not in the space", **self._at(None)
                )
            found.append(texts.index(text) if text else 0)
        return tuple(found)

    def _expected(self, choice: tuple[int, ...]) -> dict[str, Any]:
        """Return the columns that a config's row must have."""
        figures = self.build(choice)
        spec, settings = self.space.at(choice)
        facts = spec.facts(settings)
        known = {key: value for key, value in settings.items() if key not in facts}
        known |= {key: value for key, value in facts.items() if value is not None}
        known |= {"batch": settings.get("batch", 1)} | self.space.values(choice)
        if "rho" not in settings:
            known.pop("rho", None)
        found = {key: label(value) for key, value in known.items()} | figures
        if isinstance(spec, Network) and any(f.key == "top1" for f in self.layout.fields):
            found["top1"] = spec.top1(settings)
        if self.layout.plan.predicted:
            found["predicted_top1"] = prediction.predicted_top1(spec, settings)
            family = prediction.family_of(spec, settings)
            found["predicted_top1_error"] = prediction.error_bar(family)
        return found

    def _differs(self, choice: tuple[int, ...], key: str, value: Any, expected: Any) -> None:
        raise CheckFailedError(
            f"{key} is {_number(value)}, the closed form says {_number(expected)}",
            **self._at(choice),
        )

    def _at(self, choice: tuple[int, ...] | None) -> dict[str, str]:
        words = f": {self._words(choice)}" if choice else ""
        return {
            "place": f"{self.space.target}{words}",
            "way_out": "a bug in mbcost: please report it with --version",
        }

    def _words(self, choice: tuple[int, ...]) -> str:
        return self.space.describe(choice)


def _text(value: Any) -> str:
    """Return a value as text; 1 and 1.0 are one value, as in a column that has fractions too."""
    return "" if value is None else str(value).removesuffix(".0")


def _number(value: Any) -> str:
    text = _text(value)
    return thousands(int(text)) if text.isdecimal() else text or "empty"
