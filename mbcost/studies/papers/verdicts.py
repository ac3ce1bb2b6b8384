"""The verdict on each printed figure, by rule.

*Reproduced*: ours rounds or truncates to the printed digits. *Convention*: the same, in a column
that counts otherwise than its paper, or of a network that its own source counts so; *one constant
fitted*: a number that no source gives was chosen to fit the column. *Misprint*: it does not, and a
witness says so. Everything else is *not reproduced*, with what was tried, or *not built*.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import product

from mbcost.cost import PAPERS, PARAMS
from mbcost.studies.papers.cells import Answer, Cell, NotBuiltError, cached_subject, is_built
from mbcost.studies.papers.document import TOTALS
from mbcost.studies.papers.witnesses import testimony

REPRODUCED = "reproduced"
CONVENTION = "convention"
FITTED = "convention, one constant fitted"
MISPRINT = "misprint"
NOT_REPRODUCED = "not reproduced"
NOT_BUILT = "not built"

SUMMARY = {
    REPRODUCED: "{} reproduced",
    CONVENTION: "{} by a convention named",
    FITTED: "{} with one constant fitted",
    MISPRINT: "{} misprints named",
    NOT_REPRODUCED: "{} not reproduced",
    NOT_BUILT: "{} not built",
}
"""Every verdict, in the order and the words of a summary line."""


@dataclass(frozen=True)
class Verdict:
    """What is to be said of a printed figure, and why."""

    word: str
    reason: str
    answer: Answer | None


def verdict_on(cell: Cell) -> Verdict:
    """Return the verdict on a printed figure."""
    try:
        answer = cell.answer
    except NotBuiltError as missing:
        return Verdict(NOT_BUILT, str(missing), None)
    if answer.agrees:
        return Verdict(_agreeing(cell), cell.convention, answer)
    explained = cell.explained
    reason = explained.reason if explained else ""
    said = testimony(cell)
    if said:
        return Verdict(MISPRINT, f"{reason} Witness: {said}.", answer)
    tried = "; ".join(attempts(cell))
    parts = [reason or cell.convention, f"Tried: {tried}." if tried else ""]
    return Verdict(NOT_REPRODUCED, " ".join(filter(None, parts)) or "No reason found.", answer)


def _agreeing(cell: Cell) -> str:
    if cell.column.fitted:
        return FITTED
    return CONVENTION if cell.convention else REPRODUCED


Attempt = Callable[[Cell], Answer]


def attempts(cell: Cell) -> Iterator[str]:
    """Yield other ways to count and other builds, each with its figure and whether it fits."""
    known = {cell.answer.ours}
    for name, attempt in _other_counts(cell):
        answer = attempt(cell)
        if answer.ours not in known:
            known.add(answer.ours)
            yield f"{name} {answer.ours}{_column_fit(cell, attempt) if answer.agrees else ''}"
    if cell.figure in TOTALS and cell.explained:
        for build in filter(is_built, cell.explained.tried):
            answer = cell.under(cached_subject(build, (), cell.column))
            yield f"{build} {answer.ours}{', which fits' if answer.agrees else ''}"


def _other_counts(cell: Cell) -> Iterator[tuple[str, Attempt]]:
    column = cell.column
    if cell.figure == "mult_adds" and column.counted_as != PAPERS.name:
        yield (
            "convolutions and linear weights alone",
            lambda c: c.under(counted_as=PAPERS.name, fitted=0),
        )
    elif cell.figure == "mult_adds":
        word = "without" if column.classifier else "with"
        yield f"{word} the classifier", lambda c: c.under(classifier=not column.classifier)
        yield "convolutions alone", _convolutions
        yield "two per multiply-add", lambda c: c.number(2 * Fraction(c.answer.raw))
        yield "an addition per bias too", lambda c: _with_term(c, "bias_adds")
        yield "additions of average pools too", lambda c: _with_term(c, "adaptive_pool_inputs")
    if cell.figure == "params":
        for counts, classifier in product(PARAMS, (True, False)):
            if (counts, classifier) != (column.counts, column.classifier):
                words = counts.replace("_", " ")
                name = f"{words}{'' if classifier else ' without the classifier'}"
                yield name, partial(_counted, counts=counts, classifier=classifier)


def _counted(cell: Cell, counts: str, classifier: bool) -> Answer:
    return cell.under(counts=counts, classifier=classifier)


def _convolutions(cell: Cell) -> Answer:
    layers = cell.case.counted()
    return cell.number(Fraction(sum(c.mult_adds for c in layers if c.kind != "linear")))


def _with_term(cell: Cell, term: str) -> Answer:
    extra = sum(layer.times * getattr(layer.terms, term) for layer in cell.case.counted())
    return cell.number(Fraction(cell.answer.raw) + extra)


def _column_fit(cell: Cell, attempt: Attempt) -> str:
    """Return how far the same way of counting carries in the column: a cell alone proves little."""
    column = [
        Cell(cell.paper, cell.table, row, cell.figure)
        for row in cell.table.rows
        if row.version == cell.row.version and cell.figure in row.figures
    ]
    answers = [attempt(other) for other in column if other.is_built]
    fitting = sum(answer.agrees for answer in answers)
    return f", which fits, as it does in {fitting} of {len(answers)} rows of this column"
