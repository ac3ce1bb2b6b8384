"""How to train, as options: of ``train`` and of a sweep of trainings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from mbcost.errors import MbcostError
from mbcost.modules.training.recipe import AUGMENTATIONS, OPTIMIZERS, RECIPES, SCHEDULES

if TYPE_CHECKING:
    from mbcost.modules.training.recipe import Recipe

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
