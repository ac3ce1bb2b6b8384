"""What a target may cost: limits on its figures, and how they are given.

``--max-params 3.5M`` on the command line, ``max_params: 3.5M`` in a budget file. To add a limit:
its line in ``LIMITS``; the option, the key and the schema follow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeVar

from mbcost.cost import DTYPES, CostReport, LayerCost, weight_bytes
from mbcost.errors import MbcostError
from mbcost.units import parse_bytes, parse_count, parse_percent, parse_word

_T = TypeVar("_T", int, str, Fraction)


@dataclass(frozen=True, slots=True)
class Limit:
    """An upper bound on one figure of a report, and on what it is made of, layer by layer."""

    key: str
    figure: str
    doc: str
    parse: Callable[[str], int]
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
            "trainable parameters, like 3.5M",
            parse_count,
            lambda report, _: report.params,
            lambda layer, _, __: layer.params,
        ),
        Limit(
            "max_mult_adds",
            "mult-adds",
            "multiply-adds of the batch, like 300M",
            parse_count,
            lambda report, _: report.mult_adds,
            lambda layer, report, _: layer.mult_adds * report.scale,
        ),
        Limit(
            "max_param_bytes",
            "weight bytes",
            "bytes of the weights as --dtype stores them, like 4MB or 512KiB",
            parse_bytes,
            lambda report, dtype: report.weight_bytes(dtype),
            lambda layer, _, dtype: weight_bytes(layer.terms, DTYPES[dtype]),
            by_dtype=True,
        ),
        Limit(
            "max_total_bytes",
            "total bytes",
            "torchinfo's estimated total size, always float32, like 100MB",
            parse_bytes,
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
    dtype: str = "fp32"
    fold_bn: bool = False
    max_growth: Fraction | None = None
    place: str = ""
    """Where it is written, ``budgets.yaml:4: budgets.v2``."""


def budget_given(
    limits: Mapping[str, str | None], dtype: str | None = None, max_growth: str | None = None
) -> Budget:
    """Return the budget in the command line's texts; None where an option was not given."""
    parsed = {}
    for key, text in limits.items():
        if text is not None:
            parsed[key] = _option(key, LIMITS[key].parse, text)
    return Budget(
        parsed,
        "fp32"
        if dtype is None
        else _option("dtype", lambda t: parse_word(t, tuple(DTYPES)), dtype),
        max_growth=None if max_growth is None else _option("max_growth", parse_percent, max_growth),
    )


def _option(key: str, parse: Callable[[str], _T], text: str) -> _T:
    try:
        return parse(text)
    except MbcostError as error:
        raise error.at(f"--{key.replace('_', '-')}") from None
