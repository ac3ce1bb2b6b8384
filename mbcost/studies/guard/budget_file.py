"""From a YAML file to the budgets of several targets, with every value checked.

baseline: cost.json            # optional; max_growth: 1% of it
dtype: int8                    # for all targets, unless one says otherwise
budgets:
  v2@alpha=0.5: {max_params: 2M, max_mult_adds: 100M}
  nets/mine.yaml: {max_weight_bytes: 1MB, fold_bn: true}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from mbcost.networks.rules import Field, Keys, MappingOf, Text, fields_of
from mbcost.networks.yaml.check import check
from mbcost.networks.yaml.document import read_document
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
    lines: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """File and line of each target's budget."""


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
            target: budget_of({**common, **own}, document.place("budgets", target))
            for target, own in budgets.items()
        },
        baseline,
        {
            target: (document.path, document.lines[place])
            for target in budgets
            if (place := ("budgets", target)) in document.lines
        },
    )
