"""What was measured against what a device can do at most."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mbcost.errors import MbcostError
from mbcost.output.table import Record
from mbcost.studies.device.bound import total_bound, works_of
from mbcost.studies.device.latency import Run
from mbcost.studies.device.profile import Device

EXPLAINED = 0.5
"""Of a time: where its lower bound is less, neither multiplying nor moving bytes is what it takes.

Half is a choice: what is left is larger than what is known."""


@dataclass(frozen=True)
class Against:
    """A run and a device's roofs; both in the dtype of the run."""

    run: Run
    device: Device

    def record(self, seconds: float) -> Record:
        """Return the whole's lower bound, its share of what was measured, what binds."""
        bound = total_bound(works_of(self.run.counted, self.run.dtype), self.device, self.run.dtype)
        return {
            "device": self.device.name,
            **self._beside(float(bound.seconds), seconds, bound.by),
        }

    def parts(self, paths: Iterable[str], seconds: float | None) -> Record:
        """Return the same of some of the layers together."""
        wanted = set(paths)
        works = [w for w in works_of(self.run.counted, self.run.dtype) if w.path in wanted]
        bound = total_bound(works, self.device, self.run.dtype)
        return self._beside(float(bound.seconds), seconds, bound.by)

    def _beside(self, least: float, seconds: float | None, by: str | None) -> Record:
        share = least / seconds if seconds and least else None
        found = by if share is None or share >= EXPLAINED else "overhead"
        return {
            "at_least_seconds": least or None,
            "of_roof": share,
            "bound": found if share is not None else None,
        }


NOTHING: Record = dict.fromkeys(("device", "at_least_seconds", "of_roof", "bound"))
"""What is recorded where no device was named."""


def check(runs: Iterable[Run], device: Device, threads: int) -> None:
    """Raise where a device has no peak in a dtype, before anything is measured, or where it is of
    another number of cores."""
    for run in runs:
        device.peak(run.dtype)
    if device.cores != threads:
        raise MbcostError(
            f"is of {device.cores} cores together, not of {threads}",
            place=device.place,
            way_out=f"--threads {device.cores}, or mbcost roof --threads {threads} -o host.yaml",
        )
