"""The limits of ``LIMITS`` as options: the same of ``check``, ``sweep`` and ``search``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from mbcost.cli.groups import Group
from mbcost.cost import DTYPES
from mbcost.studies.guard.budget import LIMITS, Limit, option_of, typed
from mbcost.units import parse_bytes, parse_word


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
    limits = {k: typed(k, LIMITS[k].parse, text) for k, text in texts.items() if text is not None}
    if dtype is not None:
        dtype = typed("dtype", lambda text: parse_word(text, tuple(DTYPES)), dtype)
    return Budgets(limits, dtype)


def _option(limit: Limit) -> Any:
    return typer.Option(
        *map(option_of, limit.keys),
        metavar="BYTES" if limit.parse is parse_bytes else "COUNT",
        help=f"Most {limit.doc}.",
        show_default=False,
    )


_DTYPE = typer.Option(
    "--dtype",
    metavar="|".join(DTYPES),
    help="Type that bytes are counted in, fp32 by default; int8 has int32 biases.",
    show_default=False,
)


def _group(limits: Iterable[Limit]) -> Group:
    options = {limit.key: (Annotated[str | None, _option(limit)], None) for limit in limits}
    return Group(_budgets, {**options, "dtype": (Annotated[str | None, _DTYPE], None)})


BudgetsGiven = Annotated[Budgets, _group(LIMITS.values())]
ColumnBudgets = Annotated[Budgets, _group(limit for limit in LIMITS.values() if limit.column)]
"""Of what a sweep counts."""
