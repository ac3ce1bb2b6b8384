"""What is alive at each step of a run: ``mbcost memory --by layer`` and its figures."""

from __future__ import annotations

from collections.abc import Sequence

from mbcost.graph.arena import Arena
from mbcost.graph.liveness import CATEGORIES, Schedule, Storage, moments, spans
from mbcost.output.table import Column, Record

STEP_COLUMNS = {
    column.key: column
    for column in (
        Column("step", "step", "whole"),
        Column("phase", "phase", rank=1),
        Column("path", "layer"),
        Column("alive_bytes", "alive", "memory"),
        Column("written_bytes", "writes", "memory", rank=2),
        Column("freed_bytes", "frees", "memory", rank=3),
        Column("alive", "alive before it frees", "prose", rank=5),
        Column("freed", "then freed", "prose", rank=4),
    )
}

TENSOR_COLUMNS = {
    column.key: column
    for column in (
        Column("name", "tensor"),
        Column("first", "first step", "whole"),
        Column("last", "last step", "whole"),
        Column("offset_bytes", "offset", "memory"),
        Column("size_bytes", "size", "memory"),
    )
}


def step_rows(schedule: Schedule, ends: Sequence[tuple[str, int]]) -> list[Record]:
    """Return a row per operator: all bytes alive when it has run, by category too, and what it
    then frees. ``ends`` says before which operator each phase ends."""
    phases: list[str] = []
    for name, end in ends:
        phases += [name] * (end - len(phases))
    rows = []
    for i, moment in enumerate(moments(schedule)):
        by_category = dict.fromkeys(CATEGORIES, 0)
        for storage in moment.alive:
            by_category[storage.category] += storage.size
        written = [schedule.storages[s] for s in schedule.operators[i].writes]
        rows.append(
            {
                "step": i,
                "phase": phases[i],
                "path": moment.path,
                "alive_bytes": moment.size,
                "written_bytes": _size(written),
                "freed_bytes": _size(moment.freed),
                "alive": _names(moment.alive),
                "freed": _names(moment.freed),
                **{f"{name}_bytes": size for name, size in by_category.items()},
            }
        )
    return rows


def arena_rows(schedule: Schedule, plan: Arena) -> list[Record]:
    """Return a row per tensor of an arena: its name, first and last step, offset and size."""
    found = zip(schedule.storages, spans(schedule), plan.offsets, strict=True)
    return [
        {
            "name": storage.name,
            "first": first,
            "last": last,
            "offset_bytes": offset,
            "size_bytes": storage.size,
        }
        for storage, (first, last), offset in found
    ]


def _size(storages: Sequence[Storage]) -> int:
    return sum(storage.size for storage in storages)


def _names(storages: Sequence[Storage]) -> str:
    """Return the names of maps and gradients; parameters and the like are there all along."""
    return ", ".join(
        dict.fromkeys(
            storage.name
            for storage in storages
            if storage.category not in ("parameter", "buffer", "optimizer") and storage.size
        )
    )
