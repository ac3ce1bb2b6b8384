"""What each step of a training sees. Importing this imports torch.

Every draw is from a generator of its own, seeded by what it is for: the seed of the training, the
epoch, the step. Nothing is left over from one draw to the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from mbcost.errors import MbcostError
from mbcost.modules.data import Data, Part, Size
from mbcost.modules.training.recipe import Recipe
from mbcost.units import thousands

CROP = 8
"""A crop is of an image with an eighth of its side in black at each edge: 4 pixels at 32."""


def seed_of(*what: object) -> int:
    """Return the seed of the draws for ``what``: 63 bits of a digest."""
    return int.from_bytes(sha256("/".join(map(str, what)).encode()).digest()[:8], "big") >> 1


def generator(*what: object) -> torch.Generator:
    """Return a generator for ``what`` alone."""
    return torch.Generator().manual_seed(seed_of(*what))


class Scale(NamedTuple):
    """Mean and standard deviation of each channel, of bytes: what images are normalised by."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, part: Part) -> Scale:
        """Return those of a part, exact: from how often each byte occurs."""
        values = np.arange(256)
        means, deviations = [], []
        for channel in range(part.images.shape[1]):
            counts = np.bincount(part.images[:, channel].reshape(-1), minlength=256)
            n, total = int(counts.sum()), int(counts @ values)
            squares = int(counts @ values**2)
            means.append(total / n)
            deviations.append(((n * squares - total**2) / n**2) ** 0.5 or 1.0)  # all of one grey
        return cls(tuple(means), tuple(deviations))

    def normalised(self, images: Tensor) -> Tensor:
        """Return images of bytes as floats, each channel with mean 0 and deviation 1."""
        mean, std = (
            torch.tensor(values, dtype=torch.float32, device=images.device)[:, None, None]
            for values in self
        )
        return (images.float() - mean) / std


class Parts(NamedTuple):
    """The images of a training: to learn from, to hold out, to test on."""

    train: Part
    val: Part | None
    test: Part


def parted(data: Data, recipe: Recipe) -> Parts:
    """Return the parts of a training: what is held out and what is left, drawn by the seed."""
    n = data.train.n
    held_out = 0 if data.val is not None else recipe.val
    count = round(held_out * n) if held_out < 1 else int(held_out)
    left = n - count
    if left < 2:
        raise MbcostError(
            f"holds out {thousands(count)} of {thousands(n)} images",
            place="--val",
            way_out="two at least are to be left to train on",
        )
    if recipe.images is not None and recipe.images > left:
        raise MbcostError(
            f"{thousands(recipe.images)} of {thousands(left)} images",
            place="--images",
            way_out=f"at most {thousands(left)}, or a smaller --val",
        )
    order = torch.randperm(n, generator=generator(recipe.seed, "parts")).numpy()
    used = np.sort(order[count : count + (recipe.images or left)])
    val = data.val
    if count:
        val = _taken(data.train, np.sort(order[:count]))
    return Parts(_taken(data.train, used) if len(used) < n else data.train, val, data.test)


def _taken(part: Part, which: np.ndarray) -> Part:
    return Part(part.images[which], part.labels[which])


@dataclass(frozen=True, eq=False)
class Examples:
    """Images and labels on a device, as a network sees them: normalised, of its input's size."""

    images: Tensor
    labels: Tensor
    scale: Scale
    size: Size

    @classmethod
    def of(cls, part: Part, scale: Scale, size: Size, device: str) -> Examples:
        """Return the images of a part, not copied where they stay on the CPU."""
        images = torch.from_numpy(np.require(part.images, requirements=("C", "W")))
        labels = torch.from_numpy(np.require(part.labels, requirements=("C", "W")))
        return cls(images.to(device), labels.to(device), scale, size)

    def __len__(self) -> int:
        return len(self.labels)

    def seen(self, images: Tensor) -> Tensor:
        """Return some of the images, N×C×H×W of bytes, as the network sees them."""
        x = self.scale.normalised(images)
        if tuple(x.shape[2:]) != self.size:
            x = interpolate(x, self.size, mode="bilinear", antialias=True)
        return x.contiguous(memory_format=torch.channels_last)

    def slices(self, batch: int) -> list[slice]:
        """Return the slices of batches that cover all of them; none is of one image alone, with
        which a batch-norm over 1×1 maps cannot train: such a last one joins the one before."""
        n = len(self)
        starts = list(range(0, n, batch))
        if len(starts) > 1 and n - starts[-1] == 1:
            starts.pop()
        return [slice(a, b) for a, b in zip(starts, [*starts[1:], n], strict=True)]


@dataclass(frozen=True, eq=False)
class Batches:
    """The batches of a training, each of its (epoch, step)."""

    examples: Examples
    recipe: Recipe
    """Settled: its ``augment`` is not ``auto``."""

    @cached_property
    def slices(self) -> list[slice]:
        """The place of each step's images in the order of an epoch."""
        return self.examples.slices(self.recipe.batch)

    def __len__(self) -> int:
        return len(self.slices)

    def at(self, epoch: int, step: int) -> tuple[Tensor, Tensor]:
        """Return what the network sees at a step, and the labels."""
        order = _order(len(self.examples), self.recipe.seed, epoch)
        which = order[self.slices[step]].to(self.examples.images.device)
        images = self.examples.images[which]
        draw = generator(self.recipe.seed, epoch, step, "augment")
        images = augmented(images, self.recipe.augment, draw)
        return self.examples.seen(images), self.examples.labels[which]


@lru_cache(maxsize=1)
def _order(n: int, seed: int, epoch: int) -> Tensor:
    return torch.randperm(n, generator=generator(seed, epoch, "order"))


def augmented(images: Tensor, how: str, draw: torch.Generator) -> Tensor:
    """Return images of bytes, N×C×H×W, each cropped or mirrored as drawn: ``none``, ``crop``,
    ``flip`` or ``crop+flip``."""
    n, c, h, w = images.shape
    edges = (h // CROP, w // CROP) if "crop" in how else (0, 0)
    rows, columns = (
        torch.randint(0, 2 * edge + 1, (n, 1), generator=draw) + torch.arange(side)
        for edge, side in zip(edges, (h, w), strict=True)
    )
    if "flip" in how:
        mirrored = torch.randint(0, 2, (n, 1), generator=draw).bool()
        columns = torch.where(mirrored, columns.flip(1), columns)
    if any(edges):
        images = pad(images, (edges[1], edges[1], edges[0], edges[0]))
    rows, columns = rows.to(images.device), columns.to(images.device)
    each = torch.arange(n, device=images.device)[:, None, None, None]
    channel = torch.arange(c, device=images.device)[None, :, None, None]
    return images[each, channel, rows[:, None, :, None], columns[:, None, None, :]]
