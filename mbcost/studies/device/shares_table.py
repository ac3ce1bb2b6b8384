"""Where the time of a run goes, as a table: by layer, kind or block, beside its mult-adds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from mbcost.modules.latency import BETWEEN
from mbcost.output.table import Column, Record, Table, choose_columns, sort_rows
from mbcost.studies.device.against import Against
from mbcost.studies.device.latency_table import (
    CLOCKS,
    COLUMNS,
    ROOF,
    clock_words,
    notes_of,
    record,
    roof_notes,
    title_words,
    versions_words,
)
from mbcost.studies.device.parts import Share, Shares, blocks_of, grouped
from mbcost.studies.device.profile import Device
from mbcost.units import three_digits

VIEWS = ("layer", "kind", "block")
SHARE_COLUMNS = {
    column.key: column
    for column in (
        Column("path", "layer"),
        Column("kind", "kind", rank=3),
        Column("seconds", "median", "time"),
        Column("time_share", "share of time", "share"),
        Column("mult_adds", "mult-adds", "count", rank=4),
        Column("mult_adds_share", "share of mult-adds", "share"),
        Column("gmacs_per_second", "GMAC/s", "digits", rank=1),
        Column("mult_adds_per_byte", "mult-adds/byte", "digits", rank=2),
    )
}


def check_columns(
    by: str | None, columns: str | None, sort: str | None, *, roof: bool = False
) -> None:
    """Raise for a key that there is not, before anything is measured."""
    known = COLUMNS if by is None else share_columns(by, roof=roof)
    choose_columns(known, columns, ())
    sort_rows([dict.fromkeys(known)], sort)


def share_columns(by: str, *, roof: bool = False) -> dict[str, Column]:
    """Return the columns of a view; its first one names the rows."""
    first = Column("path", "layer") if by == "layer" else Column(by, by)
    rest = [c for c in SHARE_COLUMNS.values() if c.key not in ("path", "kind")]
    kind = [SHARE_COLUMNS["kind"]] if by == "layer" else []
    beside = [COLUMNS[key] for key in ROOF] if roof else []
    return {column.key: column for column in (first, *kind, *rest, *beside)}


def share_rows(made: Shares, by: str) -> Sequence[Share]:
    """Return the rows of a view."""
    return made.rows if by == "layer" else grouped(made.rows, _namer(made, by))


def _namer(made: Shares, by: str) -> Callable[[Share], str]:
    """Return what names the row of a view that a layer's is part of."""
    if by == "kind":
        return lambda row: row.kind or row.path
    if by == "block":
        blocks = blocks_of(made.run.counted)
        return lambda row: blocks.get(row.path, row.path)
    return lambda row: row.path


def paths_of(made: Shares, by: str) -> dict[str, list[str]]:
    """Return the layers of each row of a view."""
    found: dict[str, list[str]] = {}
    name_of = _namer(made, by)
    for row in made.rows:
        found.setdefault(name_of(row), []).append(row.path)
    return found


def share_records(made: Shares, by: str, device: Device | None = None) -> list[Record]:
    """Return the rows of a view: time beside work; shares are of what the rows come to."""
    rows = share_rows(made, by)
    against = None if device is None else Against(made.run, device)
    paths = paths_of(made, by) if against else {}
    whole, work = sum(row.seconds or 0.0 for row in rows), made.run.mult_adds
    return [
        {
            "path" if by == "layer" else by: row.path,
            **({"kind": row.kind} if by == "layer" else {}),
            "seconds": row.seconds,
            "time_share": row.seconds / whole if row.seconds is not None and whole else None,
            "mult_adds": row.mult_adds,
            "mult_adds_share": row.mult_adds / work if work else None,
            "gmacs_per_second": _gmacs(row.mult_adds, row.seconds),
            "mult_adds_per_byte": row.mult_adds / row.moved_bytes if row.moved_bytes else None,
            **(against.parts(paths[row.path], row.seconds) if against else {}),
        }
        for row in rows
    ]


def _gmacs(mult_adds: int, seconds: float | None) -> float | None:
    return mult_adds / seconds / 1e9 if seconds else None


def shares_table(
    made: Shares,
    by: str,
    columns: str | None = None,
    sort: str | None = None,
    device: Device | None = None,
) -> Table:
    """Return where the time of a run goes, beside where its mult-adds are.

    Files have every layer; people do not see those that have neither time nor mult-adds.
    """
    known = share_columns(by, roof=device is not None)
    whole = record(made.timing, 0, device)
    chosen = choose_columns(known, columns, tuple(known))
    rows = share_records(made, by, device)
    seconds = sum(row["seconds"] or 0.0 for row in rows)
    first = next(iter(known))
    total: Record = {
        first: "total",
        "seconds": seconds,
        "mult_adds": made.run.mult_adds,
        "gmacs_per_second": _gmacs(made.run.mult_adds, seconds),
    }
    return Table(
        chosen,
        sort_rows([row for row in rows if row["seconds"] or row["mult_adds"]], sort),
        tuple(column.key for column in chosen),
        [{column.key: row[column.key] for column in chosen} for row in rows],
        {
            **whole,
            "parts_seconds": made.parts_seconds,
            "parts_of_whole": made.of_whole,
            "parts_clock": made.clock,
            "longer": made.longer.median,
            f"by_{by}": [
                {**row, "samples": share.samples}
                for row, share in zip(rows, share_rows(made, by), strict=True)
            ],
        },
        title=f"{made.run.subject.target}: {title_words(made.timing)}",
        caption=f"{made.run.subject.target}: time by {by} beside mult-adds. "
        f"{versions_words(made.timing)}.",
        total=total,
        notes=(*_notes_of_parts(made, whole), *roof_notes(device)),
    )


def _notes_of_parts(made: Shares, whole: Record) -> Iterator[str]:
    parts, took = (three_digits(1e3 * s) for s in (made.parts_seconds, whole["seconds"]))
    yield (
        f"parts: {parts} ms of {CLOCKS[made.clock]}, {three_digits(made.of_whole)} of the whole, "
        f"{took} ms of {clock_words(made.timing)}; they are not scaled to it"
    )
    of_file = made.run.runtime.file is not None
    between = "what its profile says of no node" if of_file else "Python and the timing itself"
    yield (
        f"{BETWEEN}: {between}; a run that is taken apart takes "
        f"{three_digits(made.longer.median)} × as long as a whole one"
    )
    if of_file:
        yield (
            "no time of its own: fused into the layer before it; in brackets: what ONNX Runtime "
            "put in itself"
        )
    elif made.run.subject.traced:
        yield f"no time of its own: a function that a module calls itself, in {BETWEEN}"
    yield from notes_of(made.timing, [whole])
