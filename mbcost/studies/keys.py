"""Every key that a file, ``--columns`` or ``--sort`` knows: its unit, its meaning, its commands.

``mbcost list columns`` and ``docs/columns.md`` are made of it. A new key needs its line in
``meanings``, a new table of keys its line in ``groups``; a counter's key needs none: its convention
says what it counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from mbcost.studies.meanings import IN_PLACE, MEANINGS

ALIASES = {
    **dict.fromkeys(("macs", "mmacs", "gmacs", "madds"), "mult_adds"),
    **dict.fromkeys(("mflops", "gflops"), "flops"),
}
"""Keys as other tools call them; ``flops`` is a key of its own: two per mult-add."""


def canonical(word: str) -> tuple[str, str]:
    """Return the key that ``word`` of ``--columns`` or ``--sort`` means, and what is to be said."""
    sign = "-" if word.strip().startswith("-") else ""
    name = word.strip().lstrip("-").replace("-", "_").lower()
    if name == "flops":
        return sign + name, ""
    if name not in ALIASES:
        return word, ""
    key = ALIASES[name]
    prefix = " (the column finds its own prefix)" if name[0] in "mg" and name != "macs" else ""
    return sign + key, f"{word.strip().lstrip('-')} is {key} here: {meaning(key)[1]}{prefix}"


LIST_FIELDS = ("name", "kind", "title", "settings", "source")
KEY_FIELDS = ("key", "unit", "meaning", "commands")
COUNTER_FIELDS = ("name", "key", "installed", "counts")
"""Of the tables of ``mbcost list``."""


class Keys(NamedTuple):
    """Keys that stand together in the files of some commands."""

    place: str
    """Where ``IN_PLACE`` looks for what a key means there."""
    commands: tuple[str, ...]
    keys: tuple[str, ...]

    def lines(self) -> Iterator[tuple[str, str, str]]:
        """Yield (key, unit, meaning) of each."""
        for key in self.keys:
            yield key, *meaning(key, self.place)


def meaning(key: str, place: str = "") -> tuple[str, str]:
    """Return unit and meaning of a key in a place."""
    return IN_PLACE.get((place, key)) or MEANINGS.get(key) or _counted(key)


def _counted(key: str) -> tuple[str, str]:
    from mbcost.cost import CONVENTIONS
    from mbcost.modules.counters import COUNTERS

    for counter in COUNTERS.values():
        if counter.key == key:
            return "count", f"{counter.name}: {CONVENTIONS[counter.name].counts}"
    raise KeyError(f"{key} has no line in mbcost.studies.keys.MEANINGS")


@cache
def groups() -> dict[str, Keys]:
    """Return all keys, those that stand together in one group, in the order of docs/columns.md."""
    from mbcost.cost import LAYER_KEYS
    from mbcost.modules.counters import COUNTERS
    from mbcost.studies import deploy_table, explain
    from mbcost.studies.compare import records, view
    from mbcost.studies.device import latency_table
    from mbcost.studies.device import table as bounds
    from mbcost.studies.device.shares_table import share_columns
    from mbcost.studies.guard import check_table, diff
    from mbcost.studies.memory import figures, stated, steps
    from mbcost.studies.papers import table as paper
    from mbcost.studies.spaces import columns as sweep
    from mbcost.studies.spaces.sweep.table import PREDICTED
    from mbcost.studies.training import table as training

    counted = [counter.key for counter in COUNTERS.values()]
    asked = (*records.DEPLOYED_COLUMNS, *records.EXTRA_COLUMNS, *records.MEMORY_COLUMNS)
    diffs = dict.fromkeys(key for view in diff.VIEWS.values() for key in view)
    both, spaces = ("compare", "model"), ("sweep", "search")
    return {
        "records": Keys("records", both, tuple(k for k in records.RECORD_KEYS if k not in counted)),
        "counted": Keys("records", both, tuple(k for k in records.RECORD_KEYS if k in counted)),
        "asked": Keys("records", ("compare",), asked),
        "flops": Keys("records", both, ("flops",)),
        "trained": Keys("records", ("compare",), tuple(records.TRAINED_COLUMNS)),
        "layers": Keys("layers", ("model",), LAYER_KEYS),
        "branches": Keys("branches", ("model --tree",), view.BRANCH_KEYS),
        "memory": Keys("memory", ("memory",), tuple(figures.KEYS)),
        "steps": Keys("steps", ("memory --by layer",), tuple(steps.STEP_COLUMNS)),
        "tensors": Keys("tensors", ("memory --by tensor",), tuple(steps.TENSOR_COLUMNS)),
        "sweep": Keys("sweep", spaces, tuple(sweep.COST_KEYS)),
        "whole": Keys("sweep", spaces, tuple(stated.OF_WHOLE)),
        "check": Keys("check", ("check",), tuple(check_table.COLUMNS)),
        "diff": Keys("diff", ("diff",), tuple(diffs)),
        "explain": Keys("explain", ("explain",), tuple(explain.FIELDS)),
        "paper": Keys("paper", ("paper",), tuple(paper.FIELDS)),
        "predicted": Keys("sweep", spaces, tuple(PREDICTED)),
        "deploy": Keys("deploy", ("deploy",), tuple(deploy_table.FIELDS)),
        "latency": Keys("latency", ("latency",), tuple(latency_table.FIELDS)),
        "shares": Keys("shares", ("latency --by layer",), tuple(share_columns("layer", roof=True))),
        "train": Keys("train", ("train",), tuple(training.FIELDS)),
        "bounds": Keys("bounds", ("roof",), tuple(bounds.FIELDS)),
        "parts": Keys("parts", ("roof --by layer",), tuple(bounds.PART_COLUMNS)),
        "ceilings": Keys("ceilings", ("roof",), tuple(bounds.CEILING_COLUMNS)),
        "list": Keys("list", ("list",), LIST_FIELDS),
        "list columns": Keys("list columns", ("list columns",), KEY_FIELDS),
        "list counters": Keys("list counters", ("list counters",), COUNTER_FIELDS),
        "further": Keys("records", both, tuple(k for k in counted if k not in records.RECORD_KEYS)),
    }
