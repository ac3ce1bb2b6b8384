"""What a trace counted, and what it could not: the operators of one forward by name."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field

from mbcost.errors import CheckFailedError, MbcostWarning, RealTensorsWarning


class UncountedWarning(MbcostWarning):
    """A figure of a traced model is not the whole story: an operator without a formula ran, whose
    cost is missing from the totals, or a counter differs."""


@dataclass(frozen=True)
class Coverage:
    """The operators a forward ran, by name, each with how often."""

    counted: dict[str, int] = field(default_factory=dict)
    """Their multiply-adds are counted."""
    zero: dict[str, int] = field(default_factory=dict)
    """Known to multiply and add no weights: views, elementwise, pooling, normalisation."""
    unknown: dict[str, int] = field(default_factory=dict)
    """May compute, and have no formula here: their cost is missing from the totals."""
    by_convention: dict[str, int] = field(default_factory=dict)
    """Of ``zero``, what computes and is no multiply-add by convention, in words: resampling,
    elementwise products that are summed."""
    real: str = ""
    """Why the forward ran on real tensors; empty where shapes were enough."""

    @property
    def seen(self) -> int:
        """Return how many operator calls the forward made."""
        return sum(sum(ops.values()) for ops in (self.counted, self.zero, self.unknown))

    def on_real_tensors(self) -> str:
        """Return the line that says so; empty where shapes were enough."""
        return f"counted on real tensors: {self.real}" if self.real else ""

    def warn(self, target: str, stacklevel: int = 2) -> None:
        """Warn where the forward ran on real tensors."""
        if self.real:
            line = f"{target}: {self.on_real_tensors()}"
            warnings.warn(line, RealTensorsWarning, stacklevel=stacklevel + 1)

    def problem(self) -> str:
        """Return what is not counted in words; empty where everything is."""
        if not self.unknown:
            return ""
        return (
            f"operators without a formula, whose cost is missing from the totals: "
            f"{names(self.unknown)}"
        )

    def check(self, target: str, way_out: str = "") -> None:
        """Raise ``CheckFailedError`` naming the operators without a formula."""
        if self.unknown:
            raise CheckFailedError(self.problem(), place=target, way_out=way_out)


def names(operators: Iterable[str]) -> str:
    """Return names of operators for a sentence, the first of many."""
    shown = list(operators)
    more = f" and {len(shown) - 8} more" if len(shown) > 8 else ""
    return f"{', '.join(shown[:8])}{more}"
