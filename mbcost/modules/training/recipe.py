"""How a network is trained, as plain data. To add a recipe: its line in ``RECIPES``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from math import cos, pi
from typing import Any

from mbcost.errors import MbcostError, did_you_mean
from mbcost.modules.data import Data, Size

OPTIMIZERS = {"sgd": 0.03, "adam": 1e-3, "rmsprop": 1e-3}
"""Each with the learning rate that it has unless another is given."""
SCHEDULES = ("cosine", "linear", "constant")
AUGMENTATIONS = ("auto", "none", "crop", "flip", "crop+flip")
"""``auto`` is what the data say leaves an image of its class."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; what a training is, beside network, data, threads and device."""

    name: str = "default"
    epochs: int = 10
    batch: int = 64
    lr: float | None = None
    """The greatest learning rate; None for the optimizer's in ``OPTIMIZERS``."""
    optimizer: str = "sgd"
    """One of ``OPTIMIZERS``; sgd has a momentum of 0.9, Nesterov's."""
    schedule: str = "cosine"
    """How the learning rate falls to 0 after the warm-up, step by step."""
    warmup: float = 1.0
    """Epochs in which it rises from 0, at most a fifth of all."""
    weight_decay: float = 5e-4
    """Of convolutions and linear layers alone: not of batch-norms and biases."""
    augment: str = "auto"
    val: float = 0.1
    """Images held out of those to train on: a share below 1, or how many; 0 for none. Data with
    validation images of their own keep to them."""
    images: int | None = None
    """Train on so many of them, drawn by the seed; None for all."""
    size: Size | None = None
    """Images are resized to it; None for the network's own input."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be trained by."""
        for key, known in (
            ("optimizer", tuple(OPTIMIZERS)),
            ("schedule", SCHEDULES),
            ("augment", AUGMENTATIONS),
        ):
            value = getattr(self, key)
            if value not in known:
                raise MbcostError(
                    f"unknown word {value!r}", place=key, way_out=did_you_mean(str(value), known)
                )
        for key, low in (("epochs", 1), ("batch", 2), ("images", 2), ("seed", 0)):
            value = getattr(self, key)
            if value is not None and value < low:
                raise MbcostError(f"{value} is too small", place=key, way_out=f"at least {low}")
        for key, above in (("lr", False), ("val", True), ("warmup", True), ("weight_decay", True)):
            value = getattr(self, key)
            if value is not None and not (value > 0 or (above and value == 0)):
                raise MbcostError(f"{value} is too small", place=key, way_out="above 0")

    def settled(self, data: Data) -> Recipe:
        """Return it with everything said that depends on the data or on another of its values."""
        augment = data.augment if self.augment == "auto" else self.augment
        return replace(self, augment=augment, lr=self.lr or OPTIMIZERS[self.optimizer])

    def rate(self, step: int, steps: int) -> float:
        """Return the learning rate of a step, the first being 0, in epochs of ``steps`` steps."""
        top, total = self.lr or OPTIMIZERS[self.optimizer], self.epochs * steps
        rising = min(self.warmup * steps, total / 5)
        if step + 1 <= rising:
            return top * (step + 1) / rising
        share = (step - rising) / max(1.0, total - rising)
        if self.schedule == "cosine":
            return top * (1 + cos(pi * share)) / 2
        return top * (1 - share) if self.schedule == "linear" else top

    def record(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)

    @classmethod
    def of(cls, record: dict[str, Any]) -> Recipe:
        """Return the recipe that ``record`` was made of."""
        given = {field.name: record[field.name] for field in fields(cls)}
        size = given["size"]
        return cls(**{**given, "size": None if size is None else tuple(size)})


RECIPES = {
    "default": Recipe(),
    "article": Recipe(
        "article",
        epochs=15,
        batch=32,
        lr=0.01,
        optimizer="adam",
        schedule="constant",
        warmup=0.0,
        weight_decay=0.0,
        augment="none",
        size=(96, 96),
    ),
}
"""``article`` is that of a tutorial on V1 and CIFAR-10, its faults mended: see docs/training.md."""


def recipe_named(name: str, device: str = "cpu") -> Recipe:
    """Return a recipe by its name; the article's batches are of 32 images on a CPU, else of 256."""
    if name not in RECIPES:
        raise MbcostError(
            f"unknown recipe {name!r}", place="--recipe", way_out=did_you_mean(name, RECIPES)
        )
    found = RECIPES[name]
    return replace(found, batch=256) if name == "article" and device != "cpu" else found
