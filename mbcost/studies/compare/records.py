"""What mbcost reports about a subject as plain data: the keys of the JSON and the CSV.

Raw integers in base units. A counter that was not run is null, never 0.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from mbcost.cost import DTYPES, CostReport
from mbcost.modules.counters import COUNTERS, Verification
from mbcost.networks.network import Network
from mbcost.networks.settings import as_record
from mbcost.output.table import Column, Record, Said
from mbcost.studies.compare.versions import versions
from mbcost.targets.restatement import Restatement
from mbcost.targets.subject import Subject
from mbcost.units import size_value

COLUMNS: dict[str, Column] = {
    column.key: column
    for column in (
        Column("name", "name"),
        Column("target", "target"),
        Column("alpha", "α", "number"),
        Column("rho", "ρ", "number"),
        Column("size", "size", "size"),
        Column("classes", "classes", "whole"),
        Column("batch", "batch", "whole"),
        Column("input", "input", "shape"),
        Column("output", "output", "shape", rank=6),
        Column("params", "params", "count"),
        Column("params_weights", "weights", "count"),
        Column("params_all", "all params", "count"),
        Column("mult_adds", "mult-adds", "count"),
        Column("params_ratio", "params vs", "ratio", rank=3),
        Column("mult_adds_ratio", "mult-adds vs", "ratio"),
        Column("torchinfo_mult_adds", "torchinfo", "count", rank=1),
        Column("fvcore_flops", "fvcore", "count", rank=1),
        Column("torch_flops", "torch flops", "count", rank=1),
        Column("input_bytes", "input", "bytes", rank=5),
        Column("forward_backward_bytes", "fwd/bwd", "bytes", rank=5),
        Column("param_bytes", "params", "bytes", rank=5),
        Column("total_bytes", "total", "bytes", rank=4),
        Column("verified", "verified", "truth", rank=2),
        Column("convention", "convention"),
        Column("versions", "versions", "versions"),
        Column("unit", "unit"),
        Column("settings", "settings", "settings"),
    )
}
RECORD_KEYS = tuple(COLUMNS)
COLUMNS |= {
    counter.key: Column(counter.key, counter.name, "count", rank=3)
    for counter in COUNTERS.values()
    if counter.key not in COLUMNS
}
"""Also the further counters: a record has their keys where they were run."""

DEPLOYED_COLUMNS: dict[str, Column] = {
    "fold_bn": Column("fold_bn", "folded", "truth", rank=6),
    **{
        f"{name}_bytes": Column(f"{name}_bytes", f"weights {name}", "bytes", rank)
        for name, rank in zip(DTYPES, reversed(range(len(DTYPES))), strict=True)
    },
}
"""What ``deployed_record`` adds to the records where a batch-norm is folded."""

EXTRA_COLUMNS: dict[str, Column] = {
    column.key: column
    for column in (
        Column("top1", "top-1", "percent"),
        Column("top1_source", "top-1 printed in"),
    )
}
"""Keys of a record that stand in it only where ``--columns`` asks for them."""

TRAINED_COLUMNS: dict[str, Column] = {
    column.key: column
    for column in (
        Column("trained_top1", "trained top-1", "percent"),
        Column("data", "trained on"),
        Column("epochs", "epochs", "whole"),
        Column("seed", "seed", "whole"),
    )
}
"""What a training that stands beside a subject adds; never a published figure."""

MEMORY_COLUMNS: dict[str, Column] = {
    column.key: column
    for column in (
        Column("largest_activation_bytes", "largest map", "memory"),
        Column("peak_activation_bytes", "peak", "memory"),
        Column("lower_bound_bytes", "bound", "memory"),
        Column("arena_bytes", "arena", "memory"),
        Column("saved_bytes", "saved", "memory"),
        Column("train_peak_bytes", "training peak", "memory"),
    )
}
"""So do these, which are those of ``mbcost memory`` without options, and with ``--train``."""
OF_TRAINING = ("saved_bytes", "train_peak_bytes")


def record(
    subject: Subject,
    reference: CostReport | None = None,
    verifications: Mapping[str, Verification] | None = None,
) -> Record:
    """Return the record of a subject: ``RECORD_KEYS`` and the figures by kind.

    Ratios are this ÷ ``reference``; null without one.
    """
    report, restated = subject.shown, subject.restatement
    by_kind = report.by_kind("mult_adds")
    ran = verifications or {}
    facts = subject.spec.facts(subject.settings)
    counted = {
        c.key: ran[c.name].total if c.name in ran else None
        for c in COUNTERS.values()
        if c.key in RECORD_KEYS or c.name in ran  # further counters where they were asked for
    }
    return {
        "name": subject.name,
        "target": subject.target,
        **facts,
        "size": size_value(*facts["size"]) if facts["size"] else None,
        "batch": report.batch,
        "input": [list(x) for x in report.inputs] if report.more_inputs else list(report.x),
        "output": [list(y) for y in report.ys] if report.ys else list(report.y),
        "params": report.params,
        "params_weights": report.params_weights,
        "params_all": report.params_all,
        "mult_adds": restated.mult_adds(report.mult_adds),
        "params_ratio": _ratio(report.params, reference.params if reference else None),
        "mult_adds_ratio": _ratio(report.mult_adds, reference.mult_adds if reference else None),
        **counted,
        "input_bytes": report.input_bytes,
        "forward_backward_bytes": report.forward_backward_bytes,
        "param_bytes": report.param_bytes,
        "total_bytes": report.total_bytes,
        "verified": verified(ran.values()),
        "convention": subject.convention,
        "versions": versions(name for name, v in ran.items() if v.total is not None),
        "unit": subject.restatement.unit,
        "settings": as_record(subject.settings),
        "params_by_kind": report.by_kind("params"),
        "mult_adds_by_kind": {k: restated.mult_adds(n) for k, n in by_kind.items()},
        **({} if report.coverage is None else {"uncounted": report.uncounted}),
        **(flops_record(subject) if restated.in_flops else {}),
    }


def flops_record(subject: Subject) -> Record:
    """Return the flops, two per mult-add."""
    restated = subject.restatement
    by_kind = subject.shown.by_kind("mult_adds")
    return {
        "flops": restated.flop_count(subject.shown.mult_adds),
        "flops_by_kind": {k: restated.flop_count(n) for k, n in by_kind.items()},
    }


def deployed_record(subject: Subject) -> Record:
    """Return whether batch-norms are folded, and the bytes of the weights by element type."""
    stored = {f"{name}_bytes": subject.report.weight_bytes(name) for name in DTYPES}
    return {"fold_bn": subject.folded, **stored}


def extras(subject: Subject) -> Record:
    """Return the values of ``EXTRA_COLUMNS``: the published top-1 in per cent and where it stands.

    Null unless it was published for exactly this α, size and everything else.
    """
    spec = subject.spec
    if isinstance(spec, Network) and (top1 := spec.top1(subject.settings)) is not None:
        return {"top1": top1, "top1_source": spec.published_source or spec.source}
    return {"top1": None, "top1_source": None}


def memory_record(subject: Subject, keys: Collection[str]) -> Record:
    """Return the values of ``MEMORY_COLUMNS`` that are asked for.

    Of a model from elsewhere those of a deployed network and of training are null.
    """
    from mbcost.studies.memory import figures
    from mbcost.studies.memory.how import How

    wanted = [key for key in MEMORY_COLUMNS if key in keys]
    trains = not subject.traced and any(key in OF_TRAINING for key in wanted)
    found = figures.record(subject, How(train=trains))
    return {key: found[key] for key in wanted}


def memory_words(keys: Collection[str]) -> tuple[tuple[Said, ...], tuple[str, ...]]:
    """Return what those of ``MEMORY_COLUMNS`` are, for a caption, and what is to be noted."""
    if not keys:
        return (), ()
    from mbcost.studies.memory import stated

    usual = stated.Stated()
    words = {
        "peak_activation_bytes": stated.peak_words(usual),
        "lower_bound_bytes": f"bound: {stated.bound_words(usual)}",
        **{key: say(usual) for key, say in stated.WORDS.items()},
    }
    said = tuple(
        Said(f"{text[:1].upper()}{text[1:]}.", (key,)) for key, text in words.items() if key in keys
    )
    return said, (stated.AT_LEAST,) if "arena_bytes" in keys else ()


def _ratio(value: int, reference: int | None) -> float | None:
    return value / reference if reference else None


def verified(verifications: Iterable[Verification]) -> bool | None:
    """Return whether every counter that ran agrees; None where none ran."""
    agreed = [v.agrees for v in verifications if v.agrees is not None]
    return all(agreed) if agreed else None


def known_columns(reference: str, restatement: Restatement, *, trained: bool) -> dict[str, Column]:
    """Return the columns that a comparison can show, those of ratios named after its reference."""
    known = {**COLUMNS, **DEPLOYED_COLUMNS, **EXTRA_COLUMNS, **MEMORY_COLUMNS}
    known |= TRAINED_COLUMNS if trained else {}
    known["mult_adds"] = Column("mult_adds", restatement.mult_adds_title, "count")
    known["flops"] = Column("flops", restatement.flops_title, "count")
    for key, figure in (("params_ratio", "params"), ("mult_adds_ratio", restatement.title)):
        known[key] = Column(key, f"{figure} vs {reference}", "ratio", COLUMNS[key].rank)
    return known
