"""What a comparison says around its figures: title, caption, and where top-1 figures stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mbcost.cost import DTYPES
from mbcost.output.table import Column, Record, Said
from mbcost.studies.compare import conditions
from mbcost.studies.compare.versions import versions_text
from mbcost.targets.restatement import AS_IN_PAPERS, Restatement
from mbcost.targets.subject import Subject
from mbcost.units import in_words, shape_text


def title_of(subjects: Sequence[Subject]) -> str:
    """Return what all subjects have in common, settings, input and batch; then the settings
    that changed some of them and others not."""
    inputs = {shape_text(s.report.inputs, "×") for s in subjects}
    batches = {s.batch for s in subjects}
    known = [conditions.given(subject) for subject in subjects]
    common = {
        name: value
        for name, value in known[0].items()
        if name not in (*conditions.OF_INPUT, *subjects[0].settings.get("options", ()))
        and all(settings.get(name) == value for settings in known)
    }
    parts = [in_words(common)] if common else []
    if len(inputs) == 1:
        parts.append(f"input {inputs.pop()}")
    if len(batches) == 1:
        parts.append(f"batch {batches.pop()}")
    return "; ".join(filter(None, (", ".join(parts), *conditions.partly(subjects))))


def source_of(subjects: Sequence[Subject]) -> str:
    """Return what the figures come from: the closed form, the trace, or both."""
    traced = {subject.traced for subject in subjects}
    if len(traced) > 1:
        return "the closed form and the trace"
    return "the trace" if traced == {True} else "the closed form"


def caption_of(versions: dict[str, str], conventions: dict[str, str], title: str) -> str:
    """Return a caption: the convention of each figure, and the versions."""
    said = said_of(versions, {name: (name, counts) for name, counts in conventions.items()})
    return " ".join(filter(None, (f"{title}." if title else "", *(each.text for each in said))))


_OF_PARAMS = ("params", "params_ratio", "params_share")
_OF_MULT_ADDS = ("mult_adds", "mult_adds_ratio", "mult_adds_share", "flops")
_OF_BYTES = ("input_bytes", "forward_backward_bytes", "param_bytes", "total_bytes")


def said_of(
    versions: dict[str, str],
    conventions: Mapping[str, tuple[str, str]],
    restatement: Restatement = AS_IN_PAPERS,
) -> tuple[Said, ...]:
    """Return the sentences of a caption: what each figure is, and the versions.

    ``conventions`` are the counters' names and what they count, by key.
    """
    weights = "; ".join(f"{dtype.name} {dtype.stores}" for dtype in DTYPES.values())
    stored = tuple(f"{name}_bytes" for name in DTYPES)
    flops = "" if restatement.in_flops else "flops: two per mult-add."
    return (
        Said(f"Weights: {weights}.", stored),
        Said("params: weights, biases, batch-norm γ and β.", (*_OF_PARAMS, "param_bytes")),
        Said("weights: params of convolutions and linear layers alone.", ("params_weights",)),
        Said("all params: with running means and variances.", ("params_all",)),
        Said(restatement.counts, _OF_MULT_ADDS),
        Said(flops, ("flops",)),
        *(Said(f"{name}: {counts}.", (key,)) for key, (name, counts) in conventions.items()),
        Said("MB of 10⁶ bytes, float32.", _OF_BYTES),
        Said(f"{versions_text(versions)}."),
    )


def trained_lines(trained: Sequence[Record]) -> tuple[str, ...]:
    """Return what a measured top-1 is, where there is one."""
    if not any(each["trained_top1"] is not None for each in trained):
        return ()
    return (
        "trained top-1: measured here, at the input and classes of the row; "
        "no published figure is comparable",
    )


def top1_lines(chosen: Sequence[Column], rows: Sequence[Record]) -> tuple[str, ...]:
    """Return where each published top-1 stands, a line per source, if the column is shown."""
    if not any(column.key == "top1" for column in chosen):
        return ()
    by_source: dict[str, list[str]] = {}
    for row in rows:
        if row["top1"] is not None:
            by_source.setdefault(row["top1_source"], []).append(row["target"])
    return tuple(f"top-1 of {', '.join(t)}: {source}" for source, t in by_source.items())
