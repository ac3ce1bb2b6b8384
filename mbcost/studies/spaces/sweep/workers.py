"""A plan's units counted in order, in one process or several that count ahead.

What is made of a unit's results (``Make``) is set up once in each process that counts: so it may
hold what costs something to set up, such as a file's writer, and nothing of it is ever sent.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

from mbcost.errors import MbcostError, from_system, require_directory
from mbcost.studies.spaces.plan import Batch, Counting, Plan

Result = TypeVar("Result")
Make = Callable[[Batch, int], Result]
SetUp = Callable[[], Make[Result]]

AHEAD = 2
"""How many units each worker may be ahead of the one that is waited for."""


class _Failed(NamedTuple):
    """An answer that is an error, raised anew in the process that asked."""

    error: Exception


def each_unit(
    plan: Plan, units: Sequence[int], set_up: SetUp[Result], workers: int = 1
) -> Generator[tuple[int, Result]]:
    """Yield (unit, what is made of it) in order; ``workers`` processes count ahead."""
    workers = min(workers, len(units))
    if workers <= 1:
        count, make = Counting(plan), set_up()
        for unit in units:
            yield unit, make(count(unit), unit)
        return
    require_directory()
    crew: list[_Worker] = []
    waiting: deque[tuple[int, _Worker]] = deque()
    try:
        for _ in range(workers):
            crew.append(_Worker(plan, set_up))
        for i, unit in enumerate(units):
            worker = crew[i % workers]
            worker.ask(unit)
            waiting.append((unit, worker))
            if len(waiting) > AHEAD * workers:
                first, worker = waiting.popleft()
                yield first, worker.answer()
        while waiting:
            first, worker = waiting.popleft()
            yield first, worker.answer()
    finally:
        _dismiss(crew)


class _Worker:
    """A process that answers units in the order in which they are asked.

    It ends when this end of the pipe is closed: by us, or because this process ended, however.
    """

    def __init__(self, plan: Plan, set_up: SetUp[Any]) -> None:
        context = multiprocessing.get_context("spawn")
        try:
            if hasattr(resource_tracker, "ensure_running"):
                resource_tracker.ensure_running()  # its start lets Ctrl-C through again
            with uninterrupted():
                self.pipe, theirs = context.Pipe()
                self.process: SpawnProcess = context.Process(
                    target=_serve, args=(theirs, plan, set_up), daemon=True
                )
                with theirs:
                    self.process.start()
        except OSError as error:
            raise from_system(error).at("--workers") from None

    def ask(self, unit: int) -> None:
        """Send a unit to be counted."""
        with _alive():
            self.pipe.send(unit)

    def answer(self) -> Any:
        """Return what was made of the unit asked first that is not answered yet."""
        with _alive():
            answer = self.pipe.recv()
        if isinstance(answer, _Failed):
            raise answer.error
        return answer


@contextmanager
def _alive() -> Iterator[None]:
    """Turn the pipe's end, which is that of the worker, into a message."""
    try:
        yield
    except (EOFError, OSError):
        raise MbcostError(
            "a worker process died; what was finished is kept",
            place="--workers",
            way_out="did it run out of memory? with -o FILE, --resume goes on",
        ) from None


def _dismiss(crew: Sequence[_Worker]) -> None:
    with uninterrupted():
        for worker in crew:
            worker.pipe.close()
        for worker in crew:
            worker.process.join()


def _serve(pipe: Connection, plan: Plan, set_up: SetUp[Any]) -> None:
    """Answer the units that come through the pipe: what a worker process runs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops everyone
    units: SimpleQueue[int] = SimpleQueue()
    threading.Thread(target=_listen, args=(pipe, units), daemon=True).start()
    count, make = Counting(plan), set_up()
    while True:
        unit = units.get()
        try:
            answer = make(count(unit), unit)
        except Exception as error:
            answer = _Failed(error)
        try:
            pipe.send(answer)
        except OSError:
            os._exit(0)  # nobody waits for it any more


def _listen(pipe: Connection, units: SimpleQueue[int]) -> None:
    """Pass on what is asked; end this process, whatever it does, when nothing more can come."""
    try:
        while True:
            units.put(pipe.recv())
    except (EOFError, OSError):
        os._exit(0)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold back Ctrl-C; processes that start meanwhile never see it, so that only this one does."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
