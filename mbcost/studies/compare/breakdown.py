"""One subject taken apart: ``mbcost model``, a row as its view says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from mbcost.cost import DTYPES, CostReport
from mbcost.errors import MbcostError
from mbcost.output.table import Column, Record, Table, choose_columns, sort_rows, with_names
from mbcost.studies.compare.comparison import Comparison
from mbcost.studies.compare.view import View, others, top_line
from mbcost.targets.restatement import Restatement
from mbcost.targets.subject import Subject, trained
from mbcost.units import megabytes, thousands

AS_LAYERS = View()


def model_table(
    comparison: Comparison,
    view: View = AS_LAYERS,
    columns: str | None = None,
    sort: str | None = None,
) -> Table:
    """Return the costs of the comparison's one subject, a row per layer, or as ``view`` says.

    People see the rows that cost something; files hold all of them, but of ``view.top`` those
    alone. The total is re-added from the rows and must equal the report's.
    """
    subject = comparison.subjects[0]
    report = subject.shown
    restated = subject.restatement
    counted = view.rows(report)
    summed = add_up(view.added(counted), report)
    (total,) = _in_both_units([_with_shares(summed, report)], restated)
    whole = _in_both_units([_with_shares(row, report) for row in counted], restated)
    default = [restated.figure if key == "mult_adds" else key for key in view.columns]
    known = {
        **view.columns,
        "mult_adds": Column("mult_adds", restated.mult_adds_title, "count"),
        "flops": Column("flops", restated.flops_title, "count"),
    }
    chosen = choose_columns(known, columns, default)
    costly = sort_rows([row for row in whole if row["params"] or row["mult_adds"]], sort)
    shown, rest = view.cut(costly, sort)
    first = next(iter(known))
    fields = tuple(dict.fromkeys((*view.keys, restated.figure, *_UNIT)))
    rows = _stated(counted, restated)
    if columns is not None:
        fields = tuple(column.key for column in chosen)
        rows = [{key: row[key] for key in fields} for row in whole]
    data = rows if view.top is None else [rows[whole.index(row)] for row in shown]
    cut = [top_line(shown, len(costly))] if rest else []
    return Table(
        with_names(chosen, (known[first],)),
        [*view.shown(shown), *others(rest, first)],
        fields,
        [{**row, "unit": restated.unit, "convention": restated.name} for row in data],
        _document(comparison, view, rows),
        title=_title(comparison),
        caption=f"{subject.shown_as}: {comparison.caption()}",
        said=comparison.said(),
        total={**total, first: "total"},
        notes=(
            *cut,
            *memory_lines(report),
            *counter_lines(comparison),
            *deployed_lines(subject),
            *coverage_lines(subject),
            *comparison.notes(),
        ),
    )


def _document(comparison: Comparison, view: View, rows: list[Record]) -> Record:
    """Return what the JSON holds: the record, every layer, and the rows where they are others."""
    subject = comparison.subjects[0]
    document = {**comparison.records()[0], "params_ratio": None, "mult_adds_ratio": None}
    layers = _stated(View().rows(subject.shown), subject.restatement)
    document["layers"] = layers if view.key else rows
    if view.key:
        document[view.key] = rows
    if subject.folded:
        document["trained"] = weights_of(trained(subject).report)
    if subject.trace is not None:
        document["coverage"] = asdict(subject.trace.coverage)
    return document


_UNIT = ("unit", "convention")
"""What a line of the CSV says of its figure; the JSON says it once."""


def _stated(rows: Iterable[Record], restated: Restatement) -> list[Record]:
    """Return the rows in mult-adds, with flops beside them where they were asked for."""
    return _in_both_units(rows, restated) if restated.in_flops else list(rows)


def _in_both_units(rows: Iterable[Record], restated: Restatement) -> list[Record]:
    """Return the rows with mult-adds and flops."""
    return [
        {
            **row,
            "mult_adds": restated.mult_adds(row["mult_adds"]),
            "flops": restated.flop_count(row["mult_adds"]),
        }
        for row in rows
    ]


def add_up(rows: Iterable[Record], report: CostReport) -> Record:
    """Return the rows' sums, or raise where they are not the report's own totals."""
    total = {"params": 0, "mult_adds": 0}
    for row in rows:
        for key in total:
            total[key] += row[key]
    for key, value in total.items():
        expected = getattr(report, key)
        if value != expected:
            raise MbcostError(
                f"the rows add up to {thousands(value)} {key}, not {thousands(expected)}",
                place=report.name,
                way_out="this is a defect of mbcost: please report it",
            )
    return total


def _with_shares(row: Record, report: CostReport) -> Record:
    return {
        **row,
        "params_share": row["params"] / report.params if report.params else None,
        "mult_adds_share": row["mult_adds"] / report.mult_adds if report.mult_adds else None,
    }


def _title(comparison: Comparison) -> str:
    subject = comparison.subjects[0]
    return f"{subject.shown_as}: {comparison.title()}"


def memory_lines(report: CostReport) -> list[str]:
    """Return the four lines that torchinfo prints below its table, in units of 10⁶ bytes."""
    return [
        f"Input size (MB): {megabytes(report.input_bytes)}",
        f"Forward/backward pass size (MB): {megabytes(report.forward_backward_bytes)}",
        f"Params size (MB): {megabytes(report.param_bytes)}",
        f"Estimated Total Size (MB): {megabytes(report.total_bytes)}",
    ]


def coverage_lines(subject: Subject) -> list[str]:
    """Return what a trace saw: how many operator calls it counted, knew, or did not know."""
    if subject.trace is None:
        return []
    coverage = subject.trace.coverage
    counted, zero, unknown = (
        thousands(sum(ops.values())) for ops in (coverage.counted, coverage.zero, coverage.unknown)
    )
    named = f": {', '.join(coverage.unknown)}" if coverage.unknown else ""
    lines = [
        *filter(None, [coverage.on_real_tensors()]),
        f"traced: {thousands(coverage.seen)} operator calls, {counted} with mult-adds, "
        f"{zero} known to have none, {unknown} unknown{named}",
    ]
    if coverage.by_convention:
        words = (f"{what}: {times}" for what, times in coverage.by_convention.items())
        lines.append(f"no mult-adds by convention: {'; '.join(words)}")
    return lines


def counter_lines(comparison: Comparison) -> list[str]:
    """Return a line per figure: the closed form's totals, then each counter's."""
    subject = comparison.subjects[0]
    report = subject.shown
    restated = subject.restatement
    figure = restated.flop_count(report.mult_adds) if restated.in_flops else report.mult_adds
    lines = [
        f"params: {thousands(report.params)} (weights alone {thousands(report.params_weights)})",
        f"{restated.title}: {thousands(figure)}",
    ]
    for verification in comparison.verified.done.values():
        if verification.total is not None:
            counter = verification.counter
            counts = counter.convention.words(upsampling=report.upsamples)
            lines.append(f"{counter.name}: {thousands(verification.total)} ({counts})")
    return lines


def weights_of(report: CostReport) -> Record:
    """Return params and the bytes of the weights by element type."""
    stored = {f"{name}_bytes": report.weight_bytes(name) for name in DTYPES}
    return {"params": report.params, **stored}


def deployed_lines(subject: Subject) -> list[str]:
    """Return a line per figure, deployed beside trained, where batch-norms are folded."""
    if not subject.folded:
        return []
    before, after = weights_of(trained(subject).report), weights_of(subject.report)
    lines = [
        f"deployed: {thousands(after.pop('params'))} params, "
        f"trained {thousands(before.pop('params'))}"
    ]
    for name, key in zip(DTYPES, after, strict=True):
        lines.append(
            f"Weights {name} (MB): {megabytes(after[key])}, trained {megabytes(before[key])} "
            f"({DTYPES[name].stores})"
        )
    return lines
