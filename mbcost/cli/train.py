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
from mbcost.errors import MbcostError
from mbcost.modules.training.recipe import AUGMENTATIONS, OPTIMIZERS, RECIPES, SCHEDULES

if TYPE_CHECKING:
    from mbcost.modules.training.loop import Progress
    from mbcost.modules.training.recipe import Recipe
    from mbcost.studies.training.train import Where

Source = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="DATA",
        help="fashion-mnist:DIR, mnist:DIR, cifar10:DIR, images:DIR, FILE.npz or digits. "
        "Nothing is downloaded.",
        show_default=False,
    ),
]
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
class Asked:
    """How to train, as typed; what is left out is the recipe's."""

    recipe: Annotated[str, typer.Option("--recipe", metavar="|".join(RECIPES))] = "default"
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, max=100_000)] = None
    lr: Annotated[
        float | None, typer.Option("--lr", metavar="RATE", help="The greatest learning rate.")
    ] = None
    optimizer: Annotated[str | None, typer.Option("--optimizer", metavar="|".join(OPTIMIZERS))] = (
        None
    )
    schedule: Annotated[
        str | None,
        typer.Option(
            "--schedule",
            metavar="|".join(SCHEDULES),
            help="How the rate falls to 0 after an epoch of warm-up.",
        ),
    ] = None
    augment: Annotated[
        str | None,
        typer.Option(
            "--augment",
            metavar="|".join(AUGMENTATIONS),
            help="auto: what leaves an image of its class; digits are not mirrored.",
        ),
    ] = None
    val: Annotated[
        float | None,
        typer.Option(
            "--val",
            metavar="SHARE|N",
            min=0,
            max=10**9,
            help="Images held out of those to train on: a share below 1, or how many.",
        ),
    ] = None
    images: Annotated[
        int | None,
        typer.Option("--images", metavar="N", min=2, help="Train on N of the images alone."),
    ] = None
    seed: Annotated[int | None, typer.Option("--seed", metavar="S", min=0, max=2**32)] = None

    def settled(self, batch: str | None, device: str) -> Recipe:
        """Return the recipe with what was typed."""
        from mbcost.modules.training.recipe import recipe_named
        from mbcost.units import parse_int

        recipe = recipe_named(self.recipe, device)
        given = {
            key: value for key, value in vars(self).items() if key != "recipe" and value is not None
        }
        if "optimizer" in given and "lr" not in given:
            given["lr"] = None  # that of the optimizer
        if batch is not None:
            try:
                given["batch"] = parse_int(batch, 2, 2**20)
            except MbcostError as error:
                raise error.at("--batch") from None
        try:
            return replace(recipe, **given)
        except MbcostError as error:
            place = f"--{error.place}"
            raise MbcostError(error.problem, place=place, way_out=error.way_out) from None


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
