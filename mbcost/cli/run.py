"""What commands that count have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mbcost.cli.output import say
from mbcost.errors import CheckFailedError, MbcostError
from mbcost.modules.counters import DEFAULT_COUNTERS
from mbcost.studies.compare.comparison import Comparison, counters_named
from mbcost.targets.resolve import beside_deployed, resolve
from mbcost.targets.restatement import AS_IN_PAPERS, Restatement
from mbcost.targets.subject import Subject, uncounted_lines


def run_comparison(
    targets: Sequence[str],
    settings: Mapping[str, str],
    counter: Sequence[str] | None,
    fast: bool,
    reference: str | None = None,
    fold_bn: bool = False,
    restated: Restatement = AS_IN_PAPERS,
) -> Comparison:
    """Return the comparison of ``targets``, closed form done, counters chosen but not yet run.

    With ``fold_bn`` each target is followed by its deployed twin.
    """
    if fast and counter:
        raise MbcostError(
            "the closed form alone runs no counter",
            place="--fast",
            way_out="leave out --fast or --counter",
        )
    counters = [] if fast else counters_named(counter, DEFAULT_COUNTERS, ", or --fast")
    subjects = resolve(targets, settings, restated)
    if fold_bn:
        subjects = beside_deployed(subjects)
    comparison = Comparison(subjects, counters, reference)
    comparison.records()  # lowers everything: a bad row or reference is an error before any output
    return comparison


def check(comparison: Comparison, strict: bool) -> None:
    """Fail where a counter disagrees; on models from elsewhere only warn, unless ``strict``."""
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


def report_skipped(comparison: Comparison, asked: Sequence[str] | None) -> None:
    """Say on stderr which counters were skipped; one that was asked for by name is an error."""
    for (i, name), verification in comparison.done.items():
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
