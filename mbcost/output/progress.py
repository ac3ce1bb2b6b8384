"""A progress bar on stderr while a person watches: rate and time left. A door to rich."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable
from typing import TypeVar

from mbcost.units import thousands

Step = TypeVar("Step")


def progress(steps: Iterable[tuple[int, Step]], total: int) -> Generator[tuple[int, Step]]:
    """Yield the steps, each (configs done, …), drawing a bar where stderr is a terminal."""
    if not sys.stderr.isatty():
        yield from steps
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
        for step in steps:
            speed = bar.tasks[0].speed
            done = f"{thousands(step[0])} of {thousands(total)}"
            rate = f"{thousands(round(speed))}/s" if speed else ""
            bar.update(task, completed=step[0], done=done, rate=rate)
            yield step
