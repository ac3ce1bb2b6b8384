"""A progress bar on stderr while a person watches: rate and time left. A door to rich."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from mbcost.output.notes import quiet
from mbcost.units import thousands

Step = TypeVar("Step")


Rate = Callable[[float], str]
"""A rate in words, of what is done in a second."""
Draw = Callable[[float, str, Rate], None]
"""Takes how much is done in all, that in words, and what says the rate."""


@contextmanager
def drawn(total: float) -> Iterator[Draw]:
    """Hand over what draws a bar of ``total`` where stderr is a terminal, and nothing elsewhere."""
    if quiet() or not sys.stderr.isatty():
        yield lambda done, words, rate: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        BarColumn(),
        TextColumn("{task.fields[done]}"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total, done="", rate="")

        def draw(done: float, words: str, rate: Rate) -> None:
            speed = bar.tasks[0].speed
            bar.update(task, completed=done, done=words, rate=rate(speed) if speed else "")

        yield draw


def progress(steps: Iterable[tuple[int, Step]], total: int) -> Generator[tuple[int, Step]]:
    """Yield the steps, each (configs done, …), drawing a bar where stderr is a terminal."""
    with drawn(total) as draw:
        for step in steps:
            words = f"{thousands(step[0])} of {thousands(total)}"
            draw(step[0], words, lambda speed: f"{thousands(round(speed))}/s")
            yield step
