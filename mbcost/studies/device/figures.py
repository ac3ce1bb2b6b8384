"""The rows of the figures of measured times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mbcost.output.plots.times import TIME_COLUMNS, Times, TimeShares
from mbcost.studies.device.latency import Timing
from mbcost.studies.device.latency_table import name_of, record
from mbcost.studies.device.parts import Shares
from mbcost.studies.device.profile import Device
from mbcost.studies.device.roofline import roofline
from mbcost.studies.device.shares_table import share_records

if TYPE_CHECKING:
    from mbcost.output.plots import Plot


def times(made: Timing) -> Times:
    """Return the figure of runs side by side."""
    records = [record(made, i) for i in range(len(made.runs))]
    keys = [column.key for column in TIME_COLUMNS[1:]]
    return Times(
        [
            {"name": name_of(run, records), **{key: row[key] for key in keys}}
            for run, row in zip(made.runs, records, strict=True)
        ]
    )


def parts(made: Shares, by: str, device: Device | None = None) -> Plot:
    """Return the figure of one run taken apart: shares of time beside shares of work, or layers
    that multiply under a device's roofs."""
    if device is None:
        rows = share_records(made, by)
        return TimeShares([row for row in rows if row["seconds"] or row["mult_adds"]], _key(by))
    points = [
        {
            "target": made.run.subject.target,
            "path": row.path,
            "kind": row.kind,
            "mult_adds": row.mult_adds,
            "moved_bytes": row.moved_bytes,
            "mult_adds_per_byte": row.mult_adds / row.moved_bytes,
            "seconds": row.seconds,
            "mult_adds_per_second": row.mult_adds / row.seconds,
        }
        for row in made.rows
        if row.mult_adds and row.seconds
    ]
    return roofline(points, device, made.run.dtype, measured=True)


def _key(by: str) -> str:
    return "path" if by == "layer" else by
