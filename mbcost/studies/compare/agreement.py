"""Whether counters count as their conventions predict, and what they do not see, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mbcost.cost import CONVOLUTIONS, Convention, CostReport, LayerCost, Terms
from mbcost.errors import CheckFailedError, MbcostError, did_you_mean
from mbcost.modules.counters import COUNTERS, Counter, Verification, require
from mbcost.targets.subject import Subject
from mbcost.units import decimals, percent

Done = Mapping[tuple[int, str], Verification]
"""What each counter said, by number of the subject and name of the counter."""


@dataclass(frozen=True)
class Verified:
    """What counters said so far, and FlopCounterMode's word on models on which one differs."""

    done: Done = field(default_factory=dict)
    referees: Mapping[int, Verification] = field(default_factory=dict)


def verified_line(verified: Verified, ours: str = "the closed form") -> str:
    """Return the line that says whether the counters count as predicted from ``ours``.

    Where one does not but FlopCounterMode, the referee, does, the figure is not in doubt.
    """
    ran = {key: v for key, v in verified.done.items() if v.agrees is not None}
    names = list(dict.fromkeys(name for _, name in ran))
    if not names:
        return "not verified: no counter ran"
    differing = {key for key, v in ran.items() if not v.agrees}
    if not differing:
        verb = " counts" if len(names) == 1 else ", each"
        where = "on every layer" if all(v.tells_layers for v in ran.values()) else "in total"
        return (
            f"verified: {_listed(names)}{verb} as its convention predicts from {ours}, "
            f"to the unit, {where}"
        )
    settled = {i for i, referee in verified.referees.items() if _same_total(referee)}
    if all(i in settled for i, _ in differing):
        who = _listed(list(dict.fromkeys(name for _, name in differing)))
        return (
            f"{who} differs from its convention; FlopCounterMode equals {ours} to the unit: "
            "the figure stands"
        )
    return f"NOT VERIFIED: a counter and {ours} differ"


def _same_total(referee: Verification) -> bool:
    return referee.agrees is not None and all(m.where != "total" for m in referee.mismatches)


def _listed(names: Sequence[str]) -> str:
    if len(names) < 3:
        return " and ".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def skipped_lines(done: Done, subjects: Sequence[Subject]) -> list[str]:
    """Return a line for each counter that did not run, and why."""
    return [
        f"{subjects[i].target}: {name} skipped: {verification.skipped}"
        for (i, name), verification in done.items()
        if verification.skipped
    ]


def raise_if_different(
    subject: Subject, verification: Verification, referee: Verification | None = None
) -> None:
    """Raise ``CheckFailedError`` with the first layers that differ."""
    if verification.agrees is not False:
        return
    shown = "; ".join(str(m) for m in verification.mismatches[:3])
    more = len(verification.mismatches) - 3
    rest = f"; and {more} more" if more > 0 else ""
    ours = "the trace" if subject.traced else "the closed form"
    stands = ""
    if referee is not None and _same_total(referee):
        stands = f"; FlopCounterMode equals {ours} to the unit, so its figure stands"
    raise CheckFailedError(
        f"{verification.counter.name} and {ours} differ: {shown}{rest}{stands}",
        place=subject.target,
        way_out="mbcost reconcile takes the difference apart"
        if subject.traced
        else "a bug in mbcost or a changed counter: please report it with --version",
    )


def seen_lines(done: Done, subjects: Sequence[Subject]) -> list[str]:
    """Return a line for each counter whose convention leaves out products, or counts too many:
    ``torchinfo sees 4.9 %: attention is not a module it counts``."""
    lines = []
    for (i, name), verification in done.items():
        if not verification.agrees:
            continue
        target = f"{subjects[i].target}: " if len(subjects) > 1 else ""
        share, causes = seen(subjects[i].report, verification.counter.convention)
        if causes and percent(share) != "100.0%":
            lines.append(f"{target}{name} sees {decimals(100 * share, 1)} %: {', '.join(causes)}")
    return lines


CAUSES = {
    "attention": "attention is not a module it counts",
    "fused": "attention's fused product has no handle",
    "matmul": "products of two maps are not modules it counts",
    "function": "functions are not modules it counts",
    "subclass": "subclasses of torch's layers are not looked up",
    "unhandled": "some operators have no formula there",
    "repeated": "a linear layer counts for one position of many",
    "transposed": "a transposed convolution is taken to run over its output",
    "rule": "parameters times output positions is not what runs",
}
"""Why a counter's products are not all products, in the order of the words."""


def seen(report: CostReport, convention: Convention) -> tuple[float, list[str]]:
    """Return which share of the products, with the biases it counts, a counter sees, and what
    makes the difference."""
    weights = convention.weights
    whole = sum(
        times * (weights.mult_adds * terms.mult_adds + weights.bias_adds * terms.bias_adds)
        for times, terms in report.terms_by_times.items()
    )
    if not whole:
        return 1.0, []
    differences = dict.fromkeys(CAUSES, 0)
    attending = {row.module for row in report.layers if row.kind == "attention"}
    for row in report.layers:
        for cause, amount in _differences(row, weights, row.module in attending):
            differences[cause] += amount
    causes = [CAUSES[cause] for cause, amount in differences.items() if amount]
    return 1 + sum(differences.values()) / whole, causes


def _differences(row: LayerCost, weights: Terms, attending: bool) -> Iterator[tuple[str, int]]:
    terms = row.terms
    outside = weights.functional_mult_adds * terms.functional_mult_adds
    outside += weights.functional_bias_adds * terms.functional_bias_adds
    outside += weights.named_product_mult_adds * terms.named_product_mult_adds
    yield "attention" if attending else "matmul" if row.kind == "matmul" else "function", outside
    yield "fused", weights.attention_mult_adds * terms.attention_mult_adds
    yield (
        "subclass",
        weights.subclass_mult_adds * terms.subclass_mult_adds
        + weights.subclass_bias_adds * terms.subclass_bias_adds,
    )
    yield "unhandled", weights.unhandled_mult_adds * terms.unhandled_mult_adds
    yield "repeated", weights.repeated_linear * terms.repeated_linear
    if row.kind in (*CONVOLUTIONS, "linear", "matmul"):
        cause = "transposed" if row.transposed else "rule"
        yield cause, weights.parameter_rule_excess * terms.parameter_rule_excess


def counters_named(
    names: Sequence[str] | None, default: Iterable[str], instead: str = ""
) -> list[Counter]:
    """Return the counters of these names, each once, or raise with the nearest known name.

    All that are named must be installed; of the default ones any.
    """
    chosen = []
    for name in dict.fromkeys(names or default):
        if name not in COUNTERS:
            raise MbcostError(
                f"unknown counter {name!r}", place="--counter", way_out=did_you_mean(name, COUNTERS)
            )
        chosen.append(COUNTERS[name])
    if names:
        require(chosen, place="--counter")
    elif chosen:
        require(chosen, any_will_do=True, instead=instead)
    return chosen
