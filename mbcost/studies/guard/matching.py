"""Which layer of one network is which layer of another, whose rows may have been inserted,
removed or changed.

Layers are the records of ``LayerCost.record``. Where both networks have the same paths in the same
order, a path is a layer. Otherwise runs of equal rows (or modules) are found first, so that a row
inserted in front does not change the rows behind it; what lies between two runs is aligned by
likeness, first the rows, then the layers in them. There an equal path is only one sign of several,
since an inserted row renumbers those behind it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import groupby

from mbcost.output.table import Record

Pairing = tuple[int | None, int | None]
"""Indices of a layer before and after; None where it is only on one side."""

Layers = list[Record]
Likeness = list[list[int]]
"""A score for each pair, 0 for those that are never paired."""

SIGNATURE = ("kind", "kernel", "stride", "groups", "input", "output", "params", "mult_adds")
MAX_ALIGNED = 10**6
"""Pairs of layers compared between two runs; beyond it rows are paired by path alone."""
MAX_EQUAL = 5 * 10**6
"""Pairs of equal rows among which the longest run is sought; beyond it the same holds."""

_SAME_PATH = 2
_SAME_NAME = 2


def match_layers(before: Sequence[Record], after: Sequence[Record]) -> list[Pairing]:
    """Return how the layers correspond, in order; each layer occurs once."""
    if [layer["path"] for layer in before] == [layer["path"] for layer in after]:
        return [(i, i) for i in range(len(before))]
    rows, others = _rows(before), _rows(after)
    contents = [_contents(row) for row in rows], [_contents(row) for row in others]
    counts, other_counts = Counter(contents[0]), Counter(contents[1])
    pairs: list[tuple[Layers, Layers]] = []
    if sum(count * other_counts[row] for row, count in counts.items()) > MAX_EQUAL:
        pairs += _by_path(rows, others)
    else:
        for a, b, equal in _runs(*contents):
            found_rows, found_others = rows[a], others[b]
            pairs += (
                zip(found_rows, found_others, strict=True)
                if equal
                else _align(found_rows, found_others)
            )
    found: list[Pairing] = []
    i = j = 0
    for row, other in pairs:
        found += [
            (None if a is None else i + a, None if b is None else j + b)
            for a, b in _best(_table(row, other), len(row), len(other))
        ]
        i, j = i + len(row), j + len(other)
    return found


def same(before: Record, after: Record) -> bool:
    """Return whether two layers are alike in all but their paths."""
    return _signature(before) == _signature(after)


def _signature(layer: Record) -> tuple[str, ...]:
    return tuple(str(layer.get(key)) for key in SIGNATURE)


def _rows(layers: Sequence[Record]) -> list[Layers]:
    """Return the layers by the row or module of their paths."""
    return [list(row) for _, row in groupby(layers, lambda layer: _split(layer["path"])[0])]


def _split(path: str) -> tuple[str, str]:
    """Return (``rows.4.0``, ``expand.conv``) of ``rows.4.0.expand.conv``.

    The row ends with the last index that has a name behind it (``features.3`` of
    ``features.3.conv.0.0``), else with the first index, else it is the parent.
    """
    parts = path.split(".")
    indices = [i for i, part in enumerate(parts) if part.isdigit()]
    named = [i for i in indices if i + 1 < len(parts) and i + 1 not in indices]
    end = named[-1] + 1 if named else indices[0] + 1 if indices else len(parts) - 1
    return ".".join(parts[:end]), ".".join(parts[end:])


def _runs(one: Sequence[object], other: Sequence[object]) -> Iterator[tuple[slice, slice, bool]]:
    """Yield the parts of two sequences in order: the longest runs that are equal, and the rest."""
    i = j = 0
    for block in SequenceMatcher(None, one, other, False).get_matching_blocks():
        yield slice(i, block.a), slice(j, block.b), False
        i, j = block.a + block.size, block.b + block.size  # the last is empty and ends both
        yield slice(block.a, i), slice(block.b, j), True


def _by_path(rows: list[Layers], others: list[Layers]) -> Iterator[tuple[Layers, Layers]]:
    """Yield rows of one path together, in both orders; each other row alone."""
    for a, b, equal in _runs([*map(_row_path, rows)], [*map(_row_path, others)]):
        if equal:
            yield from zip(rows[a], others[b], strict=True)
        else:
            yield from ((row, []) for row in rows[a])
            yield from (([], row) for row in others[b])


def _contents(row: Layers) -> tuple[object, ...]:
    return tuple((_split(layer["path"])[1], _signature(layer)) for layer in row)


def _align(rows: list[Layers], others: list[Layers]) -> Iterator[tuple[Layers, Layers]]:
    """Yield the pairing of rows that is most alike and keeps both orders; one may be empty.

    Were layers aligned without their rows, the first half of an inserted block could be paired with
    one block and its second half with another.
    """
    if sum(map(len, rows)) * sum(map(len, others)) > MAX_ALIGNED:
        yield from _by_path(rows, others)
        return
    likeness = [[_total(a, b) for b in others] for a in rows]
    for i, j in _best(likeness, len(rows), len(others)):
        yield [] if i is None else rows[i], [] if j is None else others[j]


def _row_path(row: Layers) -> str:
    return _split(row[0]["path"])[0]


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


def _table(row: Layers, other: Layers) -> Likeness:
    return [[_likeness(a, b) for b in other] for a in row]


def _total(row: Layers, other: Layers) -> int:
    """Return the likeness of two rows: that of their layers, aligned."""
    table = _table(row, other)
    pairs = _best(table, len(row), len(other))
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
