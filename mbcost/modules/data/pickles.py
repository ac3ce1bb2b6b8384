"""Pickles of plain data and arrays of bytes, read without running anything that stands in them.

A pickle is a program: it may name any function of any module and call it. Here the few names that
an array of bytes needs lead to stand-ins of our own, every other one is refused.
"""

from __future__ import annotations

import io
import pickle
from math import prod
from typing import Any, ClassVar

from mbcost.errors import MbcostError


class _DType:
    """Stands for ``numpy.dtype``: its name is kept, whatever else it is told is not looked at."""

    def __init__(self, name: object = None, *_: object) -> None:
        self.name = name.decode("latin-1") if isinstance(name, bytes) else name

    def __setstate__(self, state: object) -> None:
        """Take the byte order and the rest, which bytes do not have."""


class Bytes:
    """Stands for a ``numpy.ndarray`` of bytes: its shape and its content."""

    shape: tuple[int, ...] = ()
    columns_first = False
    content = b""

    def __setstate__(self, state: object) -> None:
        """Take (version, shape, dtype, whether columns come first, content), as arrays write it."""
        match state:
            case (int(), tuple(shape), _DType(name="u1" | "|u1" | "uint8"), flag, bytes(content)):
                pass
            case _:
                raise pickle.UnpicklingError("an array that is not of bytes")
        if not all(type(n) is int and n >= 0 for n in shape) or prod(shape) != len(content):
            raise pickle.UnpicklingError(f"an array of {shape} in {len(content)} bytes")
        self.shape, self.columns_first, self.content = shape, bool(flag), content


class _NdArray:
    """Stands for the class ``numpy.ndarray`` itself, which only ``_reconstruct`` is given."""


def _reconstruct(*_: object) -> Bytes:
    return Bytes()


def _encode(text: object, encoding: object) -> bytes:
    """Stands for ``codecs.encode``, which Python 3 writes bytes with for Python 2."""
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError("bytes in another encoding than latin1")
    return text.encode("latin-1")


KNOWN = {
    ("numpy", "dtype"): _DType,
    ("numpy", "ndarray"): _NdArray,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("_codecs", "encode"): _encode,
}
"""All that the names in a pickle may lead to."""


def _build(unpickler: Any) -> None:
    """Give an object its state: an array or its type alone, no function and no class of ours."""
    if not isinstance(unpickler.stack[-2], Bytes | _DType):
        raise pickle.UnpicklingError(f"it changes a {type(unpickler.stack[-2]).__name__}")
    pickle._Unpickler.dispatch[pickle.BUILD[0]](unpickler)


class _Restricted(pickle._Unpickler):
    """The unpickler in Python, not the one in C: that takes as much memory as a pickle says."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in of a name, or refuse it; nothing is imported."""
        if (module, name) not in KNOWN:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return KNOWN[module, name]

    dispatch: ClassVar = {**pickle._Unpickler.dispatch, pickle.BUILD[0]: _build}


def unpickled(raw: bytes, place: str, way_out: str) -> Any:
    """Return what a pickle of plain data and arrays of bytes holds; arrays as ``Bytes``.

    Raises ``MbcostError`` for any other.
    """
    try:
        return _Restricted(io.BytesIO(raw), encoding="bytes").load()
    except Exception as error:  # whatever a program in a file of any bytes comes to
        reason = str(error) or type(error).__name__
        raise MbcostError(
            f"is refused: a pickle that is not of plain data and bytes: {reason}",
            place=place,
            way_out=way_out,
        ) from None
