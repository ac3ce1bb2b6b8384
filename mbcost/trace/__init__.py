"""Any ``nn.Module`` as cost rows, in one pass on the meta device: nothing is computed or allocated.

``recorder`` watches the forward (modules by hooks, calls by function mode, operators by dispatch),
``operators`` knows what an operator costs, ``rows`` turns calls into ``LayerCost``s, ``twin`` copies
the model, so that it is left as it was. Where the path of a forward depends on the values of its
tensors it runs once more, on real ones. To teach it an operator: its line in ``operators.COSTS``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mbcost.cost import CostReport
from mbcost.errors import CheckFailedError, MbcostError
from mbcost.layers import Shape

if TYPE_CHECKING:
    from torch import nn


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
    why_real: str = ""
    """What on the meta device could not be done, where the costs are of real tensors."""


def trace(
    module: nn.Module,
    inputs: Sequence[Any],
    name: str = "",
    *,
    named: Mapping[str, Any] = MappingProxyType({}),
    batch: int = 1,
    built: Callable[[], nn.Module] | None = None,
) -> Traced:
    """Return the costs of one forward of ``module`` in eval mode on ``inputs`` (shapes matter).

    ``named`` inputs are keyword arguments. ``batch`` says how many times the inputs stand for (they
    are then of one image). The model is not run, a copy of it is; a forward that raises is an
    ``MbcostError`` naming the module. Where its path depends on values, it runs on the CPU on those
    of the model, or of the one that ``built`` returns.
    """
    from mbcost.trace.arguments import tensors_in
    from mbcost.trace.recorder import NeedsValuesError, record_forward
    from mbcost.trace.rows import layer_costs

    given = [tuple(x.shape) for x in tensors_in((inputs, named))]
    if not given:
        raise MbcostError("no input to trace with", place=name, way_out="--input 1x3x224x224")
    why_real = ""
    try:
        recording = record_forward(module, inputs, named, name)
    except NeedsValuesError as error:
        why_real = error.problem
        real = module if built is None else built()
        recording = record_forward(real, inputs, named, name, real=True)
    shapes = [recording.without_batch(shape) for shape in given]
    report = CostReport(
        name,
        layer_costs(recording),
        shapes[0],
        recording.output_shape,
        batch,
        more_inputs=tuple(shapes[1:]),
    )
    return Traced(report, Coverage(*recording.coverage()), why_real)


__all__ = ["Coverage", "Shape", "Traced", "trace"]
