"""``mbcost sweep --train``: the configs that a budget leaves, trained on Dask, the cheapest first.

``asked`` says what to train, ``trainings`` does it: a task a training, keyed by what it is. Nothing
here schedules, retries or restarts: that is Dask's.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

from mbcost.errors import Interrupted, MbcostError, missing, not_installed
from mbcost.modules.data import Data, Size, kind_of
from mbcost.modules.training.recipe import Recipe
from mbcost.networks.network import Network
from mbcost.networks.settings import as_text, split_inline
from mbcost.output.table import Record
from mbcost.paths import mode_of
from mbcost.studies.spaces.columns import Layout
from mbcost.studies.spaces.selection import space_of
from mbcost.studies.spaces.space import Space
from mbcost.studies.spaces.sweep.resumable import stream
from mbcost.studies.spaces.sweep.table import few_records
from mbcost.studies.spaces.sweep.workers import uninterrupted
from mbcost.studies.training.beside import FOLLOWING
from mbcost.studies.training.identity import opened
from mbcost.studies.training.job import Job, Outcome, data_of, identity_on, key_of, run_job
from mbcost.studies.training.run import IDENTITY, RECORD, Run
from mbcost.studies.training.store import Store, common_identity
from mbcost.studies.training.train import check_installed, subject_for
from mbcost.targets.subject import Subject
from mbcost.units import thousands

if TYPE_CHECKING:
    from distributed import Client, Future

PATIENCE_S = 10.0
"""How long a scheduler that does not answer is waited for."""
FOLDER = 16
"""Characters of a key that name the folder of its training."""


@dataclass(frozen=True)
class Asked:
    """Which networks are trained, on what and how."""

    target: str
    settings: Mapping[str, str]
    """As typed, each a value or several; what is left out follows the data."""
    source: str
    """The data, as on the command line."""
    recipe: Recipe
    folder: Path

    @cached_property
    def typed(self) -> dict[str, str]:
        """All settings that were typed."""
        return {**split_inline(self.target)[1], **self.settings}

    @cached_property
    def sized(self) -> bool:
        """Whether the input's size was typed: then images are resized to it."""
        return any(key in self.typed for key in ("size", "rho"))

    @cached_property
    def where_data_are(self) -> str:
        """The data as a worker finds them that was started in another directory."""
        kind, place = kind_of(self.source)
        if kind == "digits":
            return self.source
        path = str(Path(place).absolute())
        return path if kind == "npz" else f"{kind}:{path}"

    def data(self, size: Size | None) -> Data:
        """Return the data, images of a folder in this size."""
        return data_of(self.where_data_are, size)

    @cached_property
    def space(self) -> Space:
        """The configs: input channels, classes and size are the data's where they were not typed.

        Raises where these contradict the data.
        """
        space = space_of(self.target, self.settings)
        first = self._subject(space, space.choice(0))
        follow = {
            key: as_text(first.settings[key])
            for key in FOLLOWING
            if key in first.settings
            and key not in self.typed
            and not (key == "size" and self.sized)
        }
        return space_of(self.target, {**follow, **self.settings})

    def size_of(self, space: Space, choice: Sequence[int]) -> Size | None:
        """Return the size that images are resized to for a config: the typed one, or the recipe's;
        None for their own."""
        spec, settings = space.at(choice)
        if not self.sized or not isinstance(spec, Network):
            return self.recipe.size
        _, h, w = spec.input_shape(settings)
        return h, w

    def _subject(self, space: Space, choice: Sequence[int]) -> Subject:
        """Return the subject of a config, named as ``mbcost train`` could be given it."""
        if any(axis.slots for axis in space.axes):
            raise MbcostError(
                "fields of rows vary, and a sweep of trainings varies settings alone",
                place=f"{self.target}: {next(axis.key for axis in space.axes if axis.slots)}",
                way_out="fix them in a YAML of its own: mbcost search … -o net.yaml",
            )
        varying = {
            axis.key: as_text(axis.values[position])
            for axis, position in zip(space.axes, choice, strict=True)
            if axis.key in self.typed or axis.key not in FOLLOWING
        }
        name, inline = split_inline(self.target)
        inline = {**{k: v for k, v in inline.items() if k not in self.settings}, **varying}
        fixed = {k: v for k, v in self.settings.items() if k not in varying}
        words = ",".join(f"{key}={value}" for key, value in inline.items())
        size = self.size_of(space, choice)
        return subject_for(f"{name}@{words}" if words else name, self.data(size), fixed, size)

    def job(self, choice: Sequence[int]) -> Job:
        """Return the training of a config."""
        size = self.size_of(self.space, choice)
        recipe = replace(self.recipe, size=size)
        subject = self._subject(self.space, choice)
        identity = identity_on(subject, self.data(size), recipe)
        key = key_of(identity)
        place = self.folder.absolute()
        topic = f"mbcost-{sha256(str(place).encode()).hexdigest()[:FOLDER]}"
        folder = place / key[:FOLDER]
        return Job(key, identity, subject, self.where_data_are, recipe, folder, topic)

    def common(self, jobs: Sequence[Job]) -> Record:
        """Return what all trainings in the folder have in common."""
        resized = self.sized and kind_of(self.source)[0] == "images"
        return common_identity(jobs[0].identity, one_data=not resized)


class Survivor(NamedTuple):
    """A config within the limits: its row of costs, and its training."""

    row: Record
    job: Job


def survivors(asked: Asked, layout: Layout) -> list[Survivor]:
    """Return the configs of the layout's plan that are within its limits, in its order.

    Raises where they are none, or more than a table shows.
    """
    choices: list[tuple[int, ...]] = []

    def seen() -> Iterator[Any]:
        for _, batch in stream(layout.plan):
            choices.extend(map(tuple, batch.choices.T.tolist()))
            yield batch

    found = []
    for row, choice in zip(few_records(layout, seen()), choices, strict=True):
        job = asked.job(choice)
        report = job.subject.report
        assert (row["params"], row["mult_adds"]) == (report.params, report.mult_adds)
        found.append(Survivor(row, job))
    return found


@dataclass
class State:
    """How far a sweep is."""

    records: dict[str, Record] = field(default_factory=dict)
    """By key, of what is finished."""
    failed: dict[str, str] = field(default_factory=dict)
    """By key, why a training came to nothing."""
    epochs: dict[str, float] = field(default_factory=dict)
    """By key, how far those are that run."""
    before: int = 0
    """How many were finished before this process began."""


def require(folder: Path) -> None:
    """Raise where a package is missing, or the folder is that of one training."""
    if lacking := missing(["distributed"]):
        raise not_installed("a sweep of trainings", lacking, install="'mbcost[dask]'")
    check_installed()
    if mode_of(folder / IDENTITY, str(folder)):
        raise MbcostError(
            "is the folder of one training", place=f"--run {folder}", way_out="another folder"
        )


def read_back(jobs: Sequence[Job], store: Store) -> State:
    """Return what is finished: in the store, or in a folder whose client was killed before it
    heard of it."""
    known = store.results()
    state = State()
    for job in jobs:
        if job.key not in known and mode_of(job.folder / RECORD, str(job.folder)):
            opened(job.folder, job.identity, resume=True)  # raises for another training
            at = (job.folder / RECORD).stat().st_mtime
            record = Run.read(job.folder).record
            store.finished(Outcome(job.key, at, at, "read back", record))
            known[job.key] = record
        if job.key in known:
            state.records[job.key] = known[job.key]
    state.before = len(state.records)
    return state


def trainings(
    jobs: Sequence[Job], store: Store, workers: int, address: str | None
) -> Generator[State]:
    """Train what is not finished, and yield the state whenever it has changed.

    A training that comes to nothing stops none of the others.
    """
    state = read_back(jobs, store)
    yield state
    cheapest = sorted(jobs, key=lambda job: job.subject.report.mult_adds)
    waiting = {job.key: job for job in cheapest if job.key not in state.records}
    if not waiting:
        return
    with crew(min(workers, len(waiting)), address) as client:
        inbox: SimpleQueue[Any] = SimpleQueue()
        client.subscribe_topic(next(iter(waiting.values())).topic, inbox.put)
        futures = _submitted(client, list(waiting.values()), inbox)
        while futures:
            item = inbox.get()
            if isinstance(item, tuple):
                _, message = item  # (when, what) was told
                _told(message, state, store, futures)
            else:
                key = item.key.rpartition("-")[2]
                _ended(futures.pop(key), key, state, store)
            yield state


@contextmanager
def kept(store: Store, jobs: Sequence[Job]) -> Iterator[None]:
    """Say of Ctrl-C what is finished, which is kept."""
    try:
        yield
    except KeyboardInterrupt:
        store.ended("interrupted")
        known = store.results()
        done = len({job.key for job in jobs if job.key in known})
        n = len({job.key for job in jobs})
        raise Interrupted(
            f"interrupted: {thousands(done)} of {thousands(n)} trainings are finished",
            place=store.place,
            way_out="the same command with --resume goes on",
        ) from None


def _submitted(client: Client, jobs: Sequence[Job], inbox: SimpleQueue[Any]) -> dict[str, Future]:
    """Hand all jobs to Dask, the first ones first; each lands in the inbox when it has ended."""
    found = {}
    for i, job in enumerate(jobs):
        # two sweeps on one cluster may hold equal trainings, each with a folder of its own
        future = client.submit(run_job, job, key=f"{job.topic}-{job.key}", priority=-i)
        found[job.key] = future
        future.add_done_callback(inbox.put)
    return found


def _told(message: Record, state: State, store: Store, futures: Mapping[str, Future]) -> None:
    """Take note of what a worker said of a job that has not ended."""
    key = message["key"]
    if key not in futures:
        return
    if "started" in message:
        store.begun(key, message["started"], message["worker"])
        state.epochs.setdefault(key, 0.0)
    else:
        state.epochs[key] = message["epochs"]


def _ended(future: Future, key: str, state: State, store: Store) -> None:
    """Keep what came of a job."""
    from distributed.scheduler import KilledWorker

    state.epochs.pop(key, None)
    if future.status == "finished":
        outcome: Outcome = future.result()
        store.finished(outcome)
        state.records[key] = outcome.record
        return
    if future.status != "error":
        raise MbcostError(
            "the scheduler is gone; what was finished is kept",
            place=store.place,
            way_out="the same command with --resume goes on",
        )
    error = future.exception()
    words = str(error) if isinstance(error, MbcostError) else f"{type(error).__name__}: {error}"
    if isinstance(error, KilledWorker):
        words = "its worker died again and again; is there enough memory?"
    store.ended(f"failed: {words}", key)
    state.failed[key] = words


@contextmanager
def crew(workers: int, address: str | None) -> Iterator[Client]:
    """Connect to a scheduler, or start one with workers here, which end with this process."""
    import logging

    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    if address is not None:
        with _connected(address) as client:
            yield client
        return
    with uninterrupted():  # and so is the loop that starts workers anew
        cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            # no fixed port: several sweeps may run at a time
            scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
            memory_limit=None,
            silence_logs=logging.CRITICAL,
        )
    try:
        with Client(cluster, set_as_default=False) as client:
            yield client
    finally:
        with uninterrupted():
            cluster.close()


@contextmanager
def _connected(address: str) -> Iterator[Client]:
    from distributed import Client

    place = f"--dask {address}"
    try:
        client = Client(address, timeout=PATIENCE_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise MbcostError(
            f"no scheduler answers: {error}",
            place=place,
            way_out="tcp://HOST:PORT of one that runs",
        ) from None
    try:
        threads = client.nthreads()
        if not threads:
            raise MbcostError(
                "has no workers", place=place, way_out=f"dask worker {address} --nthreads 1"
            )
        if many := next((worker for worker, n in threads.items() if n > 1), None):
            raise MbcostError(
                f"the worker {many} has {threads[many]} threads, and torch's are the process's",
                place=place,
                way_out="dask worker … --nthreads 1 --nworkers N",
            )
        yield client
    finally:
        client.close()
