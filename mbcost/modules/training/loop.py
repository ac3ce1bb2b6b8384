"""The loop: a network trained step by step, and tested. Importing this imports torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from mbcost.errors import CheckFailedError
from mbcost.graph.graph import Graph
from mbcost.modules import build
from mbcost.modules.training.batches import Batches, Examples, seed_of
from mbcost.modules.training.recipe import Recipe

TEST_BATCH = 250
"""Images that are tested at once."""


class Progress(NamedTuple):
    """How far a training is, after a step."""

    epoch: int
    """The first is 1."""
    step: int
    steps: int
    """Of an epoch."""
    images: int
    """Of this step."""
    loss: float
    """Mean of the epoch so far."""
    top1: float
    """So is this, in per cent of what was trained on."""


class Score(NamedTuple):
    """How a network did on images it did not learn from."""

    loss: float
    """Mean cross-entropy, in nats."""
    top1: float
    """In per cent."""
    top5: float | None
    """None where there are no more than five classes."""
    confusion: list[list[int]]
    """By true class, how often each class was answered."""


def initialised(graph: Graph, seed: int) -> nn.Module:
    """Return the module of a graph with weights drawn by the seed: normal, of variance 2 ÷ fan-out
    for convolutions (arXiv:1502.01852), 0.01² for linear layers."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(seed, "weights"))
        module = build(graph)
        for layer in module.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out")
            elif isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, 0, 0.01)
            if isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return module


def optimizer_of(module: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Return the optimizer: weights of convolutions and linear layers decay, nothing else does."""
    parameters = list(module.parameters())
    decaying = [p for p in parameters if p.dim() > 1]
    groups: list[dict[str, Any]] = [
        {"params": decaying, "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    lr = recipe.rate(0, 1)
    if recipe.optimizer == "adam":
        return torch.optim.AdamW(groups, lr=lr)
    if recipe.optimizer == "rmsprop":
        return torch.optim.RMSprop(groups, lr=lr, momentum=0.9, eps=1e-3)
    return torch.optim.SGD(groups, lr=lr, momentum=0.9, nesterov=True)


@dataclass
class Training:
    """A network as it is being trained: all that goes on after a stop is in ``state``."""

    module: nn.Module
    optimizer: torch.optim.Optimizer
    batches: Batches
    recipe: Recipe
    val: Examples | None = None
    epoch: int = 0
    step: int = 0
    """The step of the epoch that comes next."""
    sums: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    """Of the epoch so far: losses, right answers, images."""
    history: list[dict[str, float | None]] = field(default_factory=list)
    best: dict[str, Any] | None = None
    """Of the epoch with the greatest top-1 on what is held out: number, top-1, weights."""

    @classmethod
    def of(
        cls, graph: Graph, batches: Batches, val: Examples | None, recipe: Recipe, device: str
    ) -> Training:
        """Return a training that has yet to begin."""
        module = initialised(graph, recipe.seed).to(device).to(memory_format=torch.channels_last)
        return cls(module, optimizer_of(module, recipe), batches, recipe, val)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint holds."""
        return {
            "model": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "step": self.step,
            "sums": self.sums,
            "history": self.history,
            "best": self.best,
        }

    def go_on_from(self, state: Mapping[str, Any]) -> None:
        """Take over what a checkpoint holds."""
        self.module.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.step = state["epoch"], state["step"]
        self.sums, self.history, self.best = state["sums"], state["history"], state["best"]

    def steps(self) -> Generator[Progress]:
        """Train; yields after each step, when the state can be kept."""
        with torch.random.fork_rng(devices=[]):
            while self.epoch < self.recipe.epochs:
                yield self._one()

    def _one(self) -> Progress:
        """Take a step; after the last one of an epoch, close the epoch."""
        epoch, step = self.epoch, self.step
        torch.manual_seed(seed_of(self.recipe.seed, epoch, step, "layers"))  # of dropout and such
        x, labels = self.batches.at(epoch, step)
        rate = self.recipe.rate(epoch * len(self.batches) + step, len(self.batches))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.module.train()
        self.optimizer.zero_grad(set_to_none=True)
        y = self.module(x).flatten(1)
        loss = cross_entropy(y, labels)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.optimizer.step()
        self._add(loss, y, labels)
        self.step += 1
        done = self._progress(len(labels))
        if self.step == len(self.batches):
            self._close(rate)
        return done

    def _add(self, loss: Tensor, y: Tensor, labels: Tensor) -> None:
        value = loss.item()
        if not math.isfinite(value):
            raise CheckFailedError(
                f"the loss is {value} at step {self.step + 1} of epoch {self.epoch + 1}",
                way_out="a smaller --lr",
            )
        right = int((y.argmax(1) == labels).sum())
        n = len(labels)
        self.sums = [a + b for a, b in zip(self.sums, (value * n, right, n), strict=True)]

    def _progress(self, images: int) -> Progress:
        loss, right, seen = self.sums
        return Progress(
            self.epoch + 1, self.step, len(self.batches), images, loss / seen, 100 * right / seen
        )

    def _close(self, rate: float) -> None:
        """End an epoch: what is held out is tried, the best epoch kept."""
        loss, right, seen = self.sums
        score = None if self.val is None else score_of(self.module, self.val)
        self.history.append(
            {
                "epoch": self.epoch + 1,
                "lr": rate,
                "train_loss": loss / seen,
                "train_top1": 100 * right / seen,
                "val_loss": score and score.loss,
                "val_top1": score and score.top1,
            }
        )
        if score and (self.best is None or score.top1 > self.best["val_top1"]):
            weights = {k: v.detach().clone() for k, v in self.module.state_dict().items()}
            self.best = {"epoch": self.epoch + 1, "val_top1": score.top1, "model": weights}
        self.epoch, self.step, self.sums = self.epoch + 1, 0, [0.0, 0.0, 0.0]


def score_of(module: nn.Module, examples: Examples) -> Score:
    """Return how a module does on examples, in eval mode."""
    module.eval()
    loss, fives, answers = 0.0, 0, []
    classes = 0
    with torch.no_grad():
        for some in examples.slices(TEST_BATCH):
            labels = examples.labels[some]
            y = module(examples.seen(examples.images[some])).flatten(1)
            classes = y.shape[1]
            loss += float(cross_entropy(y.double(), labels, reduction="sum"))
            answers.append(y.argmax(1))
            if classes > 5:
                fives += int((y.topk(5, 1).indices == labels[:, None]).sum())
    n = len(examples)
    pairs = examples.labels * classes + torch.cat(answers)
    confusion = torch.bincount(pairs, minlength=classes * classes).view(classes, classes)
    return Score(
        loss / n,
        100 * int(confusion.diagonal().sum()) / n,
        100 * fives / n if classes > 5 else None,
        confusion.tolist(),
    )


def device_problem(name: str) -> str:
    """Return why torch cannot compute on a device here; empty where it can."""
    try:
        torch.zeros(1, device=name).item()
    except Exception as error:  # each kind of device has errors of its own
        return (str(error).strip() or type(error).__name__).splitlines()[0]
    return ""


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch compute with so many threads meanwhile."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


Watch = Callable[[Progress], None]
