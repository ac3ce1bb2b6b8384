"""``mbcost.memory``: what the command line does, as a function."""

from __future__ import annotations

from os import PathLike

from mbcost.output.table import Record
from mbcost.studies.memory.figures import record
from mbcost.studies.memory.how import How, how
from mbcost.targets.count import target_name
from mbcost.targets.resolve import resolve

_CHOICES = frozenset(How.__dataclass_fields__)


def memory(*targets: str | PathLike[str], **options: object) -> list[Record]:
    """Return a record of each target's memory in bytes, as ``mbcost memory`` writes them.

    ``options`` are those of the command line, choices and settings: ``memory("v2", batch=4,
    train=True, optimizer="adam")``, ``memory("v1", dtype="int8", in_place="add,depthwise")``.
    Raises ``MbcostError`` naming the option.

    >>> import mbcost
    >>> mbcost.memory("v2", dtype="int8")[0]["arena_bytes"]
    1505280
    """
    given = {name.rstrip("_"): value for name, value in options.items()}
    under = how({name: value for name, value in given.items() if name in _CHOICES})
    settings = {name: value for name, value in given.items() if name not in _CHOICES}
    return [
        record(subject, under) for subject in resolve(list(map(target_name, targets)), settings)
    ]
