"""``mbcost train`` and ``mbcost predict``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mbcost.cli.app import app
from mbcost.cli.options import Settings, Target
from mbcost.cli.output import PlainSink
from mbcost.cli.recipe import Asked, Source

if TYPE_CHECKING:
    from mbcost.modules.training.loop import Progress
    from mbcost.modules.training.recipe import Recipe
    from mbcost.studies.training.train import Where

RunFolder = Annotated[
    str,
    typer.Option(
        "--run",
        metavar="DIR",
        help="Folder of the training: checkpoint, log, at the end record and weights.",
        show_default=False,
    ),
]


@dataclass(frozen=True)
class Machine:
    """Where and how long the training runs, as typed."""

    threads: Annotated[
        int,
        typer.Option("--threads", metavar="N", min=1, max=1024, help="Threads that compute."),
    ] = 1
    device: Annotated[
        str, typer.Option("--device", metavar="NAME", help="cpu, cuda, cuda:1 or mps.")
    ] = "cpu"
    max_time: Annotated[
        float | None,
        typer.Option(
            "--max-time",
            metavar="SECONDS",
            min=0,
            help="Stop after so long, with exit code 1; --resume goes on.",
        ),
    ] = None

    def where(self) -> Where:
        """Return it checked."""
        from mbcost.studies.training.train import Where

        return Where(self.threads, self.device, self.max_time)


@app.command()
def train(
    *,
    target: Target,
    data: Source,
    run: RunFolder,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the folder's checkpoint.")
    ] = False,
    asked: Asked,
    machine: Machine,
    where: PlainSink,
    settings: Settings,
) -> None:
    """A network trained and tested on your images: the accuracy beside the cost.

    Input channels, classes and size follow the data where they are not given. What is random is
    drawn from the seed, the epoch and the step: a training that was stopped, however, goes on to
    the same weights.

    mbcost train v1-cifar10@alpha=0.25 --data digits --epochs 20 --run digits-v1

    mbcost train v2@alpha=0.35 --data fashion-mnist:DIR --run fashion-v2
    """
    from mbcost.modules.data import read
    from mbcost.studies.training.table import run_table
    from mbcost.studies.training.train import size_asked, subject_for
    from mbcost.studies.training.train import train as trained

    recipe = asked.settled(settings.pop("batch", None), machine.device)
    size = size_asked(target, settings)
    recipe = replace(recipe, size=size or recipe.size)
    images = read(data, recipe.size)
    subject = subject_for(target, images, settings, recipe.size)
    with watching(recipe) as watch:
        done = trained(
            subject, images, recipe, run, resume=resume, where=replace(machine.where(), watch=watch)
        )
    where.show(lambda: run_table(done))


@contextmanager
def watching(recipe: Recipe) -> Iterator[Callable[[Progress], None]]:
    """Draw how far a training is, where a person watches."""
    from mbcost.output.progress import drawn
    from mbcost.units import decimals, thousands

    with drawn(recipe.epochs) as draw:

        def watch(done: Progress) -> None:
            at = done.epoch - 1 + done.step / done.steps
            per_epoch = done.steps * recipe.batch
            words = (
                f"epoch {done.epoch} of {recipe.epochs}, loss {decimals(done.loss, 3)}, "
                f"top-1 {decimals(done.top1, 1)} %"
            )
            draw(at, words, lambda speed: f"{thousands(round(speed * per_epoch))} images/s")

        yield watch


@app.command()
def predict(
    *,
    run: Annotated[str, typer.Argument(metavar="RUN", help="A folder that mbcost train wrote.")],
    image: Annotated[
        str, typer.Argument(metavar="IMAGE", help="An image file: PNG, JPEG and others.")
    ],
    most: Annotated[
        int, typer.Option("--most", metavar="N", min=1, help="Classes that are shown.")
    ] = 5,
    where: PlainSink,
) -> None:
    """What a trained network takes an image for: a look, no test.

    mbcost predict fashion-v2 shoe.png
    """
    from mbcost.studies.training.predict import predict as predicted
    from mbcost.studies.training.run import Run
    from mbcost.studies.training.table import answer_table

    found = Run.read(Path(run))
    table = answer_table(found, image, predicted(found, image), most)
    where.show(lambda: table)
