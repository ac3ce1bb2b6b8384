"""stdout and stderr of the process, whatever the shell has connected them to.

A write that fails is kept and told once, at the end: a reader that has seen enough (``| head``)
changes neither what a command does nor its exit code, a full disk is a message. A letter that the
encoding lacks is written as ASCII, so that a table in latin-1 is a table.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import re
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

ASCII = {
    "×": "x",
    "·": "*",
    "÷": "/",
    "−": "-",
    "√": "sqrt ",
    "⌊": "floor(",
    "⌋": ")",
    "⌈": "ceil(",
    "⌉": ")",
    "≤": "<=",
    "±": "~",
    "Σ": "sum ",
    "α": "a",
    "β": "b",
    "γ": "g",
    "ε": "e",
    "μ": "u",
    "ρ": "r",
    "σ": "s",
    "Δ": "d",
    "…": "...",
    "→": "->",
    "–": "-",
    "—": "--",
    "─": "-",
    "█": "#",
    "▉": "#",
    "▊": "#",
    "▋": "#",
    "▌": "#",
    "▍": "|",
    "▎": "|",
    "▏": "|",
    "\N{NO-BREAK SPACE}": " ",
}
"""What stands for mbcost's own letters where an encoding lacks them; in tables one for one."""

PLAINER = "mbcost.plainer"
"""The name of the error handler that writes ``ASCII``."""

SUPERSCRIPTS = {**dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789", strict=True)), "⁻": "-", "ᵀ": "T", "ⁿ": "n"}
"""A run of them is one power: ^63."""

_READER_LEFT = (errno.EPIPE, errno.ECONNRESET, errno.ESHUTDOWN)


class Descriptor(io.FileIO):
    """A file descriptor whose writes never raise; ``failure`` is what the first bad one met."""

    failure: OSError | None = None

    def write(self, data: ReadableBuffer) -> int:
        """Write all of ``data``, or nothing more after a failure."""
        left = memoryview(data)
        size = left.nbytes
        while left and self.failure is None:
            try:
                written = super().write(left)
            except OSError as error:
                self.failure = error
                break
            if written is None:  # another process made the pipe non-blocking, and it is full
                import select

                select.select([], [self], [])
            left = left[written or 0 :]
        return size


def plainer(error: UnicodeError) -> tuple[str, int]:
    """Return ASCII for what cannot be encoded: mbcost's letters, others without accents, or ?."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text, start, end = error.object, error.start, error.end
    while end < len(text) and text[end - 1] in SUPERSCRIPTS and text[end] in SUPERSCRIPTS:
        end += 1  # a power is written whole, or 2⁶³ would be 2^6³ in latin-1
    found = ""
    for i in range(start, end):
        if text[i] in SUPERSCRIPTS:
            found += "^" * (i == start or text[i - 1] not in SUPERSCRIPTS) + SUPERSCRIPTS[text[i]]
        else:
            found += ASCII.get(text[i]) or _bare(text[i])
    return found, end


def _bare(letter: str) -> str:
    """Return a letter without its accents; what has another meaning without them is ``?``."""
    from unicodedata import normalize

    return normalize("NFD", letter).encode("ascii", "ignore").decode() or "?"


def connect() -> None:
    """Put stdout and stderr that cannot fail in the place of the process's own."""
    codecs.register_error(PLAINER, plainer)
    for descriptor in range(3):
        _fill(descriptor)
    sys.stdout = _stream(sys.stdout, 1)
    sys.stderr = _stream(sys.stderr, 2)


def _fill(descriptor: int) -> None:
    """Open a closed standard descriptor on nothing, or the next file opened would get it.

    It is for reading alone: a write to a closed stdout is an error as before.
    """
    try:
        os.fstat(descriptor)
    except OSError:
        os.set_inheritable(os.open(os.devnull, os.O_RDONLY), True)


def _stream(given: TextIO | None, descriptor: int) -> TextIO:
    """Return a stream on the descriptor with the encoding and buffering of the given one."""
    known = given if isinstance(given, io.TextIOWrapper) else None
    raw = Descriptor(descriptor, "w", closefd=False)
    if known is None:
        return io.TextIOWrapper(io.BufferedWriter(raw), "utf-8", PLAINER)
    known.flush()
    if known.write_through:  # PYTHONUNBUFFERED
        return io.TextIOWrapper(raw, known.encoding, PLAINER, write_through=True)
    return io.TextIOWrapper(
        io.BufferedWriter(raw), known.encoding, PLAINER, line_buffering=known.line_buffering
    )


def failure(stream: TextIO) -> OSError | None:
    """Return what a stream met when it was last written to."""
    stream.flush()
    buffer = getattr(stream, "buffer", None)
    return getattr(getattr(buffer, "raw", buffer), "failure", None)


def verdict(code: int) -> int:
    """Return the exit code: the command's own, unless its output was lost, which is said."""
    found = failure(sys.stdout)
    failure(sys.stderr)
    if found is None or found.errno in _READER_LEFT or code not in (0, 1):
        return code
    problem = "is closed" if found.errno == errno.EBADF else f"cannot be written: {found.strerror}"
    sys.stderr.write(f"mbcost: stdout: {problem} (-o FILE writes a file)\n")
    sys.stderr.flush()
    return 2


def written_in(encoding: str | None, text: str) -> bool:
    """Return whether an encoding has every letter of ``text``."""
    try:
        text.encode(encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def as_references(document: str) -> str:
    """Return XML for stdout; where that is not in UTF-8, as the document says, it is in ASCII."""
    if codecs.lookup(sys.stdout.encoding or "utf-8").name == "utf-8":
        return document
    return document.encode("ascii", "xmlcharrefreplace").decode()


def as_encoded(document: str) -> str:
    """Return JSON for stdout; what its encoding lacks stands as JSON's own escapes."""
    if written_in(sys.stdout.encoding, document):
        return document
    import json

    return re.sub(r"[^\x00-\x7f]", lambda found: json.dumps(found[0])[1:-1], document)
