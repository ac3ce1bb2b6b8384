"""What TFLite Micro's interpreter takes of its arena for a file.

It runs in a process of its own: it writes what it allocated to the standard error, and a file that
it does not bear ends it.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from mbcost.errors import MbcostError, missing, not_installed

ARENA = 2**30
"""Bytes that the interpreter is offered; what it does not use is never touched."""
CODE = """
import sys
from tflite_micro.python.tflite_micro import runtime
interpreter = runtime.Interpreter.from_file(sys.argv[1], arena_size=int(sys.argv[2]))
interpreter.print_allocations()
"""


class Allocated(NamedTuple):
    """Bytes of the arena."""

    head: int
    """Planned: maps, and what operators need while they run."""
    persistent: int
    """Kept besides: of each tensor and operator, with this machine's pointers."""


def is_installed() -> bool:
    """Return whether there is an interpreter, and what writes the files for it."""
    return not missing(("tflite_micro", "ai_edge_litert", "flatbuffers"))


def allocated(model: bytes, place: str = "") -> Allocated:
    """Return what the interpreter allocates for a file, or raise with what it says."""
    if missing(("tflite_micro",)):
        raise not_installed(
            "TFLite Micro's arena", ("tflite-micro",), place=place, install="'mbcost[tflite]'"
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(model)
        ran = subprocess.run(
            [sys.executable, "-c", CODE, path, str(ARENA)],
            capture_output=True,
            text=True,
            errors="replace",
        )
    found = dict(re.findall(r"Arena allocation (head|tail) (\d+) bytes", ran.stderr))
    if ran.returncode or len(found) != 2:
        said = ran.stderr.strip().splitlines() or [f"exit code {ran.returncode}"]
        raise MbcostError(
            f"TFLite Micro: {said[0]}", place=place, way_out="another fusion or dtype"
        )
    return Allocated(int(found["head"]), int(found["tail"]))
