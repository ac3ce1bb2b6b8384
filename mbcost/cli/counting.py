"""What commands that count have in common: their options, and what they do and say after them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mbcost.cli.messages import say
from mbcost.cli.options import ConventionName, CounterNames, Fast, Strict, Unit
from mbcost.errors import CheckFailedError, MbcostError
from mbcost.modules.counters import DEFAULT_COUNTERS
from mbcost.output.table import Record
from mbcost.studies.compare.comparison import Comparison, counters_named
from mbcost.targets.resolve import beside_deployed, resolve
from mbcost.targets.restatement import restatement
from mbcost.targets.subject import Subject, uncounted_lines


@dataclass(frozen=True)
class Counting:
    """Who counts, and how what is counted is stated."""

    counter: CounterNames = None
    fast: Fast = False
    strict: Strict = False
    convention: ConventionName = None
    unit: Unit = None

    def comparison(
        self,
        targets: Sequence[str],
        settings: Mapping[str, str],
        reference: str | None = None,
        fold_bn: bool = False,
        runs: str | None = None,
    ) -> Comparison:
        """Return the comparison of targets, closed form done, counters chosen but not yet run.

        With ``fold_bn`` each target is followed by its deployed twin, with ``runs`` they are
        counted as the trainings in that folder had them.
        """
        restated = restatement(self.convention, self.unit)
        if self.fast and self.counter:
            raise MbcostError(
                "the closed form alone runs no counter",
                place="--fast",
                way_out="leave out --fast or --counter",
            )
        counters = (
            [] if self.fast else counters_named(self.counter, DEFAULT_COUNTERS, ", or --fast")
        )
        trained: list[Record] = []
        if runs is None:
            subjects = resolve(targets, settings, restated)
        else:
            from mbcost.studies.training.beside import beside_runs

            if fold_bn:
                raise MbcostError(
                    "a trained network is not folded", place="--fold-bn", way_out="leave it out"
                )
            subjects, trained = beside_runs(targets, settings, runs, restated)
        if fold_bn:
            subjects = beside_deployed(subjects)
        comparison = Comparison(subjects, counters, reference, trained=trained)
        comparison.records()  # lowers all: a bad row or reference is an error before any output
        return comparison


def conclude(comparison: Comparison, asked: Sequence[str] | None, strict: bool) -> None:
    """Say what was skipped, one that was ``asked`` for being an error; fail where one disagrees.

    On models from elsewhere a counter that disagrees is only a warning, unless ``strict``.
    """
    for (i, name), verification in comparison.verified.done.items():
        if not verification.skipped:
            continue
        target = comparison.subjects[i].target
        if asked and name in asked and not verification.crashed:
            raise MbcostError(
                f"{name} cannot run: {verification.skipped}",
                place=target,
                way_out="a smaller --size, or leave this --counter out",
            )
        say(f"mbcost: {target}: {name} skipped: {verification.skipped}")
    for warning in comparison.check(strict=strict):
        say(f"mbcost: {warning}")


def report_uncounted(subjects: Sequence[Subject]) -> None:
    """Say on stderr which operators' cost is missing from the totals."""
    for line in uncounted_lines(subjects):
        say(f"mbcost: {line}")


def refuse_uncounted(subjects: Sequence[Subject]) -> None:
    """Fail where the cost of an operator is missing from the totals."""
    lines = uncounted_lines(subjects)
    if lines:
        raise CheckFailedError("; ".join(lines), way_out="--allow-uncounted accepts that")
