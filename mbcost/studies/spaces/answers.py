"""Sweeps and searches as functions: ``mbcost.sweep`` and ``mbcost.search``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mbcost.errors import MbcostError
from mbcost.networks.settings import as_text
from mbcost.studies.answer import Answer
from mbcost.studies.answers import limits_of
from mbcost.studies.device.budget import device_limits
from mbcost.studies.guard.budget import LIMITS, refuse_idle_options
from mbcost.studies.memory.stated import OF_WHOLE, Stated
from mbcost.studies.spaces.columns import Layout
from mbcost.studies.spaces.plan import UNIT, UNIT_OF_WHOLE, Plan
from mbcost.studies.spaces.selection import space_of
from mbcost.studies.spaces.space import Space
from mbcost.studies.spaces.verify import Verifier


def sweep(
    target: str,
    *,
    fields: Sequence[str] = (),
    samples: int | None = None,
    seed: int = 0,
    verify: int = 0,
    sort: str | None = None,
    **given: object,
) -> Answer:
    """Return every config of a grid or a design space that is within the limits, as rows.

    ``given`` are settings, each a value, a list or a range as text, and limits. ``fields`` are
    those of ``--set``. So many configs as ``verify`` says are really built and counted.

    >>> import mbcost
    >>> answer = mbcost.sweep("v2", alpha=[0.5, 1], size="160:224:64", max_mult_adds="100M")
    >>> [(row["alpha"], row["size"]) for row in answer.records()]
    [(0.5, 160), (0.5, 224)]
    """
    from mbcost.studies.spaces.sweep.resumable import stream
    from mbcost.studies.spaces.sweep.table import few_records, sweep_table

    limits, stated, settings = limits_of(given)
    space = space_of(_name(target), _values(settings), fields)
    layout = Layout(_plan(space, samples, seed, limits, stated, at_most=True))
    verifier = Verifier(layout, verify)
    records = few_records(layout, (batch for _, batch in stream(layout.plan)))
    verifier.rows(records)
    return Answer(sweep_table(layout, records, [verifier.line()], None, sort))


def search(
    target: str,
    *,
    objective: str | None = None,
    fields: Sequence[str] = (),
    samples: int | None = None,
    seed: int = 0,
    verify: int = 0,
    device: str | None = None,
    **given: object,
) -> Answer:
    """Return the best network within limits: which alpha and size, or which config of a space.

    A ``device`` sets the limits of weights and arena that are not given.

    Raises ``CheckFailedError`` where none is within them.

    >>> import mbcost
    >>> (best,) = mbcost.search("v1", max_mult_adds="150M").records()
    >>> best["alpha"], best["size"], best["top1"]
    (0.5, 224, 63.7)
    """
    from mbcost.studies.spaces.search.opening import opened
    from mbcost.studies.spaces.search.search import (
        default_objective,
        parse_objectives,
        search_steps,
    )
    from mbcost.studies.spaces.search.table import answer_table

    limits, stated, settings = limits_of(given)
    if device is not None:
        limits = {**device_limits(device), **limits}
    space = opened(space_of(_name(target), _values(settings), fields))
    layout = Layout(_plan(space, samples, seed, limits, stated, at_most=False))
    verifier = Verifier(layout, verify)
    keys = [field.key for field in layout.fields if field.figure or field.key == "top1"]
    objectives = parse_objectives(objective or default_objective(keys), keys)
    *_, (_, found) = search_steps(layout, _by_column(limits), objectives, verify)
    answer = found.checked()
    answer.verify(verifier)
    return Answer(answer_table(answer, [verifier.line()], None))


def _name(target: object) -> str:
    if not isinstance(target, str):
        raise MbcostError(
            f"a space is a name or a path, not {type(target).__name__}", way_out="like 'v2'"
        )
    return target


def _values(settings: Mapping[str, object]) -> dict[str, str]:
    """Return settings as they would be typed: a list is its values with commas between."""
    return {
        name: ",".join(map(as_text, value)) if isinstance(value, list) else as_text(value)
        for name, value in settings.items()
    }


def _by_column(limits: Mapping[str, int]) -> dict[str, int]:
    columns = {key: LIMITS[key].column for key in limits}
    unknown = [key for key, column in columns.items() if not column]
    if unknown:
        raise MbcostError(
            "a sweep has no such figure", place=unknown[0], way_out="mbcost.check has it"
        )
    return {column: limits[key] for key, column in columns.items() if column}


def _plan(
    space: Space,
    samples: int | None,
    seed: int,
    limits: Mapping[str, int],
    stated: Mapping[str, Any],
    *,
    at_most: bool,
) -> Plan:
    budgets = _by_column(limits)
    whole = tuple(key for key in OF_WHOLE if key in budgets)
    refuse_idle_options(list(limits), stated)
    unit = UNIT_OF_WHOLE if whole else UNIT
    return Plan(space, samples, seed, budgets if at_most else {}, unit, Stated(**stated), whole)
