"""Which caches this machine has, as Linux tells them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

SYSTEM = Path("/sys/devices/system/cpu")
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}


class Cache(NamedTuple):
    """A level of the caches for data."""

    level: int
    bytes: int
    """Of one of them."""
    copies: int
    """How many there are of it."""

    @property
    def name(self) -> str:
        """Return ``L2``."""
        return f"L{self.level}"

    def reach(self, threads: int) -> int:
        """Return the bytes that so many threads can have in them."""
        return self.bytes * min(threads, self.copies)


def caches(system: Path = SYSTEM) -> list[Cache]:
    """Return the levels from the core outwards, the largest of each; none where none is told."""
    found: dict[int, dict[str, int]] = {}
    for index in system.glob("cpu[0-9]*/cache/index[0-9]*"):
        told = {name: _read(index / name) for name in ("type", "level", "size", "shared_cpu_list")}
        match = re.fullmatch(r"(\d+)([KMG]?)", told["size"])
        if told["type"] in ("Data", "Unified") and told["level"].isdecimal() and match:
            shared = found.setdefault(int(told["level"]), {})
            shared[told["shared_cpu_list"] or str(index)] = int(match[1]) * _UNITS[match[2]]
    return [
        Cache(level, max(shared.values()), len(shared)) for level, shared in sorted(found.items())
    ]


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except OSError:
        return ""
