"""What a target may cost: limits on its figures, and how they are given.

``--max-params 3.5M`` on the command line, ``max_params: 3.5M`` in a budget file. To add a limit:
its line in ``LIMITS``; the option, the key and the schema follow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Annotated, Any

from mbcost.cost import DTYPES, CostReport, LayerCost, weight_bytes
from mbcost.networks.rules import Bytes, Count, OneOf, Percent, Scalar, fields_of, parse
from mbcost.networks.settings import SETTINGS


@dataclass(frozen=True, slots=True)
class Limit:
    """An upper bound on one figure of a report, and on what it is made of, layer by layer."""

    key: str
    figure: str
    rule: Count | Bytes
    of_report: Callable[[CostReport, str], int]
    of_layer: Callable[[LayerCost, CostReport, str], int] | None = None
    """None where the figure is not a sum over the layers."""
    by_dtype: bool = False

    def title(self, dtype: str) -> str:
        """Return the figure as a row of the check names it: ``weight bytes int8``."""
        return f"{self.figure} {dtype}" if self.by_dtype else self.figure


LIMITS = {
    limit.key: limit
    for limit in (
        Limit(
            "max_params",
            "params",
            Count("trainable parameters, like 3.5M"),
            lambda report, _: report.params,
            lambda layer, _, __: layer.params,
        ),
        Limit(
            "max_mult_adds",
            "mult-adds",
            Count("multiply-adds of the batch, like 300M"),
            lambda report, _: report.mult_adds,
            lambda layer, report, _: layer.mult_adds * report.scale,
        ),
        Limit(
            "max_param_bytes",
            "weight bytes",
            Bytes("bytes of the weights as --dtype stores them, like 4MB or 512KiB"),
            lambda report, dtype: report.weight_bytes(dtype),
            lambda layer, _, dtype: weight_bytes(layer.terms, DTYPES[dtype]),
            by_dtype=True,
        ),
        Limit(
            "max_total_bytes",
            "total bytes",
            Bytes("torchinfo's estimated total size, always float32, like 100MB"),
            lambda report, _: report.total_bytes,
        ),
    )
}

GROWING = ("max_params", "max_mult_adds")
"""The limits whose figures are compared with a baseline."""


@dataclass(frozen=True)
class Budget:
    """The limits of one target, by key of ``LIMITS``, and by how much it may outgrow a baseline."""

    limits: Mapping[str, int] = field(default_factory=dict)
    dtype: Annotated[str, OneOf(tuple(DTYPES), "how the weights are stored")] = "fp32"
    fold_bn: Annotated[bool, SETTINGS["fold_bn"]] = False
    max_growth: Annotated[Fraction | None, Percent("above the baseline, like 1%")] = None
    place: str = ""
    """Where it is written, ``budgets.yaml:4: budgets.v2``."""


def budget_given(
    limits: Mapping[str, str | None], dtype: str | None = None, max_growth: str | None = None
) -> Budget:
    """Return the budget in the command line's texts; None where an option was not given."""
    rules: dict[str, Scalar] = {key: limit.rule for key, limit in LIMITS.items()}
    rules |= {key: known.rule for key, known in fields_of(Budget).items()}
    texts = {**limits, "dtype": dtype, "max_growth": max_growth}
    given = {
        key: parse(rules[key], text, f"--{key.replace('_', '-')}")
        for key, text in texts.items()
        if text is not None
    }
    return budget_of(given)


def budget_of(values: Mapping[str, Any], place: str = "") -> Budget:
    """Return the budget that parsed values make, each limit under its own key."""
    limits = {key: value for key, value in values.items() if key in LIMITS}
    others = {key: value for key, value in values.items() if key not in LIMITS}
    return Budget(limits, place=place, **others)
