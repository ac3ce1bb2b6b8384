"""Trainings beside the costs of what was trained: ``mbcost compare --runs``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mbcost.output.table import Record
from mbcost.studies.compare.records import TRAINED_COLUMNS
from mbcost.studies.training.run import Run, graph_digest, runs_in
from mbcost.targets.resolve import resolve
from mbcost.targets.restatement import AS_IN_PAPERS, Restatement
from mbcost.targets.subject import Subject

FOLLOWING = ("in", "size", "classes")
"""The settings that follow the data where they are not given."""


def beside_runs(
    targets: Sequence[str],
    settings: Mapping[str, object],
    folder: str,
    restatement: Restatement = AS_IN_PAPERS,
) -> tuple[list[Subject], list[Record]]:
    """Return subjects as they were trained, and what each training adds to its record.

    A target is there once for each of its trainings, counted with the input and the classes that
    it was trained on where these are not given; once and without figures where there is none.
    Without targets it is every training.
    """
    runs = runs_in(folder)
    found: list[tuple[Subject, Run | None]] = []
    if not targets:
        named = [replace(run.subject(), target=run.record["target"]) for run in runs]
        found += zip((replace(s, restatement=restatement) for s in named), runs, strict=True)
    for subject in resolve(targets, settings, restatement) if targets else ():
        own = [(twin, run) for run in runs if (twin := _as_trained(subject, run)) is not None]
        found += own or [(subject, None)]
    return [subject for subject, _ in found], [trained_record(run) for _, run in found]


def _as_trained(subject: Subject, run: Run) -> Subject | None:
    """Return the subject with the input and classes of a run where it is what was trained."""
    if subject.name != run.record["name"] or subject.traced:
        return None
    trained = run.subject().settings
    following = {key: trained[key] for key in FOLLOWING if key in trained}
    if "rho" in subject.settings:
        del following["size"]
    twin = subject.under({**following, **subject.settings})
    return twin if graph_digest(twin.graph) == run.record["graph_sha256"] else None


def trained_record(run: Run | None) -> Record:
    """Return the values of ``TRAINED_COLUMNS``; null where there is no training."""
    return {key: run.record[key] if run else None for key in TRAINED_COLUMNS}
