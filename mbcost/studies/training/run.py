"""A training's folder: what stands in it, and how it is read.

RUN/identity.json    what the training is: nothing else may go on with it
RUN/checkpoint.pt    where it is; left there at the end
RUN/log.csv          a line an epoch
RUN/weights.pt       at the end: the state dict
RUN/best.pt          that of the best epoch, by what was held out
RUN/record.json      at the end: what was reached, and of what
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from mbcost.errors import MbcostError
from mbcost.graph.graph import Graph
from mbcost.networks.settings import split_inline
from mbcost.output.table import Record
from mbcost.paths import mode_of, read_whole
from mbcost.targets.resolve import resolve_one
from mbcost.targets.subject import Subject

IDENTITY, CHECKPOINT, LOG = "identity.json", "checkpoint.pt", "log.csv"
WEIGHTS, BEST, RECORD = "weights.pt", "best.pt", "record.json"
LARGEST_JSON = 100_000_000
"""Bytes of a record: a confusion matrix of 1000 classes is 3 MB."""
NEEDED = (
    "target",
    "settings",
    "params",
    "mult_adds",
    "data",
    "epochs",
    "seed",
    "trained_top1",
    "weights_sha256",
    "data_sha256",
    "graph_sha256",
    "recipe",
    "name",
)
"""Keys without which a record is none."""


@dataclass(frozen=True)
class Run:
    """A finished training."""

    folder: Path
    record: Record

    @classmethod
    def read(cls, folder: Path | str) -> Run:
        """Return the training in a folder, or raise: there is none, or it is not finished."""
        place = Path(folder)
        if not mode_of(place / RECORD, str(folder)):
            begun = bool(mode_of(place / IDENTITY, str(folder)))
            raise MbcostError(
                "its training is not finished" if begun else "holds no training",
                place=str(folder),
                way_out="mbcost train … --run DIR" + (" --resume" if begun else ""),
            )
        return cls(place, document(place / RECORD, NEEDED))

    @property
    def weights(self) -> Path:
        """The file of the state dict at the end."""
        return self.folder / WEIGHTS

    def subject(self) -> Subject:
        """Return what was trained, as it was: under all its settings."""
        name, _ = split_inline(self.record["target"])
        return resolve_one(name, self.record["settings"])


def document(path: Path, needed: tuple[str, ...]) -> dict[str, Any]:
    """Return a JSON file of a run, which has to have the keys ``needed``."""
    raw = read_whole(path, LARGEST_JSON, "JSON", "a folder that mbcost train wrote")
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise MbcostError(
            f"is no JSON: {error}", place=str(path), way_out="a folder that mbcost train wrote"
        ) from None
    lacking = [key for key in needed if not isinstance(found, dict) or key not in found]
    if lacking:
        raise MbcostError(
            f"lacks {', '.join(lacking)}",
            place=str(path),
            way_out="a folder that mbcost train wrote",
        )
    return dict(found)


def runs_in(folder: Path | str) -> list[Run]:
    """Return the finished trainings in a folder: its own, or those of the folders in it, by name.

    One that is not finished is left out; a folder without any is an error.
    """
    place = Path(folder)
    if mode_of(place / RECORD, str(folder)):
        return [Run.read(place)]
    try:
        inside = sorted(path.parent for path in place.glob(f"*/{RECORD}"))
    except OSError as error:
        raise MbcostError(
            f"cannot be read: {error.strerror}",
            place=str(folder),
            way_out="a folder that can be read",
        ) from None
    if not inside:
        raise MbcostError(
            "holds no finished training", place=str(folder), way_out="mbcost train … --run DIR"
        )
    return [Run.read(path) for path in inside]


def graph_digest(graph: Graph) -> str:
    """Return the sha256 of a network's layers and of how they are wired."""
    return sha256(repr(graph).encode()).hexdigest()


def weights_of(path: str) -> str:
    """Return the file of weights that ``path`` names: itself, or that of a training's folder."""
    return str(Run.read(path).weights) if Path(path).is_dir() else path
