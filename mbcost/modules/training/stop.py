"""When a training is to stop before its end: Ctrl-C, SIGTERM, its time is up."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

TIME_IS_UP = "--max-time"


@dataclass
class Halt:
    """Says whether to stop, between two steps; None as long as there is no reason to."""

    end_s: float | None = None
    """By the monotonic clock."""
    signalled: str | None = None

    def reason(self) -> str | None:
        """Return why to stop: a signal's name, or that the time is up."""
        if self.signalled is None and self.end_s is not None and time.monotonic() >= self.end_s:
            return TIME_IS_UP
        return self.signalled


@contextmanager
def halting(max_time_s: float | None) -> Iterator[Halt]:
    """Take SIGINT and SIGTERM as a wish to stop after the step; a second one does it at once.

    Signals come to the main thread alone; in another one only the time counts.
    """
    halt = Halt(None if max_time_s is None else time.monotonic() + max_time_s)
    if threading.current_thread() is not threading.main_thread():
        yield halt
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def wish(number: int, frame: FrameType | None) -> None:
        halt.signalled = signal.Signals(number).name
        signal.signal(number, before[signal.Signals(number)] or signal.SIG_DFL)

    for number in before:
        signal.signal(number, wish)
    try:
        yield halt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
