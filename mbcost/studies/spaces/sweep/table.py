"""A sweep as a table: a config per row, or one figure pivoted over two axes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mbcost.cost import DTYPES, FLOPS_PER_MULT_ADD
from mbcost.errors import CheckFailedError, MbcostError, did_you_mean
from mbcost.output.table import Column, Record, Said, Table, choose_columns, sort_rows
from mbcost.studies import prediction
from mbcost.studies.compare.records import COLUMNS
from mbcost.studies.compare.versions import versions, versions_text
from mbcost.studies.memory.stated import AT_LEAST, WORDS, peak_words
from mbcost.studies.spaces.columns import Field, Layout
from mbcost.studies.spaces.plan import UNTRAINED, Batch
from mbcost.units import thousands

MAX_SHOWN = 10_000
"""Rows of a table; beyond it a sweep is a file."""

FIGURE_COLUMNS = {
    "params": COLUMNS["params"],
    "params_weights": COLUMNS["params_weights"],
    "params_all": COLUMNS["params_all"],
    "mult_adds": COLUMNS["mult_adds"],
    "weight_bytes": Column("weight_bytes", "weights", "bytes", rank=3),
    "largest_activation_bytes": Column("largest_activation_bytes", "largest map", "bytes", rank=5),
    "peak_activation_bytes": Column("peak_activation_bytes", "peak activation", "bytes", rank=4),
    "arena_bytes": Column("arena_bytes", "arena", "bytes", rank=3),
    "train_peak_bytes": Column("train_peak_bytes", "training peak", "bytes", rank=3),
    "top1": Column("top1", "top-1", "percent", rank=2),
    "predicted_top1": Column("predicted_top1", "predicted top-1", "percent", rank=1),
    "predicted_top1_error": Column("predicted_top1_error", "±", "percent", rank=1),
}


PREDICTED = ("predicted_top1", "predicted_top1_error")


def few_records(layout: Layout, batches: Iterable[Batch]) -> list[Record]:
    """Return all configs as records; raise where they are none, or too many for a table."""
    target = layout.plan.space.target
    records: list[Record] = []
    for batch in batches:
        records += layout.records(batch)
        if len(records) > MAX_SHOWN:
            raise MbcostError(
                f"has more than {thousands(MAX_SHOWN)} configs, too many for a table",
                place=target,
                way_out="-o FILE.csv or .parquet, --format csv, or a budget",
            )
    if not records:
        raise CheckFailedError(
            f"none of {thousands(layout.plan.total)} configs is within the budget",
            place=target,
            way_out="`mbcost search` shows the nearest",
        )
    return records


def columns_of(layout: Layout) -> dict[str, Column]:
    """Return the columns of a sweep by key."""
    found = {}
    for field in layout.fields:
        if field.key in FIGURE_COLUMNS:
            found[field.key] = FIGURE_COLUMNS[field.key]
        else:
            found[field.key] = COLUMNS.get(field.key) or Column(field.key, field.key, _kind(field))
    return found


FLOPS = {"flops": Column("flops", "flops", "count")}
"""What ``--columns`` may ask for besides: two per mult-add."""


def with_flops(records: list[Record]) -> list[Record]:
    """Return the records with their flops."""
    return [{**row, "flops": FLOPS_PER_MULT_ADD * row["mult_adds"]} for row in records]


def _kind(field: Field) -> str:
    numbers = [label for label in field.labels if label is not None]
    is_number = all(isinstance(v, int | float) and not isinstance(v, bool) for v in numbers)
    return "number" if is_number else "text"


def sweep_table(
    layout: Layout,
    records: list[Record],
    notes: Sequence[str],
    columns: str | None = None,
    sort: str | None = None,
    trained: Mapping[str, Column] | None = None,
) -> Table:
    """Return a config per row: what was chosen, and what it costs, with small bars of mult-adds.

    ``trained`` are the columns that trainings add to the records; the first one is shown.
    """
    known = columns_of(layout) | dict(trained or {})
    space = layout.plan.space
    varying = [axis.key for axis in space.axes]
    if "rho" in varying:
        varying.insert(varying.index("rho") + 1, "size")
    default = [*varying, "params", "mult_adds", "weight_bytes", "peak_activation_bytes"]
    default += layout.plan.whole
    if "top1" in known:
        default.append("top1")
    default += PREDICTED if layout.plan.predicted else ()
    default += list(trained or ())[:1]
    chosen = choose_columns(known | FLOPS, columns, default)
    if FLOPS.keys() & {column.key for column in chosen}:
        records = with_flops(records)
    rows = sort_rows(records, sort)
    fields = tuple(known) if columns is None else tuple(column.key for column in chosen)
    most = max((record["mult_adds"] for record in rows), default=0)
    if columns is None and len(rows) > 1 and most:
        at = [column.key for column in chosen].index("mult_adds") + 1
        chosen = (*chosen[:at], Column("bar", "", "bar", rank=1), *chosen[at:])
    shown = [{**row, "bar": row["mult_adds"] / most if most else 0} for row in rows]
    data = [{key: row.get(key) for key in fields} for row in rows]
    return Table(
        chosen,
        shown,
        fields,
        data,
        data,
        title=title(layout),
        caption=f"{title(layout)}.",
        said=said(layout),
        notes=(*notes, *memory_notes(layout), *predicted_notes(layout)),
    )


def pivot_table(
    layout: Layout, records: list[Record], notes: Sequence[str], pivot: str, figure: str
) -> Table:
    """Return one figure over two axes: ``pivot`` is ``alpha,size``, down and across."""
    known = columns_of(layout)
    keys = [key.strip() for key in pivot.split(",")]
    axes = {axis.key for axis in layout.plan.space.axes}
    for key in keys:
        if key not in axes:
            raise MbcostError(
                f"{key!r} does not vary here", place="--pivot", way_out=did_you_mean(key, axes)
            )
    if len(keys) != 2 or keys[0] == keys[1]:
        raise MbcostError("needs two axes", place="--pivot", way_out="like alpha,size")
    if figure not in FIGURE_COLUMNS:
        raise MbcostError(
            f"unknown figure {figure!r}",
            place="--figure",
            way_out=did_you_mean(figure, FIGURE_COLUMNS),
        )
    more = sorted(axes - set(keys))
    if more:
        raise MbcostError(
            f"{', '.join(more)} would share a cell", place="--pivot", way_out="fix the other axes"
        )
    down, across = keys
    if figure not in known:
        raise MbcostError(
            "no accuracy is published for these", place="--figure", way_out="mult_adds"
        )
    columns_at = list(dict.fromkeys(str(record[across]) for record in records))
    rows: dict[Any, Record] = {}
    for record in records:
        row = rows.setdefault(record[down], {down: record[down]})
        row[str(record[across])] = record[figure]
    kind = FIGURE_COLUMNS[figure].kind
    name, what = known[across].title, FIGURE_COLUMNS[figure].title
    columns = (known[down], *(Column(key, f"{name} {key}", kind) for key in columns_at))
    data = list(rows.values())
    return Table(
        columns,
        data,
        (down, *columns_at),
        data,
        data,
        title=f"{title(layout)}: {what}",
        caption=f"{title(layout)}: {what} over {known[down].title} and {name}.",
        said=said(layout, (figure,)),
        notes=(*notes, *memory_notes(layout), *predicted_notes(layout)),
    )


def memory_notes(layout: Layout) -> list[str]:
    """Return what is to be said of figures of memory."""
    plan = layout.plan
    notes = [AT_LEAST] if "arena_bytes" in plan.whole else []
    batches = next(
        (axis.values for axis in plan.space.axes if axis.key == "batch"),
        (plan.space.settings.get("batch", 1),),
    )
    if "train_peak_bytes" in plan.whole and 1 in batches:
        notes.append(f"{UNTRAINED}: a config that has one at a batch of 1 is left out")
    return notes


def predicted_notes(layout: Layout) -> list[str]:
    """Return what a predicted top-1 is."""
    space = layout.plan.space
    if not layout.plan.predicted:
        return []
    return [prediction.words(prediction.family_of(space.spec, space.settings))]


def title(layout: Layout) -> str:
    """Return the target and what is the same for every config."""
    space = layout.plan.space
    fixed = [
        f"{field.key} {field.labels[0]}"
        for field in layout.fields
        if not field.axes and not field.figure and field.key not in ("name", *PREDICTED)
    ]
    return f"{space.target}: {', '.join(fixed)}"


def said(layout: Layout, only: Sequence[str] = ()) -> tuple[Said, ...]:
    """Return what the figures mean, each sentence with its column; of ``only`` some, as all are
    in the cells of a pivot."""
    stated = layout.plan.stated
    words = {
        "params": "params: weights, biases, batch-norm γ and β.",
        "params_weights": "weights: params of convolutions and linear layers alone.",
        "params_all": "all params: with running means and variances.",
        "mult_adds": "mult-adds: multiply-adds of convolution and linear weights.",
        "flops": "flops: two per mult-add.",
        "weight_bytes": f"weights: {DTYPES[stated.dtype].stores}.",
        "peak_activation_bytes": f"{peak_words(stated)}.",
        **{key: f"{WORDS[key](stated)}." for key in layout.plan.whole},
    }
    megabytes = Said("MB of 10⁶ bytes.", tuple(k for k in FIGURE_COLUMNS if k.endswith("_bytes")))
    sentences = [*(Said(text, (key,)) for key, text in words.items()), megabytes]
    if only:
        sentences = [Said(text) for text, keys in sentences if set(only) & set(keys)]
    return (*sentences, Said(f"{versions_text(versions())}."))
