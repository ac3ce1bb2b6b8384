"""What a row reads and what reads it: names, taps and inputs, checked before anything is built."""

from __future__ import annotations

from collections.abc import Sequence

from mbcost.errors import did_you_mean
from mbcost.networks.blocks import MERGES, arity
from mbcost.networks.lowering import INPUT
from mbcost.networks.rows import Row
from mbcost.networks.yaml.document import Document
from mbcost.networks.yaml.events import Key


def check_taps(document: Document, row: Row, *keys: Key) -> None:
    """Raise where a stage is tapped of a block that repeats."""
    if row.taps and row.n != 1:
        raise document.error(
            "taps a stage of a block that repeats",
            *keys,
            "tap",
            way_out="give the repeat that is tapped a row of its own",
        )


def check_arity(document: Document, block: str, inputs: Sequence[str], *keys: Key) -> None:
    """Raise where a merge names fewer or more inputs than it reads."""
    merge = MERGES[block]
    if not merge.least <= len(inputs) <= merge.most:
        raise document.error(
            f"names {len(inputs)} inputs, but {block} reads {arity(merge)}",
            *keys,
            way_out="like inputs: [low, high]",
        )


def check_wiring(document: Document, rows: Sequence[Row]) -> None:
    """Raise where a name is unknown, given twice or never read, or where a row leads nowhere."""
    places: dict[str, tuple[Key, ...]] = {INPUT: ()}
    read: set[str] = {INPUT}
    later = {name for row in rows for name, _ in _names(row)}
    for i, row in enumerate(rows):
        for j, name in enumerate(row.inputs):
            if name not in places:
                raise document.error(
                    f"{name!r} stands below" if name in later else f"no row is called {name!r}",
                    "rows",
                    i,
                    "inputs",
                    j,
                    way_out="a row reads from rows above it"
                    if name in later
                    else did_you_mean(name, places),
                )
            read.add(name)
        for name, keys in _names(row):
            if name in places:
                raise document.error(
                    f"the name {name!r} is taken", "rows", i, *keys, way_out="rename one of them"
                )
            places[name] = ("rows", i, *keys)
    for name, where in places.items():
        if name not in read:
            raise document.error(
                f"nothing reads {name!r}", *where, way_out="name it in a row's inputs, or drop it"
            )
    for i in range(len(rows)):
        if rows[i].name not in read and not _leads_on(rows, i):
            raise document.error(
                "nothing reads this row",
                "rows",
                i,
                way_out="output: true puts it out; name: lets a later row read it",
            )


def _names(row: Row) -> list[tuple[str, tuple[Key, ...]]]:
    """Return the row's names, each with the keys it stands under."""
    named: list[tuple[str, tuple[Key, ...]]] = [(row.name, ("name",))] if row.name else []
    return named + [(tap, ("tap", tap)) for tap, _ in row.taps]


def _leads_on(rows: Sequence[Row], i: int) -> bool:
    """Return whether the row's map is put out or read by the next row, which names no inputs."""
    last = i == len(rows) - 1
    return last or rows[i].output or not rows[i + 1].inputs
