"""The 1,797 handwritten digits that scikit-learn carries: real data without a download."""

from __future__ import annotations

from hashlib import sha256

from mbcost.errors import missing, not_installed
from mbcost.modules.data import Data, Part, Size

TESTED = 5
"""A fifth of them are test images; scikit-learn does not part them."""
ENLARGED = 4
"""Each pixel is a square of so many a side, so that 8×8 are 32×32: networks of stride 32 would see
next to nothing of 8×8."""


def read(kind: str, place: str, size: Size | None) -> Data:
    """Return the digits; they are told apart by the digests of their pixels, the least are those
    to test on, so that no library's shuffling decides."""
    if missing(["sklearn"]):
        raise not_installed("digits", ["scikit-learn"], install="'mbcost[digits]'")
    import numpy as np
    from sklearn.datasets import load_digits

    found = load_digits()
    # 0 to 16, as 17 grey values of a byte, so that a picture of a file means the same
    small = np.round(found.images * (255 / 16)).astype(np.uint8)[:, None]
    images = small.repeat(ENLARGED, 2).repeat(ENLARGED, 3)
    labels = found.target.astype(np.int64)
    order = sorted(range(len(labels)), key=lambda i: sha256(images[i].tobytes()).digest())
    test, train = np.split(np.array(order), [len(order) // TESTED])
    return Data(
        kind,
        tuple(map(str, range(10))),
        Part(images[train], labels[train]),
        Part(images[test], labels[test]),
    )
