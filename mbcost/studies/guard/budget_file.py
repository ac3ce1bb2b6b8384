"""From a YAML file to the budgets of several targets, with every value checked.

baseline: cost.json            # optional; max_growth: 1% of it
dtype: int8                    # for all targets, unless one says otherwise
budgets:
  v2@alpha=0.5: {max_params: 2M, max_mult_adds: 100M}
  nets/mine.yaml: {max_weight_bytes: 1MB, fold_bn: true}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from mbcost.networks.rules import Field, Keys, MappingOf, Text, fields_of
from mbcost.networks.yaml.check import check
from mbcost.networks.yaml.document import Document, read_document
from mbcost.studies.guard.budget import LIMITS, Budget, budget_of

_LIMITS = {key: Field(x.key, x.rule) for x in LIMITS.values() for key in x.keys}
BUDGET = Keys({**_LIMITS, **fields_of(Budget)})
BUDGETS = MappingOf(
    BUDGET, "by target", empty="no target has a budget", like="v2: {max_params: 3.5M}"
)


@dataclass(frozen=True)
class BudgetFile:
    """Budgets by target, and the baseline they are compared with."""

    path: str
    budgets: Annotated[Mapping[str, Budget], BUDGETS]
    baseline: Annotated[str | None, Text("JSON of mbcost baseline to compare with")] = None


BUDGET_FILE = Keys(
    {**fields_of(Budget), **fields_of(BudgetFile)},
    "budgets by target; what stands above them holds for all that say nothing else",
    like="budgets: {v2: {max_params: 3.5M}}",
)


def load_budgets(path: Path) -> BudgetFile:
    """Return the budgets in a YAML file."""
    document = read_document(path)
    common = check(BUDGET_FILE, document.data, document)
    budgets, baseline = common.pop("budgets"), common.pop("baseline", None)
    return BudgetFile(
        document.path,
        {
            target: replace(
                budget_of({**common, **own}, document.place("budgets", target)),
                written=_written(document, target),
            )
            for target, own in budgets.items()
        },
        baseline,
    )


def _written(document: Document, target: str) -> dict[str, tuple[str, int]]:
    """Return where each limit of a target stands, and its growth, which may be that of all."""
    places: dict[str, list[tuple[str, ...]]] = {
        "": [("budgets", target)],
        "max_growth": [("budgets", target, "max_growth"), ("max_growth",)],
        **{x.key: [("budgets", target, key) for key in x.keys] for x in LIMITS.values()},
    }
    lines = {
        key: [document.lines[path] for path in paths if path in document.lines]
        for key, paths in places.items()
    }
    return {key: (document.path, found[0]) for key, found in lines.items() if found}
