"""The limits of ``LIMITS`` as options: the same of ``check``, ``sweep`` and ``search``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from mbcost.cli.groups import Group
from mbcost.networks.rules import Bytes, fields_of, parse
from mbcost.studies.guard.budget import LIMITS, Budget, Limit, option_of

_DTYPE = fields_of(Budget)["dtype"].rule


@dataclass(frozen=True)
class Budgets:
    """The limits that were given, by key of ``LIMITS``, and the type that bytes are counted in."""

    limits: Mapping[str, int]
    dtype_given: str | None = None

    @property
    def dtype(self) -> str:
        """The type that bytes are counted in."""
        return self.dtype_given or "fp32"

    def by_column(self) -> dict[str, int]:
        """Return the limits by column of a sweep."""
        columns = {key: LIMITS[key].column for key in self.limits}
        return {column: self.limits[key] for key, column in columns.items() if column}


def _budgets(dtype: str | None, **texts: str | None) -> Budgets:
    """Return what was typed, checked."""
    limits = {
        key: parse(LIMITS[key].rule, text, option_of(key))
        for key, text in texts.items()
        if text is not None
    }
    return Budgets(limits, None if dtype is None else parse(_DTYPE, dtype, "--dtype"))


def _option(limit: Limit) -> Any:
    return typer.Option(
        *map(option_of, limit.keys),
        metavar="BYTES" if isinstance(limit.rule, Bytes) else "COUNT",
        help=f"Most {limit.rule.doc}.",
        show_default=False,
    )


def _group(limits: Iterable[Limit]) -> Group:
    options = {limit.key: _option(limit) for limit in limits}
    options["dtype"] = typer.Option(
        "--dtype",
        metavar="|".join(_DTYPE.words),
        help=f"{_DTYPE.doc[:1].upper()}{_DTYPE.doc[1:]}. Default fp32.",
        show_default=False,
    )
    return Group(
        _budgets,
        {name: (Annotated[str | None, option], None) for name, option in options.items()},
    )


BudgetsGiven = Annotated[Budgets, _group(LIMITS.values())]
ColumnBudgets = Annotated[Budgets, _group(limit for limit in LIMITS.values() if limit.column)]
"""Of what a sweep counts."""
