"""Any ``nn.Module`` as cost rows, in one pass on the meta device: nothing is computed or allocated.

``recorder`` watches the forward (modules by hooks, calls by function mode, operators by dispatch),
``operators`` knows what an operator costs, ``rows`` turns calls into ``LayerCost``s, ``untouched``
leaves the model as it was. To teach it an operator: its line in ``operators.COSTS``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from mbcost.cost import CostReport, Coverage
from mbcost.errors import MbcostError
from mbcost.layers import Shape

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Traced:
    """What a trace found: the costs and which operators they cover."""

    report: CostReport
    coverage: Coverage


def trace(module: nn.Module, inputs: Sequence[Tensor], name: str = "") -> Traced:
    """Return the costs of one forward of ``module`` in eval mode on ``inputs`` (shapes matter).

    The first dimension of the first input is the batch. The model is left as it was, also when its
    forward raises, which is an ``MbcostError`` naming the module.
    """
    from mbcost.trace.recorder import record_forward
    from mbcost.trace.rows import layer_costs

    if not inputs:
        raise MbcostError("no input to trace with", place=name, way_out="--input 1x3x224x224")
    recording = record_forward(module, inputs, name)
    shapes = [recording.without_batch(tuple(x.shape)) for x in inputs]
    coverage = recording.coverage()
    report = CostReport(
        name,
        layer_costs(recording),
        shapes[0],
        recording.output_shape,
        recording.images,
        more_inputs=tuple(shapes[1:]),
        images=recording.images,
        input_elements=sum(prod(x.shape) for x in inputs),
        coverage=coverage,
    )
    return Traced(report, coverage)


__all__ = ["Coverage", "Shape", "Traced", "trace"]
