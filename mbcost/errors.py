"""The errors a user can cause: each knows its place, the problem and the way out.

Raised where the place is known, printed only by ``cli``. To add one, subclass ``MbcostError``
where its exit code or its type matters to a caller; otherwise raise ``MbcostError`` itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MAX_PLACE = 400
MAX_WAY_OUT = 1500
"""A list of what is known: every built-in network fits."""
MAX_WORD = 80
"""No known word is nearly as long; looking for one near a megabyte would take minutes."""


class MbcostError(Exception):
    """A user's mistake (exit code 2): ``place: problem (way out)``."""

    exit_code = 2
    longest: int | None = 400
    """Characters of a problem that are shown: a value in it may be as long as its file."""

    def __init__(self, problem: str, *, place: str = "", way_out: str = "") -> None:
        super().__init__(shortened(problem, self.longest))
        self.problem = shortened(problem, self.longest)
        self.place = place
        self.way_out = way_out

    def __str__(self) -> str:
        place = f"{shortened(self.place, MAX_PLACE)}: " if self.place else ""
        way_out = f" ({shortened(self.way_out, MAX_WAY_OUT)})" if self.way_out else ""
        return visible(f"{place}{self.problem}{way_out}")

    def at(self, place: str) -> MbcostError:
        """Return the same error with ``place`` put before its own place."""
        joined = f"{place}: {self.place}" if self.place else place
        return type(self)(self.problem, place=joined, way_out=self.way_out)


class CheckFailedError(MbcostError):
    """A check that ran and failed (exit code 1): counters disagree, over budget."""

    exit_code = 1
    longest = None  # it names everything that failed


class Interrupted(MbcostError):  # noqa: N818 - no error of anyone's
    """Work that Ctrl-C ended, and what is left of it (exit code 130)."""

    exit_code = 130


class LayerError(MbcostError):
    """A layer that does not fit its input: kernel larger than the padded map, groups, channels."""


class MbcostWarning(UserWarning):
    """Something to know of figures that stand; the command line says it on stderr."""


class RealTensorsWarning(MbcostWarning):
    """A model was counted on real tensors: other weights or another input may cost otherwise."""


def shortened(text: str, longest: int | None) -> str:
    """Return ``text`` with its middle left out where it is longer than ``longest``."""
    if longest is None or len(text) <= longest:
        return text
    end = longest // 3
    return f"{text[: longest - end - 1]}…{text[-end:]}"


def shown(value: object) -> str:
    """Return a value of any type as messages show it, in a line."""
    try:
        return shortened(repr(value), MAX_WORD)
    except (ValueError, RecursionError):  # an int of more digits than Python prints
        return f"a {type(value).__name__}"


def missing(packages: Iterable[str]) -> list[str]:
    """Return those of the packages that are not installed, each once, importing none."""
    from importlib.util import find_spec

    return [package for package in dict.fromkeys(packages) if find_spec(package) is None]


def not_installed(
    what: str, packages: Sequence[str], *, place: str = "", install: str = "", instead: str = ""
) -> MbcostError:
    """Return that ``what`` needs packages that are missing, and how to get them.

    ``install`` is what pip is given if not their names; ``instead`` goes on without them.
    """
    *most, last = packages
    names = f"{', '.join(most)} and {last}" if most else last
    return MbcostError(
        f"{what} needs {names}, which {'are' if most else 'is'} not installed",
        place=place,
        way_out=f"pip install {install or ' '.join(packages)}{instead}",
    )


def from_system(error: OSError) -> MbcostError:
    """Return what the operating system refused as a user's message."""
    import errno
    import os

    problem = error.strerror or str(error) or type(error).__name__
    place = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return MbcostError(problem, place=place, way_out="allow more: ulimit -n 1024")
    if error.errno == errno.ENOENT and not place:
        try:
            os.getcwd()
        except OSError:
            return MbcostError("the working directory was deleted", way_out="cd to one that exists")
    return MbcostError(problem, place=place, way_out="a limit or a fault of this system")


def require_directory() -> None:
    """Raise where the working directory was deleted: worker processes and MKL's threads need it."""
    import os

    try:
        os.getcwd()
    except OSError as error:
        raise from_system(error) from None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a way out that names the nearest known word, or else all of them."""
    from difflib import get_close_matches  # only when something went wrong

    names = list(known)
    if not names:
        return "there is none to choose from"
    near = get_close_matches(word[:MAX_WORD], names, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else f"one of: {', '.join(names)}"


def visible(text: str) -> str:
    r"""Return ``text`` with white space as spaces and what cannot be printed as ``\x1b``."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _shown(char) for char in text)


def _shown(char: str) -> str:
    if char.isspace():
        return " "
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
