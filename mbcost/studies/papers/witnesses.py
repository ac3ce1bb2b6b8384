"""Who says that a printed figure is a misprint: each witness is data, and is checked here.

A witness returns its testimony in words, or None where it does not hold; then the figure is not
reproduced. To add a kind of witness: one function and its line in ``WITNESSES``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import prod
from typing import Any

from mbcost.cost import terms
from mbcost.graph.graph import Node, wire
from mbcost.networks.blocks.inverted_residual import squeeze_excite
from mbcost.networks.widths import make_divisible
from mbcost.studies.papers.architecture import built_parts
from mbcost.studies.papers.cells import Cell, cached_subject, is_built
from mbcost.studies.papers.document import LATEST, load_paper
from mbcost.studies.papers.measures import BYTES_PER_NUMBER
from mbcost.studies.papers.printed import parse_printed


def cell_named(cell: Cell, where: dict[str, Any]) -> Cell:
    """Return the cell that a witness names; what it leaves out is the same as here."""
    paper = load_paper(where["paper"]) if "paper" in where else cell.paper
    table = paper.tables[where.get("table", cell.table.name)]
    label, version = where.get("row", cell.row.label), where.get("version", LATEST)
    row = next(r for r in table.rows if (r.label, r.version) == (label, version))
    return Cell(paper, table, row, where.get("figure", cell.figure))


def printed_elsewhere(cell: Cell, where: Any) -> str | None:
    """Another printed figure of the same network, settings and way of counting, which is ours."""
    other = cell_named(cell, where)
    mine, its = cell.case.subject, other.case.subject
    same_thing = (mine.spec, mine.settings) == (its.spec, its.settings)
    if not same_thing or cell.column.counts != other.column.counts or not other.answer.agrees:
        return None
    paper = f"{other.paper.key.upper()}'s " if other.paper.key != cell.paper.key else ""
    version = f" ({other.row.version} version)" if other.row.version != cell.row.version else ""
    return f"{paper}{table_name(other.table.name)}{version} prints {other.answer.printed}"


def kept_from(cell: Cell, where: Any) -> str | None:
    """The same digits in another version, of the network as it was then, which has them."""
    other = cell_named(cell, where)
    if other.row.version == cell.row.version or other.printed != cell.printed:
        return None
    if not other.answer.agrees:
        return None
    return (
        f"{table_name(other.table.name)} of the {other.row.version} version prints "
        f"{other.printed} of {other.case.subject.target}, which costs {other.answer.ours}"
    )


def between(cell: Cell, where: Any) -> str | None:
    """Two rows of the same table at a smaller and a larger image, both reproduced.

    Mult-adds are a part on maps, as the square of the side, and a part behind the pooling: what
    was printed of two sizes leaves a range for one between them.
    """
    small, large = (cell_named(cell, {**where, "row": row}) for row in where["rows"])
    if not all(c.answer.agrees and _but_for_size(c) == _but_for_size(cell) for c in (small, large)):
        return None
    low, here, high = (c.case.subject.graph.x[1] ** 2 for c in (small, cell, large))
    at = Fraction(here - low, high - low)
    ends = [c.printed.range() for c in (small, large)]
    least, most = (a + at * (b - a) for a, b in zip(*ends, strict=True))
    if not low < here < high or not least <= Fraction(cell.answer.raw) < most:
        return None
    if least <= cell.printed.value < most:
        return None
    unit = cell.printed
    return (
        f"the printed {small.printed} at {small.case.subject.graph.x[1]} pixels and "
        f"{large.printed} at {large.case.subject.graph.x[1]} leave {unit.like(least)} to "
        f"{unit.like(most)}"
    )


def _but_for_size(cell: Cell) -> tuple[Any, dict[str, Any]]:
    subject = cell.case.subject
    return subject.spec, {k: v for k, v in subject.settings.items() if k != "size"}


def version_apart(cell: Cell, where: Any) -> str | None:
    """The figure printed in the same row of another version, of the network as it is there, and
    what the two networks differ by. Of any other row it would prove nothing: ours would always be
    what that row leaves."""
    other = cell_named(cell, {"version": where["version"]})
    if not other.answer.agrees:
        return None
    apart = Fraction(cell.answer.raw) - Fraction(other.answer.raw)
    least, most = (end + apart for end in other.printed.range())
    if least <= cell.printed.value < most or not least <= Fraction(cell.answer.raw) < most:
        return None
    unit = cell.printed
    return (
        f"the {other.row.version} version prints {other.printed} of {other.case.subject.target}; "
        f"what differs costs {unit.like(apart)}, which leaves {unit.like(least)} to "
        f"{unit.like(most)}"
    )


def printed_input(cell: Cell, where: Any) -> str | None:
    """The input printed in an architecture table, of the row that is named or the largest at this
    row's map: which is ours."""
    paper = load_paper(where["paper"]) if "paper" in where else cell.paper
    table = paper.tables[where["table"]]
    maps = [
        tuple(map(int, row.facts["printed"]["input"].split("x")))
        for row in table.rows
        if row.version == LATEST
        and "printed" in row.facts
        and where.get("row", row.label) == row.label
    ]
    wanted, without = cell.row.facts["map"], cell.row.facts.get("without", [])
    fitting = [m for m in maps if wanted in ("max", m[0]) and m[0] not in without]
    if not fitting:
        return None
    h, w, c = max(fitting, key=prod)
    value = Fraction(c) if cell.figure == "channels" else Fraction(h * w * c * BYTES_PER_NUMBER)
    if value != cell.answer.raw:
        return None
    name = f"{paper.key.upper()}'s " if paper.key != cell.paper.key else ""
    held = "" if cell.figure == "channels" else f", which are {cell.printed.like(value)} at 16 bits"
    return f"{name}{table_name(table.name)} prints {c} channels of {h}×{w}{held}"


def other_unit(cell: Cell, where: Any) -> str | None:
    """The same digits in another unit, which are ours."""
    meant = replace(cell.printed, unit=where)
    ours = Fraction(cell.answer.raw)
    return f"ours is {meant.like(ours)}" if meant.agrees(ours) else None


def printed_by(cell: Cell, where: Any) -> str | None:
    """A figure of the same network printed in another source, which is ours."""
    printed = parse_printed(where["printed"])
    if not printed.agrees(Fraction(cell.answer.raw)):
        return None
    return f"{where['source']} prints {printed}"


def named_build(cell: Cell, where: Any) -> str | None:
    """A build that has a name and reproduces the digits."""
    if not is_built(where):
        return None
    answer = cell.under(cached_subject(where, (), cell.column))
    return f"{where} costs {answer.ours}" if answer.agrees else None


def column_adds_up(cell: Cell, where: Any) -> str | None:
    """A column that must add up: with the printed figure it does not, with ours it does.

    Each row may be rounded or truncated, so that a sum may miss by one last digit per row.
    """
    whole = cell.column.adds_up_to
    if whole is None:
        return None
    figures = {row.label: parse_printed(row.figures[cell.figure]) for row in cell.table.rows}
    slack = len(figures) * cell.printed.step()
    total = sum((figure.value for figure in figures.values()), Fraction(0))
    mended = total - cell.printed.value + Fraction(cell.answer.raw)
    if abs(total - whole.value) <= slack or abs(mended - whole.value) > slack:
        return None
    unit = cell.printed
    return f"the column adds up to {unit.like(total)} as printed, to {unit.like(mended)} with ours"


def sum_of_column(cell: Cell, where: Any) -> str | None:
    """The sum of a part of the rows of an architecture table."""
    table = cell.paper.tables[where["table"]]
    part = where["part"]
    found = [
        row.facts["printed"][part]
        for row in table.rows
        if row.version == LATEST and where["among"] in row.facts["printed"]
    ]
    if sum(found) != cell.answer.raw:
        return None
    return f"{table_name(table.name)}'s column {part} adds up to {sum(found)}"


def next_input(cell: Cell, where: Any) -> str | None:
    """The printed input of the next row, which our row puts out: a witness of the stride."""
    if cell.wrong_parts != ["stride"]:
        return None
    rows = [row for row in cell.table.rows if row.version == cell.row.version]
    following = rows[rows.index(cell.row) + 1]
    at = following.facts["at"]
    printed = following.facts["printed"]["input"]
    if built_parts(cell.case.subject.graph, at)["input"] != printed:
        return None
    return f"the next row's printed input is {printed.replace('x', '×')}"


def whole_without(cell: Cell, where: Any) -> str | None:
    """The printed parameters of the whole network, reproduced without this row's
    squeeze-and-excite and not with it."""
    other = cell_named(cell, where)
    same = other.case.subject.spec == cell.case.subject.spec
    if cell.wrong_parts != ["se"] or not same or not other.answer.agrees:
        return None
    channels = int(cell.row.facts["printed"]["c"])
    squeezed = make_divisible(channels / 4, 8)
    nodes: list[Node] = []
    wire(nodes, squeeze_excite(channels, squeezed, "@0"), "", "", -1, (channels, 1, 1))
    extra = sum(terms(node.layer, node.x, node.y).weights for node in nodes)
    with_it = other.number(Fraction(other.answer.raw) + extra)
    if with_it.agrees:
        return None
    return (
        f"{table_name(other.table.name)} prints {other.answer.printed} params for the network: "
        f"ours are {other.answer.ours}, with it they would be {with_it.ours}"
    )


WITNESSES: dict[str, Callable[[Cell, Any], str | None]] = {
    "figure": printed_elsewhere,
    "kept": kept_from,
    "between": between,
    "apart": version_apart,
    "input": printed_input,
    "unit": other_unit,
    "elsewhere": printed_by,
    "build": named_build,
    "column": column_adds_up,
    "sum": sum_of_column,
    "next_input": next_input,
    "whole": whole_without,
}


def testimony(cell: Cell) -> str | None:
    """Return what the figure's witnesses say, or None unless every one of them holds."""
    explained = cell.explained
    if explained is None or not explained.witness:
        return None
    said = [WITNESSES[kind](cell, where) for kind, where in explained.witness.items()]
    return None if None in said else "; ".join(word for word in said if word)


def table_name(name: str) -> str:
    """Return how a table is spoken of: Table 9, text 5.1, figure 5."""
    return f"Table {name}" if name.isdigit() else name
