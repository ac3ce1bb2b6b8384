"""From a YAML file to the budgets of several targets, with every value checked.

baseline: cost.json            # optional; max_growth: 1% of it
dtype: int8                    # for all targets, unless one says otherwise
budgets:
  v2@alpha=0.5: {max_params: 2M, max_mult_adds: 100M}
  nets/mine.yaml: {max_weight_bytes: 1MB, fold_bn: true}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

from mbcost.cost import DTYPES
from mbcost.errors import MbcostError
from mbcost.networks.yaml.document import (
    Document,
    Key,
    known_keys,
    mapping_of,
    read_document,
    text_of,
    word_of,
)
from mbcost.studies.guard.budget import LIMITS, Budget
from mbcost.units import parse_percent

COMMON_KEYS = ("dtype", "fold_bn", "max_growth")
FILE_KEYS = ("baseline", *COMMON_KEYS, "budgets")
LIMIT_KEYS = {key: limit for limit in LIMITS.values() for key in limit.keys}
BUDGET_KEYS = (*LIMIT_KEYS, *COMMON_KEYS)

_T = TypeVar("_T", int, Fraction)


@dataclass(frozen=True)
class BudgetFile:
    """Budgets by target, and the baseline they are compared with."""

    path: str
    budgets: Mapping[str, Budget]
    baseline: str | None = None


def load_budgets(path: Path) -> BudgetFile:
    """Return the budgets in a YAML file."""
    document = read_document(path)
    data = mapping_of(document, document.data)
    known_keys(document, data, FILE_KEYS)
    if "budgets" not in data:
        raise document.error(
            "the key 'budgets' is missing", way_out="budgets: {v2: {max_params: 3.5M}}"
        )
    budgets = mapping_of(document, data["budgets"], "budgets")
    if not budgets:
        raise document.error("no target has a budget", "budgets", way_out="v2: {max_params: 3.5M}")
    common = {key: data[key] for key in COMMON_KEYS if key in data}
    read_budget(document, common)  # a mistake in what is common is reported once, at its place
    return BudgetFile(
        document.path,
        {
            target: read_budget(document, value, common, "budgets", target)
            for target, value in budgets.items()
        },
        text_of(document, data["baseline"], "baseline") if "baseline" in data else None,
    )


def read_budget(
    document: Document, value: Any, common: Mapping[str, Any] | None = None, *keys: Key
) -> Budget:
    """Return the budget of one target; ``common`` holds for it where it says nothing itself."""
    own = mapping_of(document, value, *keys)
    known_keys(document, own, BUDGET_KEYS, *keys)
    data = {**(common or {}), **own}

    def place(key: str) -> tuple[Key, ...]:
        return (*keys, key) if key in own else (key,)

    fold_bn = data.get("fold_bn", False)
    if not isinstance(fold_bn, bool):
        raise document.error(
            "is neither true nor false", *place("fold_bn"), way_out="true or false"
        )
    for key, limit in LIMIT_KEYS.items():
        if key != limit.key and {key, limit.key} <= own.keys():
            raise document.error(
                f"means the same as {limit.key!r}, which is there too",
                *keys,
                key,
                way_out="keep one",
            )
    growth = None
    if "max_growth" in data:
        growth = _amount(document, data["max_growth"], parse_percent, *place("max_growth"))
    return Budget(
        {
            limit.key: _amount(document, data[key], limit.parse, *place(key))
            for key, limit in LIMIT_KEYS.items()
            if key in data
        },
        word_of(document, data.get("dtype", "fp32"), tuple(DTYPES), *place("dtype")),
        fold_bn,
        growth,
        document.place(*keys),
    )


def _amount(document: Document, value: Any, parse: Callable[[str], _T], *keys: Key) -> _T:
    """Return a number with its unit: ``3.5M``, or 3500000 as YAML reads it."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    text = str(value) if whole else text_of(document, value, *keys)
    try:
        return parse(text)
    except MbcostError as error:
        raise error.at(document.place(*keys)) from None
