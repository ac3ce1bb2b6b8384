"""One printed figure beside ours: where it stands, what it is computed from, whether they agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, cached_property
from typing import Any

from mbcost.graph.primitives import Shape
from mbcost.networks.settings import YAML_SUFFIXES, split_inline
from mbcost.networks.yaml import find_builtin
from mbcost.studies.papers.architecture import built_parts, differing, parts_text
from mbcost.studies.papers.document import Column, Explained, Net, Paper, PaperTable, Row
from mbcost.studies.papers.letters import formula_value
from mbcost.studies.papers.measures import FIGURES, Case, mult_adds, subject_of
from mbcost.studies.papers.printed import Printed, parse_printed
from mbcost.targets.subject import Subject
from mbcost.units import decimals, shape_text, thousands


class NotBuiltError(Exception):
    """The network that a row is about does not exist here; the message says why."""


@dataclass(frozen=True)
class Answer:
    """A printed figure and ours, as people and as files see them."""

    printed: str
    ours: str
    raw: int | float | str
    agrees: bool


@dataclass(frozen=True)
class Cell:
    """A printed figure: a row of a table and the name of one of its figures."""

    paper: Paper
    table: PaperTable
    row: Row
    figure: str

    @property
    def column(self) -> Column:
        """How the table counts this figure."""
        return self.table.columns.get(self.figure, self.paper.column)

    @property
    def explained(self) -> Explained | None:
        """Why the figure differs, if the paper's file says so."""
        return self.table.explained.get((self.row.version, self.row.label, self.figure))

    @property
    def printed(self) -> Printed:
        """The printed number."""
        return parse_printed(self.row.figures[self.figure])

    def subject(self, net: str | None = None) -> Subject:
        """Return the network of the row, or of the paper's name ``net``, under its settings."""
        name = net or self.row.net
        target = target_of(name, self.paper.nets[name])
        settings = self.row.settings if net is None else {}
        return cached_subject(target, tuple(sorted(settings.items())), self.column)

    @property
    def is_built(self) -> bool:
        """Whether every network of the row exists."""
        names = [self.row.net, *filter(None, [self.row.facts.get("than")])]
        nets = [self.paper.nets[name] for name in names]
        return all(not net.missing and is_built(net.target) for net in nets)

    @cached_property
    def case(self) -> Case:
        """What the figure is computed from; ``NotBuiltError`` where a network is missing."""
        than = self.row.facts.get("than")
        nets = self.paper.nets
        other = Case(self.subject(than), self.column, nets[than], {}) if than else None
        return Case(self.subject(), self.column, nets[self.row.net], self.row.facts, other)

    @property
    def convention(self) -> str:
        """Why the figure counts otherwise than the paper: its column's reason, its networks'."""
        reasons = [self.column.convention]
        if self.figure.startswith("mult_adds") and not self.column.of_printed:
            names = (self.row.net, self.row.facts.get("than", self.row.net))
            reasons += dict.fromkeys(self.paper.nets[name].convention for name in names)
        return " ".join(filter(None, reasons))

    @cached_property
    def answer(self) -> Answer:
        """Our figure beside the printed one."""
        match self.figure:
            case "architecture":
                return self._architecture()
            case "formula" | "ratio_formula":
                return self._formula()
            case "output":
                return self._output()
            case _ if self.column.of_printed:
                return self.number(self._quotient())
            case _:
                return self.number(FIGURES[self.figure](self.case))

    def _quotient(self) -> Fraction:
        """Return the quotient of two printed figures, which the row names."""
        of = self.row.facts["of"]
        table = self.paper.tables[of["table"]]
        key = self.figure.removesuffix("_ratio")
        rows = {row.label: row for row in table.rows if row.version == self.row.version}
        over, under = (parse_printed(rows[of[side]].figures[key]) for side in ("over", "under"))
        return over.value / under.value

    def number(self, value: Fraction) -> Answer:
        """Return the answer that ``value`` is ours."""
        return Answer(
            str(self.printed),
            self.printed.like(value),
            int(value) if value.denominator == 1 else float(value),
            self.printed.agrees(value, self.column.digits),
        )

    def under(self, subject: Subject | None = None, **changes: Any) -> Answer:
        """Return the answer for another build, or for a column that counts otherwise."""
        case = replace(
            self.case,
            subject=subject or self.case.subject,
            column=replace(self.column, **changes),
        )
        return self.number(FIGURES[self.figure](case))

    @cached_property
    def wrong_parts(self) -> list[str]:
        """The parts of a row of an architecture table that our graph has otherwise."""
        return differing(self.row.facts["printed"], self._built)

    @cached_property
    def _built(self) -> Mapping[str, Any]:
        return built_parts(self.case.subject.graph, self.row.facts["at"])

    def _architecture(self) -> Answer:
        printed: Mapping[str, Any] = self.row.facts["printed"]
        ours = parts_text(self._built, printed)
        return Answer(parts_text(printed, printed), ours, ours, not self.wrong_parts)

    def _formula(self) -> Answer:
        text = self.row.figures[self.figure]
        value = formula_value(text, self.table.letters)
        ours = mult_adds(self.case)
        if self.case.than is not None:
            ours /= mult_adds(self.case.than)
        shown = thousands(int(ours)) if ours.denominator == 1 else decimals(float(ours), 4)
        raw = int(ours) if ours.denominator == 1 else float(ours)
        return Answer(text, shown, raw, value == ours)

    def _output(self) -> Answer:
        """Compare the printed input and output, in letters, with the shapes of one layer."""
        node = next(n for n in self.case.subject.graph.nodes if n.path == self.row.facts["at"])
        printed = [self.row.facts["input"], self.row.figures["output"]]
        built = [shape_text(_hwc(shape), "×") for shape in (node.x, node.y)]
        wanted = [
            "×".join(str(formula_value(side, self.table.letters)) for side in text.split(" x "))
            for text in printed
        ]
        ours = " → ".join(built)
        return Answer(" → ".join(printed).replace(" x ", "×"), ours, ours, wanted == built)


def _hwc(shape: Shape) -> Shape:
    return (*shape[1:], shape[0])


def target_of(name: str, net: Net) -> str:
    """Return the target of a paper's network, or raise ``NotBuiltError`` with the reason."""
    if net.missing:
        raise NotBuiltError(net.missing)
    if not is_built(net.target):
        raise NotBuiltError(f"mbcost has no network called {split_inline(net.target)[0]}")
    return net.target


def is_built(target: str) -> bool:
    """Return whether a target names a built-in or a file."""
    stem = split_inline(target)[0]
    return bool(find_builtin(stem)) or stem.endswith(YAML_SUFFIXES)


@cache
def _subject(target: str, settings: tuple[tuple[str, Any], ...], plus_one: bool) -> Subject:
    return subject_of(target, dict(settings), Column(plus_one=plus_one))


def cached_subject(target: str, settings: tuple[tuple[str, Any], ...], column: Column) -> Subject:
    """Return the target under the row's settings, lowered once however many figures it has."""
    given = tuple(sorted({**dict(settings), **column.settings}.items()))
    return _subject(target, given, column.plus_one)


def cells_of(paper: Paper, table: PaperTable) -> Iterator[Cell]:
    """Yield a table's cells, row by row."""
    for row in table.rows:
        for figure in row.figures:
            yield Cell(paper, table, row, figure)
