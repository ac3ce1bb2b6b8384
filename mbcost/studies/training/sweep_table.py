"""The table of a sweep of trainings: what each config costs, and what it has reached so far."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mbcost.errors import not_installed
from mbcost.output.table import Column, Record, Table
from mbcost.studies.spaces.columns import Layout
from mbcost.studies.spaces.sweep.table import sweep_table
from mbcost.studies.training.sweep import Asked, State, Survivor
from mbcost.studies.training.table import COLUMNS
from mbcost.units import decimals, thousands

TRAINED_COLUMNS: dict[str, Column] = {
    "trained_top1": Column("trained_top1", "trained top-1", "percent"),
    **{key: COLUMNS[key] for key in ("trained_top5", "test_loss", "data", "epochs", "seed")},
    **{
        column.key: column
        for column in (
            Column("best_epoch", "best epoch", "whole"),
            Column("best_top1", "best top-1", "percent"),
            Column("train_s", "trained for (s)", "number"),
            Column("weights_sha256", "weights"),
            Column("run", "run"),
        )
    },
}
"""What a training adds to a config's costs; the first one is shown unless others are chosen."""
MAX_TOLD = 3
"""Failures that are told one by one."""


@dataclass(frozen=True)
class Showing:
    """A sweep of trainings, whose table is of any state of it."""

    asked: Asked
    layout: Layout
    survivors: Sequence[Survivor]
    notes: Sequence[str]
    columns: str | None = None
    sort: str | None = None
    begun_s: float = 0.0
    """When, by the monotonic clock."""

    @property
    def n(self) -> int:
        """How many trainings there are; a sample may hold a config twice."""
        return len({survivor.job.key for survivor in self.survivors})

    def table(self, state: State) -> Table:
        """Return a config per row; what is not trained yet is empty."""
        rows = [{**each.row, **self._trained(each, state)} for each in self.survivors]
        notes = (*self._words(state), *self.notes, *self._failures(state))
        return sweep_table(
            self.layout, rows, notes, self.columns, self.sort, trained=TRAINED_COLUMNS
        )

    def _trained(self, survivor: Survivor, state: State) -> Record:
        record = state.records.get(survivor.job.key)
        folder = survivor.job.folder.name
        if record is None:
            return {**dict.fromkeys(TRAINED_COLUMNS), "run": folder}
        return {**{key: record.get(key) for key in TRAINED_COLUMNS}, "run": folder}

    def _words(self, state: State) -> list[str]:
        """Return what was trained on what, and while it lasts how far it is."""
        done = len(state.records)
        recipe = self.asked.recipe
        epochs = f"{recipe.epochs} {'epoch' if recipe.epochs == 1 else 'epochs'}"
        words = f"{thousands(done)} of {thousands(self.n)} trained"
        if record := next(iter(state.records.values()), None):
            words += (
                f" on {thousands(record['train_images'])} images of {record['data']}, {epochs}, "
                f"seed {recipe.seed}; tested on {thousands(record['test_images'])}"
            )
        left = self.left(state)
        if left is None:
            return [words]
        return [f"{words}; {epoch_words(state)}about {decimals(left / 60, 1)} min left"]

    def share(self, state: State) -> float:
        """Return how many epochs this process has trained, of ``total`` that it has to."""
        new = len(state.records) - state.before + len(state.failed)
        return new * self.asked.recipe.epochs + sum(state.epochs.values())

    def total(self, state: State) -> int:
        """Return how many epochs this process has to train."""
        return (self.n - state.before) * self.asked.recipe.epochs

    def left(self, state: State) -> float | None:
        """Return how many seconds it will take yet; None where nobody can tell, or at the end."""
        share, total = self.share(state), self.total(state)
        if not 0 < share < total:
            return None
        return (time.monotonic() - self.begun_s) * (total - share) / share

    def _failures(self, state: State) -> list[str]:
        named = {survivor.job.key: survivor.job.subject.target for survivor in self.survivors}
        found = [f"{named[key]}: {words}" for key, words in state.failed.items()]
        more = len(found) - MAX_TOLD
        return found[:MAX_TOLD] + ([f"and {thousands(more)} more failed"] if more > 0 else [])


def epoch_words(state: State) -> str:
    """Return how many trainings run."""
    return f"{thousands(len(state.epochs))} running; " if state.epochs else ""


def as_parquet(table: Table) -> bytes:
    """Return the rows of the table as a Parquet file."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise not_installed(
            "Parquet",
            ["pyarrow"],
            place="-o",
            install="'mbcost[parquet]'",
            instead=", or write .csv",
        ) from None
    columns = {key: _of_one_type([row[key] for row in table.data]) for key in table.fields}
    sink: Any = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.table(columns), sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _of_one_type(values: list[Any]) -> list[Any]:
    """Return values as texts where some are: a size may be 224 or 224x160."""
    if not any(isinstance(value, str) for value in values):
        return values
    return [None if value is None else str(value) for value in values]
