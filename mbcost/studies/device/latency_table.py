"""Measured times as tables: runs side by side, or one taken apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mbcost.modules.latency.rounds import DISTURBED, LOOKS
from mbcost.modules.latency.statistics import FEWEST, Estimate
from mbcost.networks.settings import as_record
from mbcost.output.table import Column, Record, Table, choose_columns, sort_rows
from mbcost.studies.compare.versions import versions_of, versions_text
from mbcost.studies.compare.words import title_of
from mbcost.studies.device.against import EXPLAINED, NOTHING, Against
from mbcost.studies.device.latency import Run, Timing
from mbcost.studies.device.profile import Device
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
        Column("device", "device"),
        Column("at_least_seconds", "at least", "time"),
        Column("of_roof", "of the roof", "part"),
        Column("bound", "bound by"),
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
ROOF = ("of_roof", "bound")


def record(made: Timing, i: int, device: Device | None = None) -> Record:
    """Return what is known of a run: ``FIELDS``; with a device beside its lower bound."""
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
        **(NOTHING if device is None else Against(run, device).record(time.median)),
        "evidence": measured.evidence(i),
        "rounds": len(measured.rounds),
        "clock": measured.clock,
        **{key: getattr(made.machine, key) for key in ("cpu", "load", "date")},
        "versions": versions_of(run.runtime.packages),
    }


def latency_table(
    made: Timing,
    columns: str | None = None,
    sort: str | None = None,
    device: Device | None = None,
) -> Table:
    """Return a row per run; JSON has its samples too."""
    records = [record(made, i, device) for i in range(len(made.runs))]
    default = ["target"]
    default += [key for key in ("runtime", "dtype") if len({row[key] for row in records}) > 1]
    default += [key for key in _SHOWN if len(records) > 1 or not key.startswith("ratio")]
    default += ROOF if device is not None else ()
    default += [] if all(row["evidence"] for row in records) else ["evidence"]
    chosen = choose_columns(COLUMNS, columns, default)
    reference = made.runs[made.measured.plan.reference]
    ratio = Column("ratio", f"vs {name_of(reference, records)}", "digits")
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
        title=title_words(made),
        caption=f"{title_words(made)}: medians of {clock_words(made)} with 95 % intervals, on "
        f"{made.machine.cpu}, {made.machine.date[:10]}. {versions_words(made)}.",
        notes=(*notes_of(made, records), *roof_notes(device)),
    )


def roof_notes(device: Device | None) -> Iterator[str]:
    """Yield what is said of a device's roof, if one was named."""
    if device is not None:
        yield (
            f"of the roof: what {device.title} takes at least ÷ the median; overhead: the bound is "
            f"less than {percent(EXPLAINED, 0)} of it"
        )


def name_of(run: Run, records: Sequence[Record]) -> str:
    """Return a run's target, with runtime and dtype where these tell runs apart."""
    parts = [run.subject.target]
    for key, value in (("runtime", run.runtime.name), ("dtype", run.dtype)):
        if len({row[key] for row in records}) > 1:
            parts.append(value)
    return " ".join(parts)


def title_words(made: Timing) -> str:
    """Return what all runs have in common."""
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


CLOCKS = {"cpu": "CPU time", "wall": "wall time"}


def clock_words(made: Timing) -> str:
    """Return which clock the times are of."""
    return CLOCKS[made.measured.clock]


def versions_words(made: Timing) -> str:
    """Return what ran, with versions."""
    packages = dict.fromkeys(name for run in made.runs for name in run.runtime.packages)
    return versions_text(versions_of(packages))


def notes_of(made: Timing, records: Sequence[Record]) -> Iterator[str]:
    """Yield on what and how often it was measured, and what cannot be built on."""
    measured = made.measured
    rounds = thousands(len(measured.rounds))
    load = "" if made.machine.load is None else f", load {three_digits(made.machine.load)}"
    yield (
        f"{made.machine.cpu}{load}; median of {clock_words(made)} of {rounds} rounds after "
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
    if made.runs[0].weights is not None:
        yield f"weights: {made.runs[0].weights}"
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
