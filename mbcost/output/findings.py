"""What a table of checks or changes tells CI: each finding with its verdict and its place."""

from __future__ import annotations

from typing import Literal, NamedTuple

Level = Literal["pass", "notice", "warning", "error"]


class Place(NamedTuple):
    """Where something is written; the line where it is known."""

    file: str
    line: int | None = None


class Finding(NamedTuple):
    """A figure that was checked, or something that changed."""

    level: Level
    about: str
    """The target, or the two that were compared."""
    what: str
    """Its figure, or ``change``."""
    title: str
    """What is the matter: ``over budget``."""
    message: str
    details: tuple[str, ...] = ()
    place: Place | None = None
