"""Checks as a table, and in words."""

from __future__ import annotations

from collections.abc import Sequence

from mbcost.output.table import Column, Record, Table, choose_columns, sort_rows
from mbcost.studies.compare.conditions import OF_INPUT, differing, given, partly
from mbcost.studies.guard.check import Check
from mbcost.studies.guard.findings import of_checks
from mbcost.studies.memory.stated import AT_LEAST
from mbcost.targets.subject import Subject, uncounted_lines
from mbcost.units import in_words, shape_text

COLUMNS = {
    column.key: column
    for column in (
        Column("verdict", "verdict"),
        Column("target", "target", "prose"),
        Column("figure", "figure", "prose"),
        Column("value", "value", "whole"),
        Column("limit", "limit", "whole"),
        Column("slack", "slack", "growth"),
        Column("baseline", "baseline", "whole", rank=1),
        Column("growth", "growth", "growth", rank=2),
        Column("settings", "settings", "settings"),
    )
}


def check_table(
    checks: Sequence[Check],
    columns: str | None = None,
    sort: str | None = None,
    notes: Sequence[str] = (),
) -> Table:
    """Return a row per check; the baseline's columns where there is one. ``notes`` say what the
    limits are."""
    rows = [check.record() for check in checks]
    with_baseline = any(check.baseline is not None for check in checks)
    subjects = list({check.subject.target: check.subject for check in checks}.values())
    left_out = [] if with_baseline else ["baseline", "growth"]
    left_out += [] if differing(subjects) else ["settings"]
    default = [key for key in COLUMNS if key not in left_out]
    chosen = choose_columns(COLUMNS, columns, default)
    failed = [check for check in checks if not check.passed]
    return Table(
        chosen,
        sort_rows(rows, sort),
        tuple(COLUMNS) if columns is None else tuple(column.key for column in chosen),
        rows,
        {
            "passed": not failed,
            **({"uncounted": uncounted} if (uncounted := _uncounted(checks)) else {}),
            "checks": [
                {
                    **row,
                    **{k: v if k in check.kind.depends else None for k, v in stated.items()},
                    "passed": check.passed,
                    "layers": [{"path": path, "value": value} for path, value in check.layers],
                }
                for check, row in zip(checks, rows, strict=True)
                for stated in [check.stated._asdict()]
            ],
        },
        title=f"{len(failed)} of {len(checks)} checks failed"
        if failed
        else f"{len(checks)} check{'s' if len(checks) > 1 else ''} passed",
        caption=_caption(checks),
        notes=(
            *partly(subjects),
            *(check.sentence() for check in checks if check.layers),
            *([AT_LEAST] if any(check.kind.column == "arena_bytes" for check in checks) else []),
            *notes,
            *uncounted_lines([check.subject for check in checks]),
        ),
        findings=of_checks(checks),
    )


def _uncounted(checks: Sequence[Check]) -> Record:
    """Return the operators without a formula by target, of those that have some."""
    return {
        check.subject.target: check.subject.report.uncounted
        for check in checks
        if check.subject.report.uncounted
    }


def _caption(checks: Sequence[Check]) -> str:
    """Return what was checked under which conditions."""
    seen = {check.subject.target: check.subject for check in checks}
    parts = [f"{target}: {_conditions(subject)}." for target, subject in seen.items()]
    words = [check.kind.words(check.stated) for check in checks if check.kind.words]
    parts += [f"{sentence}." for sentence in dict.fromkeys(words)]
    return " ".join([*parts, "Slack: what is left of the limit."])


def _conditions(subject: Subject) -> str:
    """Return what a target was counted under: ``classes 10, input 3×224×224, batch 1``."""
    shape = shape_text(subject.report.x, "×")
    own = {n: v for n, v in given(subject).items() if n not in (*OF_INPUT, "fold_bn")}
    parts = [in_words(own)] if own else []
    parts += [f"input {shape}", f"batch {subject.report.batch}"]
    return ", ".join([*parts, "batch-norms folded"] if subject.folded else parts)
