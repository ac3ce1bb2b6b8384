"""The limits of ``LIMITS`` as options: the same of ``check``, ``sweep`` and ``search``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from mbcost.cli.groups import Group
from mbcost.networks.rules import Bytes, fields_of, parse
from mbcost.studies.guard.budget import LIMITS, Budget, Limit, option_of, refuse_idle_options
from mbcost.studies.memory.stated import OF_WHOLE, Stated

_STATED = {name: fields_of(Budget)[name].rule for name in Stated._fields}


@dataclass(frozen=True)
class Budgets:
    """The limits that were given, by key of ``LIMITS``, and what bytes are stated in."""

    limits: Mapping[str, int]
    given: Mapping[str, Any]
    """The fields of ``Stated`` that were typed."""
    filled: Mapping[str, int] = field(default_factory=dict)
    """Limits that ``device`` sets where nothing else does."""
    device: str | None = None

    @property
    def stated(self) -> Stated:
        """What bytes are stated in."""
        return Stated(**self.given)

    def by_column(self) -> dict[str, int]:
        """Return the limits by column of a sweep."""
        limits = {**self.filled, **self.limits}
        columns = {key: LIMITS[key].column for key in limits}
        return {column: limits[key] for key, column in columns.items() if column}

    def notes(self, elsewhere: Collection[str] = ()) -> list[str]:
        """Return what a device's limits are compared with; those ``elsewhere`` stand in a file."""
        if self.device is None:
            return []
        from mbcost.studies.device.budget import device_words
        from mbcost.studies.device.profile import load_device

        given = {*self.limits, *elsewhere}
        return [device_words(load_device(self.device), self.filled, given)]

    def whole(self, *asked: str | None) -> tuple[str, ...]:
        """Return the figures of ``OF_WHOLE`` that a limit is on, or that options name."""
        words = {word.strip().lstrip("-") for text in asked if text for word in text.split(",")}
        words |= {word.replace("-", "_") for word in words}
        found = tuple(key for key in OF_WHOLE if key in self.by_column() or key in words)
        counted = (x.key for x in LIMITS.values() if x.column not in OF_WHOLE or x.column in found)
        refuse_idle_options(list(counted), self.given)
        return found


def _budgets(*, device: str | None = None, **texts: str | None) -> Budgets:
    """Return what was typed, checked, and the limits of a device."""
    typed = {key: text for key, text in texts.items() if text is not None}
    found = {
        key: parse(_STATED[key] if key in _STATED else LIMITS[key].rule, text, option_of(key))
        for key, text in typed.items()
    }
    limits = {key: value for key, value in found.items() if key in LIMITS}
    stated = {key: value for key, value in found.items() if key in _STATED}
    if device is None:
        return Budgets(limits, stated)
    from mbcost.studies.device.budget import device_limits

    return Budgets(limits, stated, device_limits(device), device)


def _option(limit: Limit) -> Any:
    return typer.Option(
        *map(option_of, limit.keys),
        metavar="BYTES" if isinstance(limit.rule, Bytes) else "COUNT",
        help=f"Most {limit.rule.doc}.",
        show_default=False,
    )


_DEVICE = typer.Option(
    "--device",
    metavar="NAME|FILE.yaml",
    help="A device by name (`mbcost list`) or file: its flash is the limit of weights, its SRAM of "
    "the arena, where no other is given.",
    show_default=False,
)


def _group(limits: Iterable[Limit], *, device: bool) -> Group:
    options = {limit.key: _option(limit) for limit in limits}
    for name, rule in _STATED.items():
        default = Stated._field_defaults[name]
        options[name] = typer.Option(
            option_of(name),
            metavar="|".join(rule.words),
            help=f"{rule.doc[:1].upper()}{rule.doc[1:]}. "
            + (f"Default {default}." if default else "Default: eager inference, none of that."),
            show_default=False,
        )
    if device:
        options["device"] = _DEVICE
    return Group(
        _budgets,
        {name: (Annotated[str | None, option], None) for name, option in options.items()},
    )


_OF_COLUMNS = [limit for limit in LIMITS.values() if limit.column]
BudgetsGiven = Annotated[Budgets, _group(LIMITS.values(), device=True)]
SearchBudgets = Annotated[Budgets, _group(_OF_COLUMNS, device=True)]
ColumnBudgets = Annotated[Budgets, _group(_OF_COLUMNS, device=False)]
"""Of what a sweep counts."""
