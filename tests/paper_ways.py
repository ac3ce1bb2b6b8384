"""What the papers' figures count, as a table: the part of reports/papers/README.md that is
generated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from mbcost.output.cells import SHOW
from mbcost.studies.papers import load_paper, paper_names
from mbcost.studies.papers.cells import Cell, cells_of
from mbcost.studies.papers.document import Paper
from mbcost.studies.papers.verdicts import CONVENTION, FITTED, SUMMARY, verdict_on

WAYS_MARK = "ways: written by python -m tests.regenerate"
PARAMS_WORDS = {
    "weights": "weights alone, no batch-norm and no biases",
    "without_norm": "weights and biases, no batch-norm",
    "trainable": "all that is trained",
    "all": "all that is kept",
}


def ways_table() -> str:
    """Return the verdicts of each paper, then every way of counting that is not its paper's."""
    verdicts = {name: [(c, verdict_on(c)) for c in _cells(load_paper(name))] for name in PAPERS}
    heads = " | ".join(SUMMARY)
    lines = [f"| paper | {heads} | its params |", f"|---|{'--:|' * len(SUMMARY)}---|"]
    for name in PAPERS:
        found = Counter(verdict.word for _, verdict in verdicts[name])
        counts = " | ".join(str(found[word]) for word in SUMMARY)
        words = PARAMS_WORDS[load_paper(name).column.counts]
        lines.append(f"| [{name}]({name}.md) | {counts} | {words} |")
    lines += ["", "| where | figure | agrees | what counts there |", "|---|---|--:|---|"]
    for name in PAPERS:
        lines += _ways([(c, v.word) for c, v in verdicts[name] if v.answer is not None])
    return "\n" + "\n".join(lines) + "\n\n"


PAPERS = paper_names()


def _cells(paper: Paper) -> Iterator[Cell]:
    for table in paper.tables.values():
        yield from cells_of(paper, table)


def _ways(judged: list[tuple[Cell, str]]) -> Iterator[str]:
    """Yield a line per reason and figure: the tables where it holds, how many cells agree."""
    by_reason: dict[tuple[str, str], list[tuple[Cell, str]]] = {}
    for cell, word in judged:
        if cell.convention:
            by_reason.setdefault((cell.convention, cell.figure), []).append((cell, word))
    for (reason, figure), cells in by_reason.items():
        tables = ", ".join(dict.fromkeys(cell.table.name for cell, _ in cells))
        agree = sum(word in (CONVENTION, FITTED) for _, word in cells)
        key = cells[0][0].paper.key.upper()
        yield f"| {key}: {tables} | {SHOW['key'](figure)} | {agree} of {len(cells)} | {reason} |"
