"""A paper's tables with our figures and verdicts: ``mbcost paper``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mbcost.errors import CheckFailedError, MbcostError
from mbcost.output.table import Column, Record, Table, choose_columns
from mbcost.studies.papers.cells import Cell, cells_of
from mbcost.studies.papers.document import LATEST, Paper, PaperTable
from mbcost.studies.papers.verdicts import NOT_REPRODUCED, SUMMARY, verdict_on
from mbcost.studies.papers.witnesses import table_name

COLUMNS = {
    column.key: column
    for column in (
        Column("paper", "paper"),
        Column("id", "id"),
        Column("version", "version"),
        Column("table", "table"),
        Column("row", "row", "prose"),
        Column("figure", "figure", "key"),
        Column("target", "target"),
        Column("printed", "printed", "printed"),
        Column("ours", "ours", "printed"),
        Column("value", "value", "number"),
        Column("verdict", "verdict"),
        Column("reason", "reason", "reason", rank=1),
    )
}
FIELDS = tuple(COLUMNS)
DEFAULT = ("table", "row", "figure", "printed", "ours", "verdict", "reason")


def chosen_tables(paper: Paper, names: Sequence[str] | None) -> list[PaperTable]:
    """Return the tables of these names, or all of them."""
    if not names:
        return list(paper.tables.values())
    known = {name.lower(): table for name, table in paper.tables.items()}
    chosen = {}
    for name in names:
        key = name.lower().removeprefix("table ").strip()
        if key not in known:
            raise MbcostError(
                f"{paper.title} has no table {name!r} here",
                place="--table",
                way_out=f"one of: {', '.join(paper.tables)}",
            )
        chosen[key] = known[key]
    return list(chosen.values())


def paper_table(
    paper: Paper, tables: Sequence[str] | None = None, columns: str | None = None
) -> Table:
    """Return a paper's printed figures, ours, and a verdict on each."""
    chosen = chosen_tables(paper, tables)
    records = [record_of(cell) for table in chosen for cell in cells_of(paper, table)]
    shown = choose_columns(COLUMNS, columns, DEFAULT)
    fields = FIELDS if columns is None else tuple(column.key for column in shown)
    rows = records if columns is None else [{key: r[key] for key in fields} for r in records]
    return Table(
        shown,
        [{**r, "table": _with_version(r)} for r in records],
        fields,
        rows,
        rows,
        title=f"{paper.title}, {paper.source}: {summary(records)}",
        caption=_caption(paper, tables),
        notes=_notes(paper, chosen),
    )


def record_of(cell: Cell) -> Record:
    """Return what is known of a printed figure as plain data; ``value`` is ours, all digits."""
    verdict = verdict_on(cell)
    answer = verdict.answer
    return {
        "paper": cell.paper.key,
        "id": cell.row.id,
        "version": cell.row.version,
        "table": cell.table.name,
        "row": cell.row.label,
        "figure": cell.figure,
        "target": cell.case.subject.target if answer else cell.row.net,
        "printed": answer.printed if answer else cell.row.figures[cell.figure],
        "ours": answer.ours if answer else None,
        "value": answer.raw if answer else None,
        "verdict": verdict.word,
        "reason": verdict.reason or None,
    }


def _with_version(row: Record) -> str:
    early = row["version"] != LATEST
    return f"{row['table']} {row['version']}" if early else str(row["table"])


def summary(records: Sequence[Record]) -> str:
    """Return how many figures got each verdict: ``68 reproduced, 5 misprints named, …``."""
    found = Counter(row["verdict"] for row in records)
    return ", ".join(words.format(found[word]) for word, words in SUMMARY.items())


def check(table: Table) -> None:
    """Raise ``CheckFailedError`` naming the figures that are not reproduced."""
    failed = [row for row in table.rows if row["verdict"] == NOT_REPRODUCED]
    if not failed:
        return
    named = [f"{table_name(r['table'])}, {r['row']}: {r['figure']}" for r in failed[:3]]
    more = f"; and {len(failed) - 3} more" if len(failed) > 3 else ""
    raise CheckFailedError(
        f"{len(failed)} figures are not reproduced: {'; '.join(named)}{more}",
        place="--strict",
        way_out="the column reason says what was tried",
    )


def _caption(paper: Paper, tables: Sequence[str] | None) -> str:
    flags = "".join(f" --table {_quoted(name)}" for name in tables or ())
    return (
        "Printed is what the paper prints, ours is computed from the networks' YAML in closed "
        "form. Reproduced: ours rounds or truncates to the printed digits. Mult-adds are those "
        f"of convolutions and linear layers; params are {paper.column.counts} unless a column's "
        f"convention says otherwise. Made by: mbcost paper {paper.key}{flags}"
    )


def _quoted(name: str) -> str:
    return f"'{name}'" if " " in name else name


def _notes(paper: Paper, tables: Sequence[PaperTable]) -> tuple[str, ...]:
    """Return a line per version that is cited, and what was left out as it is no cost."""
    versions = {row.version for table in tables for row in table.rows}
    notes = [f"{name}: {words}" for name, words in paper.versions.items() if name in versions]
    left = Counter(
        paper.left_out[key] for table in tables for row in table.rows for key in row.left_out
    )
    if left:
        words = ", ".join(f"{what} ({count} figures)" for what, count in sorted(left.items()))
        notes.append(f"left out, since they are not costs of a network: {words}")
    notes += [
        f"{table_name(table.name)} ({table.title}) has no verdicts: {table.left_out}"
        for table in tables
        if table.left_out
    ]
    return tuple(notes)
