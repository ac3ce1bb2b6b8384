"""Why a block costs what it costs: ``mbcost explain``, formulas with the numbers filled in."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from mbcost.cost import CONVOLUTIONS, CostReport, LayerCost, cost_of
from mbcost.graph.primitives import Shape
from mbcost.graph.seen import seen_positions
from mbcost.graph.split import PAPER_ITEMSIZE, bottlenecks, split_peak
from mbcost.networks.single_block import SingleBlock
from mbcost.output.table import Column, Record, Table
from mbcost.targets.subject import Subject, uncounted_lines
from mbcost.units import decimals, percent, ratio_in_words, shape_text, thousands

COLUMNS = (
    Column("path", "layer"),
    Column("params_formula", "params ="),
    Column("params", "params", "whole"),
    Column("mult_adds_formula", "mult-adds ="),
    Column("mult_adds", "mult-adds", "whole"),
)
SEEN = Column("kernel_seen", "kernel seen", "percent")
"""The share of a kernel's positions that meet the map somewhere; shown where one never does."""
FIELDS = ("path", "kind", *(column.key for column in COLUMNS[1:]), SEEN.key)


def explain_table(subject: Subject) -> Table:
    """Return the formula of each layer that costs something, and what the block saves."""
    report = subject.report
    seen = kernels_seen(subject)
    rows = [_row(report, i, seen) for i in range(len(report.layers))]
    costly = [row for row in rows if row["params"] or row["mult_adds"]]
    blind = seen_lines(subject)
    return Table(
        (*COLUMNS, SEEN) if blind else COLUMNS,
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
            **inverted_savings(subject),
            **bottleneck_memory(subject),
        },
        title=f"{subject.target}: input {shape_text(report.inputs, '×')}, batch {report.batch}",
        caption=f"{subject.target}: params and mult-adds of each layer, numbers filled in.",
        total={"path": "total", "params": report.params, "mult_adds": report.mult_adds},
        notes=(
            "a convolution: kh·kw · c_in/groups · c_out (+ c_out with bias) weights, "
            "times h_out·w_out mult-adds; a batch-norm: 2·c params",
            *savings_lines(subject),
            *inverted_lines(subject),
            *bottleneck_lines(subject),
            *blind,
            *uncounted_lines([subject]),
        ),
    )


def _row(report: CostReport, i: int, seen: Mapping[str, tuple[int, int]]) -> Record:
    layer = report.layers[i]
    positions = seen.get(layer.path)
    params_formula, mult_adds_formula = formula(layer, report.scale)
    return {
        "path": layer.path,
        "kind": layer.kind,
        "params_formula": params_formula,
        "params": layer.params,
        "mult_adds_formula": mult_adds_formula,
        "mult_adds": layer.mult_adds * report.scale,
        SEEN.key: None if positions is None else 100 * positions[0] / positions[1],
    }


def kernels_seen(subject: Subject) -> dict[str, tuple[int, int]]:
    """Return by path of a convolution how many positions of its kernel meet the map, and of how
    many; nothing of a model from elsewhere, whose padding is not known."""
    if subject.traced:
        return {}
    positions = ((node.path, seen_positions(node)) for node in subject.graph.nodes)
    return {path: found for path, found in positions if found is not None}


def seen_lines(subject: Subject) -> list[str]:
    """Return which share of the weights meet nothing but padding, where some do."""
    seen = kernels_seen(subject)
    lines = []
    for kind in CONVOLUTIONS:
        rows = [row for row in subject.report.layers if row.kind == kind and row.path in seen]
        whole = sum(row.terms.weights for row in rows)
        met = sum(row.terms.weights * seen[row.path][0] // seen[row.path][1] for row in rows)
        if met < whole:
            lines.append(
                f"of the {kind} weights {percent(met / whole, 0)} ever meet the map: "
                f"{thousands(met)} of {thousands(whole)}; the others see padding alone"
            )
    return lines


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
        f"convolution = {decimals(counted, 6)} ({ratio_in_words(counted)})"
    ]
    if "predicted_ratio" in found:
        n, k, predicted = found["N"], found["k"], found["predicted_ratio"]
        lines.append(
            f"predicted: 1/N + 1/k² = 1/{n} + 1/{k}² = {decimals(predicted, 6)} "
            f"({ratio_in_words(predicted)})"
        )
    return lines


def _conv(x: Shape, c: int, fields: Record) -> int:
    """Return the mult-adds of a convolution with these fields, counted."""
    twin = SingleBlock("standard", "conv", fields, x, c)
    return cost_of(twin.graph({}), "standard").mult_adds


def inverted_savings(subject: Subject) -> Record:
    """Return what a single inverted residual costs beside two others of its widths, for one image.

    *Standard inside*: a standard k×k convolution at the expanded width in place of the depthwise
    one. *Classic bottleneck*: wide outside and narrow inside (V2, Fig. 3a): 1×1 from the expanded
    width to that of the input, k×k there, 1×1 to the expanded width. Elements kept between blocks
    are those that one puts out.
    """
    spec = subject.spec
    if not isinstance(spec, SingleBlock) or spec.block != "inverted_residual":
        return {}
    block = spec.built(dict(subject.settings))
    depthwise = [row for row in subject.report.layers if row.path.endswith("depthwise.conv")]
    if len(depthwise) != 1 or getattr(block, "dilation", 1) != 1:
        return {}
    (row,) = depthwise
    x, wide, narrow = subject.report.x, row.x[0], subject.report.x[0]
    fields = {key: getattr(block, key) for key in ("k", "s", "p")}
    once = sum(layer.mult_adds for layer in subject.report.layers)
    after = (narrow, *row.y[1:])
    bottleneck = _conv((wide, *x[1:]), narrow, {"k": 1}) + _conv(x, narrow, fields)
    return {
        "expanded_width": wide,
        "standard_inside_mult_adds": once - row.mult_adds + _conv(row.x, wide, fields),
        "bottleneck_mult_adds": bottleneck + _conv(after, wide, {"k": 1}),
        "kept_elements": prod(subject.report.y),
        "bottleneck_kept_elements": wide * prod(row.y[1:]),
    }


def inverted_lines(subject: Subject) -> list[str]:
    """Return those savings in words."""
    found = inverted_savings(subject)
    if not found:
        return []
    once = sum(layer.mult_adds for layer in subject.report.layers)
    wide, inside = found["expanded_width"], found["standard_inside_mult_adds"]
    classic, kept = found["bottleneck_mult_adds"], found["kept_elements"]
    return [
        f"with a standard convolution at the expanded width of {wide} in place of the depthwise "
        f"one: {thousands(inside)} mult-adds an image; this block has "
        f"{ratio_in_words(once / inside)}",
        f"a classic bottleneck, {wide} channels outside and {subject.report.x[0]} inside: "
        f"{thousands(classic)} mult-adds an image, {ratio_in_words(once / classic)} here; between "
        f"blocks it keeps {thousands(found['bottleneck_kept_elements'])} elements, this one "
        f"{thousands(kept)}",
    ]


GROUPS = (1, 2, 3)
"""In so many groups of inner channels, then a channel at a time, bottlenecks are shown to run."""


def bottleneck_memory(subject: Subject) -> Record:
    """Return the most bytes of maps between inverted residuals, and inside of them, and the peak
    where inner channels run in groups (V2, section 5.1), with the paper's 2 bytes an element."""
    if subject.traced:
        return {}
    blocks = list(bottlenecks(subject.graph))
    if not blocks:
        return {}
    inside = max(block.channels * sum(block.inside) for block in blocks)
    peaks = [split_peak(subject.graph, groups) for groups in (*GROUPS, None)]
    return {
        "between_bytes": PAPER_ITEMSIZE * max(block.outside for block in blocks),
        "inside_bytes": PAPER_ITEMSIZE * inside,
        "split_peak_bytes": {
            str(groups or "channels"): peak.size
            for groups, peak in zip((*GROUPS, None), peaks, strict=True)
            if peak
        },
    }


def bottleneck_lines(subject: Subject) -> list[str]:
    """Return that memory in words."""
    found = bottleneck_memory(subject)
    if not found:
        return []
    between, inside = found["between_bytes"], found["inside_bytes"]
    *sizes, alone = map(thousands, found["split_peak_bytes"].values())
    groups = ", ".join(f"{size} in {n}" for n, size in zip(GROUPS, sizes, strict=True))
    return [
        f"an inverted residual reads and puts out at most {thousands(between)} bytes; inside it "
        f"are at most {thousands(inside)} (one image, {PAPER_ITEMSIZE} bytes an element)",
        f"its inner channels run in groups (V2, section 5.1, as we read it): at the peak {groups}, "
        f"{alone} a channel at a time",
    ]


def formula(row: LayerCost, times: int = 1) -> tuple[str, str]:
    """Return the formulas of (params, mult_adds · ``times``) with the numbers filled in.

    A convolution reads kh·kw · c_in/groups · c_out (· h_out·w_out; a transposed one h_in·w_in), a
    linear layer in · out (· positions), a norm 2·c. Empty where zero or where no formula is known.
    """
    if row.kind in CONVOLUTIONS and row.kernel is not None:
        return _conv_formula(row, row.kernel, times)
    if row.kind == "linear" and row.terms.weights:
        weights = f"{row.x[-1]}·{row.y[-1]}"
        bias = f" + {row.y[-1]}" if row.terms.bias_params else ""
        once = row.x[-1] * prod(row.y)
        return weights + bias, _times("·".join((weights, *map(str, row.y[:-1]))), once, row, times)
    if row.kind in ("batch_norm", "norm") and row.terms.norm_params:
        return f"2·{row.terms.norm_params // 2}", ""
    return "", ""


def _times(product: str, once: int, row: LayerCost, times: int) -> str:
    """Return a product with the images of a batch behind it, or nothing if it is not the figure."""
    figure = row.mult_adds * times
    images, left = divmod(figure, once) if once else (0, 0)
    if left or not images:
        return ""
    return product if images == 1 else f"{product}·{images}"


def _conv_formula(row: LayerCost, kernel: tuple[int, ...], times: int) -> tuple[str, str]:
    square = len(kernel) == 2 and kernel[0] == kernel[1]
    window = f"{kernel[0]}²" if square else "·".join(map(str, kernel))
    groups = row.groups or 1
    fan_in = f"{row.x[0]}/{groups}" if groups > 1 else f"{row.x[0]}"
    weights = f"{window}·{fan_in}·{row.y[0]}"
    bias = f" + {row.y[0]}" if row.terms.bias_params else ""
    positions = (row.x if row.transposed else row.y)[1:]
    once = prod(kernel) * row.x[0] // groups * row.y[0] * prod(positions)
    product = _times("·".join((weights, *map(str, positions))), once, row, times)
    return (weights + bias if row.params else ""), product
