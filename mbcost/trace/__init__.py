"""Any ``nn.Module`` as cost rows, in one pass on the meta device: nothing is computed or allocated.

``recorder`` watches the forward (modules by hooks, calls by function mode, operators by dispatch),
``operators`` knows what an operator costs, ``rows`` turns calls into ``LayerCost``s, ``untouched``
leaves the model as it was. To teach it an operator: its line in ``operators.COSTS``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mbcost.cost import CostReport
from mbcost.errors import CheckFailedError, MbcostError
from mbcost.layers import Shape

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Coverage:
    """The operators a forward ran, by name, each with how often."""

    counted: dict[str, int] = field(default_factory=dict)
    """Their multiply-adds are counted."""
    zero: dict[str, int] = field(default_factory=dict)
    """Known to multiply and add no weights: views, elementwise, pooling, normalisation."""
    unknown: dict[str, int] = field(default_factory=dict)
    """May compute, and have no formula here: their cost is missing from the totals."""

    @property
    def seen(self) -> int:
        """Return how many operator calls the forward made."""
        return sum(sum(ops.values()) for ops in (self.counted, self.zero, self.unknown))

    def check(self, target: str) -> None:
        """Raise ``CheckFailedError`` naming the operators without a formula."""
        if self.unknown:
            raise CheckFailedError(
                f"operators without a formula: {', '.join(self.unknown)}",
                place=target,
                way_out="their cost is not in the totals; leave out --strict to accept that",
            )


@dataclass(frozen=True)
class Traced:
    """What a trace found: the costs and which operators they cover."""

    report: CostReport
    coverage: Coverage


def trace(module: nn.Module, inputs: Sequence[Tensor], name: str = "", *, batch: int = 1) -> Traced:
    """Return the costs of one forward of ``module`` in eval mode on ``inputs`` (shapes matter).

    ``batch`` says how many times the inputs stand for (they are then of one image). The model is
    left as it was, also when its forward raises, which is an ``MbcostError`` naming the module.
    """
    from mbcost.trace.recorder import record_forward
    from mbcost.trace.rows import layer_costs

    if not inputs:
        raise MbcostError("no input to trace with", place=name, way_out="--input 1x3x224x224")
    recording = record_forward(module, inputs, name)
    shapes = [recording.without_batch(tuple(x.shape)) for x in inputs]
    report = CostReport(
        name,
        layer_costs(recording),
        shapes[0],
        recording.output_shape,
        batch,
        more_inputs=tuple(shapes[1:]),
    )
    return Traced(report, Coverage(*recording.coverage()))


__all__ = ["Coverage", "Shape", "Traced", "trace"]
