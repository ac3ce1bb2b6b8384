"""Files that a user names: read whole, within a bound, or refused in one message.

A name may be too long, hold a NUL, lead through a loop of links or a directory that may not be
searched; the file may be a pipe without end. Each is a mistake of the user's, not of ours.
"""

from __future__ import annotations

import stat
from pathlib import Path

from mbcost.errors import MbcostError


def mode_of(path: Path, shown: str, way_out: str = "check path and permissions") -> int:
    """Return the mode of what stands at ``path``, 0 for nothing; ``shown`` names it in messages."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except (OSError, ValueError) as error:
        raise unreadable(error, shown, way_out) from None


def read_whole(path: Path, most: int, what: str, way_out: str, shown: str = "") -> bytes:
    """Return a regular file of at most ``most`` bytes; ``what`` is the kind of file: ``YAML``."""
    shown = shown or str(path)
    mode = mode_of(path, shown, way_out)
    if stat.S_ISDIR(mode):
        raise MbcostError("is a directory", place=shown, way_out=f"name a {what} file in it")
    if mode and not stat.S_ISREG(mode):
        raise MbcostError("is not a regular file", place=shown, way_out=f"name a {what} file")
    try:
        with path.open("rb") as file:
            raw = file.read(most + 1)
    except (OSError, ValueError) as error:
        raise unreadable(error, shown, way_out) from None
    if len(raw) > most:
        raise MbcostError(
            f"is larger than {most // 10**6} MB", place=shown, way_out=f"is it a {what} file?"
        )
    return raw


def unreadable(error: OSError | ValueError, shown: str, way_out: str) -> MbcostError:
    """Return the error of a file that cannot be read; a ValueError is of a NUL in its name."""
    reason = getattr(error, "strerror", None) or str(error)
    return MbcostError(f"cannot be read: {reason}", place=shown, way_out=way_out)
