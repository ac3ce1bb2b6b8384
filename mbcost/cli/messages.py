"""What a person is told on stderr that is no error, and the option that leaves it out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Annotated

import typer

from mbcost.errors import visible
from mbcost.output.notes import hush, quiet

Quiet = Annotated[
    bool,
    typer.Option(
        "-q",
        "--quiet",
        callback=hush,
        is_eager=True,
        help="No notes on stderr: progress, what was written, warnings. Errors are told.",
    ),
]
"""An option of every command, and of mbcost itself."""

_ABOUT: ContextVar[str] = ContextVar("about", default="")


@contextmanager
def about(what: str) -> Iterator[None]:
    """Name what is being made in each message meanwhile."""
    token = _ABOUT.set(what)
    try:
        yield
    finally:
        _ABOUT.reset(token)


def say(message: str) -> None:
    """Tell a person something, on stderr."""
    if quiet():
        return
    what = _ABOUT.get()
    if what:
        message = f"mbcost: {what}: {message.removeprefix('mbcost: ')}"
    typer.echo(visible(message), err=True)
