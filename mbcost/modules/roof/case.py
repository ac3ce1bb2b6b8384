"""A call that is timed, and what it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

Call = Callable[[], object]


class Case(NamedTuple):
    """A call that is timed."""

    of: str
    """The ceiling that it is for: a dtype, or a cache or memory."""
    name: str
    """In words: what is called, on which sizes."""
    amount: int
    """Multiply-adds or bytes of one call."""
    make: Callable[[], Call]
