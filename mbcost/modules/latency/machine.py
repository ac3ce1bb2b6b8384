"""On what something was measured."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    """The processor, how busy the machine was, and when."""

    cpu: str
    cores: int
    load: float | None
    """Processes that were running or waiting, mean of the last minute; None where unknown."""
    date: str
    """ISO 8601, UTC."""


def this_machine() -> Machine:
    """Return what this process runs on, now."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    now = datetime.now(UTC).replace(microsecond=0)
    return Machine(_model(), os.cpu_count() or 1, load, now.isoformat())


def _model(info: Path = Path("/proc/cpuinfo")) -> str:
    try:
        lines = info.read_text("utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()
