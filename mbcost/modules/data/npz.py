"""Images in an ``.npz`` file of numpy: ``x_train y_train x_test y_test``, perhaps ``x_val y_val``;
or ``train_images train_labels`` and so on."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from mbcost.errors import MbcostError
from mbcost.modules.data import LARGEST_BYTES, Data, Part, Size
from mbcost.paths import read_whole
from mbcost.units import bytes_in_words, shape_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

KEYS = ("x_{}", "y_{}"), ("{}_images", "{}_labels")
LAYOUT = (
    "numpy.savez(FILE, x_train=…, y_train=…, x_test=…, y_test=…): images N×H×W or N×H×W×C of "
    "uint8, labels N whole numbers"
)
CHANNELS = (1, 3, 4)
"""What a last dimension is taken for channels at."""


def read(kind: str, place: str, size: Size | None) -> Data:
    """Return the images of a file; classes are numbered, as many as the labels go up to."""
    arrays = _arrays(place)
    parts = {}
    for name in ("train", "test", "val"):
        keys = [(x.format(name), y.format(name)) for x, y in KEYS]
        pair = next((pair for pair in keys if pair[0] in arrays and pair[1] in arrays), None)
        if pair is not None:
            images, labels = (arrays[key] for key in pair)
            parts[name] = Part(
                _images(images, f"{place}: {pair[0]}"), _labels(labels, f"{place}: {pair[1]}")
            )
        elif name != "val":
            raise MbcostError(f"lacks {' and '.join(keys[0])}", place=place, way_out=LAYOUT)
    classes = 1 + max(int(part.labels.max(initial=0)) for part in parts.values())
    names = tuple(map(str, range(min(classes, 2**17))))
    return Data(
        Path(place).name, names, parts["train"], parts["test"], parts.get("val"), augment="crop"
    )


def _arrays(place: str) -> dict[str, NDArray[np.generic]]:
    import numpy as np

    raw = read_whole(Path(place), LARGEST_BYTES, "npz", LAYOUT)
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            _check_unpacked(sum(member.file_size for member in archive.infolist()))
        with np.load(io.BytesIO(raw), allow_pickle=False) as found:
            known = [key.format(part) for pair in KEYS for key in pair for part in _PARTS]
            return {key: found[key] for key in known if key in found.files}
    except Exception as error:  # whatever reading a file of any bytes raises
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise MbcostError(f"cannot be read: {reason}", place=place, way_out=LAYOUT) from None


def _check_unpacked(size: int) -> None:
    if size > 2 * LARGEST_BYTES:
        raise ValueError(f"it unpacks to {bytes_in_words(size)}")


_PARTS = ("train", "test", "val")


def _images(array: NDArray[np.generic], place: str) -> NDArray[np.uint8]:
    import numpy as np

    wrong = array.dtype != np.uint8 or array.ndim not in (3, 4) or 0 in array.shape
    if wrong or (array.ndim == 4 and array.shape[3] not in CHANNELS):
        raise MbcostError(
            f"is {shape_text(array.shape, '×')} of {array.dtype}", place=place, way_out=LAYOUT
        )
    if array.ndim == 3:
        return np.ascontiguousarray(array[:, None], np.uint8)
    return np.ascontiguousarray(array.transpose(0, 3, 1, 2), np.uint8)


def _labels(array: NDArray[np.generic], place: str) -> NDArray[np.int64]:
    import numpy as np

    if not np.issubdtype(array.dtype, np.integer) or array.size != array.shape[0]:
        raise MbcostError(
            f"is {shape_text(array.shape, '×')} of {array.dtype}", place=place, way_out=LAYOUT
        )
    return array.reshape(-1).astype(np.int64)
