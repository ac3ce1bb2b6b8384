"""Any ``nn.Module`` as cost rows, in one pass on the meta device: nothing is computed or allocated.

``forward`` runs it, ``recorder`` and ``modes`` watch (modules by hooks, calls by function mode,
operators by dispatch), ``recording`` is what they saw,
``operators`` knows what an operator costs, ``rows`` turns calls into ``LayerCost``s; all on a copy
of the model that ``twin`` makes, so that it is left as it was. Where the path of a forward depends
on the values of its tensors it runs once more, on real ones. To teach it an operator: its line in
``operators.COSTS``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mbcost.cost import CostReport, Coverage
from mbcost.errors import MbcostError
from mbcost.graph.primitives import Shape

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Traced:
    """What a trace found: the costs and which operators they cover."""

    report: CostReport
    coverage: Coverage


def trace(
    module: nn.Module,
    inputs: Sequence[Any],
    name: str = "",
    *,
    named: Mapping[str, Any] = MappingProxyType({}),
    built: Callable[[], nn.Module] | None = None,
) -> Traced:
    """Return the costs of one forward of ``module`` in eval mode on ``inputs`` (shapes matter).

    ``named`` inputs are keyword arguments. The first dimension of the first input is the batch. The
    model is not run, a copy of it is; a forward that raises is an ``MbcostError`` naming the
    module. Where its path depends on values, it runs on the CPU on those of the model, or of the
    one that ``built`` returns.
    """
    from mbcost.modules.trace.arguments import tensors_in
    from mbcost.modules.trace.forward import record_forward
    from mbcost.modules.trace.rows import layer_costs
    from mbcost.modules.trace.values import NeedsValuesError

    given = [tuple(x.shape) for x in tensors_in((inputs, named))]
    if not given:
        raise MbcostError("no input to trace with", place=name, way_out="--input 1x3x224x224")
    real = ""
    try:
        recording = record_forward(module, inputs, named, name)
    except NeedsValuesError as error:
        real = error.problem
        module = module if built is None else built()
        recording = record_forward(module, inputs, named, name, real=True)
    shapes = [recording.without_batch(shape) for shape in given]
    coverage = replace(recording.coverage(), real=real)
    report = CostReport(
        name,
        layer_costs(recording),
        shapes[0],
        recording.output_shape,
        recording.images,
        more_inputs=tuple(shapes[1:]),
        images=recording.images,
        input_elements=sum(map(prod, given)),
        coverage=coverage,
    )
    return Traced(report, coverage)


__all__ = ["Coverage", "Shape", "Traced", "trace"]
