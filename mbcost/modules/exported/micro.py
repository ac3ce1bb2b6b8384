"""What TFLite Micro's interpreter takes of its arena for a file.

It runs in a process of its own: it writes what it allocated to the standard error, and a file that
it does not bear ends it.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, cast, get_args

from mbcost.errors import LayerError, MbcostError, missing, not_installed
from mbcost.graph.arena import arena
from mbcost.graph.deployed import deployed
from mbcost.graph.graph import Graph
from mbcost.modules.exported.constants import ITEMSIZE, Dtype
from mbcost.modules.exported.tflite_refused import NotWrittenError
from mbcost.modules.exported.tflite_writer import (
    PACKAGES,
    WrittenFusion,
    tflite_bytes,
)

SPARE = 2**28
"""Bytes that the interpreter is offered besides its maps; what it does not use is never touched."""
LARGEST = 2**31
"""Its sizes are ``int``."""
SECONDS = 300
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


class NoOperatorError(MbcostError):
    """TFLite Micro has no such operator."""


def planned(
    graph: Graph, dtype: str, fuse: str, batch: int = 1, order: Sequence[int] | None = None
) -> Allocated | str:
    """Return what TFLite Micro takes for a network as ``deployed``, measured; or why it does not
    run: it is not installed, or knows no such operator, fusion or type, or 2 GiB are too much."""
    lacking = missing(("tflite_micro", *PACKAGES))
    if lacking:
        return f"{' and '.join(lacking)} not installed (pip install 'mbcost[tflite]')"
    if dtype not in get_args(Dtype):
        return f"TFLite Micro runs no network in {dtype}"
    if fuse not in get_args(WrittenFusion):
        return "TFLite fuses relu and relu6 alone"
    type_, fusion = cast(Dtype, dtype), cast(WrittenFusion, fuse)
    try:
        schedule = deployed(graph, fuse=fusion, batch=batch, itemsize=ITEMSIZE[type_], order=order)
        offered = arena(schedule).size + SPARE
        if offered >= LARGEST:
            return "TFLite Micro's arena is below 2 GiB"
        model = tflite_bytes(graph, type_, fuse=fusion, batch=batch, order=order, hollow=True)
        return allocated(model, offered)
    except (LayerError, NotWrittenError, NoOperatorError) as error:
        return str(error)


def measured(model: bytes, dtype: str, size: int) -> int | str:
    """Return the head of the arena that TFLite Micro plans for a file, for which ``size`` bytes are
    expected; or why it does not."""
    if missing(("tflite_micro",)):
        return "tflite_micro not installed (pip install 'mbcost[tflite]')"
    if dtype not in get_args(Dtype):
        return f"TFLite Micro runs no network in {dtype}"
    if size + SPARE >= LARGEST:
        return "TFLite Micro's arena is below 2 GiB"
    try:
        return allocated(model, size + SPARE).head
    except NoOperatorError as error:
        return str(error)


def allocated(model: bytes, offered: int, place: str = "") -> Allocated:
    """Return what the interpreter takes of an arena for a file, or raise with what it says."""
    if missing(("tflite_micro",)):
        raise not_installed(
            "TFLite Micro's arena", ["tflite-micro"], place=place, install="'mbcost[tflite]'"
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(model)
        try:
            ran = subprocess.run(
                [sys.executable, "-c", CODE, path, str(offered)],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired:
            problem = f"TFLite Micro has planned for {SECONDS} s"
            raise MbcostError(problem, place=place, way_out="a smaller network") from None
    found = dict(re.findall(r"Arena allocation (head|tail) (\d+) bytes", ran.stderr))
    if ran.returncode == 0 and len(found) == 2:
        return Allocated(int(found["head"]), int(found["tail"]))
    said = ran.stderr.strip().splitlines() or [f"exit code {ran.returncode}"]
    kind = NoOperatorError if said[0].startswith("Didn't find op") else MbcostError
    raise kind(f"TFLite Micro: {said[0]}", place=place, way_out="a network without it")
