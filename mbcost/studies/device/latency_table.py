"""Measured times as tables: runs side by side, or one taken apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mbcost.modules.latency import BETWEEN
from mbcost.modules.latency.rounds import DISTURBED, LOOKS
from mbcost.modules.latency.statistics import FEWEST, Estimate
from mbcost.networks.settings import as_record
from mbcost.output.table import Column, Record, Table, choose_columns, sort_rows
from mbcost.studies.compare.versions import versions_of, versions_text
from mbcost.studies.compare.words import title_of
from mbcost.studies.device.latency import Run, Timing
from mbcost.studies.device.parts import Share, Shares, blocks_of, grouped
from mbcost.units import number, percent, thousands, three_digits

COLUMNS = {
    column.key: column
    for column in (
        Column("target", "target"),
        Column("runtime", "runtime"),
        Column("dtype", "dtype"),
        Column("batch", "batch", "whole"),
        Column("threads", "threads", "whole"),
        Column("mult_adds", "mult-adds", "count", rank=3),
        Column("seconds", "median", "time"),
        Column("seconds_low", "from", "time"),
        Column("seconds_high", "to", "time"),
        Column("margin", "± 95 %", "margin"),
        Column("ratio", "ratio", "digits"),
        Column("ratio_low", "ratio from", "digits"),
        Column("ratio_high", "ratio to", "digits"),
        Column("ratio_margin", "± 95 %", "margin"),
        Column("gmacs_per_second", "GMAC/s", "digits", rank=1),
        Column("mult_adds_per_byte", "mult-adds/byte", "digits", rank=4),
        Column("moved_bytes", "bytes moved", "memory"),
        Column("disturbed", "wall ÷ CPU", "digits", rank=5),
        Column("evidence", "evidence", "truth"),
        Column("rounds", "rounds", "whole", rank=2),
        Column("clock", "clock"),
        Column("cpu", "CPU"),
        Column("load", "load", "number"),
        Column("date", "date"),
        Column("versions", "versions", "versions"),
    )
}
FIELDS = tuple(COLUMNS)
_SHOWN = (
    "mult_adds",
    "seconds",
    "margin",
    "ratio",
    "ratio_margin",
    "gmacs_per_second",
    "mult_adds_per_byte",
    "disturbed",
    "rounds",
)
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


def record(made: Timing, i: int) -> Record:
    """Return what is known of a run: ``FIELDS``."""
    run, measured = made.runs[i], made.measured
    moved = sum(run.moved_bytes)
    time, ratio = made.time(i), made.ratio(i) or Estimate(1.0, 1.0, 1.0)
    return {
        "target": run.subject.target,
        "runtime": run.runtime.name,
        "dtype": run.dtype,
        "batch": run.subject.batch,
        "threads": measured.plan.threads,
        "mult_adds": run.mult_adds,
        "seconds": time.median,
        "seconds_low": time.low,
        "seconds_high": time.high,
        "margin": time.margin,
        "ratio": ratio.median,
        "ratio_low": ratio.low,
        "ratio_high": ratio.high,
        "ratio_margin": ratio.margin,
        "gmacs_per_second": run.mult_adds / time.median / 1e9,
        "mult_adds_per_byte": run.mult_adds / moved if moved else None,
        "moved_bytes": moved,
        "disturbed": measured.disturbed(i),
        "evidence": measured.evidence(i),
        "rounds": len(measured.rounds),
        "clock": measured.clock,
        **{key: getattr(made.machine, key) for key in ("cpu", "load", "date")},
        "versions": versions_of(run.runtime.packages),
    }


def check_columns(by: str | None, columns: str | None, sort: str | None) -> None:
    """Raise for a key that there is not, before anything is measured."""
    known = COLUMNS if by is None else share_columns(by)
    choose_columns(known, columns, ())
    sort_rows([dict.fromkeys(known)], sort)


def latency_table(made: Timing, columns: str | None = None, sort: str | None = None) -> Table:
    """Return a row per run; JSON has its samples too."""
    records = [record(made, i) for i in range(len(made.runs))]
    default = ["target"]
    default += [key for key in ("runtime", "dtype") if len({row[key] for row in records}) > 1]
    default += [key for key in _SHOWN if len(records) > 1 or not key.startswith("ratio")]
    default += [] if all(row["evidence"] for row in records) else ["evidence"]
    chosen = choose_columns(COLUMNS, columns, default)
    reference = made.runs[made.measured.plan.reference]
    ratio = Column("ratio", f"vs {_name(reference, records)}", "digits")
    shown = tuple(ratio if column.key == "ratio" else column for column in chosen)
    return Table(
        shown,
        sort_rows(list(records), sort),
        FIELDS if columns is None else tuple(column.key for column in chosen),
        records,
        [
            {
                **row,
                "settings": as_record(run.subject.settings),
                "stopped": made.measured.stopped,
                "warm_up": made.measured.warm_up,
                "cpu_samples": [each[i].cpu_s for each in made.measured.rounds],
                "wall_samples": [each[i].wall_s for each in made.measured.rounds],
            }
            for i, (row, run) in enumerate(zip(records, made.runs, strict=True))
        ],
        title=_title(made),
        caption=f"{_title(made)}: medians of {_clock(made)} with 95 % intervals, on "
        f"{made.machine.cpu}, {made.machine.date[:10]}. {_versions(made)}.",
        notes=tuple(_notes(made, records)),
    )


def _name(run: Run, records: Sequence[Record]) -> str:
    parts = [run.subject.target]
    for key, value in (("runtime", run.runtime.name), ("dtype", run.dtype)):
        if len({row[key] for row in records}) > 1:
            parts.append(value)
    return " ".join(parts)


def _title(made: Timing) -> str:
    subjects = list({run.subject.target: run.subject for run in made.runs}.values())
    first = made.runs[0]
    parts = [title_of(subjects)]
    if len({run.runtime.name for run in made.runs}) == 1:
        parts.append(first.runtime.name)
    if len({run.dtype for run in made.runs}) == 1:
        parts.append(first.dtype)
    return ", ".join((*parts, _threads(made)))


def _threads(made: Timing) -> str:
    count = made.measured.plan.threads
    return f"{count} thread{'s' if count > 1 else ''}"


_CLOCKS = {"cpu": "CPU time", "wall": "wall time"}


def _clock(made: Timing) -> str:
    return _CLOCKS[made.measured.clock]


def _versions(made: Timing) -> str:
    packages = dict.fromkeys(name for run in made.runs for name in run.runtime.packages)
    return versions_text(versions_of(packages))


def _notes(made: Timing, records: Sequence[Record]) -> Iterator[str]:
    measured = made.measured
    rounds = thousands(len(measured.rounds))
    load = "" if made.machine.load is None else f", load {three_digits(made.machine.load)}"
    yield (
        f"{made.machine.cpu}{load}; median of {_clock(made)} of {rounds} rounds after "
        f"{measured.warm_up} to warm up"
        f"{', all once a round in random order, ratios round by round' * (len(records) > 1)}"
    )
    if len(measured.rounds) < FEWEST:
        yield f"no interval: 95 % need {FEWEST} rounds at least"
    if measured.stopped == "interrupted":
        asked = f" of {thousands(measured.plan.rounds)}" if measured.plan.rounds else ""
        yield f"interrupted: {rounds}{asked} rounds were finished and are what is shown"
    elif measured.stopped == "bound" and not measured.precise:
        yield (
            f"not reached: ± {percent(measured.plan.margin)} after {rounds} rounds, at most "
            f"{LOOKS[-1]} or {number(measured.plan.longest_s)} s; --rounds N for more"
        )
    if measured.drifting:
        yield "still drifting when the warm-up ended: times may fall or rise with the rounds"
    if any(run.runtime.file for run in made.runs):
        yield "onnx, litert: the file that `mbcost deploy` writes, batch-norms folded"
    for run, row in zip(made.runs, records, strict=True):
        if not row["evidence"]:
            yield f"{run.name}: no evidence, {_why(row)}"


def _why(row: Record) -> str:
    found = three_digits(row["disturbed"])
    if row["clock"] == "wall":
        return (
            f"wall ÷ CPU is {found}, above {DISTURBED}: others ran on its cores, or its threads "
            "waited; fewer --threads, or a quiet machine"
        )
    return f"wall ÷ CPU is {found}: it used more threads than the one that was allowed"


def share_columns(by: str) -> dict[str, Column]:
    """Return the columns of a view; its first one names the rows."""
    first = Column("path", "layer") if by == "layer" else Column(by, by)
    rest = [c for c in SHARE_COLUMNS.values() if c.key not in ("path", "kind")]
    kind = [SHARE_COLUMNS["kind"]] if by == "layer" else []
    return {column.key: column for column in (first, *kind, *rest)}


def share_rows(made: Shares, by: str) -> Sequence[Share]:
    """Return the rows of a view."""
    if by == "kind":
        return grouped(made.rows, lambda row: row.kind or row.path)
    if by == "block":
        blocks = blocks_of(made.run.counted)
        return grouped(made.rows, lambda row: blocks.get(row.path, row.path))
    return made.rows


def share_records(made: Shares, by: str) -> list[Record]:
    """Return the rows of a view: time beside work; shares are of what the rows come to."""
    rows = share_rows(made, by)
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
        }
        for row in rows
    ]


def _gmacs(mult_adds: int, seconds: float | None) -> float | None:
    return mult_adds / seconds / 1e9 if seconds else None


def shares_table(
    made: Shares, by: str, columns: str | None = None, sort: str | None = None
) -> Table:
    """Return where the time of a run goes, beside where its mult-adds are.

    Files have every layer; people do not see those that have neither time nor mult-adds.
    """
    known, whole = share_columns(by), record(made.timing, 0)
    chosen = choose_columns(known, columns, tuple(known))
    rows = share_records(made, by)
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
        title=f"{made.run.subject.target}: {_title(made.timing)}",
        caption=f"{made.run.subject.target}: time by {by} beside mult-adds. "
        f"{_versions(made.timing)}.",
        total=total,
        notes=tuple(_notes_of_parts(made, whole)),
    )


def _notes_of_parts(made: Shares, whole: Record) -> Iterator[str]:
    parts, took = (three_digits(1e3 * s) for s in (made.parts_seconds, whole["seconds"]))
    yield (
        f"parts: {parts} ms of {_CLOCKS[made.clock]}, {three_digits(made.of_whole)} of the whole, "
        f"{took} ms of {_clock(made.timing)}; they are not scaled to it"
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
    yield from _notes(made.timing, [whole])
