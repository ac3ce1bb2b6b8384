"""Image files in folders: ``train/CLASS/…``, ``test/CLASS/…`` and perhaps ``val/CLASS/…``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from mbcost.errors import MbcostError, missing, not_installed, shown
from mbcost.modules.data import LARGEST_BYTES, MAX_CLASSES, Data, Part, Size
from mbcost.units import bytes_in_words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "PPM", "TIFF", "WEBP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".pgm", ".ppm", ".tif", ".tiff", ".webp")
MOST_PIXELS = 100_000_000
"""Of one file: it is opened whole."""
LAYOUT = "folders train/CLASS and test/CLASS with image files in them, perhaps val/CLASS"
_GREY = ("1", "L")
"""Modes of images of one channel; every other becomes RGB."""


def require() -> None:
    """Raise where what opens image files is missing."""
    if missing(["PIL"]):
        raise not_installed("image files", ["pillow"], install="'mbcost[models]'")


def read(kind: str, place: str, size: Size | None) -> Data:
    """Return the images of a folder, each made ``size`` by scaling it and cutting what stands over.

    Without a size all have to be of one. They are grey where all those to train on are.
    """
    require()
    folder = Path(place)
    if not (folder / "train").is_dir() or not (folder / "test").is_dir():
        raise MbcostError("has no train and test in it", place=place, way_out=LAYOUT)
    classes = tuple(sorted(path.name for path in (folder / "train").iterdir() if path.is_dir()))
    if not 1 <= len(classes) <= MAX_CLASSES:
        raise MbcostError("has no classes", place=f"{place}/train", way_out=LAYOUT)
    files = {name: _files(folder / name, classes) for name in ("train", "test", "val")}
    channels = 1 if all(_is_grey(file) for file, _ in files["train"]) else 3
    if size is None:
        size = _common_size(path for found in files.values() for path, _ in found)
    parts = {name: _part(found, size, channels) for name, found in files.items() if found}
    return Data(kind, classes, parts["train"], parts["test"], parts.get("val"), augment="crop+flip")


def _files(folder: Path, classes: tuple[str, ...]) -> list[tuple[Path, int]]:
    """Return the files of a part with their labels, in the order of their names."""
    if not folder.is_dir():
        return []
    unknown = sorted({path.name for path in folder.iterdir() if path.is_dir()} - set(classes))
    if unknown:
        raise MbcostError(
            f"has a class {shown(unknown[0])} that train has not", place=str(folder), way_out=LAYOUT
        )
    found = [
        (path, label)
        for label, name in enumerate(classes)
        for path in sorted((folder / name).glob("*"))
        if path.suffix.lower() in SUFFIXES
    ]
    if not found:
        raise MbcostError("has no images", place=str(folder), way_out=LAYOUT)
    return found


def _part(files: list[tuple[Path, int]], size: Size, channels: int) -> Part:
    import numpy as np

    shape = (len(files), channels, *size)
    if (space := len(files) * channels * size[0] * size[1]) > LARGEST_BYTES:
        raise MbcostError(
            f"images take {bytes_in_words(space)} of memory, above {bytes_in_words(LARGEST_BYTES)}",
            place=str(files[0][0].parent.parent),
            way_out="a smaller --size",
        )
    images = np.empty(shape, np.uint8)
    for i, (path, _) in enumerate(files):
        images[i] = pixels(path, size, channels)
    return Part(images, np.array([label for _, label in files], np.int64))


def pixels(path: Path, size: Size, channels: int) -> NDArray[np.uint8]:
    """Return an image file as C×H×W bytes of a size, scaled to cover it and cut in the middle."""
    import numpy as np
    from PIL import Image, ImageOps

    with _opened(path) as image:
        try:
            plain = image.convert("L" if channels == 1 else "RGB")
        except (OSError, SyntaxError, ValueError) as error:
            raise _unreadable(path, error) from None
    if plain.size != size[::-1]:
        plain = ImageOps.fit(plain, size[::-1], Image.Resampling.BILINEAR)
    found = np.asarray(plain, np.uint8)
    return found[None] if channels == 1 else found.transpose(2, 0, 1)


def _opened(path: Path) -> Image.Image:
    from PIL import Image

    try:
        image = Image.open(path, formats=FORMATS)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _unreadable(path, error) from None
    if image.width * image.height > MOST_PIXELS:
        raise MbcostError(
            f"is {image.width}×{image.height} pixels", place=str(path), way_out="a smaller image"
        )
    return image


def _unreadable(path: Path, error: Exception) -> MbcostError:
    reason = getattr(error, "strerror", None) or str(error)
    return MbcostError(
        f"cannot be read as an image: {reason}", place=str(path), way_out="a PNG or JPEG file"
    )


def _is_grey(path: Path) -> bool:
    with _opened(path) as image:
        return image.mode in _GREY


def _common_size(paths: Iterable[Path]) -> Size:
    """Return the size that all have."""
    size: Size | None = None
    for path in paths:
        with _opened(path) as image:
            found = image.height, image.width
        if found != (size := size or found):
            raise MbcostError(
                f"is {found[0]}×{found[1]} pixels, others are {size[0]}×{size[1]}",
                place=str(path),
                way_out="--size makes them one",
            )
    assert size is not None
    return size
