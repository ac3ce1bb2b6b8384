"""The rows of each figure: counted here, drawn by ``output.plots``.

To add a figure: its ``Plot`` there, and a function here that gives it its rows.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from mbcost.errors import MbcostError, did_you_mean
from mbcost.graph.liveness import peak
from mbcost.networks.network import Network
from mbcost.networks.yaml import builtins
from mbcost.output.formats.csv import plain
from mbcost.output.plots import Accuracy, ArenaMap, Bars, HeatMap, Layers, Share
from mbcost.output.plots import Memory as MemoryPlot
from mbcost.output.plots.accuracy import COSTS, POINT_KEYS
from mbcost.output.plots.bars import BAR_KEYS
from mbcost.output.plots.heatmap import MOST_CELLS
from mbcost.output.plots.share import FIGURES as SHARED
from mbcost.output.plots.share import GROUPS
from mbcost.output.table import Column, Record
from mbcost.paths import read_whole
from mbcost.studies.compare.comparison import Comparison
from mbcost.studies.compare.conditions import differing, given
from mbcost.studies.compare.records import COLUMNS, record
from mbcost.studies.compare.view import VIEWS
from mbcost.studies.memory.figures import Memory
from mbcost.studies.memory.how import How
from mbcost.studies.memory.steps import arena_rows, step_rows
from mbcost.studies.pareto import pareto_front
from mbcost.targets.resolve import resolve, resolve_one
from mbcost.targets.subject import Subject
from mbcost.units import number, parse_number, thousands

_MOST_BYTES = 256 * 10**6
"""Of a CSV that a heat map is drawn of."""
_LARGEST = 1e60
"""A figure beyond it is none of ours, and no axis shows it."""


def bars(comparison: Comparison) -> Bars:
    """Return a comparison as bars, its reference in black."""
    restated = comparison.restatement
    rows = [
        {
            **{key: found[key] for key in BAR_KEYS},
            "mult_adds": found[restated.figure],
            **_label(subject),
        }
        for subject, found in zip(comparison.subjects, comparison.records(), strict=True)
    ]
    columns = tuple(COLUMNS[key] for key in BAR_KEYS)
    return Bars(columns, rows, comparison.reference_index, restated.title)


def _label(subject: Subject) -> Record:
    return {"label": subject.label} if subject.label else {}


def _once(subjects: Sequence[Subject]) -> list[Subject]:
    """Return each target once, or raise where two that differ have one name."""
    found = {subject.target: subject for subject in subjects}
    for subject in subjects:
        if subject.report.layers != found[subject.target].report.layers:
            raise MbcostError(
                "is the name of two targets that differ",
                place=subject.target,
                way_out="draw one, or call them by other names",
            )
    return list(found.values())


def share(subjects: Sequence[Subject], by: str = "kind") -> Share:
    """Return where the cost of each subject sits: a row per kind of layer or per block, with its
    shares of mult-adds and params, null of a zero total."""
    if by not in GROUPS:
        raise MbcostError(f"no shares by {by!r}", place="--by", way_out=did_you_mean(by, GROUPS))
    _, rows_of = VIEWS[by]
    rows = []
    for subject in _once(subjects):
        report = subject.report
        totals = {key: getattr(report, key) for key in SHARED}
        if not any(totals.values()):
            raise MbcostError(
                "costs nothing, so there is no share to draw",
                place=subject.target,
                way_out="a network or block with weights",
            )
        for row in rows_of(report):
            if row["params"] or row["mult_adds"]:
                shares = {
                    f"{key}_share": row[key] / total if total else None
                    for key, total in totals.items()
                }
                rows.append(
                    {
                        "target": subject.target,
                        "settings": given(subject),
                        **row,
                        **shares,
                        **_label(subject),
                    }
                )
    return Share(rows, by, bool(differing(subjects)))


def layers(subject: Subject) -> Layers:
    """Return a row per convolution and linear layer.

    A batch-norm's params stand with the layer it follows, so that the bars add up to the total.
    Activation is the elements that the layer puts out, for the batch.
    """
    report = subject.report
    rows: list[Record] = []
    waiting = 0
    for layer in report.layers:
        if layer.mult_adds:
            rows.append(
                {
                    "path": layer.path,
                    "block": layer.block,
                    "kind": layer.kind,
                    "mult_adds": layer.mult_adds * report.scale,
                    "params": layer.params + waiting,
                    "activation_elements": layer.elements * report.scale,
                }
            )
            waiting = 0
        elif rows:
            rows[-1]["params"] += layer.params
        else:
            waiting += layer.params
    if not rows:
        raise MbcostError(
            "has no layer with weights to draw",
            place=subject.target,
            way_out="a network or block with a convolution or linear layer",
        )
    return Layers(rows)


def memory(subject: Subject, how: How) -> MemoryPlot:
    """Return the bytes alive at each layer of inference, or of training, by category: at that of
    its operators where they are most."""
    found = Memory(subject.graph, subject.batch, how)
    rows = step_rows(found.schedule, found.ends)
    parts = groupby(rows, key=lambda row: (row["phase"], row["path"]))
    most = [max(part, key=lambda row: int(row["alive_bytes"])) for _, part in parts]
    return MemoryPlot([{**row, "step": i} for i, row in enumerate(most)])


def arena_map(subject: Subject, how: How) -> ArenaMap:
    """Return where the arena of the deployed network puts each tensor."""
    found = Memory(subject.graph, subject.batch, how)
    rows = arena_rows(found.deployed, found.arena)
    return ArenaMap(rows, found.arena.size, peak(found.deployed).size)


def accuracy(targets: Sequence[str], cost: str = "mult_adds") -> Accuracy:
    """Return the figure of these networks, or of every built-in one with a published top-1."""
    if cost not in COSTS:
        raise MbcostError(f"unknown cost {cost!r}", place="--x", way_out=did_you_mean(cost, COSTS))
    rows: list[Record] = []
    for subject in resolve(list(dict.fromkeys(targets)) or list(builtins())):
        own = published_points(subject)
        if targets and not own:
            raise MbcostError(
                "has no published top-1 to plot",
                place=subject.target,
                way_out="a network whose YAML has published: [{alpha, size, top1}]",
            )
        rows += marked(own, cost, "on_curve")
    if not rows:
        raise MbcostError(
            "no built-in network has a published top-1",
            way_out="name a YAML with published: [{alpha, size, top1}]",
        )
    own_columns = {
        "top1": Column("top1", "top-1", "percent"),
        "on_curve": Column("on_curve", "on its curve"),
        "on_front": Column("on_front", "on the front"),
    }
    columns = tuple(own_columns.get(key) or COLUMNS[key] for key in POINT_KEYS)
    return Accuracy(columns, tuple(marked(rows, cost, "on_front")), cost)


def marked(rows: Sequence[Record], cost: str, key: str, score: str = "top1") -> list[Record]:
    """Return the rows, each saying under ``key`` whether no other is cheaper and better."""
    front = set(pareto_front([(-row[cost], row[score]) for row in rows]))
    return [{**row, key: i in front} for i, row in enumerate(rows)]


def published_points(subject: Subject) -> list[Record]:
    """Return a network's published points that have a top-1, each with its exact costs."""
    network = subject.spec
    if subject.settings:
        raise MbcostError(
            "a setting would change the cost but not the published top-1",
            place=subject.target,
            way_out=f"name the network alone: {subject.name}",
        )
    if not isinstance(network, Network):
        return []
    rows = []
    for point in network.published:
        if point.top1 is not None:
            costs = network.count(**network.printed_for(point))
            rows.append(
                {
                    "target": subject.target,
                    "alpha": point.alpha,
                    "size": point.size,
                    "native_size": network.x[1],
                    "params": costs.params,
                    "mult_adds": costs.mult_adds,
                    "top1": point.top1,
                }
            )
    return rows


def heat_map_of_grid(
    target: str,
    alphas: Sequence[str],
    sizes: Sequence[str],
    settings: Mapping[str, str],
    key: str = "mult_adds",
) -> HeatMap:
    """Return the heat map of one network over α and size; an empty list leaves the default."""
    cells = max(1, len(alphas)) * max(1, len(sizes))
    if cells > MOST_CELLS:
        raise MbcostError(
            f"{thousands(cells)} configs of alpha and size cannot be told apart",
            place=target,
            way_out=f"at most {thousands(MOST_CELLS)}: a coarser step, like --alpha 0.35:1.4:0.05",
        )
    rows = []
    for alpha in alphas or [""]:
        for size in sizes or [""]:
            chosen = {k: v for k, v in (("alpha", alpha), ("size", size)) if v}
            subject = resolve_one(target, {**settings, **chosen})
            found = record(subject)
            if key not in found or not isinstance(found[key], int | float):
                numeric = [k for k, v in found.items() if isinstance(v, int | float)]
                raise MbcostError(
                    f"cannot draw {key!r}", place="--key", way_out=did_you_mean(key, numeric)
                )
            rows.append({name: found[name] for name in ("alpha", "size", key)})
    return HeatMap(_unique(rows), key=key, columns=COLUMNS)


def heat_map_of_csv(
    path: Path, x: str = "size", y: str = "alpha", key: str = "mult_adds", only: Sequence[str] = ()
) -> HeatMap:
    """Return the heat map of a CSV with a header: a column for each axis and one of values.

    ``only`` are ``COLUMN=VALUE`` that a row must hold. Every error names the line.
    """
    rows = []
    wanted = [_condition(text) for text in only]
    for line, found in _csv_rows(path, (y, x, key, *(name for name, _ in wanted))):
        if all(found[name] == value for name, value in wanted):
            try:
                value = parse_number(found[key] or "")
            except MbcostError as error:
                raise error.at(f"{path}:{line}: {key}") from None
            if abs(value) > _LARGEST:
                raise MbcostError(
                    f"{found[key]} is out of range",
                    place=f"{path}:{line}: {key}",
                    way_out=f"at most {number(_LARGEST)}",
                )
            rows.append({y: _axis_value(found[y]), x: _axis_value(found[x]), key: _whole(value)})
    try:
        return HeatMap(_unique(rows), x, y, key, COLUMNS)
    except MbcostError as error:
        raise error.at(str(path)) from None


def _unique(rows: Sequence[Record]) -> list[Record]:
    """Return the rows without repetitions: the same cell said twice is still one cell."""
    return list({tuple(row.values()): row for row in rows}.values())


def _csv_rows(path: Path, needed: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    raw = read_whole(path, _MOST_BYTES, "CSV", "check the path")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise MbcostError("is not UTF-8 text", place=str(path), way_out="a CSV file") from None
    reader = csv.DictReader(text.splitlines())
    try:
        columns = list(reader.fieldnames or ())
        for name in needed:
            if name not in columns:
                raise MbcostError(
                    f"has no column {name!r}",
                    place=str(path),
                    way_out=did_you_mean(name, columns) if columns else "a header and rows",
                )
        return [(reader.line_num, {k: plain(row[k] or "") for k in needed}) for row in reader]
    except csv.Error as error:
        raise MbcostError(
            f"is not CSV: {error}",
            place=f"{path}:{reader.line_num}",
            way_out='commas between, " around what holds one',
        ) from None


def _condition(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise MbcostError(f"{text!r} is not a condition", place="--only", way_out="like target=v2")
    return name.strip().replace("-", "_"), value.strip()


def _axis_value(text: str) -> int | float | str:
    try:
        return _whole(parse_number(text))
    except MbcostError:
        return text


def _whole(value: float) -> int | float:
    return int(value) if abs(value) < 2**53 and value == int(value) else value
