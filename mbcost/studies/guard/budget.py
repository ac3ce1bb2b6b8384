"""What a target may cost: limits on its figures, and how they are given.

``--max-params 3.5M`` on the command line, ``max_params: 3.5M`` in a budget file. To add a limit:
its line in ``LIMITS``; the option of ``check``, ``sweep`` and ``search``, the key and the schema
follow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any

from mbcost.cost import DTYPES, CostReport, LayerCost, weight_bytes
from mbcost.graph.liveness import peak_activation
from mbcost.networks.rules import Bytes, Count, OneOf, Percent
from mbcost.networks.settings import SETTINGS

if TYPE_CHECKING:
    from mbcost.targets.subject import Subject


@dataclass(frozen=True, slots=True)
class Limit:
    """An upper bound on one figure of a subject, and on what it is made of, layer by layer."""

    key: str
    figure: str
    rule: Count | Bytes
    of_subject: Callable[[Subject, str], int]
    of_layer: Callable[[LayerCost, CostReport, str], int] | None = None
    """None where the figure is not a sum over the layers."""
    column: str | None = None
    """The figure in sweeps and searches; None where they do not count it."""
    alias: str | None = None
    """Another key that means the same."""
    in_dtype: Callable[[str], str] | None = None
    """What the bytes are in a dtype, in words; None where they do not depend on it."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that set it; the first is its own."""
        return (self.key,) if self.alias is None else (self.key, self.alias)

    def title(self, dtype: str) -> str:
        """Return the figure as a row of the check names it: ``weight bytes int8``."""
        return f"{self.figure} {dtype}" if self.in_dtype else self.figure


def _peak_activation_bytes(subject: Subject, dtype: str) -> int:
    graph = subject.graph
    return peak_activation(graph.x, graph.nodes, graph.outputs) * DTYPES[dtype].weight


LIMITS = {
    limit.key: limit
    for limit in (
        Limit(
            "max_params",
            "params",
            Count("trainable parameters, like 3.5M"),
            lambda subject, _: subject.report.params,
            lambda layer, _, __: layer.params,
            column="params",
        ),
        Limit(
            "max_mult_adds",
            "mult-adds",
            Count("multiply-adds of the batch, like 300M"),
            lambda subject, _: subject.report.mult_adds,
            lambda layer, report, _: layer.mult_adds * report.scale,
            column="mult_adds",
        ),
        Limit(
            "max_weight_bytes",
            "weight bytes",
            Bytes("bytes of the weights as --dtype stores them, like 4MB or 512KiB"),
            lambda subject, dtype: subject.report.weight_bytes(dtype),
            lambda layer, _, dtype: weight_bytes(layer.terms, DTYPES[dtype]),
            column="weight_bytes",
            alias="max_param_bytes",
            in_dtype=lambda dtype: f"{dtype}: {DTYPES[dtype].stores}",
        ),
        Limit(
            "max_activation_bytes",
            "peak activation bytes",
            Bytes("bytes of maps alive at once, in --dtype, of one image, like 2MB"),
            _peak_activation_bytes,
            column="peak_activation_bytes",
            in_dtype=lambda dtype: (
                "peak activation: the most bytes of maps alive at once, every layer writing a new "
                f"one, in {dtype}, one image"
            ),
        ),
        Limit(
            "max_total_bytes",
            "total bytes",
            Bytes("bytes of torchinfo's estimated total, always float32, like 100MB"),
            lambda subject, _: subject.report.total_bytes,
        ),
    )
}

GROWING = ("max_params", "max_mult_adds")
"""The limits whose figures are compared with a baseline."""


@dataclass(frozen=True)
class Budget:
    """The limits of one target, by key of ``LIMITS``, and by how much it may outgrow a baseline."""

    limits: Mapping[str, int] = field(default_factory=dict)
    dtype: Annotated[
        str, OneOf(tuple(DTYPES), "type that bytes are counted in; int8 has int32 biases")
    ] = "fp32"
    fold_bn: Annotated[bool, SETTINGS["fold_bn"]] = False
    max_growth: Annotated[Fraction | None, Percent("above the baseline, like 1%")] = None
    place: str = ""
    """Where it is written, ``budgets.yaml:4: budgets.v2``."""


def option_of(key: str) -> str:
    """Return the option of a key: ``--max-params``."""
    return f"--{key.replace('_', '-')}"


def budget_of(values: Mapping[str, Any], place: str = "") -> Budget:
    """Return the budget that parsed values make, each limit under its own key."""
    limits = {key: value for key, value in values.items() if key in LIMITS}
    others = {key: value for key, value in values.items() if key not in LIMITS}
    return Budget(limits, place=place, **others)
