"""Data in the four idx files of MNIST, which Fashion-MNIST has too: gzipped or not.

An idx file of bytes is 0, 0, 8, the number of dimensions, each dimension in four bytes, big-endian,
then the elements (http://yann.lecun.com/exdb/mnist, "the IDX file format").
"""

from __future__ import annotations

import gzip
import io
import zlib
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from mbcost.errors import MbcostError
from mbcost.modules.data import LARGEST_BYTES, Data, Part, Size
from mbcost.paths import mode_of, read_whole

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FASHION = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
"""The classes of Fashion-MNIST, in the order of their labels (arXiv:1708.07747, Table 2)."""

FILES = {"train": "train", "test": "t10k"}
FETCH = {
    "fashion-mnist": "fetch its four files from https://github.com/zalandoresearch/fashion-mnist, "
    "or install Debian's package dataset-fashion-mnist",
    "mnist": "fetch the four files train-images-idx3-ubyte.gz and so on of the MNIST database",
}
_BYTES = 8
"""The type of element that is read: unsigned bytes."""


def read(kind: str, place: str, size: Size | None) -> Data:
    """Return MNIST or Fashion-MNIST from a folder."""
    parts = {}
    for name, stem in FILES.items():
        images = _array(place, f"{stem}-images", 3, FETCH[kind])
        labels = _array(place, f"{stem}-labels", 1, FETCH[kind])
        parts[name] = Part(images[:, None], labels.astype("int64"))
    fashion = kind == "fashion-mnist"
    classes = FASHION if fashion else tuple(map(str, range(10)))
    augment = "flip" if fashion else "crop"  # clothes fill their image: a crop cuts them
    return Data(kind, classes, parts["train"], parts["test"], augment=augment)


def _array(place: str, stem: str, dimensions: int, fetch: str) -> NDArray[np.uint8]:
    """Return the array in one file of a folder."""
    names = [f"{stem}{dot}idx{dimensions}-ubyte{end}" for end in ("", ".gz") for dot in "-."]
    found = [Path(place, name) for name in names if mode_of(Path(place, name), place)]
    if not found:
        raise MbcostError(f"has no {names[0]}, nor one with .gz", place=place, way_out=fetch)
    path = found[0]
    raw = read_whole(path, LARGEST_BYTES, "idx", fetch)
    return parsed(unzipped(raw, str(path), fetch), dimensions, str(path), fetch)


def unzipped(raw: bytes, place: str, fetch: str) -> bytes:
    """Return the content of a file that may be gzipped, within the bound of a part."""
    if raw[:2] != b"\x1f\x8b":
        return raw
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as file:
            content = file.read(LARGEST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise MbcostError(f"is no whole gzip file: {error}", place=place, way_out=fetch) from None
    if len(content) > LARGEST_BYTES:
        raise MbcostError("unpacks to more than 4 GB", place=place, way_out="fewer images")
    return content


def parsed(raw: bytes, dimensions: int, place: str, fetch: str) -> NDArray[np.uint8]:
    """Return the array of bytes that an idx file holds."""
    import numpy as np

    if raw[:4] != bytes((0, 0, _BYTES, dimensions)):
        raise MbcostError(
            f"is no idx file of bytes in {dimensions} dimensions: it begins with "
            f"{raw[:4].hex(' ') or 'nothing'}",
            place=place,
            way_out=fetch,
        )
    header = 4 + 4 * dimensions
    shape = [int.from_bytes(raw[i : i + 4], "big") for i in range(4, header, 4)]
    if len(raw) != header + prod(shape):
        raise MbcostError(
            f"holds {len(raw)} bytes, not the {header + prod(shape)} that its header says",
            place=place,
            way_out=f"was it fetched whole? {fetch}",
        )
    return np.frombuffer(raw, np.uint8, offset=header).reshape(shape)
