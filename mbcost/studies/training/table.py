"""What a training came to, and what its network answers, as tables."""

from __future__ import annotations

from mbcost.output.table import Column, Record, Table
from mbcost.studies.compare.versions import versions_text
from mbcost.studies.training.run import Run
from mbcost.units import decimals, shape_text, thousands

COLUMNS: dict[str, Column] = {
    column.key: column
    for column in (
        Column("target", "target"),
        Column("params", "params", "count"),
        Column("mult_adds", "mult-adds", "count"),
        Column("data", "trained on"),
        Column("epochs", "epochs", "whole"),
        Column("seed", "seed", "whole"),
        Column("trained_top1", "top-1", "percent"),
        Column("trained_top5", "top-5", "percent"),
        Column("test_loss", "loss", "number"),
    )
}
FIELDS = (
    *COLUMNS,
    "train_images",
    "val_images",
    "test_images",
    "best_epoch",
    "best_val_top1",
    "best_top1",
    "train_s",
    "data_sha256",
    "weights_sha256",
)
"""Of the CSV."""


def run_table(run: Run) -> Table:
    """Return what came out of a training: a row, and what is to be known of it."""
    record = run.record
    row = {**record, "test_loss": float(decimals(record["test_loss"], 4))}
    title = f"{record['target']}: {shape_text(record['input'], '×')}, trained on {record['data']}"
    return Table(
        tuple(COLUMNS.values()),
        [row],
        FIELDS,
        [{key: record.get(key) for key in FIELDS}],
        record,
        title=title,
        caption=f"{title}; {versions_text(record['versions'])}.",
        notes=tuple(_notes(record, run)),
    )


def _notes(record: Record, run: Run) -> list[str]:
    held_out = f", {thousands(record['val_images'])} held out" if record["val_images"] else ""
    notes = [
        f"tested on {thousands(record['test_images'])} images that no step and no choice saw; "
        f"trained on {thousands(record['train_images'])}{held_out}",
    ]
    if record["best_epoch"] is not None:
        notes.append(
            f"at the end of the schedule; by what was held out epoch {record['best_epoch']} was "
            f"best ({decimals(record['best_val_top1'], 1)} %): {decimals(record['best_top1'], 1)} %"
        )
    notes += mistaken(record)
    notes.append(f"weights: {run.weights}, sha256 {record['weights_sha256'][:16]}…")
    return notes


def mistaken(record: Record) -> list[str]:
    """Return the most frequent mistake in words."""
    rows, classes = record["confusion"], record["classes"]
    wrong = [(n, i, j) for i, row in enumerate(rows) for j, n in enumerate(row) if i != j and n]
    if not wrong:
        return []
    n, true, answered = max(wrong, key=lambda each: (each[0], -each[1], -each[2]))
    return [
        f"mistaken most often: {classes[true]} for {classes[answered]}, "
        f"{thousands(n)} of {thousands(sum(rows[true]))}"
    ]


ANSWER_COLUMNS = (Column("class", "class"), Column("probability", "probability (%)", "percent"))


def answer_table(run: Run, image: str, probabilities: list[float], most: int) -> Table:
    """Return the classes that a network takes an image for, the likeliest first."""
    named = zip(run.record["classes"], probabilities, strict=True)
    found = sorted(named, key=lambda each: -each[1])[:most]
    rows = [{"class": name, "probability": 100 * share} for name, share in found]
    keys = tuple(column.key for column in ANSWER_COLUMNS)
    return Table(
        ANSWER_COLUMNS,
        rows,
        keys,
        rows,
        rows,
        title=f"{image}: {run.record['target']}, trained on {run.record['data']}",
        caption=f"What {run.record['target']} takes {image} for.",
    )
