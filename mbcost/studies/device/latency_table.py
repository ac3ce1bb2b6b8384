"""Measured times as tables: runs side by side, or one taken apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from mbcost.modules.latency.rounds import DISTURBED, LOOKS
from mbcost.modules.latency.statistics import Estimate
from mbcost.networks.settings import as_record
from mbcost.output.table import Column, Record, Table, choose_columns, sort_rows
from mbcost.studies.compare.versions import versions_of, versions_text
from mbcost.studies.compare.words import title_of
from mbcost.studies.device.latency import Run, Share, Shares, Timing, blocks_of, grouped
from mbcost.units import percent, thousands, three_digits

COLUMNS = {
    column.key: column
    for column in (
        Column("target", "target"),
        Column("runtime", "runtime"),
        Column("dtype", "dtype"),
        Column("batch", "batch", "whole"),
        Column("threads", "threads", "whole"),
        Column("mult_adds", "mult-adds", "count", rank=3),
        Column("seconds", "ms", "milliseconds"),
        Column("seconds_low", "ms from", "milliseconds"),
        Column("seconds_high", "ms to", "milliseconds"),
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
        Column("seconds", "ms", "milliseconds"),
        Column("time_share", "time", "share"),
        Column("mult_adds", "mult-adds", "count", rank=4),
        Column("mult_adds_share", "mult-adds", "share"),
        Column("gmacs_per_second", "GMAC/s", "digits", rank=1),
        Column("mult_adds_per_byte", "mult-adds/byte", "digits", rank=2),
    )
}


def record(made: Timing, i: int) -> Record:
    """Return what is known of a run: ``FIELDS``."""
    run, measured = made.runs[i], made.measured
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
        "mult_adds_per_byte": run.mult_adds / run.moved_bytes if run.moved_bytes else None,
        "moved_bytes": run.moved_bytes,
        "disturbed": measured.disturbed(i),
        "evidence": measured.evidence(i),
        "rounds": len(measured.rounds),
        "clock": measured.clock,
        **{key: getattr(made.machine, key) for key in ("cpu", "load", "date")},
        "versions": versions_of(run.runtime.packages),
    }


def check_columns(by: str | None, columns: str | None) -> None:
    """Raise for a column that there is not, before anything is measured."""
    choose_columns(COLUMNS if by is None else share_columns(by), columns, ())


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


def _clock(made: Timing) -> str:
    return {"cpu": "CPU time", "wall": "wall time"}[made.measured.clock]


def _versions(made: Timing) -> str:
    packages = dict.fromkeys(name for run in made.runs for name in run.runtime.packages)
    return versions_text(versions_of(packages))


def _notes(made: Timing, records: Sequence[Record]) -> Iterator[str]:
    measured = made.measured
    yield (
        f"{made.machine.cpu}, load {three_digits(made.machine.load or 0)}; median of "
        f"{_clock(made)} of {len(measured.rounds)} rounds"
        f"{', ratios round by round' if len(records) > 1 else ''}, each target once a round in "
        f"random order, after {measured.warm_up} to warm up"
    )
    rounds = thousands(len(measured.rounds))
    if measured.stopped == "interrupted":
        asked = f" of {measured.plan.rounds}" if measured.plan.rounds else ""
        yield f"interrupted: {rounds}{asked} rounds were finished and are what is shown"
    elif measured.stopped == "bound" and not measured.precise:
        yield (
            f"not reached: ± {percent(measured.plan.margin)} after {rounds} rounds, at most "
            f"{LOOKS[-1]} or {measured.plan.longest_s:g} s; --rounds N for more"
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


def share_records(made: Shares, by: str) -> list[Record]:
    """Return the rows of a view: time beside work; shares are of what the rows come to."""
    run = made.timing.runs[0]
    rows: Sequence[Share] = made.rows
    if by == "kind":
        rows = grouped(rows, lambda row: row.kind or row.path)
    elif by == "block":
        blocks = blocks_of(run.counted)
        rows = grouped(rows, lambda row: blocks.get(row.path, row.path))
    return [
        {
            "path" if by == "layer" else by: row.path,
            **({"kind": row.kind} if by == "layer" else {}),
            "seconds": row.seconds,
            "time_share": row.seconds / made.sum_seconds if made.sum_seconds else None,
            "mult_adds": row.mult_adds,
            "mult_adds_share": row.mult_adds / run.mult_adds if run.mult_adds else None,
            "gmacs_per_second": row.mult_adds / row.seconds / 1e9 if row.seconds else None,
            "mult_adds_per_byte": row.mult_adds / row.moved_bytes if row.moved_bytes else None,
        }
        for row in rows
    ]


def shares_table(
    made: Shares, by: str, columns: str | None = None, sort: str | None = None
) -> Table:
    """Return where the time of a run goes, beside where its mult-adds are."""
    timing, known = made.timing, share_columns(by)
    run, whole = timing.runs[0], record(timing, 0)
    chosen = choose_columns(known, columns, tuple(known))
    rows = share_records(made, by)
    spent = [row for row in rows if row["seconds"] or row["mult_adds"]]
    first = next(iter(known))
    total: Record = {
        first: "total",
        "seconds": made.sum_seconds,
        "mult_adds": run.mult_adds,
        "gmacs_per_second": run.mult_adds / made.sum_seconds / 1e9 if made.sum_seconds else None,
    }
    return Table(
        chosen,
        sort_rows(spent, sort),
        tuple(column.key for column in chosen),
        [{column.key: row[column.key] for column in chosen} for row in rows],
        {**whole, f"by_{by}": rows, "parts_of_whole": made.of_whole, **asdict(timing.machine)},
        title=f"{run.subject.target}: {_title(timing)}",
        caption=f"{run.subject.target}: time by {by} beside mult-adds. {_versions(timing)}.",
        total=total,
        notes=(
            f"parts: {three_digits(made.sum_seconds * 1e3)} ms, "
            f"{three_digits(made.of_whole)} of the whole, "
            f"{three_digits(whole['seconds'] * 1e3)} ms, which was measured without them; not "
            "scaled to it",
            *_notes(timing, [whole]),
        ),
    )
