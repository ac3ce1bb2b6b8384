"""``mbcost.roof``: how long networks take on a device at least, as a function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mbcost.errors import MbcostError
from mbcost.studies.answer import Answer
from mbcost.studies.device.profile import load_device
from mbcost.studies.device.table import VIEWS, bound_table, device_table, part_table
from mbcost.targets.count import subjects_of

if TYPE_CHECKING:
    from mbcost.targets.count import Target


def roof(
    *targets: Target,
    device: str,
    dtype: str = "fp32",
    by: str | None = None,
    input: object = None,
    **settings: object,
) -> Answer:
    """Return lower bounds of targets on a device, by layer or kind too: no latency.

    Without a target the answer is what the device can do at most, each figure with its source.

    >>> import mbcost
    >>> (v2,) = mbcost.roof("v2", device="raspberry-pi-5", dtype="int8").records()
    >>> v2["bound"], round(1e3 * v2["at_least_seconds"], 3)
    ('compute', 0.98)
    """
    found = load_device(device)
    if not targets:
        return Answer(device_table(found))
    found.peak(dtype)
    subjects = subjects_of(targets, input, settings)
    if by is None:
        return Answer(bound_table(subjects, found, dtype))
    if by not in VIEWS or len(subjects) != 1:
        raise MbcostError(
            f"no view {by!r} of {len(subjects)} targets", way_out="layer or kind, of one"
        )
    return Answer(part_table(subjects[0], found, dtype, by))
