"""The bytes of a TFLite file by what they hold.

A FlatBuffer is tables, vectors and strings that point at each other. A table begins with how far
before it its vtable lies; that says how long both are, and where in the table each field is
(FlatBuffers' internals). Each that can be reached is of one part; what lies between them is zeros,
so that the next one begins where it has to.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from mbcost.modules.exported import PARAMETERS

CONSTANTS, METADATA, ALIGNMENT = "constants", "metadata", "alignment"
_SCALES, _TENSORS, _OPERATORS = "scales and zero points", "names and shapes of tensors", "operators"
_ENDS, _HEADER = "inputs and outputs", "header"
PARTS = (
    PARAMETERS, _SCALES, CONSTANTS, _TENSORS, _OPERATORS, _ENDS, METADATA, _HEADER, ALIGNMENT
)  # fmt: skip
MOST_ALIGNMENT = 16
"""Bytes: less than so many lie between two things."""


class _Field(NamedTuple):
    """A field that points at something, and which part of the file that is."""

    part: str
    kind: str
    """``string``, the bytes of an element of a vector, or the name of a table; ``*`` before it of a
    vector of tables; ``data`` of a buffer."""


_FIELDS: Mapping[str, Mapping[int, _Field]] = {
    "Model": {
        1: _Field(_HEADER, "*OperatorCode"),
        2: _Field(_HEADER, "*SubGraph"),
        3: _Field(_HEADER, "string"),
        4: _Field(_HEADER, "*Buffer"),
        6: _Field(METADATA, "*Metadata"),
        7: _Field(_ENDS, "*SignatureDef"),
    },
    "OperatorCode": {1: _Field(_HEADER, "string")},
    "SubGraph": {
        0: _Field(_TENSORS, "*Tensor"),
        1: _Field(_ENDS, "4"),
        2: _Field(_ENDS, "4"),
        3: _Field(_OPERATORS, "*Operator"),
        4: _Field(_HEADER, "string"),
    },
    "Tensor": {
        0: _Field(_TENSORS, "4"),
        3: _Field(_TENSORS, "string"),
        4: _Field(_SCALES, "Quantization"),
    },
    "Quantization": {2: _Field(_SCALES, "4"), 3: _Field(_SCALES, "8")},
    "Operator": {
        1: _Field(_OPERATORS, "4"),
        2: _Field(_OPERATORS, "4"),
        4: _Field(_OPERATORS, "Options"),
    },
    "Options": {},
    "Buffer": {0: _Field("", "data")},
    "Metadata": {0: _Field(METADATA, "string")},
    "SignatureDef": {
        0: _Field(_ENDS, "*TensorMap"),
        1: _Field(_ENDS, "*TensorMap"),
        2: _Field(_ENDS, "string"),
    },
    "TensorMap": {0: _Field(_ENDS, "string")},
}
"""By table of TFLite's schema.fbs, its fields by number which point at what we write."""

_Extent = tuple[int, int, str]
"""Where something begins and ends, and its part."""


def parts(data: bytes, buffers: Sequence[str]) -> dict[str, int]:
    """Return the bytes of a file by part; ``buffers`` are the parts of its buffers' data.

    Raises ``ValueError`` where two things overlap, or bytes belong to nothing.
    """
    root = _number(data, "<I", 0)
    extents = {(0, 8, _HEADER), *_table(data, root, "Model", _HEADER, buffers)}
    found = dict.fromkeys(PARTS, 0)
    at = 0
    for start, end, part in [*sorted(extents), (len(data), len(data), ALIGNMENT)]:
        gap = data[at:start]
        if start < at or len(gap) >= MOST_ALIGNMENT or any(gap):
            raise ValueError(f"bytes {min(at, start)} to {start} are of nothing, or of two things")
        found[ALIGNMENT] += len(gap)
        found[part] += end - start
        at = end
    return found


def _number(data: bytes, form: str, at: int) -> int:
    (found,) = struct.unpack_from(form, data, at)
    return int(found)


def _table(data: bytes, at: int, name: str, part: str, buffers: Sequence[str]) -> Iterator[_Extent]:
    """Yield the extents of a table and of all that it points at; vtables serve many tables."""
    vtable = at - _number(data, "<i", at)
    length, size = struct.unpack_from("<HH", data, vtable)
    yield vtable, vtable + length, _HEADER
    yield at, at + size, part
    for number, field in _FIELDS[name].items():
        entry = 4 + 2 * number
        if entry < length and (offset := _number(data, "<H", vtable + entry)):
            yield from _pointed(data, _target(data, at + offset), field, buffers)


def _target(data: bytes, at: int) -> int:
    return at + _number(data, "<I", at)


def _pointed(data: bytes, at: int, field: _Field, buffers: Sequence[str]) -> Iterator[_Extent]:
    """Yield the extents of what a field points at."""
    part, kind = field
    if kind in _FIELDS:
        yield from _table(data, at, kind, part, buffers)
        return
    n = _number(data, "<I", at)
    if kind == "string":
        yield at, at + 4 + n + 1, part
    elif kind == "data":  # how much it is says the header, what it is the buffer
        yield at, at + 4, _HEADER
        yield at + 4, at + 4 + n, part
    elif kind.startswith("*"):
        yield at, at + 4 + 4 * n, part
        for i in range(n):
            table = _target(data, at + 4 + 4 * i)
            if kind == "*Buffer":
                yield from _filled(data, table, buffers[i])
            else:
                yield from _table(data, table, kind[1:], part, buffers)
    else:
        yield at, at + 4 + int(kind) * n, part


def _filled(data: bytes, at: int, part: str) -> Iterator[_Extent]:
    """Yield the extents of a buffer, whose data are of their own part."""
    for start, end, found in _table(data, at, "Buffer", _HEADER, ()):
        yield start, end, found or part
