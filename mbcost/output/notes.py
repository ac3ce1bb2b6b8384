"""Whether notes are wanted: progress, what was written, warnings. An error is always told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_QUIET: ContextVar[bool] = ContextVar("quiet", default=False)


def quiet() -> bool:
    """Return whether notes are left out."""
    return _QUIET.get()


def hush(wanted: bool = True) -> None:
    """Leave notes out from here on, if that is wanted."""
    if wanted:
        _QUIET.set(True)


@contextmanager
def a_run() -> Iterator[None]:
    """Begin with notes, and end as it was before."""
    token = _QUIET.set(False)
    try:
        yield
    finally:
        _QUIET.reset(token)
