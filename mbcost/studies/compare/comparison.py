"""Subjects side by side: ``mbcost compare`` and ``mbcost.compare``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from mbcost.cost import CostReport
from mbcost.errors import CheckFailedError, MbcostError, did_you_mean, not_installed
from mbcost.modules.counters import COUNTERS, Counter, Verification, verify
from mbcost.networks.settings import SETTINGS, parse_all
from mbcost.output.table import (
    PENDING,
    Column,
    Record,
    Said,
    Table,
    choose_columns,
    sort_rows,
    with_names,
)
from mbcost.studies.compare import conditions
from mbcost.studies.compare.agreement import (
    Verified,
    counters_named,
    raise_if_different,
    seen_lines,
    skipped_lines,
    verified_line,
)
from mbcost.studies.compare.records import (
    COLUMNS,
    DEPLOYED_COLUMNS,
    EXTRA_COLUMNS,
    MEMORY_COLUMNS,
    RECORD_KEYS,
    TRAINED_COLUMNS,
    deployed_record,
    extras,
    flops_record,
    known_columns,
    memory_record,
    memory_words,
    record,
)
from mbcost.studies.compare.words import (
    said_of,
    source_of,
    title_of,
    top1_lines,
    trained_lines,
)
from mbcost.targets.count import subjects_of, warn_uncounted
from mbcost.targets.resolve import beside_deployed
from mbcost.targets.restatement import AS_IN_PAPERS, Restatement
from mbcost.targets.subject import Subject, labels_of, named, uncounted_lines

if TYPE_CHECKING:
    import pandas

    from mbcost.targets.count import Target

NAMED = 6
"""Targets that a line names."""
DEFAULT_BLOCKS = ("standard", "depthwise-separable", "inverted-residual")


@dataclass(frozen=True, repr=False)
class Comparison:
    """Subjects, the counters asked for, and what each counter said so far."""

    subjects: Sequence[Subject]
    counters: Sequence[Counter] = ()
    reference: str | None = None
    verified: Verified = field(default_factory=Verified)
    trained: Sequence[Record] = ()
    """What the training of each subject adds to its record, where trainings are compared."""

    def __repr__(self) -> str:
        names = [subject.target for subject in self.subjects]
        counters = ", ".join(counter.name for counter in self.counters) or "none"
        shown = ", ".join(map(repr, names[:NAMED])) + (", …" if len(names) > NAMED else "")
        return f"Comparison({shown}; counters: {counters})"

    def verify(self) -> Iterator[Comparison]:
        """Run the counters one by one; yields the comparison as it is at first and after each.

        A table can fill in so; the last one is complete.
        """
        yield self
        done, referees = dict(self.verified.done), dict(self.verified.referees)
        for i, subject in enumerate(self.subjects):
            bench = subject.workbench()
            for counter in self.counters:
                found = done[i, counter.name] = verify(counter, bench, subject.report)
                if found.agrees is False and subject.traced and i not in referees:
                    referees[i] = verify(COUNTERS["torch"], bench, subject.report)
                yield replace(self, verified=Verified({**done}, {**referees}))

    def verifications(self, i: int) -> dict[str, Verification]:
        """Return what the counters said of subject ``i``, by counter."""
        return {name: v for (j, name), v in self.verified.done.items() if j == i}

    def alone(self, i: int) -> Comparison:
        """Return the comparison of subject ``i`` alone, with what the counters said of it."""
        done = {(0, name): found for name, found in self.verifications(i).items()}
        referees = {0: referee} if (referee := self.verified.referees.get(i)) else {}
        return Comparison([self.subjects[i]], self.counters, None, Verified(done, referees))

    @property
    def complete(self) -> bool:
        """Whether every counter has run on every subject."""
        return len(self.verified.done) == len(self.subjects) * len(self.counters)

    @cached_property
    def reference_report(self) -> CostReport:
        """The costs that ratios are taken to: the first, or the one named ``reference``."""
        return self.subjects[self.reference_index].shown

    @cached_property
    def reference_index(self) -> int:
        """Which of the subjects ratios are taken to."""
        if self.reference is None:
            return 0
        for i, subject in enumerate(self.subjects):
            if self.reference in (subject.target, subject.name, subject.label):
                return i
        known = [subject.target for subject in self.subjects]
        raise MbcostError(
            f"{self.reference!r} is not compared here",
            place="--reference",
            way_out=did_you_mean(self.reference, known),
        )

    def records(self, stored: bool = False) -> list[Record]:
        """Return one record per subject.

        Where batch-norms are folded, or with ``stored``, they have the bytes of the weights too.
        """
        stored = stored or self.folds
        further = dict.fromkeys(c.key for c in self.counters if c.key not in RECORD_KEYS)
        return [
            further
            | record(subject, self.reference_report, self.verifications(i))
            | (deployed_record(subject) if stored else {})
            | (self.trained[i] if self.trained else {})
            for i, subject in enumerate(self.subjects)
        ]

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the CSV: a record's own, flops and further counters where asked for."""
        asked = (*(counter.key for counter in self.counters), self.restatement.figure)
        asked = (*asked, *(TRAINED_COLUMNS if self.trained else ()))
        return tuple(dict.fromkeys((*RECORD_KEYS, *asked)))

    def frame(self) -> pandas.DataFrame:
        """Return the records as a DataFrame."""
        try:
            import pandas
        except ImportError:
            raise not_installed("a data frame", ["pandas"]) from None

        return pandas.DataFrame(self.records(), columns=list(self.keys))

    def _repr_html_(self) -> str:
        from mbcost.output.formats.html import to_html

        return to_html(self.table())

    def table(self, columns: str | None = None, sort: str | None = None) -> Table:
        """Return the comparison as a table; counters that have yet to run show an ellipsis."""
        records = self.records(stored=columns is not None)
        figure = self.restatement.figure
        default = ["target", *self._telling_apart(), "output", "params"]
        if len(self.subjects) > 1:
            default += ["params_ratio", figure, "mult_adds_ratio"]
        else:
            default += [figure]
        weights = [key for key in DEPLOYED_COLUMNS if key != "fold_bn"] if self.folds else []
        default += weights
        default += list(TRAINED_COLUMNS) if self.trained else []
        default += [counter.key for counter in self.counters]
        default += ["forward_backward_bytes", "total_bytes"]
        default += ["verified"] if self.counters else []
        chosen = choose_columns(self._known_columns(), columns, default)
        if any(column.key in EXTRA_COLUMNS for column in chosen):
            records = [r | extras(s) for r, s in zip(records, self.subjects, strict=True)]
        if any(column.key == "flops" for column in chosen):
            records = [r | flops_record(s) for r, s in zip(records, self.subjects, strict=True)]
        keys = {column.key for column in chosen} & MEMORY_COLUMNS.keys()
        words, noted = memory_words(keys)
        if keys:
            of_memory = (memory_record(subject, keys) for subject in self.subjects)
            records = [r | more for r, more in zip(records, of_memory, strict=True)]
        rows = sort_rows([self._with_pending(i, row) for i, row in enumerate(records)], sort)
        fields = tuple(column.key for column in chosen)
        if columns is None:
            fields = (*self.keys, *DEPLOYED_COLUMNS) if self.folds else self.keys
        document = rows if columns is None else [{k: row.get(k) for k in fields} for row in rows]
        names = conditions.differing(self.subjects)
        known_as = labels_of(self.subjects)
        shown = [named(row, known_as) for row in rows] if known_as else rows
        if columns is None and names:  # the others stand in the title
            shown = [{**r, "settings": conditions.some(r["settings"], names)} for r in shown]
        return Table(
            with_names(chosen, (COLUMNS["target"], COLUMNS["name"])),
            shown,
            fields,
            rows,
            document,
            title=self.title(),
            caption=self.caption(),
            said=self.said(words),
            notes=(*self.notes(), *noted, *top1_lines(chosen, rows), *trained_lines(self.trained)),
        )

    @property
    def folds(self) -> bool:
        """Whether a subject has its batch-norms folded."""
        return any(subject.folded for subject in self.subjects)

    def _telling_apart(self) -> list[str]:
        """Return the columns of what rows were counted under, where that differs."""
        found = ["settings"] if conditions.differing(self.subjects) else []
        inputs = {subject.report.inputs for subject in self.subjects}
        found += ["input"] if len(inputs) > 1 else []
        return found + (["batch"] if len({subject.batch for subject in self.subjects}) > 1 else [])

    def _known_columns(self) -> dict[str, Column]:
        name = self.subjects[self.reference_index].shown_as
        return known_columns(name, self.restatement, trained=bool(self.trained))

    def _with_pending(self, i: int, row: Record) -> Record:
        waiting = [c for c in self.counters if (i, c.name) not in self.verified.done]
        if not waiting:
            return row
        return {**row, **{counter.key: PENDING for counter in waiting}, "verified": PENDING}

    @property
    def restatement(self) -> Restatement:
        """How the subjects' mult-adds are shown; the same for all."""
        return self.subjects[0].restatement if self.subjects else AS_IN_PAPERS

    def title(self) -> str:
        """Return what all subjects have in common, and what a setting changed of some alone."""
        return title_of(self.subjects)

    def caption(self) -> str:
        """Return under what the figures stand; ``said`` says what they are."""
        folded = "fold_bn: batch-norms folded into the convolutions before them"
        words = (self.title(), folded if self.folds else "")
        return " ".join(f"{each}." for each in words if each)

    def said(self, further: Sequence[Said] = ()) -> tuple[Said, ...]:
        """Return what each figure means, ``further`` ones too, and which versions counted them."""
        words = self.counted_as()
        conventions = {c.key: (c.name, words[c.name]) for c in self.counters}
        ran = self.records()[0]["versions"]
        *figures, counted_by = said_of(ran, conventions, self.restatement)
        return (*figures, *further, counted_by)

    def counted_as(self) -> dict[str, str]:
        """Return each counter's convention in words."""
        upsampling = any(subject.report.upsamples for subject in self.subjects)
        return {c.name: c.convention.words(upsampling=upsampling) for c in self.counters}

    def notes(self) -> tuple[str, ...]:
        """Return the verified line, what counters do not see, which were skipped, and what is not
        counted at all."""
        missing = uncounted_lines(self.subjects)
        if not self.counters:
            return (
                f"{source_of(self.subjects).removeprefix('the ')} alone: no counter was run",
                *missing,
            )
        if not self.complete:
            return ("verifying: the counters are running …", *missing)
        return (
            verified_line(self.verified, source_of(self.subjects)),
            *seen_lines(self.verified.done, self.subjects),
            *skipped_lines(self.verified.done, self.subjects),
            *missing,
        )

    def check(self, *, strict: bool = False) -> list[str]:
        """Raise ``CheckFailedError`` naming the layers on which a counter differs.

        On models from elsewhere that is so only when ``strict``, as are operators without a
        formula; otherwise return what is to be said of them.
        """
        warnings = uncounted_lines(self.subjects)
        if strict and warnings:
            raise CheckFailedError("; ".join(warnings), way_out="leave out --strict to accept that")
        for i, subject in enumerate(self.subjects):
            for verification in self.verifications(i).values():
                try:
                    raise_if_different(subject, verification, self.verified.referees.get(i))
                except CheckFailedError as error:
                    if strict or not subject.traced:
                        raise
                    warnings.append(str(error))
        return warnings


def compare(
    *targets: Target,
    input: object = None,
    counters: Sequence[str] = (),
    reference: str | None = None,
    **settings: object,
) -> Comparison:
    """Return targets side by side, verified by ``counters`` (torchinfo, fvcore, torch) if named.

    >>> import mbcost
    >>> [row["mult_adds"] for row in mbcost.compare("v1", "v2").records()]
    [568740352, 300774272]

    Has ``records()``, ``frame()`` and a table in notebooks. A counter that disagrees with the
    closed form raises ``CheckFailedError``; one that disagrees with a trace, and operators without
    a formula, are an ``UncountedWarning``. ``fold_bn=True`` puts each target's deployed twin after
    it.
    """
    given = {name.rstrip("_"): value for name, value in settings.items()}
    folding = {"fold_bn": given.pop("fold_bn")} if "fold_bn" in given else {}
    fold_bn = parse_all(SETTINGS, folding, "compare").get("fold_bn", False)
    if not isinstance(counters, list | tuple) or not all(isinstance(n, str) for n in counters):
        raise MbcostError(
            "counters are not a list of names", way_out='counters=("torchinfo", "fvcore")'
        )
    if not isinstance(reference, str | None):
        raise MbcostError(
            f"the reference is a {type(reference).__name__}", way_out="one of the targets as given"
        )
    subjects = subjects_of(targets, input, given)
    if not subjects:
        raise MbcostError("nothing to compare", way_out='compare("v1", "v2")')
    if fold_bn:
        subjects = beside_deployed(subjects)
    comparison = Comparison(subjects, counters_named(counters, ()), reference)
    comparison.reference_index  # noqa: B018 - raises for a reference that is not compared
    *_, comparison = comparison.verify()
    warn_uncounted(comparison.check())
    return comparison


__all__ = ["DEFAULT_BLOCKS", "Comparison", "compare", "counters_named"]
