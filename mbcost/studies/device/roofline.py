"""The rows of a roofline: the layers of networks under the roofs of a device."""

from __future__ import annotations

from collections.abc import Sequence

from mbcost.output.plots.roofline import Roofline
from mbcost.output.table import Record
from mbcost.studies.device.bound import by_path, total_bound, works_of
from mbcost.studies.device.profile import Device
from mbcost.targets.subject import Subject


def bound_rows(subject: Subject, device: Device, dtype: str) -> list[Record]:
    """Return a row per layer that multiplies, at the time that it takes at least."""
    rows = []
    for path, own in by_path(works_of(subject, dtype)):
        mult_adds, moved = sum(work.mult_adds for work in own), sum(work.moved for work in own)
        seconds = total_bound(own, device, dtype).seconds
        if mult_adds:
            rows.append(
                {
                    "target": subject.target,
                    "path": path,
                    "kind": own[0].kind,
                    "mult_adds": mult_adds,
                    "moved_bytes": moved,
                    "mult_adds_per_byte": mult_adds / moved,
                    "seconds": float(seconds),
                    "mult_adds_per_second": float(mult_adds / seconds),
                }
            )
    return rows


def bound_roofline(subjects: Sequence[Subject], device: Device, dtype: str) -> Roofline:
    """Return the figure of lower bounds: where each layer stands at most."""
    peak = device.peak(dtype)  # before any work
    rows = [row for subject in subjects for row in bound_rows(subject, device, dtype)]
    return roofline(rows, device, dtype, peak=peak)


def roofline(
    rows: Sequence[Record],
    device: Device,
    dtype: str,
    *,
    peak: int | None = None,
    measured: bool = False,
) -> Roofline:
    """Return the figure of layers, rows of ``POINT_KEYS``, under a device's roofs."""
    levels = [(level.level, level.rate) for level in device.bandwidths]
    known = tuple((name, rate) for name, rate in levels if rate is not None)
    return Roofline(rows, device.title, dtype, peak or device.peak(dtype), known, measured=measured)
