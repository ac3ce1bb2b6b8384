"""Labelled images to train on: read from what a user has on the disk, whole, as bytes.

Nothing is downloaded. To add a kind: a module beside these with ``read(place, size) -> Data``, and
its line in ``KINDS``; what it imports is imported when it is first read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from mbcost.errors import MbcostError, did_you_mean
from mbcost.units import shape_text, thousands

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LARGEST_BYTES = 4 * 10**9
"""Of the images of one part: they stay in memory, a byte an element."""
MAX_CLASSES = 2**16

Size = tuple[int, int]
"""Height and width in pixels."""


class Part(NamedTuple):
    """Images, N×C×H×W in bytes, and the class of each."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    @property
    def n(self) -> int:
        """How many images there are."""
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Data:
    """Images to train on and others to test on; ``val`` where the data say which these are."""

    name: str
    classes: tuple[str, ...]
    train: Part
    test: Part
    val: Part | None = None
    augment: str = "none"
    """What leaves an image of its class: ``crop``, of an eighth at the edges; ``flip``; both."""

    def __post_init__(self) -> None:
        """Refuse parts that do not fit together: shapes, labels, nothing to train on."""
        if not 1 <= len(self.classes) <= MAX_CLASSES:
            raise MbcostError(
                f"{thousands(len(self.classes))} classes",
                place=self.name,
                way_out=f"1 to {thousands(MAX_CLASSES)}",
            )
        for name, part in self.parts():
            where = f"{self.name}: {name}"
            if not part.n:
                raise MbcostError("holds no images", place=where, way_out="images of every class")
            if len(part.images) != len(part.labels):
                raise MbcostError(
                    f"{len(part.images)} images and {len(part.labels)} labels",
                    place=where,
                    way_out="a label for each image",
                )
            if part.images.shape[1:] != self.train.images.shape[1:]:
                raise MbcostError(
                    f"images are {shape_text(part.images.shape[1:], '×')}, those to train on "
                    f"{shape_text(self.shape, '×')}",
                    place=where,
                    way_out="images of one shape",
                )
            low, high = int(part.labels.min()), int(part.labels.max())
            if low < 0 or high >= len(self.classes):
                raise MbcostError(
                    f"labels from {low} to {high} for {len(self.classes)} classes",
                    place=where,
                    way_out=f"labels from 0 to {len(self.classes) - 1}",
                )

    def parts(self) -> Iterator[tuple[str, Part]]:
        """Yield the parts by name."""
        yield "train", self.train
        yield "test", self.test
        if self.val is not None:
            yield "val", self.val

    @property
    def shape(self) -> tuple[int, int, int]:
        """C, H, W of an image."""
        _, c, h, w = self.train.images.shape
        return c, h, w

    @cached_property
    def sha256(self) -> str:
        """The digest of everything a training sees: classes, shapes, pixels and labels."""
        digest = sha256("\n".join(self.classes).encode())
        for name, part in self.parts():
            digest.update(f"\n{name} {part.images.shape}\n".encode())
            digest.update(part.images.tobytes())
            digest.update(part.labels.astype("<i8").tobytes())
        return digest.hexdigest()


class Kind(NamedTuple):
    """A kind of data: how it is typed, what it is, and the module that reads it."""

    typed: str
    what: str
    module: str


KINDS = {
    "fashion-mnist": Kind("fashion-mnist:DIR", "four idx files, .gz or not", "idx"),
    "mnist": Kind("mnist:DIR", "four idx files, .gz or not", "idx"),
    "cifar10": Kind("cifar10:DIR", "its python or its binary folder", "cifar10"),
    "images": Kind("images:DIR", "train/CLASS/*.png, test/CLASS/*.png, perhaps val/", "folders"),
    "digits": Kind("digits", "scikit-learn's 1,797 digits of 8×8 pixels", "digits"),
    "npz": Kind("FILE.npz", "x_train, y_train, x_test, y_test, perhaps x_val, y_val", "npz"),
}
"""How data are named on the command line."""


def read(source: str, size: Size | None = None) -> Data:
    """Return the data that ``source`` names: ``fashion-mnist:DIR``, ``digits``, ``file.npz``.

    ``size`` is what images of a folder are made; data of one size of their own ignore it. Raises
    ``MbcostError`` for what is not there, with what to fetch.
    """
    kind, place = kind_of(source)
    module = import_module(f"mbcost.modules.data.{KINDS[kind].module}")
    found: Data = module.read(kind, place, size)
    return found


def kind_of(source: str) -> tuple[str, str]:
    """Return the kind of the data that ``source`` names, and where they are."""
    if source.lower().endswith(".npz") and ":" not in source:
        return "npz", source
    kind, colon, place = source.partition(":")
    kind = kind.strip().lower().replace("_", "-")
    if kind not in KINDS or kind == "npz":
        raise MbcostError(
            f"unknown data {source!r}",
            place="--data",
            way_out=did_you_mean(source, [kind.typed for kind in KINDS.values()]),
        )
    if kind == "digits":
        if colon:
            raise MbcostError("digits have no folder", place="--data", way_out="--data digits")
    elif not place.strip():
        raise MbcostError("no folder", place=f"--data {source}", way_out=KINDS[kind].typed)
    return kind, place
