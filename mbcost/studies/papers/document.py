"""A paper's printed figures as data: what ``configs/papers/NAME.yaml`` holds, checked.

A row names the network it is about, its settings, and its figures as printed (``569M``). A column
may count in a way of its own; an explanation says why a figure differs, and who else says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from mbcost.cost import CONVENTIONS, PAPERS, PARAMS
from mbcost.errors import MbcostError, did_you_mean
from mbcost.networks import rules
from mbcost.networks.network import MAX_ROWS
from mbcost.networks.rules import fields_of
from mbcost.networks.settings import SETTINGS
from mbcost.networks.yaml.catalog import configs_dir
from mbcost.networks.yaml.check import check
from mbcost.networks.yaml.document import Document, read_document
from mbcost.networks.yaml.events import Key
from mbcost.studies.papers.printed import Printed, parse_printed

LATEST = "latest"
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
FACTS = ("than", "of", "at", "kind", "map", "without", "scales", "flips", "plus", "note")
"""What a row says that its figures need to know beyond the network."""
Counted = Literal["all", "convolutions", "pools too"]
COUNTED: tuple[Counted, ...] = get_args(Counted)
"""What enters a network's mult-adds: all of it, its convolutions alone, or also the inputs of its
average pools, one each."""
SOME = rules.MappingOf(rules.Anything())


@dataclass(frozen=True)
class Column:
    """How a table's column counts; what is not said here is the paper's own way."""

    counts: Annotated[str, rules.OneOf(tuple(PARAMS), "which params")] = "weights"
    classifier: Annotated[bool, rules.Truth("with the classifier")] = True
    settings: Annotated[Mapping[str, Any], SOME] = field(default_factory=dict)
    """In place of the rows' own, such as classes."""
    digits: Annotated[int | None, rules.Whole(1, 18, "significant digits")] = None
    """Significant digits of whole numbers that end in zeros: of 2, 1600 is 16 hundreds."""
    adds_up_to: Annotated[Printed | None, rules.Text("a figure as printed")] = None
    counted_as: Annotated[str, rules.OneOf(tuple(CONVENTIONS), "a convention")] = PAPERS.name
    """How mult-adds are counted, halved where it counts two per multiply-add."""
    fitted: Annotated[int, rules.Whole(0, 10**6, "operations per pixel of the image")] = 0
    """A constant that no source gives: fitted to the column."""
    plus_one: Annotated[bool, rules.Truth("an image one pixel larger than the row says")] = False
    of_printed: Annotated[bool, rules.Truth("a quotient of printed figures")] = False
    convention: Annotated[str, rules.Text("a sentence")] = ""
    """Why this column counts otherwise than the rest of the paper; empty where it does not."""

    @property
    def own_way(self) -> bool:
        """Whether it counts otherwise than a column that says nothing, but for its params."""
        plain = Column(self.counts, digits=self.digits, adds_up_to=self.adds_up_to)
        return replace(self, convention="") != plain


@dataclass(frozen=True)
class Net:
    """What a paper's name for a network is here: a target, or the reason why there is none."""

    target: Annotated[str, rules.Text("a target")] = ""
    blocks: Annotated[bool, rules.Truth("blocks are not looked into")] = False
    """A block is one operation: what is inside it is never held whole."""
    streamed: Annotated[tuple[str, ...], rules.ListOf(rules.Text("a row"))] = ()
    """Rows that are computed a slice of channels at a time, into the row after."""
    from_row: Annotated[int, rules.Whole(0, MAX_ROWS, "a row")] = 0
    """The first row that the paper counts: the head of a detector without its backbone."""
    missing: Annotated[str, rules.Text("why there is none")] = ""
    counted: Annotated[Counted, rules.OneOf(COUNTED, "what counts")] = "all"
    """Whose mult-adds are printed, wherever the paper prints them: what the source of a network
    counts that is cited, or the paper of its own networks."""
    convention: Annotated[str, rules.Text("a sentence")] = ""
    """Why it is counted otherwise than the rest of the paper, with the source."""


@dataclass(frozen=True)
class Explained:
    """Why a printed figure differs, who else says so, and which builds were tried."""

    reason: Annotated[str, rules.Text("a sentence")]
    witness: Annotated[Mapping[str, Any], SOME] = field(default_factory=dict)
    tried: Annotated[tuple[str, ...], rules.ListOf(rules.Text("a target"))] = ()


@dataclass(frozen=True)
class Row:
    """A printed row: what it is about and its figures, as printed."""

    id: Annotated[str, rules.Text("of the printed row, as v1-t6-01")]
    label: Annotated[str, rules.Text("as printed"), rules.As("row")]
    net: Annotated[str, rules.Text("a name of nets")]
    settings: Mapping[str, Any]
    facts: Mapping[str, Any]
    """``than``, ``at``, ``kind``, ``map``: what a figure needs to know beyond the network."""
    figures: Mapping[str, str]
    left_out: tuple[str, ...]
    place: str
    version: Annotated[str, rules.Text("of the paper")] = LATEST


_NAMED = rules.OrList(rules.Text(""))
EXPLAINED = rules.Keys(
    {
        "row": rules.Field("rows", _NAMED, required=True),
        "version": rules.Field("version", rules.Text("of the paper")),
        "figure": rules.Field("figures", _NAMED, required=True),
        **fields_of(Explained),
    }
)


@dataclass(frozen=True)
class PaperTable:
    """A table of a paper, or a section of its text."""

    name: Annotated[str, rules.Text("as printed"), rules.As("table")]
    title: Annotated[str, rules.Text("as printed")]
    rows: Annotated[tuple[Row, ...], rules.ListOf(SOME)]
    columns: Annotated[Mapping[str, Column], rules.MappingOf(rules.Keys(fields_of(Column)))] = (
        field(default_factory=dict)
    )
    letters: Annotated[Mapping[str, int], SOME] = field(default_factory=dict)
    explained: Annotated[Mapping[tuple[str, str, str], Explained], rules.ListOf(EXPLAINED)] = field(
        default_factory=dict
    )
    """By (version, row, figure)."""
    left_out: Annotated[str, rules.Text("why")] = ""


@dataclass(frozen=True)
class Paper:
    """A paper: its tables, and what its names for networks mean here."""

    key: str
    title: Annotated[str, rules.Text("as printed"), rules.As("paper")]
    source: Annotated[str, rules.Text("where it is printed")]
    column: Annotated[Column, rules.OneOf(tuple(PARAMS), "which params"), rules.As("counts")]
    """How the paper counts where a table does not say otherwise."""
    nets: Annotated[Mapping[str, Net], rules.MappingOf(rules.Record(Net, short="target"))]
    tables: Annotated[Mapping[str, PaperTable], rules.ListOf(rules.Keys(fields_of(PaperTable)))]
    versions: Annotated[Mapping[str, str], SOME] = field(default_factory=dict)
    left_out: Annotated[Mapping[str, str], SOME] = field(default_factory=dict)


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
    return read_paper(document, key)


def read_paper(document: Document, key: str) -> Paper:
    """Return the paper in a document, refusing what is not known."""
    values = check(rules.Keys(fields_of(Paper)), document.data, document)
    values["column"] = Column(values["column"])
    tables = values.pop("tables")
    paper = Paper(key=key, tables={}, **values)
    _check_nets(document, paper.nets)
    read = [_table(document, paper, table, "tables", i) for i, table in enumerate(tables)]
    return replace(paper, tables={table.name: table for table in read})


def _check_nets(document: Document, nets: Mapping[str, Net]) -> None:
    """Refuse a way of counting without a reason, and two names for one network that differ in it:
    a row could choose between them."""
    ways: dict[str, tuple[str, str]] = {}
    for name, net in nets.items():
        if (net.counted != "all") != bool(net.convention):
            raise document.error(
                "a reason stands at a network that is counted in its own way, and only there",
                "nets",
                name,
                way_out="convention: the reason, with its source",
            )
        first, way = ways.setdefault(net.target or f"@{name}", (name, net.counted))
        if way != net.counted:
            raise document.error(
                f"is the network of {first!r}, counted otherwise",
                "nets",
                name,
                way_out="one way of counting for every row of a network",
            )


def _table(document: Document, paper: Paper, values: Mapping[str, Any], *keys: Key) -> PaperTable:
    rows = tuple(
        _row(document, paper, row, *keys, "rows", i) for i, row in enumerate(values["rows"])
    )
    known = {(row.version, row.label): row for row in rows}
    if len(known) != len(rows):
        raise document.error(
            "two rows have the same name", *keys, "rows", way_out="rename one of them"
        )
    explained: dict[tuple[str, str, str], Explained] = {}
    for i, each in enumerate(values.get("explained", ())):
        explained |= _explained(document, each, known, *keys, "explained", i)
    columns = {
        figure: _column(document, paper.column, column, *keys, "columns", figure)
        for figure, column in values.get("columns", {}).items()
    }
    return PaperTable(**{**values, "rows": rows, "columns": columns, "explained": explained})


def _column(document: Document, whole: Column, values: Mapping[str, Any], *keys: Key) -> Column:
    column = replace(whole, **values)
    if isinstance(column.adds_up_to, str):
        column = replace(column, adds_up_to=parse_printed(column.adds_up_to))
    differs = column.own_way or column.counts != whole.counts
    if differs != bool(column.convention):
        raise document.error(
            "a reason stands at a column that counts in its own way, and only there",
            *keys,
            way_out="convention: the reason",
        )
    return column


def _row(document: Document, paper: Paper, value: Any, *keys: Key) -> Row:
    figures = (*MEASURES, *EXPRESSIONS)
    plain = (*FACTS, *SETTINGS, *figures, *ARCHITECTURE, *paper.left_out)
    known = {**fields_of(Row), **{key: rules.Field(key, rules.Anything()) for key in plain}}
    data = check(rules.Keys(known), value, document, *keys)
    own = {key: data[key] for key in ("id", "label", "net", "version") if key in data}
    if own["net"] not in paper.nets:
        way_out = did_you_mean(own["net"], paper.nets)
        raise document.error(f"unknown net {own['net']!r}", *keys, "net", way_out=way_out)
    layer = "input" in data and "output" not in data
    parts = {k: data[k] for k in ARCHITECTURE if k in data} if layer else {}
    printed = {k: str(data[k]) for k in figures if k in data}
    for figure in printed:
        if figure in MEASURES:
            try:
                parse_printed(printed[figure])
            except MbcostError as error:
                raise error.at(document.place(*keys, figure)) from None
    if parts:
        printed["architecture"] = ""
    facts = {k: data[k] for k in FACTS if k in data}
    if "output" in data:
        facts["input"] = data["input"]
    return Row(
        settings={k: data[k] for k in SETTINGS if k in data and k not in (*parts, "input")},
        facts={**facts, **({"printed": parts} if parts else {})},
        figures=printed,
        left_out=tuple(k for k in data if k in paper.left_out),
        place=document.place(*keys),
        **own,
    )


def _explained(
    document: Document,
    values: Mapping[str, Any],
    rows: Mapping[tuple[str, str], Row],
    *keys: Key,
) -> dict[tuple[str, str, str], Explained]:
    """Return the explanation for each figure it is about."""
    about = {key: values[key] for key in ("rows", "figures")}
    why = {k: v for k, v in values.items() if k not in (*about, "version")}
    version = values.get("version", LATEST)
    labels, figures = ((v,) if isinstance(v, str) else v for v in about.values())
    found = {}
    for label in labels:
        for figure in figures:
            row = rows.get((version, label))
            if row is None or figure not in row.figures:
                raise document.error(
                    f"no {figure!r} in row {label!r}",
                    *keys,
                    way_out=did_you_mean(figure, row.figures if row else ()),
                )
            found[version, label, figure] = Explained(**why)
    return found
