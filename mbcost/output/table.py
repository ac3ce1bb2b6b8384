"""Tables: the only currency between what computes and what prints.

A ``Table`` holds raw records, which files get as they are; ``cells`` turns them into what people
read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mbcost.errors import MbcostError, did_you_mean
from mbcost.output.look import AS_EVER, Look

Record = dict[str, Any]

PENDING = object()
"""A value that is being computed, shown as an ellipsis."""


class Column(NamedTuple):
    """A column as people see it.

    ``kind`` is how the values are shown (see ``cells.SHOW``); ``rank`` says what is left out first
    on a narrow terminal: the highest.
    """

    key: str
    title: str
    kind: str = "text"
    rank: int = 0


class Said(NamedTuple):
    """A sentence of a caption, and the columns that it is of: of none, it always stands."""

    text: str
    keys: tuple[str, ...] = ()


class Finding(NamedTuple):
    """One verdict of a table as CI reports it: an annotation, a test case."""

    target: str
    name: str
    """Of the case: the figure that was checked."""
    passed: bool
    message: str = ""
    """What is the matter, or how it stands; of several lines the first is the short one."""
    level: str = "error"
    """``error``, ``warning`` or ``notice``."""
    file: str | None = None
    line: int | None = None


class Table(NamedTuple):
    """Raw rows, the columns people see, the fields files get, and the words around them."""

    columns: tuple[Column, ...]
    rows: Sequence[Record]
    fields: tuple[str, ...]
    """Keys of the CSV, in order."""
    data: Sequence[Record]
    """Rows of the CSV."""
    document: Any
    """What the JSON holds."""
    title: str = ""
    caption: str = ""
    total: Record | None = None
    notes: tuple[str, ...] = ()
    said: tuple[Said, ...] = ()
    """Sentences of the caption behind ``caption``."""
    look: Look = AS_EVER
    """How its author wants it."""
    findings: tuple[Finding, ...] = ()
    """What CI is told, of a command that has verdicts."""

    @property
    def words(self) -> str:
        """The caption, of the columns that are there and no others."""
        there = {column.key for column in self.columns}
        said = (text for text, keys in self.said if text and (not keys or there & set(keys)))
        return " ".join(filter(None, (self.caption, *said)))


def choose_columns(
    known: Mapping[str, Column], wanted: str | None, default: Sequence[str]
) -> tuple[Column, ...]:
    """Return the columns named in ``wanted`` (keys with commas between), or the default ones."""
    if wanted is None:
        return tuple(known[key] for key in default)
    keys = [key.strip().replace("-", "_") for key in wanted.split(",")]
    if not all(keys):
        problem = f"{wanted!r} has an empty item" if any(keys) else "names no column"
        raise MbcostError(problem, place="--columns", way_out=f"some of: {', '.join(known)}")
    for key in keys:
        if key not in known:
            raise MbcostError(
                f"unknown column {key!r}", place="--columns", way_out=did_you_mean(key, known)
            )
    return tuple(known[key]._replace(rank=0) for key in keys)  # asked for: never left out


def dressed(table: Table, look: Look) -> Table:
    """Return the table as its author wants it, or raise for a column that is not in it."""
    keys = [column.key for column in table.columns]
    for option, given in (("--headings", look.headings), ("--prefix", look.prefixes)):
        for key in given:
            if key and key not in keys:
                raise MbcostError(
                    f"no column {key!r} here", place=option, way_out=did_you_mean(key, keys)
                )
    columns = tuple(c._replace(title=look.headings.get(c.key, c.title)) for c in table.columns)
    said = tuple(_as_headed(sentence, table.columns, look) for sentence in table.said)
    table = table._replace(columns=columns, said=said, look=look)
    if look.caption is not None:
        table = table._replace(caption=look.caption, said=())
    return table if look.title is None else table._replace(title=look.title)


def _as_headed(sentence: Said, columns: Sequence[Column], look: Look) -> Said:
    """Return a sentence that calls its column as its heading does: ``MAdds: multiply-adds``."""
    for column in columns:
        heading = look.headings.get(column.key)
        own = column.key in sentence.keys and sentence.text.startswith(f"{column.title}:")
        if own and heading:
            return sentence._replace(text=f"{heading}{sentence.text[len(column.title) :]}")
    return sentence


def with_names(columns: tuple[Column, ...], names: Sequence[Column]) -> tuple[Column, ...]:
    """Return the columns that people see: with what names a row first, unless it is there."""
    there = {column.key for column in columns}
    return columns if there & {name.key for name in names} else (names[0], *columns)


def sort_rows(rows: list[Record], key: str | None) -> list[Record]:
    """Return the rows by ``key``, rising (``-key``: falling), empty values last."""
    if key is None:
        return rows
    name = key.lstrip("-").replace("-", "_")
    known = list(dict.fromkeys(k for row in rows for k in row))
    if name not in known:
        raise MbcostError(
            f"unknown key {name!r}", place="--sort", way_out=did_you_mean(name, known)
        )
    full = [row for row in rows if row.get(name) is not None]
    try:
        full.sort(key=lambda row: row[name], reverse=key.startswith("-"))
    except TypeError:
        full.sort(key=lambda row: str(row[name]), reverse=key.startswith("-"))
    return full + [row for row in rows if row.get(name) is None]
