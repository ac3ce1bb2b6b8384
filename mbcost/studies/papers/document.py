"""A paper's printed figures as data: what ``configs/papers/NAME.yaml`` holds, checked.

A row names the network it is about, its settings, and its figures as printed (``569M``). A column
may count in a way of its own; an explanation says why a figure differs, and who else says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from mbcost.cost import PARAMS
from mbcost.errors import MbcostError, did_you_mean
from mbcost.networks.settings import SETTINGS
from mbcost.networks.yaml.catalog import configs_dir
from mbcost.networks.yaml.document import (
    Document,
    Key,
    known_keys,
    list_of,
    mapping_of,
    read_document,
    text_of,
    word_of,
)
from mbcost.studies.papers.printed import Printed, parse_printed

LATEST = "latest"
PAPER_KEYS = ("paper", "source", "versions", "counts", "left_out", "nets", "tables")
TABLE_KEYS = ("table", "title", "columns", "letters", "left_out", "rows", "explained")
COLUMN_KEYS = ("counts", "classifier", "settings", "digits", "adds_up_to", "convention")
NET_KEYS = ("target", "blocks", "streamed", "from_row", "missing")
EXPLAINED_KEYS = ("row", "version", "figure", "reason", "witness", "tried")
ARCHITECTURE = ("input", "kernel", "c", "stride", "exp", "t", "se", "act", "n")
"""The printed parts of a row of an architecture table, which are judged together."""
TOTALS = ("mult_adds", "params")
MEASURES = (
    *TOTALS,
    "mult_adds_share",
    "params_share",
    "mult_adds_ratio",
    "params_ratio",
    "mult_adds_saved",
    "channels",
    "memory",
    "layers",
    "bottlenecks",
    "width",
)
"""The printed figures that are one number."""
EXPRESSIONS = ("formula", "ratio_formula", "output")
ROW_KEYS = ("row", "version", "net", "than", "at", "kind", "map", "without", "note")


@dataclass(frozen=True)
class Column:
    """How a table's column counts; what is not said here is the paper's own way."""

    counts: str = "weights"
    classifier: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)
    """In place of the rows' own, such as classes."""
    digits: int | None = None
    """Significant digits of whole numbers that end in zeros: of 2, 1600 is 16 hundreds."""
    adds_up_to: Printed | None = None
    convention: str = ""
    """Why this column counts otherwise than the rest of the paper; empty where it does not."""


@dataclass(frozen=True)
class Net:
    """What a paper's name for a network is here: a target, or the reason why there is none."""

    target: str = ""
    blocks: bool = False
    """A block is one operation: what is inside it is never held whole."""
    streamed: tuple[str, ...] = ()
    """Rows that are computed a slice of channels at a time, into the row after."""
    from_row: int = 0
    """The first row that the paper counts: the head of a detector without its backbone."""
    missing: str = ""


@dataclass(frozen=True)
class Explained:
    """Why a printed figure differs, who else says so, and which builds were tried."""

    reason: str
    witness: Mapping[str, Any] = field(default_factory=dict)
    tried: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """A printed row: what it is about and its figures, as printed."""

    label: str
    version: str
    net: str
    settings: Mapping[str, Any]
    facts: Mapping[str, Any]
    """``than``, ``at``, ``kind``, ``map``: what a figure needs to know beyond the network."""
    figures: Mapping[str, str]
    left_out: tuple[str, ...]
    place: str


@dataclass(frozen=True)
class PaperTable:
    """A table of a paper, or a section of its text."""

    name: str
    title: str
    rows: tuple[Row, ...]
    columns: Mapping[str, Column]
    letters: Mapping[str, int]
    explained: Mapping[tuple[str, str, str], Explained]
    """By (version, row, figure)."""
    left_out: str = ""


@dataclass(frozen=True)
class Paper:
    """A paper: its tables, and what its names for networks mean here."""

    key: str
    title: str
    source: str
    versions: Mapping[str, str]
    column: Column
    """How the paper counts where a table does not say otherwise."""
    left_out: Mapping[str, str]
    nets: Mapping[str, Net]
    tables: Mapping[str, PaperTable]


def papers_dir() -> Path:
    """Return the directory of the printed figures."""
    return configs_dir() / "papers"


def paper_names() -> tuple[str, ...]:
    """Return the papers that ship with mbcost, by the stems of their files."""
    return tuple(path.stem for path in sorted(papers_dir().glob("*.yaml")))


@cache
def load_paper(name: str) -> Paper:
    """Return a paper by name, or raise with the ones there are."""
    key = name.lower()
    if key not in paper_names():
        raise MbcostError(
            f"no paper is called {name!r}", way_out=f"one of: {', '.join(paper_names())}"
        )
    document = read_document(papers_dir() / f"{key}.yaml", f"configs/papers/{key}.yaml")
    return _Reader(document, key).paper()


class _Reader:
    """Turns one document into a ``Paper``, refusing what it does not know."""

    def __init__(self, document: Document, key: str) -> None:
        self.document = document
        self.key = key
        self.left_out: dict[str, str] = {}
        self.nets: dict[str, Net] = {}
        self.column = Column()

    def paper(self) -> Paper:
        document = self.document
        data = mapping_of(document, document.data)
        known_keys(document, data, PAPER_KEYS)
        self.column = Column(word_of(document, data["counts"], PARAMS, "counts"))
        self.left_out = dict(mapping_of(document, data.get("left_out", {}), "left_out"))
        self.nets = {
            name: self._net(value, "nets", name)
            for name, value in mapping_of(document, data["nets"], "nets").items()
        }
        tables = [
            self._table(value, "tables", i)
            for i, value in enumerate(list_of(document, data["tables"], "tables"))
        ]
        return Paper(
            key=self.key,
            title=text_of(document, data["paper"], "paper"),
            source=text_of(document, data["source"], "source"),
            versions=dict(mapping_of(document, data.get("versions", {}), "versions")),
            column=self.column,
            left_out=self.left_out,
            nets=self.nets,
            tables={table.name: table for table in tables},
        )

    def _net(self, value: Any, *keys: Key) -> Net:
        if isinstance(value, str):
            return Net(value)
        data = mapping_of(self.document, value, *keys)
        known_keys(self.document, data, NET_KEYS, *keys)
        return Net(**{**data, "streamed": tuple(data.get("streamed", ()))})

    def _table(self, value: Any, *keys: Key) -> PaperTable:
        data = mapping_of(self.document, value, *keys)
        known_keys(self.document, data, TABLE_KEYS, *keys)
        rows = tuple(
            self._row(row, *keys, "rows", i)
            for i, row in enumerate(list_of(self.document, data["rows"], *keys, "rows"))
        )
        known = {(row.version, row.label): row for row in rows}
        if len(known) != len(rows):
            raise self.document.error(
                "two rows have the same name", *keys, "rows", way_out="rename one of them"
            )
        explained = {}
        for i, item in enumerate(data.get("explained", [])):
            for place, found in self._explained(item, known, *keys, "explained", i):
                explained[place] = found
        return PaperTable(
            name=text_of(self.document, data["table"], *keys, "table"),
            title=text_of(self.document, data["title"], *keys, "title"),
            rows=rows,
            columns={
                figure: self._column(column, *keys, "columns", figure)
                for figure, column in data.get("columns", {}).items()
            },
            letters=data.get("letters", {}),
            explained=explained,
            left_out=data.get("left_out", ""),
        )

    def _column(self, value: Any, *keys: Key) -> Column:
        data = mapping_of(self.document, value, *keys)
        known_keys(self.document, data, COLUMN_KEYS, *keys)
        column = Column(
            counts=word_of(
                self.document,
                data.get("counts", self.column.counts),
                PARAMS,
                *keys,
                "counts",
            ),
            classifier=bool(data.get("classifier", True)),
            settings=data.get("settings", {}),
            digits=data.get("digits"),
            adds_up_to=parse_printed(data["adds_up_to"]) if "adds_up_to" in data else None,
            convention=data.get("convention", ""),
        )
        differs = not column.classifier or column.settings or column.counts != self.column.counts
        if bool(differs) != bool(column.convention):
            raise self.document.error(
                "a reason stands at a column that counts in its own way, and only there",
                *keys,
                way_out="convention: the reason",
            )
        return column

    def _row(self, value: Any, *keys: Key) -> Row:
        data = mapping_of(self.document, value, *keys)
        figures = (*MEASURES, *EXPRESSIONS)
        known_keys(
            self.document,
            data,
            (*ROW_KEYS, *SETTINGS, *figures, *ARCHITECTURE, *self.left_out),
            *keys,
        )
        label = text_of(self.document, data.get("row"), *keys, "row")
        net = text_of(self.document, data.get("net"), *keys, "net")
        if net not in self.nets:
            way_out = did_you_mean(net, self.nets)
            raise self.document.error(f"unknown net {net!r}", *keys, "net", way_out=way_out)
        layer = "input" in data and "output" not in data
        parts = {k: data[k] for k in ARCHITECTURE if k in data} if layer else {}
        printed = {k: str(data[k]) for k in figures if k in data}
        for figure in printed:
            if figure in MEASURES:
                try:
                    parse_printed(printed[figure])
                except MbcostError as error:
                    raise error.at(self.document.place(*keys, figure)) from None
        if parts:
            printed["architecture"] = ""
        facts = {k: data[k] for k in ROW_KEYS[3:] if k in data}
        if "output" in data:
            facts["input"] = data["input"]
        return Row(
            label=label,
            version=data.get("version", LATEST),
            net=net,
            settings={k: data[k] for k in SETTINGS if k in data and k not in (*parts, "input")},
            facts={**facts, **({"printed": parts} if parts else {})},
            figures=printed,
            left_out=tuple(k for k in data if k in self.left_out),
            place=self.document.place(*keys),
        )

    def _explained(
        self, value: Any, rows: Mapping[tuple[str, str], Row], *keys: Key
    ) -> Iterator[tuple[tuple[str, str, str], Explained]]:
        """Yield the explanation for each figure it is about; ``row`` may be a list of rows."""
        data = mapping_of(self.document, value, *keys)
        known_keys(self.document, data, EXPLAINED_KEYS, *keys)
        found = Explained(
            text_of(self.document, data.get("reason"), *keys, "reason"),
            data.get("witness", {}),
            tuple(data.get("tried", ())),
        )
        version = data.get("version", LATEST)
        labels = data["row"] if isinstance(data["row"], list) else [data["row"]]
        figures = data["figure"] if isinstance(data["figure"], list) else [data["figure"]]
        for label in labels:
            for figure in figures:
                row = rows.get((version, label))
                if row is None or figure not in row.figures:
                    raise self.document.error(
                        f"no {figure!r} in row {label!r}",
                        *keys,
                        way_out=did_you_mean(figure, row.figures if row else ()),
                    )
                yield (version, label, figure), found
