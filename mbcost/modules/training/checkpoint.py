"""A training as it is kept on the disk: whole, and never loaded where it is not.

A checkpoint is a line with the digest of what follows, then what ``torch.save`` writes of plain
data and tensors. Importing this imports torch.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mbcost.errors import MbcostError
from mbcost.paths import read_whole

LARGEST_FILE = 4_000_000_000
_HEAD = b"mbcost checkpoint 1 sha256 "
_LINE = len(_HEAD) + 64 + 1


def write_durably(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, whatever happens to process or machine meanwhile."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".mbcost.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def saved(content: Any) -> bytes:
    """Return what ``torch.save`` writes of plain data and tensors."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write a checkpoint."""
    data = saved(dict(content))
    write_durably(path, _HEAD + sha256(data).hexdigest().encode() + b"\n" + data)


def read(path: Path) -> dict[str, Any]:
    """Return a checkpoint; raises ``MbcostError`` for one that is torn or was written otherwise."""
    raw = read_whole(path, LARGEST_FILE, "checkpoint", "begin again in another --run")
    line, data = raw[:_LINE], raw[_LINE:]
    if line != _HEAD + sha256(data).hexdigest().encode() + b"\n":
        raise MbcostError(
            "is torn: its content is not what was written",
            place=str(path),
            way_out="begin again in another --run",
        )
    found: dict[str, Any] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    return found


def digest_of(state: Mapping[str, Tensor]) -> str:
    """Return the sha256 of a state dict: each key, type, shape and every byte; but not how many
    batches a batch-norm has seen, which nothing reads."""
    digest = sha256()
    for key, value in sorted(state.items()):
        if key.endswith("num_batches_tracked"):
            continue
        plain = value.detach().cpu().contiguous()
        digest.update(f"{key} {plain.dtype} {tuple(plain.shape)}\n".encode())
        digest.update(plain.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
