"""One training of a sweep: what a worker is handed, what it does, what it hands back.

Workers write into the training's own folder and nowhere else. As all that is random is drawn from
(seed, epoch, step), it does not matter which worker goes on with a folder, nor how often.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mbcost.errors import MbcostError
from mbcost.modules.data import Data, Size, read
from mbcost.modules.training.recipe import Recipe
from mbcost.output.table import Record
from mbcost.studies.training.identity import as_json, differing, identity_of
from mbcost.studies.training.run import CHECKPOINT, RECORD
from mbcost.studies.training.train import Where, train
from mbcost.targets.subject import Subject

if TYPE_CHECKING:
    from mbcost.modules.training.loop import Progress

THREADS, DEVICE = 1, "cpu"
"""Of each training: a worker is one thread, and cores are used by several workers."""
TOLD_S = 0.5
"""How often a worker tells how far it is, at most."""
_ALONE = threading.Lock()
"""torch's generators and thread counts are the process's: a worker trains one network at a time."""


class Job(NamedTuple):
    """A training as a worker is handed it."""

    key: str
    """The digest of what the training is: see ``key_of``."""
    identity: Record
    subject: Subject
    source: str
    """The data, as on the command line."""
    recipe: Recipe
    folder: Path
    topic: str
    """Where the worker tells how far it is."""


class Outcome(NamedTuple):
    """What came of a job."""

    key: str
    started: float
    ended: float
    how: str
    """``trained``, ``gone on with`` from a checkpoint, or ``found`` finished in its folder."""
    record: Record


def key_of(identity: Record) -> str:
    """Return the digest of what a training is: network, settings, recipe, data, versions; not how
    its target was typed."""
    return sha256(as_json({k: v for k, v in identity.items() if k != "target"})).hexdigest()


def identity_on(subject: Subject, data: Data, recipe: Recipe) -> Record:
    """Return what a training of a sweep is."""
    return identity_of(subject, data, recipe.settled(data), THREADS, DEVICE)


@lru_cache(maxsize=2)
def data_of(source: str, size: Size | None) -> Data:
    """Return the data, read once in each process."""
    return read(source, size)


def run_job(job: Job) -> Outcome:
    """Train, or go on with what the folder holds; what a worker runs."""
    started = time.time()
    tell = _telling(job)
    tell({"started": started})
    data = data_of(job.source, job.recipe.size)
    here = identity_on(job.subject, data, job.recipe)
    if key_of(here) != job.key:
        raise MbcostError(
            f"the worker has {differing(job.identity, here)}",
            place=str(job.folder),
            way_out="the same data and versions on every worker",
        )
    told = time.monotonic()

    def watch(done: Progress) -> None:
        nonlocal told
        if time.monotonic() - told >= TOLD_S:
            told = time.monotonic()
            tell({"epochs": done.epoch - 1 + done.step / done.steps})

    with _ALONE, _only_one_in(job.folder):
        how = "trained"
        if (job.folder / RECORD).exists():
            how = "found"
        elif (job.folder / CHECKPOINT).exists():
            how = "gone on with"
        where = Where(THREADS, DEVICE, watch=watch)
        run = train(job.subject, data, job.recipe, job.folder, resume=True, where=where)
    return Outcome(job.key, started, time.time(), how, run.record)


def _telling(job: Job) -> Callable[[dict[str, Any]], None]:
    """Return what tells the client something of this job; nothing outside of a worker."""
    from distributed import get_worker

    try:
        worker = get_worker()
    except ValueError:
        return lambda message: None
    return lambda message: worker.log_event(
        job.topic, {"key": job.key, "worker": worker.address, **message}
    )


@contextmanager
def _only_one_in(folder: Path) -> Iterator[None]:
    """Wait for a process that still trains in the folder, for a client that is gone."""
    try:
        import fcntl
    except ImportError:  # there are no such locks on Windows
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        with suppress(OSError):  # nor on some file systems
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
