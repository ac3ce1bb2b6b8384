"""Files written whole or not at all, and several of them all or none.

Each is first written beside its place under another name; when all are ready they are put in their
places. Links are followed, modes kept; a pipe or a device has nothing to keep whole and is written
to as it is.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from mbcost.errors import MbcostError

Content = str | bytes | Path
"""Text, written as UTF-8; bytes; or a file that is ready, moved to its place."""


def check_writable(*paths: Path) -> None:
    """Raise if one can plainly not be written, or two are one file, before any work is done."""
    known: dict[str, Path] = {}
    for path in paths:
        with _told(path):
            place = destination(path)
            if _is_stream(path):
                continue
            _check_place(path, place)
            other = known.setdefault(os.path.realpath(place), path)
        if other != path:
            raise MbcostError(
                f"is the same file as {other}", place=str(path), way_out="name each file once"
            )


def destination(path: Path) -> Path:
    """Return the file that ``path`` leads to; a pipe or a device stays as it is named."""
    return path if _is_stream(path) or not path.is_symlink() else path.resolve()


def _is_stream(path: Path) -> bool:
    """Return whether ``path`` is a pipe, a terminal or another device, perhaps through a link."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _check_place(path: Path, place: Path) -> None:
    if place.is_dir():
        raise MbcostError("is a directory", place=str(path), way_out="name a file in it")
    if not place.parent.is_dir():
        raise MbcostError(
            "its directory does not exist", place=str(path), way_out=f"mkdir -p {place.parent}"
        )
    # root may write everything: for it the mode alone says what is meant to stay as it is
    if place.exists() and not (os.access(place, os.W_OK) and place.stat().st_mode & 0o222):
        raise MbcostError(
            "is read-only", place=str(path), way_out=f"chmod u+w {place}, or name another file"
        )
    if not os.access(place.parent, os.W_OK | os.X_OK):
        raise MbcostError(
            "its directory is read-only", place=str(path), way_out="name a file in another one"
        )


def write_whole(path: Path, content: Content) -> None:
    """Write one file, whole or not at all."""
    write_all({path: content})


def write_all(contents: Mapping[Path, Content]) -> None:
    """Write every file, or change none."""
    with Staged(contents) as staged:
        staged.put()


class _Ready(NamedTuple):
    path: Path
    place: Path
    written: Path


class Staged:
    """Files made ready beside their places; ``put`` puts all of them there, or none.

    To be used in a ``with``, at whose end nothing is left behind.
    """

    def __init__(self, contents: Mapping[Path, Content]) -> None:
        self.contents = contents
        self.ready: list[_Ready] = []
        self.left: list[Path] = []
        """What is to be removed at the end."""

    def __enter__(self) -> Staged:
        check_writable(*self.contents)
        try:
            for path, content in self.contents.items():
                with _told(path):
                    if not _is_stream(path):
                        place = destination(path)
                        written = self._written(place, content)
                        _take_over(place, written)
                        self.ready.append(_Ready(path, place, written))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for path in self.left:
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def _written(self, place: Path, content: Content) -> Path:
        """Return a file that holds the content, on the disk of its place."""
        if isinstance(content, Path):
            return content
        handle, name = tempfile.mkstemp(dir=place.parent, prefix=".mbcost.")
        self.left.append(Path(name))
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        return Path(name)

    def put(self) -> None:
        """Write to the pipes and devices, then put the files in their places."""
        for path, content in self.contents.items():
            with _told(path):
                if _is_stream(path):
                    _pour(path, content)
        done: list[tuple[Path, Path | None]] = []
        try:
            for path, place, written in self.ready:
                with _told(path):
                    kept = self._kept(place) if len(self.ready) > 1 else None
                    os.replace(written, place)
                    done.append((place, kept))
        except BaseException:
            for place, kept in reversed(done):
                place.unlink() if kept is None else os.replace(kept, place)
            raise

    def _kept(self, place: Path) -> Path | None:
        """Return a copy of what stands at ``place``, to bring it back by."""
        if not place.exists():
            return None
        handle, name = tempfile.mkstemp(dir=place.parent, prefix=".mbcost.")
        os.close(handle)
        kept = Path(name)
        self.left.append(kept)
        shutil.copy2(place, kept)  # no hard link: one to another user's file may be there for good
        return kept


def _pour(path: Path, content: Content) -> None:
    with path.open("wb") as stream:
        if isinstance(content, Path):
            with content.open("rb") as ready:
                shutil.copyfileobj(ready, stream, 2**20)
        else:
            stream.write(content.encode() if isinstance(content, str) else content)


def _take_over(place: Path, written: Path) -> None:
    """Give ``written`` the owner and the mode of what it replaces, or those of a new file."""
    if not place.exists():
        os.chmod(written, 0o666 & ~_umask())
        return
    known = place.stat()
    if (known.st_uid, known.st_gid) != (written.stat().st_uid, written.stat().st_gid):
        with suppress(PermissionError):  # only root gives files away
            os.chown(written, known.st_uid, known.st_gid)
    os.chmod(written, stat.S_IMODE(known.st_mode))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what the system refuses into an ``MbcostError``; a ValueError is of a NUL in a name."""
    try:
        yield
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise MbcostError(
            f"cannot be written: {reason}",
            place=str(path),
            way_out="check the path, its permissions and the free space",
        ) from None
