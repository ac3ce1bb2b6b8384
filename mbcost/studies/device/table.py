"""Devices and lower bounds as tables: targets side by side, or one by layer or kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mbcost.networks.settings import as_record
from mbcost.output.table import Column, Record, Table, choose_columns, sort_rows
from mbcost.studies.compare import conditions
from mbcost.studies.compare.words import title_of
from mbcost.studies.device.bound import (
    Bound,
    Work,
    by_kind,
    by_path,
    total_bound,
    works_of,
)
from mbcost.studies.device.profile import Device
from mbcost.targets.subject import Subject, uncounted_lines
from mbcost.units import round_count

_OF_WORK = (
    Column("mult_adds", "mult-adds", "count"),
    Column("moved_bytes", "bytes moved", "memory", rank=4),
    Column("mult_adds_per_byte", "mult-adds/byte", "digits", rank=2),
    Column("at_least_seconds", "at least ms", "milliseconds"),
    Column("most_gmacs_per_second", "at most GMAC/s", "digits", rank=3),
)
COLUMNS = {
    column.key: column
    for column in (
        Column("target", "target"),
        Column("device", "device"),
        Column("dtype", "dtype"),
        Column("batch", "batch", "whole"),
        *_OF_WORK,
        Column("bound", "bound by"),
        Column("memory_share", "by memory", "part"),
        Column("settings", "settings", "settings"),
    )
}
FIELDS = tuple(COLUMNS)
PART_COLUMNS = {
    column.key: column
    for column in (
        Column("path", "layer"),
        Column("kind", "kind", rank=5),
        *_OF_WORK,
        Column("bound_share", "of it", "share", rank=1),
        Column("bound", "bound by"),
    )
}
VIEWS = ("layer", "kind")
CEILING_COLUMNS = {
    column.key: column
    for column in (
        Column("ceiling", "ceiling"),
        Column("mult_adds_per_s", "mult-adds/s", "count"),
        Column("bytes_per_s", "bytes/s", "memory"),
        Column("bytes", "holds", "memory"),
        Column("source", "source", "prose"),
    )
}

_NOT_WINOGRAD = "(Winograd's convolutions multiply less, and are not bound by it)"
AT_LEAST = (
    "a lower bound, not a latency: no run of these operators, one after the other, is faster "
    f"{_NOT_WINOGRAD}"
)
AS_MEASURED = (
    "a lower bound, not a latency: no run of these operators, one after the other, is faster as "
    f"far as what was measured there is the most that it can do {_NOT_WINOGRAD}"
)


def at_least(device: Device) -> str:
    """Return what a lower bound on a device is."""
    return AT_LEAST if device.measured is None else AS_MEASURED


def bound_table(
    subjects: Sequence[Subject],
    device: Device,
    dtype: str,
    columns: str | None = None,
    sort: str | None = None,
) -> Table:
    """Return a row per subject: how long it takes on the device at least."""
    records = [record(subject, device, dtype) for subject in subjects]
    default = ["target"]
    default += ["settings"] if conditions.differing(subjects) else []
    default += ["batch"] if len({subject.batch for subject in subjects}) > 1 else []
    default += [column.key for column in _OF_WORK] + ["bound", "memory_share"]
    chosen = choose_columns(COLUMNS, columns, default)
    fields = FIELDS if columns is None else tuple(column.key for column in chosen)
    data = [{key: row[key] for key in fields} for row in records]
    return Table(
        chosen,
        sort_rows(records, sort),
        fields,
        data,
        {"device": document(device), "dtype": dtype, "bounds": data},
        title=title_of(subjects),
        caption=_caption(title_of(subjects), device, dtype),
        notes=_notes(subjects, device),
    )


def part_table(
    subject: Subject,
    device: Device,
    dtype: str,
    by: str,
    columns: str | None = None,
    sort: str | None = None,
) -> Table:
    """Return a row per layer or kind of layer of one subject, ``by`` being of ``VIEWS``."""
    works = works_of(subject, dtype)
    whole = total_bound(works, device, dtype)
    parts = by_path(works) if by == "layer" else by_kind(works)
    rows = [_part(own, device, dtype, whole, by) for _, own in parts]
    known = PART_COLUMNS
    if by == "kind":
        known = {k: c for k, c in known.items() if k != "path"} | {"kind": Column("kind", "kind")}
    chosen = choose_columns(known, columns, tuple(known))
    fields = tuple(known) if columns is None else tuple(column.key for column in chosen)
    data = [{key: row[key] for key in fields} for row in rows]
    total = {**_figures(works, whole), "bound": whole.by, next(iter(known)): "total"}
    return Table(
        chosen,
        sort_rows(rows, sort),
        fields,
        data,
        {"device": document(device), **record(subject, device, dtype, works), f"by_{by}": data},
        title=f"{subject.target}: {title_of([subject])}",
        caption=_caption(f"{subject.target}: {title_of([subject])}", device, dtype),
        total=total,
        notes=_notes([subject], device),
    )


def record(
    subject: Subject, device: Device, dtype: str, works: Sequence[Work] | None = None
) -> Record:
    """Return the lower bound of a subject as plain data, a value for each of ``FIELDS``."""
    works = works_of(subject, dtype) if works is None else works
    bound = total_bound(works, device, dtype)
    return {
        "target": subject.target,
        "device": device.name,
        "dtype": dtype,
        "batch": subject.batch,
        **_figures(works, bound),
        "bound": bound.by,
        "memory_share": float(bound.memory / bound.seconds) if bound.seconds else None,
        "settings": as_record(subject.settings),
    }


def _part(own: Sequence[Work], device: Device, dtype: str, whole: Bound, by: str) -> Record:
    bound = total_bound(own, device, dtype)
    row: Record = {"path": own[0].path} if by == "layer" else {}
    return row | {
        "kind": own[0].kind,
        **_figures(own, bound),
        "bound_share": float(bound.seconds / whole.seconds) if whole.seconds else None,
        "bound": bound.by,
    }


def _figures(works: Sequence[Work], bound: Bound) -> Record:
    mult_adds, moved = sum(work.mult_adds for work in works), sum(work.moved for work in works)
    return {
        "mult_adds": mult_adds,
        "moved_bytes": moved,
        "mult_adds_per_byte": mult_adds / moved if moved else None,
        "at_least_seconds": float(bound.seconds),
        "most_gmacs_per_second": float(mult_adds / bound.seconds) / 1e9 if mult_adds else None,
    }


def _caption(title: str, device: Device, dtype: str) -> str:
    said = f"{title}. " if title else ""
    return f"{said}At least: on {device.title}, in {dtype}; {at_least(device)}."


def _notes(subjects: Sequence[Subject], device: Device) -> tuple[str, ...]:
    unknown = [level.level for level in device.bandwidths if level.rate is None]
    if not device.bandwidths:
        unknown = ["any memory"]
    lines = [f"at least, on {device.title}: {at_least(device)}"]
    if unknown:
        lines.append(f"{device.name}: the bandwidth of {' and '.join(unknown)} is not known")
    if any(subject.traced for subject in subjects):
        lines.append("of models from elsewhere the layers that multiply are bounded, alone")
    return (*lines, *uncounted_lines(subjects))


def device_table(device: Device, columns: str | None = None, sort: str | None = None) -> Table:
    """Return what a device can do at most, a row per ceiling, each with its source."""
    rows: list[Record] = [
        {
            "ceiling": dtype,
            "mult_adds_per_s": peak.rate,
            "source": _source(peak.factors, peak.source),
        }
        for dtype, peak in device.peaks.items()
    ]
    rows += [
        {
            "ceiling": level.level,
            "bytes_per_s": level.rate,
            "bytes": level.bytes,
            "source": _source(level.factors, level.source) or device.source,
        }
        for level in device.bandwidths
    ]
    for name, size in (("SRAM", device.sram_bytes), ("flash", device.flash_bytes)):
        rows += [] if size is None else [{"ceiling": name, "bytes": size, "source": device.source}]
    rows = [dict.fromkeys(CEILING_COLUMNS) | row for row in rows]
    default = [k for k in CEILING_COLUMNS if any(row[k] is not None for row in rows)]
    chosen = choose_columns(CEILING_COLUMNS, columns, default)
    fields = tuple(CEILING_COLUMNS) if columns is None else tuple(c.key for c in chosen)
    data = [{key: row[key] for key in fields} for row in rows]
    cores = f"{device.cores} core{'s' * (device.cores > 1)}"
    return Table(
        chosen,
        sort_rows(rows, sort),
        fields,
        data,
        document(device),
        title=f"{device.title}: of {cores} together",
        caption=f"{device.title}: ceilings of {cores} together. {device.source}.",
        notes=tuple(f"{key}: {value}" for key, value in (device.measured or {}).items()),
    )


def _source(factors: Mapping[str, int] | None, source: str) -> str:
    """Return where a rate is from: ``4 cores × 2.4 GHz × 2 pipes: the guide and its table``."""
    if not factors:
        return source
    parts = [
        f"{round_count(n)}Hz" if name == "hz" else f"{round_count(n)} {name.replace('_', ' ')}"
        for name, n in factors.items()
    ]
    return f"{' × '.join(parts)}: {source}"


def document(device: Device) -> Record:
    """Return a device as plain data."""
    return {
        "name": device.name,
        "title": device.title,
        "source": device.source,
        "cores": device.cores,
        "clock_hz": device.clock_hz,
        "sram_bytes": device.sram_bytes,
        "flash_bytes": device.flash_bytes,
        "peaks": {
            dtype: {"mult_adds_per_s": peak.rate, "factors": peak.factors, "source": peak.source}
            for dtype, peak in device.peaks.items()
        },
        "bandwidths": [
            {
                "level": level.level,
                "bytes": level.bytes,
                "bytes_per_s": level.rate,
                "factors": level.factors,
                "source": level.source or None,
            }
            for level in device.bandwidths
        ],
        "measured": device.measured,
    }
