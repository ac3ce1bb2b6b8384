"""``mbcost train``: a subject trained on data, into a folder that keeps it at every moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mbcost.errors import CheckFailedError, Interrupted, MbcostError, missing, not_installed
from mbcost.modules.data import Data, Size
from mbcost.modules.training.recipe import Recipe
from mbcost.modules.training.stop import TIME_IS_UP, halting
from mbcost.networks.network import Network
from mbcost.output.table import Record
from mbcost.paths import mode_of
from mbcost.studies.training.identity import PACKAGES, as_json, identity_of, opened
from mbcost.studies.training.run import (
    BEST,
    CHECKPOINT,
    LOG,
    RECORD,
    WEIGHTS,
    Run,
)
from mbcost.targets.resolve import resolve_one
from mbcost.targets.subject import Subject
from mbcost.units import shape_text

if TYPE_CHECKING:
    from mbcost.modules.training.loop import Progress

CHECKPOINT_S = 30.0
"""A checkpoint is written at the end of an epoch, and after so many seconds within one."""
LOG_KEYS = ("epoch", "lr", "train_loss", "train_top1", "val_loss", "val_top1")


@dataclass(frozen=True)
class Where:
    """Where and how long a training runs: nothing of it changes what is trained, but threads and
    device, which a sum's order depends on."""

    threads: int = 1
    device: str = "cpu"
    max_time_s: float | None = None
    checkpoint_s: float = CHECKPOINT_S
    watch: Callable[[Progress], None] = field(default=lambda progress: None)
    """Called after each step."""


def size_asked(target: str, settings: Mapping[str, object]) -> Size | None:
    """Return the input's size where ``size`` or ``rho`` is given for a target; images of any other
    are resized to it."""
    typed = resolve_one(target, settings)
    if not {"size", "rho"} & typed.settings.keys() or not isinstance(typed.spec, Network):
        return None
    _, h, w = typed.spec.input_shape(typed.settings)
    return h, w


def subject_for(
    target: str, data: Data, settings: Mapping[str, object] | None = None, size: Size | None = None
) -> Subject:
    """Return the subject that ``target`` names with ``in``, ``classes`` and ``size`` as the data
    have them where they are not given; ``size`` is the recipe's.

    Raises where a network would read other channels or put out other classes than the data have.
    """
    typed = resolve_one(target, settings)
    c, h, w = data.shape
    follow: dict[str, Any] = {"in": c, "classes": len(data.classes), "size": size or (h, w)}
    if "rho" in typed.settings:
        del follow["size"]
    for key in ("in", "classes"):
        given = typed.settings.get(key, follow[key])
        if given != follow[key]:
            raise MbcostError(
                f"{given} given, and the data have {follow[key]}",
                place=f"{target}: {key}",
                way_out=f"leave {key} out",
            )
    known = {key: value for key, value in follow.items() if key in typed.spec.accepts}
    subject = typed.under({**known, **typed.settings})
    check(subject, data)
    return subject


def check(subject: Subject, data: Data) -> None:
    """Raise for what cannot be trained on the data."""
    spec = subject.spec
    if not isinstance(spec, Network) or subject.folded:
        raise MbcostError(
            "is folded: without batch-norms it cannot be trained"
            if isinstance(spec, Network)
            else "is no network of rows",
            place=subject.target,
            way_out="a network of `mbcost list` or of a YAML file, not folded",
        )
    if subject.graph.x[0] != data.shape[0]:
        raise MbcostError(
            f"reads {subject.graph.x[0]} channels, and the data have {data.shape[0]}",
            place=subject.target,
            way_out="a network that takes --in",
        )
    classes = len(data.classes)
    if len(subject.graph.ys) > 1 or prod(subject.graph.y) != classes:
        found = " and ".join(shape_text(y, "×") for y in subject.graph.ys)
        raise MbcostError(
            f"puts out {found}, and the data have {classes} classes",
            place=subject.target,
            way_out="a network that puts out a number a class",
        )


def train(
    subject: Subject,
    data: Data,
    recipe: Recipe,
    folder: Path | str,
    *,
    resume: bool = False,
    where: Where | None = None,
) -> Run:
    """Train a subject of ``subject_for`` into a folder, and test it; return what came out.

    With ``resume`` it goes on from the folder's checkpoint, or returns what is finished. Raises
    ``Interrupted`` after a signal and ``CheckFailedError`` when the time is up, with the checkpoint
    kept.
    """
    where = where or Where()
    check_machine(where.device)
    check(subject, data)
    place = Path(folder)
    settled = recipe.settled(data)
    identity = identity_of(subject, data, settled, where.threads, where.device)
    if opened(place, identity, resume):
        return Run.read(place)
    from mbcost.modules.training.loop import threads

    with threads(where.threads):
        return _Session(subject, data, settled, place, where, identity).run()


def check_installed() -> None:
    """Raise where a package is missing without which nothing trains."""
    if lacking := missing(PACKAGES):
        raise not_installed("training", lacking)


def check_machine(device: str) -> None:
    """Raise where torch is missing, or has no such device here."""
    check_installed()
    from mbcost.modules.training.loop import device_problem

    problem = device_problem(device)
    if problem:
        raise MbcostError(problem, place=f"--device {device}", way_out="--device cpu")


class _Session:
    """A training that runs in a folder."""

    def __init__(
        self,
        subject: Subject,
        data: Data,
        recipe: Recipe,
        folder: Path,
        where: Where,
        identity: Record,
    ) -> None:
        from mbcost.modules.training.batches import Batches, Examples, Scale, parted
        from mbcost.modules.training.loop import Training

        self.subject, self.data, self.recipe = subject, data, recipe
        self.folder, self.where, self.identity = folder, where, identity
        self.parts = parted(data, recipe)
        self.scale = Scale.of(self.parts.train)
        h, w = subject.graph.x[1:]
        learnt, val, self.test = (
            part and Examples.of(part, self.scale, (h, w), where.device) for part in self.parts
        )
        assert learnt is not None
        batches = Batches(learnt, recipe)
        self.training = Training.of(subject.graph, batches, val, recipe, where.device)
        self.spent_s = 0.0
        if mode_of(folder / CHECKPOINT, str(folder)):
            self._go_on()

    def _go_on(self) -> None:
        from mbcost.modules.training import checkpoint

        found = checkpoint.read(self.folder / CHECKPOINT)
        if found["identity"] != as_json(self.identity).decode():
            raise MbcostError(
                "is of another training",
                place=str(self.folder / CHECKPOINT),
                way_out="begin again in another --run",
            )
        self.training.go_on_from(found["state"])
        self.spent_s = found["spent_s"]

    def _keep(self) -> None:
        """Write the checkpoint, then the log, which it can always be written from again."""
        from mbcost.modules.training import checkpoint

        checkpoint.write(
            self.folder / CHECKPOINT,
            {
                "identity": as_json(self.identity).decode(),
                "state": self.training.state(),
                "spent_s": self.spent_s,
            },
        )
        checkpoint.write_durably(self.folder / LOG, log_of(self.training.history))

    def run(self) -> Run:
        """Train to the end, or until there is a reason to stop."""
        with halting(self.where.max_time_s) as halt:
            kept = before = time.monotonic()
            for done in self.training.steps():
                now = time.monotonic()
                self.spent_s, before = self.spent_s + now - before, now
                reason = halt.reason()
                finished = self.training.epoch == self.recipe.epochs
                ends = done.step == done.steps
                if ends or reason or now - kept >= self.where.checkpoint_s:
                    self._keep()
                    kept = now
                self.where.watch(done)
                if reason and not finished:
                    raise self._stopped(reason, done)
            return self._finished()

    def _stopped(self, reason: str, done: Progress) -> MbcostError:
        kind = CheckFailedError if reason == TIME_IS_UP else Interrupted
        return kind(
            f"stopped by {reason} after step {done.step} of {done.steps} of epoch {done.epoch} "
            f"of {self.recipe.epochs}",
            place=f"--run {self.folder}",
            way_out="--resume goes on",
        )

    def _finished(self) -> Run:
        """Test the network as it is at the end, and write what came out; the record comes last."""
        from mbcost.modules.training import checkpoint
        from mbcost.modules.training.loop import score_of

        assert self.test is not None
        state = self.training.module.state_dict()
        plain = {key: value.detach().cpu().contiguous().clone() for key, value in state.items()}
        record = self._record(score_of(self.training.module, self.test)._asdict())
        record["weights_sha256"] = checkpoint.digest_of(plain)
        best = self.training.best
        if best is not None:
            weights = {key: value.cpu().contiguous() for key, value in best["model"].items()}
            self.training.module.load_state_dict(weights)
            record["best_top1"] = score_of(self.training.module, self.test).top1
            checkpoint.write_durably(self.folder / BEST, checkpoint.saved(weights))
        checkpoint.write_durably(self.folder / WEIGHTS, checkpoint.saved(plain))
        checkpoint.write_durably(self.folder / RECORD, as_json(record))
        return Run.read(self.folder)

    def _record(self, score: Record) -> Record:
        report, best = self.subject.report, self.training.best
        train, val, test = (part and part.n for part in self.parts)
        return {
            **self.identity,
            "params": report.params,
            "mult_adds": report.mult_adds // report.scale,
            "input": list(report.x),
            "classes": list(self.data.classes),
            "epochs": self.recipe.epochs,
            "seed": self.recipe.seed,
            "train_images": train,
            "val_images": val,
            "test_images": test,
            "mean": list(self.scale.mean),
            "std": list(self.scale.std),
            "trained_top1": score["top1"],
            "trained_top5": score["top5"],
            "test_loss": score["loss"],
            "best_epoch": best and best["epoch"],
            "best_val_top1": best and best["val_top1"],
            "best_top1": None,
            "train_s": round(self.spent_s, 3),
            "history": self.training.history,
            "confusion": score["confusion"],
        }


def log_of(history: list[dict[str, float | None]]) -> bytes:
    """Return the log as CSV: a line an epoch."""
    lines = [",".join(LOG_KEYS)]
    lines += [
        ",".join("" if row[key] is None else repr(row[key]) for key in LOG_KEYS) for row in history
    ]
    return "".join(f"{line}\n" for line in lines).encode()
