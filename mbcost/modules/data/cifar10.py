"""CIFAR-10 in its two forms: the python folder and the binary one.

A python batch is a pickle of a dict: ``data``, N×3072 bytes (red, green, blue, each 32×32), and
``labels``. A binary one is N records of 3,073 bytes: the label, then the same.
(https://www.cs.toronto.edu/~kriz/cifar.html)
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mbcost.errors import MbcostError
from mbcost.modules.data import Data, Part, Size
from mbcost.modules.data.pickles import Bytes, unpickled
from mbcost.paths import mode_of, read_whole

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
PIXELS = 3 * 32 * 32
LARGEST_FILE = 100_000_000
"""Bytes of a batch: 10,000 images are 31 MB."""
FETCH = (
    "fetch cifar-10-python.tar.gz or cifar-10-binary.tar.gz from "
    "https://www.cs.toronto.edu/~kriz/cifar.html and unpack it"
)


class Form(NamedTuple):
    """One of the two forms: the folder of its archive, how its files are named and read."""

    folder: str
    suffix: str
    parse: Callable[[bytes, str], Part]

    def names(self) -> dict[str, list[str]]:
        """Return the files of each part."""
        batches = [f"data_batch_{i}{self.suffix}" for i in range(1, 6)]
        return {"train": batches, "test": [f"test_batch{self.suffix}"]}


def read(kind: str, place: str, size: Size | None) -> Data:
    """Return CIFAR-10 from one of its folders, or from the folder that such a one lies in."""
    import numpy as np

    form, folder = _found(place)
    parts = {}
    for name, files in form.names().items():
        found = []
        for file in files:
            raw = read_whole(folder / file, LARGEST_FILE, "CIFAR-10", FETCH)
            found.append(form.parse(raw, str(folder / file)))
        images = np.concatenate([part.images for part in found])
        parts[name] = Part(images, np.concatenate([part.labels for part in found]))
    return Data(kind, CLASSES, parts["train"], parts["test"], augment="crop+flip")


def _found(place: str) -> tuple[Form, Path]:
    for form in (
        Form("cifar-10-batches-py", "", pickled),
        Form("cifar-10-batches-bin", ".bin", binary),
    ):
        for folder in (Path(place), Path(place, form.folder)):
            if mode_of(folder / f"data_batch_1{form.suffix}", place):
                return form, folder
    raise MbcostError("has neither data_batch_1 nor data_batch_1.bin", place=place, way_out=FETCH)


def binary(raw: bytes, place: str) -> Part:
    """Return the images of a binary batch."""
    import numpy as np

    if len(raw) % (PIXELS + 1):
        raise MbcostError(
            f"is {len(raw)} bytes, not a multiple of {PIXELS + 1}", place=place, way_out=FETCH
        )
    records = np.frombuffer(raw, np.uint8).reshape(-1, PIXELS + 1)
    return Part(_images(records[:, 1:]), records[:, 0].astype(np.int64))


def pickled(raw: bytes, place: str) -> Part:
    """Return the images of a python batch; nothing in it is run."""
    import numpy as np

    batch = unpickled(raw, place, FETCH)
    if not isinstance(batch, dict):
        raise MbcostError(f"holds a {type(batch).__name__}, no dict", place=place, way_out=FETCH)
    known: dict[Any, Any] = {k.decode() if isinstance(k, bytes) else k: v for k, v in batch.items()}
    data, labels = known.get("data"), known.get("labels")
    if not isinstance(data, Bytes) or data.shape[1:] != (PIXELS,) or data.columns_first:
        raise MbcostError(f"has no data of N×{PIXELS} bytes", place=place, way_out=FETCH)
    if not isinstance(labels, list) or not all(type(n) is int and 0 <= n < 10 for n in labels):
        raise MbcostError("has no labels from 0 to 9", place=place, way_out=FETCH)
    images = np.frombuffer(data.content, np.uint8).reshape(data.shape)
    return Part(_images(images), np.array(labels, np.int64))


def _images(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return rows.reshape(-1, 3, 32, 32)
