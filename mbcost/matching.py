"""Which layer of one network is which layer of another, whose rows may have been inserted,
removed or changed.

Layers are the records of ``LayerCost.record``. Where both networks have the same paths in the same
order, a path is a layer. Otherwise runs of equal layers are found first (so that a row inserted in
front does not change the rows behind it), and what lies between two runs is aligned by likeness, in
which a path weighs most: first the rows (or modules), then the layers in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import groupby

from mbcost.tables import Record

Pairing = tuple[int | None, int | None]
"""Indices of a layer before and after; None where it is only on one side."""

Likeness = list[list[int]]
"""A score for each pair, 0 for those that are never paired."""

SIGNATURE = ("kind", "kernel", "stride", "groups", "input", "output", "params", "mult_adds")
MAX_ALIGNED = 10**6
"""Pairs of layers compared between two runs; beyond it layers are paired by path alone."""

_SAME_PATH = 8
_SAME_NAME = 2


def match_layers(before: Sequence[Record], after: Sequence[Record]) -> list[Pairing]:
    """Return how the layers correspond, in order; each layer occurs once."""
    if [layer["path"] for layer in before] == [layer["path"] for layer in after]:
        return [(i, i) for i in range(len(before))]
    blocks = SequenceMatcher(
        None, [_signature(layer) for layer in before], [_signature(layer) for layer in after], False
    ).get_matching_blocks()
    pairs: list[Pairing] = []
    i = j = 0
    for block in blocks:  # the last one is empty and ends both sequences
        pairs += [
            (None if a is None else i + a, None if b is None else j + b)
            for a, b in _align(before[i : block.a], after[j : block.b])
        ]
        pairs += [(block.a + k, block.b + k) for k in range(block.size)]
        i, j = block.a + block.size, block.b + block.size
    return pairs


def same(before: Record, after: Record) -> bool:
    """Return whether two layers are alike in all but their paths."""
    return _signature(before) == _signature(after)


def _signature(layer: Record) -> tuple[str, ...]:
    return tuple(str(layer.get(key)) for key in SIGNATURE)


def _align(before: Sequence[Record], after: Sequence[Record]) -> Iterator[Pairing]:
    """Yield the pairing of rows, and of layers in them, that is most alike and keeps both orders.

    Were layers aligned without their rows, the first half of an inserted block could be paired with
    one block and its second half with another.
    """
    if len(before) * len(after) > MAX_ALIGNED:
        yield from _by_path(before, after)
        return
    rows_before, rows_after = _rows(before), _rows(after)
    likeness = [[_total(a, b) for b in rows_after] for a in rows_before]
    i = j = 0
    for row, other in _best(likeness, len(rows_before), len(rows_after)):
        a = [] if row is None else rows_before[row]
        b = [] if other is None else rows_after[other]
        for k, m in _best(_table(a, b), len(a), len(b)):
            yield (None if k is None else i + k, None if m is None else j + m)
        i, j = i + len(a), j + len(b)


def _rows(layers: Sequence[Record]) -> list[list[Record]]:
    """Return the layers by what their paths share up to the last index: ``rows.4.0``."""
    return [list(row) for _, row in groupby(layers, lambda layer: _split(layer["path"])[0])]


def _split(path: str) -> tuple[str, str]:
    """Return (``rows.4.0``, ``expand.conv``) of ``rows.4.0.expand.conv``."""
    parts = path.split(".")
    last = max((i for i, part in enumerate(parts) if part.isdigit()), default=-1)
    return ".".join(parts[: last + 1]), ".".join(parts[last + 1 :])


def _best(likeness: Likeness, rows: int, columns: int) -> list[Pairing]:
    """Return the pairing of greatest total likeness that keeps both orders."""
    # best[i][j]: the greatest total of what comes from i and j on
    best = [[0] * (columns + 1) for _ in range(rows + 1)]
    for i in reversed(range(rows)):
        for j in reversed(range(columns)):
            paired = likeness[i][j] + best[i + 1][j + 1] if likeness[i][j] else 0
            best[i][j] = max(paired, best[i + 1][j], best[i][j + 1])
    pairs: list[Pairing] = []
    i = j = 0
    while i < rows or j < columns:
        total = best[i][j]
        if i < rows and best[i + 1][j] == total:
            pairs.append((i, None))
            i += 1
        elif j < columns and best[i][j + 1] == total:
            pairs.append((None, j))
            j += 1
        else:
            pairs.append((i, j))
            i, j = i + 1, j + 1
    return pairs


def _table(before: Sequence[Record], after: Sequence[Record]) -> Likeness:
    return [[_likeness(a, b) for b in after] for a in before]


def _total(before: Sequence[Record], after: Sequence[Record]) -> int:
    """Return the likeness of two rows: that of their layers, aligned."""
    table = _table(before, after)
    pairs = _best(table, len(before), len(after))
    return sum(table[i][j] for i, j in pairs if i is not None and j is not None)


def _likeness(before: Record, after: Record) -> int:
    """Return how alike two layers are; 0 if neither path nor kind is the same."""
    score: int = _SAME_PATH if before["path"] == after["path"] else 0
    if before["kind"] != after["kind"]:
        return score
    score += 1 + sum(before.get(key) == after.get(key) for key in ("kernel", "stride", "groups"))
    for key in ("input", "output"):
        x, y = before.get(key) or [], after.get(key) or []
        score += int(x[:1] == y[:1]) + int(x[1:] == y[1:])  # channels; height and width
    same_name = _split(before["path"])[1] == _split(after["path"])[1]
    return score + (_SAME_NAME if same_name else 0)


def _by_path(before: Sequence[Record], after: Sequence[Record]) -> Iterator[Pairing]:
    places = {layer["path"]: j for j, layer in enumerate(after)}
    j = 0
    for i, layer in enumerate(before):
        found = places.get(layer["path"], -1)
        if found < j:
            yield i, None
            continue
        yield from ((None, k) for k in range(j, found))
        yield i, found
        j = found + 1
    yield from ((None, k) for k in range(j, len(after)))
