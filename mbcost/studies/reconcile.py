"""Why counters differ: ``mbcost reconcile``, every counter's total taken apart to the unit.

Each cell is what a counter's convention adds for that part; the parts sum to ``predicted``, and
``residue`` is what the counter really said less that. To add a part: its line in ``PARTS``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from mbcost.cost import CONVENTIONS, CONVOLUTIONS, PAPERS, Convention, CostReport, LayerCost
from mbcost.errors import missing
from mbcost.modules.counters import COUNTERS, Counter
from mbcost.output.table import PENDING, Column, Record, Table
from mbcost.studies.compare.agreement import seen_lines, skipped_lines
from mbcost.studies.compare.comparison import Comparison
from mbcost.studies.compare.versions import versions
from mbcost.studies.compare.words import caption_of
from mbcost.targets.subject import Subject, uncounted_lines
from mbcost.units import thousands

_PRODUCTS = (
    "mult_adds",
    "functional_mult_adds",
    "subclass_mult_adds",
    "attention_mult_adds",
    "named_product_mult_adds",
    "repeated_linear",
    "unhandled_mult_adds",
    "parameter_rule_excess",
    "padded_mult_adds",
)
PARTS = {
    "core conv": _PRODUCTS,
    "core linear": _PRODUCTS,
    "core matmul": _PRODUCTS,
    "bias": (
        "bias_adds",
        "functional_bias_adds",
        "subclass_bias_adds",
        "unfused_bias_adds",
    ),
    "batch-norm": (
        "norm_params",
        "norm_elements",
        "layer_norm_elements",
        "functional_norm_params",
        "functional_norm_elements",
    ),
    "activation": (
        "activation_module_elements",
        "activation_operations",
        "activation_function_elements",
        "softmax_module_operations",
        "leaky_relu_elements",
    ),
    "pool": (
        "adaptive_pool_inputs",
        "pool_module_inputs",
        "pool_function_inputs",
        "adaptive_pool_module_elements",
        "average_pool_module_outputs",
        "average_outputs",
        "window_elements",
    ),
    "weights": ("weights", "regularised_weights"),
    "image and classes": ("image_elements", "ranked_elements"),
    "other": (
        "product_outputs",
        "sum_elements",
        "gated_elements",
        "upsampled_elements",
        "upsample_module_elements",
        "response_norm_elements",
    ),
}
"""The terms of each part; products are told apart by the kind of their layer."""
_WHERE_USED = ("core matmul", "weights", "image and classes")
"""The parts that stand in a table only where a convention in it counts them."""


def part_of(row: LayerCost, term: str) -> str:
    """Return the part that a term of a layer belongs to."""
    if term in _PRODUCTS:
        if row.kind in CONVOLUTIONS:
            return "core conv"
        if row.kind in ("batch_norm", "norm"):
            return "batch-norm"  # norms of a batch, in torchinfo's rule
        return "core linear" if row.kind == "linear" else "core matmul"
    return next(part for part, terms in PARTS.items() if term in terms)


def parts(report: CostReport, convention: Convention) -> dict[str, int]:
    """Return what ``convention`` adds up for each part; the sum is its total."""
    found = dict.fromkeys(PARTS, 0)
    weights = {term: n for term, n in convention.weights._asdict().items() if n}
    for row in report.layers:
        for term, weight in weights.items():
            figure = row.times * getattr(row.terms, term)
            if figure:
                found[part_of(row, term)] += report.scale * weight * figure
    return found


def reconciliation(
    subject: Subject, counters: Sequence[Counter], convention: Convention = PAPERS
) -> Reconciliation:
    """Return a subject with those of the counters that are installed, none of which has run, and
    with ``convention``, whether a counter speaks it or not."""
    subject.check_states(convention)
    ready = {counter.name for counter in counters if counter.installed}
    order = [name for name in CONVENTIONS if name in ready]
    names = [name for name in CONVENTIONS if name in ("papers", *order, convention.name)]
    found = {name: parts(subject.report, CONVENTIONS[name]) for name in names}
    return Reconciliation(Comparison([subject], [COUNTERS[name] for name in order]), found)


@dataclass(frozen=True)
class Reconciliation:
    """One subject and its counters, and the parts of each one's total as predicted."""

    comparison: Comparison
    parts: Mapping[str, Mapping[str, int]]

    @property
    def subject(self) -> Subject:
        """What is counted."""
        return self.comparison.subjects[0]

    @property
    def own(self) -> str:
        """The heading of our own column."""
        return "trace" if self.subject.traced else "closed form"

    def verify(self) -> Iterator[Reconciliation]:
        """Run the counters one by one; yields as ``Comparison.verify`` does."""
        for comparison in self.comparison.verify():
            yield replace(self, comparison=comparison)

    def counted(self, name: str) -> int | None:
        """Return what a counter said, None where it has not or cannot."""
        if name == "papers":
            return self.subject.report.mult_adds
        done = self.comparison.verifications(0).get(name)
        return done.total if done else None

    def pending(self, name: str) -> bool:
        """Whether a counter has yet to run."""
        runs = any(counter.name == name for counter in self.comparison.counters)
        return runs and (0, name) not in self.comparison.verified.done

    def rows(self) -> list[Record]:
        """Return a record per part, then the prediction, the count and the residue."""
        used = [part for part in PARTS if part not in _WHERE_USED or self._uses(part)]
        rows: list[Record] = [
            {"part": part, **{name: found[part] for name, found in self.parts.items()}}
            for part in used
        ]
        predicted = {name: sum(found.values()) for name, found in self.parts.items()}
        counted = {name: self.counted(name) for name in self.parts}
        residue = {
            name: None if figure is None else figure - predicted[name]
            for name, figure in counted.items()
        }
        return [
            *rows,
            {"part": "predicted", **predicted},
            {"part": "counted", **counted},
            {"part": "residue", **residue},
        ]

    def _uses(self, part: str) -> bool:
        return any(found[part] for found in self.parts.values())

    def causes(self) -> dict[str, list[Record]]:
        """Return the layers on which each counter differs, where it tells layers apart."""
        return {
            name: [mismatch._asdict() for mismatch in done.mismatches]
            for name, done in self.comparison.verifications(0).items()
            if done.mismatches
        }

    def table(self) -> Table:
        """Return the parts as a table, a column per counter."""
        rows = self.rows()
        shown = [
            {
                key: PENDING if value is None and self.pending(key) else value
                for key, value in row.items()
            }
            for row in rows
        ]
        ranks = {name: rank for rank, name in enumerate(self.parts)}
        columns = (
            Column("part", "part"),
            Column("papers", self.own, "whole"),
            *(
                Column(name, name, "whole", rank=ranks[name])
                for name in self.parts
                if name != "papers"
            ),
        )
        fields = tuple(column.key for column in columns)
        found = versions(
            name for name in self.parts if name != "papers" and self.counted(name) is not None
        )
        title = f"{self.subject.target}: {self.comparison.title()}"
        return Table(
            columns,
            shown,
            fields,
            rows,
            {
                "target": self.subject.target,
                "source": self.own,
                "convention": self.subject.convention,
                "batch": self.subject.batch,
                "rows": rows,
                "residues": {
                    name: rows[-1][name] for name in self.parts if rows[-1][name] is not None
                },
                "causes": self.causes(),
                "versions": found,
            },
            title=title,
            caption=caption_of(found, self.comparison.counted_as(), title),
            notes=self.notes(rows[-1]),
        )

    def notes(self, residue: Mapping[str, int | None]) -> tuple[str, ...]:
        """Return the verdict, the layers behind a residue, and how to read each column."""
        if not self.comparison.complete:
            return ("the counters are running …",)
        ran = [n for n in self.parts if n != "papers" and self.counted(n) is not None]
        left = [name for name in ran if residue[name]]
        verdict = f"residue 0: {len(ran)} counters are taken apart to the unit"
        if not ran:
            verdict = "no counter ran: the parts are what the closed form predicts"
        if left:
            verdict = f"residue left of {', '.join(left)}"
        lacking = missing(counter.package for counter in COUNTERS.values())
        absent = f"not installed: {', '.join(lacking)} (pip install {' '.join(lacking)})"
        return (
            verdict,
            *(self._cause(name, residue[name] or 0) for name in left),
            *seen_lines(self.comparison.verified.done, [self.subject]),
            *skipped_lines(self.comparison.verified.done, [self.subject]),
            *uncounted_lines([self.subject]),
            *([absent] if lacking else []),
            "how to read this:",
            *(f"- {name}: {CONVENTIONS[name].how_to_read}" for name in self.parts),
        )

    def _cause(self, name: str, left: int) -> str:
        done = self.comparison.verifications(0)[name]
        layers = [m for m in done.mismatches if m.where != "total"]
        if not layers:
            return f"- {name}: {thousands(left)} left; it does not say of which layers"
        shown = "; ".join(str(mismatch) for mismatch in layers[:5])
        more = f"; and {len(layers) - 5} more" if len(layers) > 5 else ""
        return f"- {name}: {thousands(left)} left, at {shown}{more}"
