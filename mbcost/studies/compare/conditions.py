"""Under which settings targets are counted, and where those differ from row to row.

A setting for all targets goes to those that take it. What it changed, and what not, is said here,
so that no ratio is taken between figures of different conditions in silence.
"""

from __future__ import annotations

from collections.abc import Sequence

from mbcost.networks.settings import as_record, as_text
from mbcost.output.table import Record
from mbcost.targets.resolve import parse_inline
from mbcost.targets.subject import Subject
from mbcost.units import in_words

OF_INPUT = ("in", "size", "rho", "batch", "input")
"""Settings that the shape of the input and the batch show."""
NAMED = 6
"""So many targets are named; of more their number is."""


def given(subject: Subject) -> Record:
    """Return the settings a target was counted under, as records hold them."""
    return as_record(subject.settings)


def some(settings: Record, names: Sequence[str]) -> Record:
    """Return those of ``settings`` that have these names."""
    return {name: settings[name] for name in names if name in settings}


def differing(subjects: Sequence[Subject]) -> list[str]:
    """Return the settings that differ between rows, if one of them stands in no target's text.

    Those of the input have a column of their own.
    """
    known = [given(subject) for subject in subjects]
    names = [
        name
        for name in dict.fromkeys(name for settings in known for name in settings)
        if name not in OF_INPUT
        and any(settings.get(name) != known[0].get(name) for settings in known)
        and any(name in subject.settings and subject.changed_by(name) for subject in subjects)
    ]
    unseen = any(name in subject.shared for name in names for subject in subjects)
    return names if unseen else []


def partly(subjects: Sequence[Subject]) -> list[str]:
    """Return a sentence per setting for all targets that changed some of them and others not."""
    found = []
    for name in dict.fromkeys(name for subject in subjects for name in subject.shared):
        value = next(given(s)[name] for s in subjects if name in s.shared)
        changed = [s for s in subjects if name in s.shared and s.changed_by(name)]
        rest = [s for s in subjects if s not in changed]
        if not changed or not rest:
            continue
        who = f"{len(changed)} of {len(subjects)} targets"
        if len(subjects) <= NAMED:
            who = f"{_targets(changed)}, not {_targets(rest)}"
        found.append(f"{in_words({name: value})} changes {who}")
    return found


def difference(subject: Subject, recorded: Record, place: str) -> str:
    """Return how settings that were recorded differ from those now: ``classes 10, not unset``.

    Empty where they make the same network of the target, said in another way or by default.
    """
    now = given(subject)
    if recorded == now:
        return ""
    texts = {name: as_text(value) for name, value in recorded.items()}
    if subject.under(parse_inline(subject.spec, texts, place)).counted == subject.counted:
        return ""
    name = next(name for name in (*recorded, *now) if recorded.get(name) != now.get(name))
    was, is_ = (as_text(settings.get(name, "unset")) for settings in (recorded, now))
    return f"{name} {was}, not {is_}"


def _targets(subjects: Sequence[Subject]) -> str:
    return ", ".join(dict.fromkeys(subject.target for subject in subjects))
