"""The finished units of a sweep to a file, as files in ``FILE.parts/``.

A part's name holds its unit, its configs and a digest of its bytes. So there is no list that could
miss one: what is on disk under its final name is finished, and a byte that flipped shows.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any, NamedTuple

from mbcost._version import __version__
from mbcost.errors import Interrupted, MbcostError, from_system
from mbcost.output.files import destination
from mbcost.studies.spaces.columns import Layout
from mbcost.studies.spaces.plan import Batch
from mbcost.studies.spaces.sweep.writers import WRITERS, Writer
from mbcost.units import thousands

_NAME = re.compile(r"(\d{8,})-(\d+)-([0-9a-f]{32})")


class Chunk(NamedTuple):
    """A finished unit: its file, and the configs in it."""

    path: Path
    rows: int

    def content(self) -> bytes:
        """Return its bytes as they were written, or raise."""
        content = self.path.read_bytes()
        if _digest(content) != self.path.stem.rpartition("-")[2]:
            raise MbcostError(
                "its bytes are not those that were written",
                place=str(self.path),
                way_out="--resume counts this chunk anew; is the disk failing?",
            )
        return content


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()


@dataclass(frozen=True)
class Chunks:
    """The directory beside the file of a sweep, while that is not yet whole."""

    path: Path
    layout: Layout

    @cached_property
    def directory(self) -> Path:
        """The directory of the parts, on the disk of the file itself."""
        place = destination(self.path)
        return place.with_name(place.name + ".parts")

    @property
    def plan_file(self) -> Path:
        """What the parts are parts of."""
        return self.directory / "plan.json"

    @property
    def lock_file(self) -> Path:
        """Locked, and holding the number of the process, while one is writing parts."""
        return self.directory / "lock"

    def writer(self) -> Writer:
        """Return what writes the parts and the file; its package must be installed."""
        return WRITERS[self.path.suffix](self.layout)

    def identity(self) -> dict[str, Any]:
        """Return what must be equal for parts to belong together."""

        return {
            "target": self.layout.plan.space.target,
            "plan": self.layout.plan.fingerprint,
            **self.layout.plan.stated._asdict(),
            "mbcost": __version__,
        }

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the directory and keep other sweeps out of it; the lock ends with the process.

        A directory in which nothing was finished does not outlast it.
        """
        with self.told():
            file = self._lock()
        try:
            yield
        finally:
            if not self.finished():
                self.remove()
            file.close()

    def _lock(self) -> IO[str]:
        while True:
            self.directory.mkdir(exist_ok=True)
            file = self.lock_file.open("a+", encoding="utf-8")
            try:
                _lock_or_raise(file)
            except BlockingIOError:
                file.seek(0)
                process = file.read(20).strip()
                file.close()
                raise MbcostError(
                    f"another sweep{f' (process {process})' if process else ''} is writing it",
                    place=str(self.path),
                    way_out="wait for it, or name another file",
                ) from None
            if self._is_there(file):
                file.truncate(0)
                file.write(str(os.getpid()))
                file.flush()
                return file
            file.close()  # the sweep that held it has just removed it: make it anew

    def _is_there(self, file: IO[str]) -> bool:
        try:
            return os.path.samestat(os.fstat(file.fileno()), self.lock_file.stat())
        except FileNotFoundError:
            return False

    def begin(self, *, resume: bool) -> dict[int, Chunk]:
        """Return the finished units; a new run has none."""
        names = [path.name for path in self.directory.iterdir()]
        if all(name == self.lock_file.name or name.startswith(".") for name in names):
            temporary = self.directory / ".plan.json"
            temporary.write_text(json.dumps(self.identity()), "utf-8")
            os.replace(temporary, self.plan_file)
            return {}
        if not resume:
            raise MbcostError(
                "an interrupted sweep left its parts here",
                place=str(self.directory),
                way_out="--resume goes on with it; or delete the directory",
            )
        self._check_identity()
        return self._intact()

    def _check_identity(self) -> None:
        way_out = f"delete {self.directory} and start anew"
        try:
            known = dict(json.loads(self.plan_file.read_text("utf-8")))
        except (OSError, ValueError, TypeError, RecursionError):
            raise MbcostError(
                "the resume file cannot be read", place=str(self.plan_file), way_out=way_out
            ) from None
        if known != self.identity():
            different = [key for key, value in self.identity().items() if known.get(key) != value]
            raise MbcostError(
                f"belongs to another sweep: {' and '.join(different) or 'its keys'} differ",
                place=str(self.plan_file),
                way_out=f"give the same target and options; or {way_out}",
            )

    def finished(self) -> dict[int, Chunk]:
        """Return the finished units on disk, whether intact or not."""
        found = {}
        for path in sorted(self.directory.glob(f"[0-9]*{self.path.suffix}")):
            match = _NAME.fullmatch(path.stem)
            if match and int(match[1]) < self.layout.plan.units:
                found[int(match[1])] = Chunk(path, int(match[2]))
        return found

    def _intact(self) -> dict[int, Chunk]:
        """Return the finished units; a part whose bytes have changed is not one of them."""
        found = self.finished()
        for unit, part in list(found.items()):
            try:
                part.content()
            except MbcostError:
                part.path.unlink()
                del found[unit]
        return found

    def keep(self, unit: int, batch: Batch, writer: Writer) -> Chunk:
        """Write one unit's part whole or not at all."""
        suffix = self.path.suffix
        temporary = self.directory / f".{unit:08d}.{os.getpid()}{suffix}"
        rows = int(batch.choices.shape[1])
        try:
            writer.write_part(batch, temporary)
            digest = _digest(temporary.read_bytes())
            part = Chunk(self.directory / f"{unit:08d}-{rows}-{digest}{suffix}", rows)
            os.replace(temporary, part.path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return part

    def join(self, writer: Writer) -> Path:
        """Return the file of all parts, in order; raise where the bytes of one have changed."""
        whole = self.directory / f".whole{self.path.suffix}"
        found = self.finished()
        with self.told():
            writer.join((found[unit].content() for unit in range(self.layout.plan.units)), whole)
        return whole

    def remove(self) -> None:
        """Remove the directory, and nothing that a sweep has not put there."""
        for part in self.finished().values():
            part.path.unlink()
        for path in (*self.directory.glob(".*"), self.plan_file, self.lock_file):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # something else lies in it
            self.directory.rmdir()

    @contextmanager
    def told(self) -> Iterator[None]:
        """Turn what the system refuses into a message that names ``--resume``."""
        try:
            yield
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                raise from_system(error).at(str(self.path)) from None
            raise MbcostError(
                f"cannot be written: {error.strerror or error}",
                place=str(self.path),
                way_out="free some space or correct the path; then --resume goes on",
            ) from None


@contextmanager
def locked(chunked: Sequence[Chunks]) -> Iterator[None]:
    """Lock the chunks of several files; Ctrl-C meanwhile is a message that names ``--resume``."""
    try:
        with ExitStack() as stack:
            for chunks in chunked:
                stack.enter_context(chunks.locked())
            yield
    except KeyboardInterrupt:
        if not chunked:
            raise
        place = ", ".join(str(chunks.path) for chunks in chunked)
        kept = sum(len(chunks.finished()) for chunks in chunked)
        if not kept:
            raise Interrupted("interrupted before anything was finished", place=place) from None
        units = sum(chunks.layout.plan.units for chunks in chunked)
        raise Interrupted(
            f"interrupted: {thousands(kept)} of {thousands(units)} chunks are finished",
            place=place,
            way_out="the same command with --resume goes on",
        ) from None


def _lock_or_raise(file: IO[str]) -> None:
    try:
        import fcntl
    except ImportError:
        return  # there are no such locks on Windows
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return  # nor on some file systems
