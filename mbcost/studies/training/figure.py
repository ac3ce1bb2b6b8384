"""The rows of a figure of trainings: cost counted, top-1 measured."""

from __future__ import annotations

import json
from collections.abc import Sequence

from mbcost.errors import MbcostError, did_you_mean
from mbcost.output.plots import Accuracy
from mbcost.output.plots.accuracy import COSTS
from mbcost.output.table import Column, Record
from mbcost.studies.compare.records import COLUMNS, TRAINED_COLUMNS
from mbcost.studies.figures import marked
from mbcost.studies.training.run import Run, runs_in


def trained_accuracy(names: Sequence[str], folder: str, cost: str = "mult_adds") -> Accuracy:
    """Return the figure of the trainings in a folder, of these networks or of all: on one set of
    data, under recipes that differ in nothing but the seed."""
    if cost not in COSTS:
        raise MbcostError(f"unknown cost {cost!r}", place="--x", way_out=did_you_mean(cost, COSTS))
    runs = [run for run in runs_in(folder) if not names or run.record["name"] in names]
    found = {run.record["name"] for run in runs}
    lacking = [name for name in names if name not in found]
    if lacking:
        raise MbcostError(
            f"has no training of {lacking[0]}",
            place=f"--runs {folder}",
            way_out=did_you_mean(lacking[0], found),
        )
    _check_comparable(runs, folder)
    rows: list[Record] = []
    for name in dict.fromkeys(run.record["name"] for run in runs):
        own = [_trained_point(run) for run in runs if run.record["name"] == name]
        rows += marked(own, cost, "on_curve", "trained_top1")
    columns = tuple(_TRAINED_POINT[key] for key in TRAINED_POINT_KEYS)
    data, epochs = runs[0].record["data"], runs[0].record["epochs"]
    label = f"top-1 on {data}, {epochs} {'epoch' if epochs == 1 else 'epochs'} (%)"
    points = tuple(marked(rows, cost, "on_front", "trained_top1"))
    return Accuracy(columns, points, cost, "trained_top1", label)


TRAINED_POINT_KEYS = (
    "target",
    "alpha",
    "size",
    "params",
    "mult_adds",
    "trained_top1",
    "data",
    "epochs",
    "seed",
    "on_curve",
    "on_front",
)
_TRAINED_POINT = {
    **COLUMNS,
    **TRAINED_COLUMNS,
    "on_curve": Column("on_curve", "on its curve"),
    "on_front": Column("on_front", "on the front"),
}


def _check_comparable(runs: Sequence[Run], folder: str) -> None:
    """Raise where trainings are not of the same data and recipe: a curve would lie."""
    for key in ("data_sha256", "recipe"):
        kinds = {
            json.dumps({**value, "seed": 0} if isinstance(value, dict) else value)
            for value in (run.record[key] for run in runs)
        }
        if len(kinds) > 1:
            what = "data" if key == "data_sha256" else "recipe"
            raise MbcostError(
                f"its trainings are not of one {what}",
                place=f"--runs {folder}",
                way_out="a folder of those that can be compared",
            )


def _trained_point(run: Run) -> Record:
    record, subject = run.record, run.subject()
    facts = subject.spec.facts(subject.settings)
    return {
        **{key: record[key] for key in ("params", "mult_adds", *TRAINED_COLUMNS)},
        "target": record["name"],
        "alpha": facts["alpha"],
        "size": facts["size"][0],
        "native_size": facts["size"][0],
    }
