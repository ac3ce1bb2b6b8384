"""What a training is, and whether a folder holds it."""

from __future__ import annotations

import json
from pathlib import Path

from mbcost.errors import MbcostError
from mbcost.modules.data import Data
from mbcost.modules.training.recipe import Recipe
from mbcost.networks.settings import as_record
from mbcost.output.table import Record
from mbcost.paths import mode_of
from mbcost.studies.compare.versions import versions_of
from mbcost.studies.training.run import IDENTITY, RECORD, document, graph_digest
from mbcost.targets.subject import Subject

PACKAGES = ("torch", "numpy")
"""Without which nothing trains, and whose versions a training is of."""


def identity_of(subject: Subject, data: Data, recipe: Recipe, threads: int, device: str) -> Record:
    """Return what a training is: what else goes on with its checkpoint would be another one."""
    return {
        "name": subject.name,
        "target": subject.target,
        "settings": as_record(subject.settings),
        "graph_sha256": graph_digest(subject.graph),
        "data": data.name,
        "data_sha256": data.sha256,
        "recipe": json.loads(json.dumps(recipe.record())),
        "threads": threads,
        "device": device,
        "versions": versions_of(PACKAGES),
    }


def opened(folder: Path, identity: Record, resume: bool) -> bool:
    """Make the folder ready; return whether its training is finished already.

    Raises where it holds a training that is not to be gone on with, or another one.
    """
    if not mode_of(folder / IDENTITY, str(folder)):
        _begin(folder, identity)
        return False
    known = document(folder / IDENTITY, tuple(identity))
    if not resume:
        raise MbcostError(
            "holds a training",
            place=f"--run {folder}",
            way_out="--resume goes on with it; or another folder",
        )
    other = differing(known, identity)
    if other:
        raise MbcostError(
            f"holds another training: {other}",
            place=f"--run {folder}",
            way_out="the same settings and data, or another folder",
        )
    return bool(mode_of(folder / RECORD, str(folder)))


def differing(known: Record, new: Record) -> str:
    """Return in words what is another in ``new`` than it is known to be; nothing for the same."""
    keys = [key for key, value in new.items() if known[key] != value and key != "target"]
    return "; ".join(_differing(key, known, new) for key in keys)


def _differing(key: str, known: Record, new: Record) -> str:
    if isinstance(known[key], dict) and isinstance(new[key], dict):
        keys = [k for k in {**known[key], **new[key]} if known[key].get(k) != new[key].get(k)]
        return ", ".join(f"{k} is {known[key].get(k)}, not {new[key].get(k)}" for k in keys)
    if key.endswith("_sha256"):
        return f"other {'data' if key.startswith('data') else 'layers'}"
    return f"{key} is {known[key]}, not {new[key]}"


def _begin(folder: Path, identity: Record) -> None:
    from mbcost.modules.training.checkpoint import write_durably

    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_durably(folder / IDENTITY, as_json(identity))
    except OSError as error:
        raise MbcostError(
            f"cannot be written: {error.strerror}",
            place=f"--run {folder}",
            way_out="check the path, its permissions and the free space",
        ) from None


def as_json(document: Record) -> bytes:
    """Return a document as it is written."""
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()
