"""Targets against budgets and a baseline: ``mbcost check``, for people and for CI."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from mbcost.errors import CheckFailedError, MbcostError, did_you_mean
from mbcost.networks.rules import Count
from mbcost.networks.settings import split_inline
from mbcost.output.table import Record
from mbcost.studies.compare.conditions import OF_INPUT, difference, given, some
from mbcost.studies.guard.budget import (
    GROWING,
    LIMITS,
    Budget,
    Limit,
    option_of,
    refuse_idle_options,
)
from mbcost.studies.guard.budget_file import BudgetFile
from mbcost.studies.guard.matching import match_layers
from mbcost.studies.guard.snapshots import CONDITIONS, Snapshot, named, snapshot_of
from mbcost.studies.memory.stated import Stated
from mbcost.targets.elsewhere import runs_code
from mbcost.targets.resolve import resolve
from mbcost.targets.subject import Subject, uncounted_lines
from mbcost.units import percent, signed, signed_percent, thousands

HEAVIEST = 3
UNCOUNTED = Limit(
    "uncounted",
    "operators without a formula",
    Count("calls of operators whose cost is missing from the totals"),
    lambda subject, _: sum(subject.report.uncounted.values()),
)
"""Not a budget: a figure that misses a cost is within none."""


@dataclass(frozen=True)
class Check:
    """One figure of one target beside its limit; ``baseline`` is what the limit grew from."""

    subject: Subject
    kind: Limit
    stated: Stated
    value: int
    limit: int
    baseline: int | None = None
    layers: tuple[tuple[str, int], ...] = ()
    """The layers that cost most, or those that grew most."""
    written: tuple[str, int] | None = None
    """File and line of the limit, where it stands in one."""

    @property
    def passed(self) -> bool:
        """Whether the figure is within its limit; equal is within."""
        return self.value <= self.limit

    @property
    def slack(self) -> float | None:
        """Return what is left of the limit as a share of it, negative when over."""
        return (self.limit - self.value) / self.limit if self.limit else None

    @property
    def figure(self) -> str:
        """The figure in words: ``weight bytes int8``, ``params since baseline``."""
        title = self.kind.title(self.stated)
        return title if self.baseline is None else f"{title} since baseline"

    def record(self) -> Record:
        """Return the check as plain data."""
        grown = self.baseline is not None
        return {
            "verdict": "pass" if self.passed else "FAIL",
            "target": self.subject.target,
            "figure": self.figure,
            "value": self.value,
            "limit": self.limit,
            "slack": self.slack,
            "baseline": self.baseline,
            "growth": self.value / self.baseline - 1 if grown and self.baseline else None,
            "settings": given(self.subject),
        }

    def against(self) -> str:
        """Return the figure beside its limit: ``3,504,872 params, limit 3,500,000 (…)``."""
        slack = f" ({signed_percent(self.slack)} slack)" if self.slack is not None else ""
        return f"{thousands(self.value)} {self.figure}, limit {thousands(self.limit)}{slack}"

    def sentence(self) -> str:
        """Return the layers that cost or grew most: ``v2, params: rows.10.linear 36.5%, …``."""
        if self.baseline is not None:
            shown = [f"{path} {signed(value, None)}" for path, value in self.layers]
            verb = "grew most"
        else:
            shown = [f"{path} {percent(value / self.value)}" for path, value in self.layers]
            verb = "cost most"
        return f"{self.subject.target}, {self.figure}: {verb} {', '.join(shown)}"


def checks_of(
    budgets: Mapping[str, Budget],
    settings: Mapping[str, object],
    baseline: Sequence[Snapshot] | None = None,
    *,
    allow_uncounted: bool = False,
) -> list[Check]:
    """Return every check of every target, in order; ``settings`` are those for all targets.

    A budget that checks nothing is an error, as is a growth without a baseline. A target that runs
    operators without a formula has a check of its own, which fails, unless they are allowed.
    """
    found = []
    for budget, subjects in _resolved(budgets, settings):
        _refuse_idle(budget, baseline is not None)
        for subject in subjects:
            found += [_limited(subject, LIMITS[k], budget, n) for k, n in budget.limits.items()]
            if baseline is not None:
                found += _grown(subject, budget, baseline)
            if subject.report.uncounted and not allow_uncounted:
                calls = UNCOUNTED.of_subject(subject, budget.stated)
                place = budget.written.get("")
                found.append(Check(subject, UNCOUNTED, budget.stated, calls, 0, written=place))
    return found


def _refuse_code(budgets: Mapping[str, Budget]) -> None:
    """Raise for a target that cannot be counted without running code of its own."""
    for target, budget in budgets.items():
        try:
            name, _ = split_inline(target)
        except MbcostError as error:
            raise error.at(budget.place) from None
        if runs_code(name):
            raise MbcostError(
                "counting it runs the code of that file",
                place=budget.place,
                way_out="--allow-code if you trust it, or type the target",
            )


def _refuse_idle(budget: Budget, with_baseline: bool) -> None:
    """Raise if the budget asks for a growth over nothing, or for nothing at all."""
    if with_baseline:
        return
    if budget.max_growth is not None:
        raise MbcostError(
            "a growth needs a baseline to compare with",
            place=budget.place or "--max-growth",
            way_out="--baseline cost.json, which `mbcost baseline` writes",
        )
    if not budget.limits:
        options = ", ".join(map(option_of, LIMITS))
        raise MbcostError(
            "nothing to check against",
            place=budget.place,
            way_out=f"some of {options}; or --budget FILE, --baseline FILE",
        )


def _resolved(
    budgets: Mapping[str, Budget], settings: Mapping[str, object]
) -> list[tuple[Budget, list[Subject]]]:
    plain: dict[str, list[Subject]] = {}
    for target, budget in budgets.items():
        try:
            plain[target] = resolve([target])
        except MbcostError as error:
            raise (error.at(budget.place) if budget.place else error) from None
    resolve(list(budgets), settings)  # an option that fits none of them is an error
    found = []
    for target, budget in budgets.items():
        accepted = {name for subject in plain[target] for name in subject.spec.accepts}
        fitting = {name: value for name, value in settings.items() if name in accepted}
        if budget.fold_bn:
            fitting["fold_bn"] = "true"
        try:
            found.append((budget, resolve([target], fitting)))
        except MbcostError as error:
            raise (error.at(budget.place) if budget.place else error) from None
    return found


def _limited(subject: Subject, kind: Limit, budget: Budget, limit: int) -> Check:
    report = subject.report
    layers: list[tuple[str, int]] = []
    if kind.of_layer is not None:
        layers = [(x.path, kind.of_layer(x, report, budget.stated)) for x in report.layers]
    value = kind.of_subject(subject, budget.stated)
    place = budget.written.get(kind.key)
    return Check(
        subject, kind, budget.stated, value, limit, layers=_heaviest(layers), written=place
    )


def _grown(subject: Subject, budget: Budget, baseline: Sequence[Snapshot]) -> list[Check]:
    """Return the checks against the baseline; without a max_growth nothing may grow."""
    before, after = named(baseline, subject.target), snapshot_of(subject)
    for condition in CONDITIONS:
        old, new = before.condition(condition), after.condition(condition)
        if old != new:
            raise MbcostError(
                f"its {subject.target!r} has {condition} {old}, not {new}",
                place=before.source,
                way_out=_ANEW,
            )
    _refuse_other_settings(subject, before)
    growth = budget.max_growth or Fraction(0)
    place = budget.written.get("max_growth", budget.written.get(""))
    found = []
    for key in GROWING:
        kind = LIMITS[key]
        figure = key.removeprefix("max_")
        base = int(before.record[figure])
        value = kind.of_subject(subject, budget.stated)
        limit = int(base * (1 + growth))
        layers = _heaviest(_deltas(before, after, figure)) if value > base else ()
        found.append(Check(subject, kind, budget.stated, value, limit, base, layers, place))
    return found


_ANEW = "the settings it was written with, or write it anew with `mbcost baseline`"


def _refuse_other_settings(subject: Subject, before: Snapshot) -> None:
    """Raise where the baseline's settings make another network of the target than those now."""
    recorded = before.settings
    if recorded is None:  # of an mbcost that did not write them: those that it tells otherwise
        recorded = some(given(subject), (*CONDITIONS, *OF_INPUT))
    other = difference(subject, recorded, f"{before.source}: {subject.target}: settings")
    if other:
        raise MbcostError(f"its {subject.target!r} has {other}", place=before.source, way_out=_ANEW)


def _deltas(before: Snapshot, after: Snapshot, figure: str) -> list[tuple[str, int]]:
    """Return by how much each layer grew; nothing where the baseline has no layers."""
    if before.layers is None or after.layers is None:
        return []
    return [
        (
            after.layers[j]["path"],
            after.layers[j][figure] - (0 if i is None else before.layers[i][figure]),
        )
        for i, j in match_layers(before.layers, after.layers)
        if j is not None
    ]


def _heaviest(layers: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    costly = [layer for layer in layers if layer[1] > 0]
    return tuple(sorted(costly, key=lambda layer: -layer[1])[:HEAVIEST])


def raise_if_over(checks: Sequence[Check]) -> None:
    """Raise ``CheckFailedError`` naming every figure over its limit."""
    over = [check for check in checks if not check.passed and check.kind is not UNCOUNTED]
    missing = uncounted_lines([check.subject for check in checks if check.kind is UNCOUNTED])
    if not over and not missing:
        return
    sentences = [f"{check.subject.target}: {check.against()}" for check in over]
    said = (["over budget: " + "; ".join(sentences)] if over else []) + missing
    way_out = "--allow-uncounted accepts operators without a formula" if missing else ""
    raise CheckFailedError("; ".join(said), way_out=way_out)


def chosen_budgets(
    targets: Sequence[str],
    given: Budget,
    file: BudgetFile | None,
    stated: Mapping[str, Any],
    *,
    allow_code: bool = False,
    filled: Mapping[str, int] | None = None,
) -> dict[str, Budget]:
    """Return the budget of each target: the file's, with what the command line gives on top.

    ``given`` is the command line's, and ``stated`` what it says of ``Stated``; ``filled`` are
    limits where neither sets one. Targets choose among those of the file. One that runs code must
    be typed, or ``allow_code`` given: a file may come from anyone.
    """
    weighed = [given, *(file.budgets.values() if file else ())]
    limits = dict(filled or {})
    keys = {*limits, *(key for budget in weighed for key in budget.limits)}
    refuse_idle_options(keys, stated)
    if file is None:
        return dict.fromkeys(targets, replace(given, limits={**limits, **given.limits}))
    for target in targets:
        if target not in file.budgets:
            raise MbcostError(
                f"holds no budget of {target!r}",
                place=file.path,
                way_out=did_you_mean(target, file.budgets),
            )
    if not targets and not allow_code:
        _refuse_code(file.budgets)
    typed = {*given.limits, *(["max_growth"] if given.max_growth is not None else [])}
    return {
        target: replace(
            budget,
            limits={**limits, **budget.limits, **given.limits},
            written={k: v for k, v in budget.written.items() if k not in typed},
            **stated,
            max_growth=budget.max_growth if given.max_growth is None else given.max_growth,
        )
        for target, budget in file.budgets.items()
        if not targets or target in targets
    }
