"""Files written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from mbcost.errors import MbcostError


def check_writable(path: Path) -> None:
    """Raise if ``path`` can plainly not be written, before any time is spent on what goes in."""
    if path.is_dir():
        raise MbcostError("is a directory", place=str(path), way_out="name a file in it")
    if not path.parent.is_dir():
        raise MbcostError(
            "its directory does not exist", place=str(path), way_out=f"mkdir -p {path.parent}"
        )


def write_whole(path: Path, content: str | bytes) -> None:
    """Write ``content`` (text as UTF-8) to ``path`` through a temporary file beside it.

    On failure nothing changes.
    """
    check_writable(path)
    data = content.encode() if isinstance(content, str) else content
    target = path.resolve() if path.is_symlink() else path
    temporary = ""
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(data)  # a device or a pipe has nothing to keep whole
            return
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, target.stat().st_mode if target.exists() else _default_mode())
        os.replace(temporary, target)
    except OSError as error:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
        raise MbcostError(
            f"cannot be written: {error.strerror}",
            place=str(path),
            way_out="check the path, its permissions and the free space",
        ) from None


def _default_mode() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
