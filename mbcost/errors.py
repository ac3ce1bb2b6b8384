"""The errors a user can cause: each knows its place, the problem and the way out.

Raised where the place is known, printed only by ``cli``. To add one, subclass ``MbcostError``
where its exit code or its type matters to a caller; otherwise raise ``MbcostError`` itself.
"""

from __future__ import annotations

from collections.abc import Iterable

from mbcost.visible import visible


class MbcostError(Exception):
    """A user's mistake (exit code 2): ``place: problem (way out)``."""

    exit_code = 2

    def __init__(self, problem: str, *, place: str = "", way_out: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.place = place
        self.way_out = way_out

    def __str__(self) -> str:
        place = f"{self.place}: " if self.place else ""
        way_out = f" ({self.way_out})" if self.way_out else ""
        return visible(f"{place}{self.problem}{way_out}")

    def at(self, place: str) -> MbcostError:
        """Return the same error with ``place`` put before its own place."""
        joined = f"{place}: {self.place}" if self.place else place
        return type(self)(self.problem, place=joined, way_out=self.way_out)


class CheckFailedError(MbcostError):
    """A check that ran and failed (exit code 1): counters disagree, over budget."""

    exit_code = 1


class Interrupted(MbcostError):  # noqa: N818 - no error of anyone's
    """Work that Ctrl-C ended, and what is left of it (exit code 130)."""

    exit_code = 130


class LayerError(MbcostError):
    """A layer that does not fit its input: kernel larger than the padded map, groups, channels."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a way out that names the nearest known word, or else all of them."""
    from difflib import get_close_matches  # only when something went wrong

    names = list(known)
    near = get_close_matches(word, names, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else f"one of: {', '.join(names)}"
