"""Why a block costs what it costs: ``mbcost explain``, formulas with the numbers filled in."""

from __future__ import annotations

from mbcost.cost import CostReport, cost_of, formula
from mbcost.networks.network import SingleBlock
from mbcost.output.table import Column, Record, Table
from mbcost.targets.subject import Subject, uncounted_lines
from mbcost.units import ratio_in_words, shape_text, thousands

COLUMNS = (
    Column("path", "layer"),
    Column("params_formula", "params ="),
    Column("params", "params", "whole"),
    Column("mult_adds_formula", "mult-adds ="),
    Column("mult_adds", "mult-adds", "whole"),
)
FIELDS = ("path", "kind", *(column.key for column in COLUMNS[1:]))


def explain_table(subject: Subject) -> Table:
    """Return the formula of each layer that costs something, and what the block saves."""
    report = subject.report
    rows = [_row(report, i) for i in range(len(report.layers))]
    costly = [row for row in rows if row["params"] or row["mult_adds"]]
    return Table(
        COLUMNS,
        costly,
        FIELDS,
        costly,
        {
            "target": subject.target,
            "batch": report.batch,
            "params": report.params,
            "mult_adds": report.mult_adds,
            "layers": costly,
            **savings(subject),
        },
        title=f"{subject.target}: input {shape_text(report.inputs).replace('x', '×')}, "
        f"batch {report.batch}",
        caption=f"{subject.target}: params and mult-adds of each layer, numbers filled in.",
        total={"path": "total", "params": report.params, "mult_adds": report.mult_adds},
        notes=(
            "a convolution: kh·kw · c_in/groups · c_out (+ c_out with bias) weights, "
            "times h_out·w_out mult-adds; a batch-norm: 2·c params",
            *savings_lines(subject),
            *uncounted_lines([subject]),
        ),
    )


def _row(report: CostReport, i: int) -> Record:
    layer = report.layers[i]
    params_formula, mult_adds_formula = formula(layer, report.scale)
    return {
        "path": layer.path,
        "kind": layer.kind,
        "params_formula": params_formula,
        "params": layer.params,
        "mult_adds_formula": mult_adds_formula,
        "mult_adds": layer.mult_adds * report.scale,
    }


def _standard(subject: Subject) -> CostReport | None:
    """Return a standard convolution of the same kernel, stride and channels, for a single block."""
    spec = subject.spec
    if not isinstance(spec, SingleBlock) or spec.block == "conv":
        return None
    settings = dict(subject.settings)
    block = spec.built(settings)
    kernel, stride = getattr(block, "k", None), getattr(block, "s", None)
    if kernel is None or stride is None:
        return None
    fields = {"k": kernel, "s": stride, "p": getattr(block, "p", None)}
    twin = SingleBlock("standard", "conv", fields, spec.x, spec.c)
    shared = {k: v for k, v in settings.items() if k in ("in", "out", "c", "size", "batch")}
    return cost_of(twin.graph(shared), "standard", subject.batch)


def savings(subject: Subject) -> Record:
    """Return the block's mult-adds ÷ those of a standard convolution, counted and, for a
    depthwise-separable block, predicted as 1/N + 1/k² (V1, section 3.1)."""
    standard = _standard(subject)
    if standard is None:
        return {}
    found: Record = {
        "standard_mult_adds": standard.mult_adds,
        "counted_ratio": subject.report.mult_adds / standard.mult_adds,
    }
    spec = subject.spec
    if isinstance(spec, SingleBlock) and spec.block == "depthwise_separable":
        n = subject.report.y[0]
        k = getattr(spec.built(subject.settings), "k", 0)
        found |= {"N": n, "k": k, "predicted_ratio": 1 / n + 1 / k**2}
    return found


def savings_lines(subject: Subject) -> list[str]:
    """Return the savings in words."""
    found = savings(subject)
    if not found:
        return []
    counted, standard = found["counted_ratio"], found["standard_mult_adds"]
    lines = [
        f"counted: {thousands(subject.report.mult_adds)} ÷ {thousands(standard)} of a standard "
        f"convolution = {counted:.6f} ({ratio_in_words(counted)})"
    ]
    if "predicted_ratio" in found:
        n, k, predicted = found["N"], found["k"], found["predicted_ratio"]
        lines.append(
            f"predicted: 1/N + 1/k² = 1/{n} + 1/{k}² = {predicted:.6f} "
            f"({ratio_in_words(predicted)})"
        )
    return lines
