"""How long a network takes on a device at least: no operator multiplies or moves bytes faster.

Operators run one after the other, each as deployed: batch-norms folded and activations fused. A
convolution, linear layer, pool or resize reads its weights and its maps, and writes its map. What
works element by element (an addition, the product with a gate) may be a part of the operator before
it, and counts only what it reads besides; what copies (a concatenation, a slice, a shuffle) may be
a view, and counts nothing. Of a map that a stride steps over only what is looked at is read.

It is a lower bound of all that multiplies as the formula says, not of Winograd's or Fourier's
convolutions, nor of kernels that run several layers on a piece of the map.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import prod
from typing import Literal, NamedTuple

from mbcost.cost import DTYPES, LayerCost, kind, terms, weight_bytes
from mbcost.graph.graph import Graph
from mbcost.graph.kernels import Kernel, Kernels, kernels
from mbcost.graph.primitives import Conv2d, Pool2d, Shape
from mbcost.studies.device.profile import Device
from mbcost.studies.memory.how import ITEM_BYTES
from mbcost.targets.subject import Subject

ELEMENTWISE = frozenset(
    ("ADD", "MUL", "RELU", "RELU6", "LEAKY_RELU", "LOGISTIC", "HARD_SWISH", "GELU", "SOFTMAX")
)
"""What may be computed by the operator that puts out what it reads."""
COPIES = frozenset(("CONCATENATION", "SLICE", "TRANSPOSE", "SPACE_TO_DEPTH", "PAD", "PADV2"))
"""What may be a view, or be written in place by what it reads."""

By = Literal["compute", "memory"]


class Work(NamedTuple):
    """What an operator has to do for the batch."""

    path: str
    kind: str
    mult_adds: int
    read: int
    """Bytes of weights and maps."""
    written: int
    """Bytes of maps."""

    @property
    def moved(self) -> int:
        """Return the bytes read and written."""
        return self.read + self.written


class Bound(NamedTuple):
    """The seconds that one or several operators take at least."""

    seconds: Fraction
    compute: Fraction
    """Of ``seconds``, those of operators that multiplications bound."""
    memory: Fraction
    """Of ``seconds``, those of operators that moving bytes bounds."""

    @property
    def by(self) -> By | None:
        """Which of the two is more of it; None where there is nothing to do."""
        if not self.seconds:
            return None
        return "memory" if self.memory > self.compute else "compute"

    def plus(self, other: Bound) -> Bound:
        """Return the bound of both, one after the other."""
        return Bound(*(a + b for a, b in zip(self, other, strict=True)))


NOTHING = Bound(Fraction(0), Fraction(0), Fraction(0))


def bound_of(work: Work, device: Device, dtype: str) -> Bound:
    """Return the least time of one operator: the longer of multiplying and moving."""
    compute = Fraction(work.mult_adds, device.peak(dtype))
    memory = device.seconds_to_move(work.read, work.written)
    if memory > compute:
        return Bound(memory, Fraction(0), memory)
    return Bound(compute, compute, Fraction(0))


def total_bound(works: Iterable[Work], device: Device, dtype: str) -> Bound:
    """Return the least time of operators that run one after the other."""
    total = NOTHING
    for work in works:
        total = total.plus(bound_of(work, device, dtype))
    return total


def works_of(subject: Subject, dtype: str) -> list[Work]:
    """Return what the operators of a subject have to do, those that do nothing left out.

    Of a model from elsewhere these are the layers that multiply, each with its first input: less
    than it moves, and so a bound too.
    """
    if subject.traced:
        report = subject.report
        found = [_traced(row, report.scale, dtype) for row in report.layers if row.mult_adds]
    else:
        found = graph_works(subject.graph, subject.batch, dtype)
    return [work for work in found if work.mult_adds or work.moved]


def graph_works(graph: Graph, batch: int, dtype: str) -> list[Work]:
    """Return what the operators of a graph have to do for the batch, in the order they run."""
    found = kernels(graph, "all")
    return [_work(found, kernel, batch, dtype) for kernel in found.kernels]


def _work(found: Kernels, kernel: Kernel, batch: int, dtype: str) -> Work:
    layer, item = kernel.layer, ITEM_BYTES[dtype]
    name = kind(layer)
    if kernel.operator in COPIES:
        return Work(kernel.path, name, 0, 0, 0)
    maps = [found.elements(tensor) for tensor in kernel.reads]
    if kernel.operator in ELEMENTWISE:
        besides = sum(maps) - max(maps)
        return Work(kernel.path, name, 0, batch * besides * item, 0)
    x = found.shape(kernel.reads[0])
    own = terms(layer, x, kernel.y)
    written = kernel.maps * prod(kernel.y)
    return Work(
        kernel.path,
        name,
        batch * kernel.maps * own.mult_adds,
        weight_bytes(own, DTYPES[_stored(dtype)]) + batch * _read(kernel, x, maps, written) * item,
        batch * written * item,
    )


def _stored(dtype: str) -> str:
    """Return how weights are stored; a bf16 is as long as an fp16."""
    return "fp16" if dtype == "bf16" else dtype


def _read(kernel: Kernel, x: Shape, maps: Sequence[int], written: int) -> int:
    """Return the elements of its maps that an operator looks at, for an image."""
    layer = kernel.layer
    if isinstance(layer, Conv2d | Pool2d):
        dilation = layer.dilation if isinstance(layer, Conv2d) else (1, 1)
        seen = [
            _seen(*sides)
            for sides in zip(
                x[1:],
                kernel.y[1:],
                layer.kernel,
                layer.stride,
                layer.padding,
                dilation,
                strict=True,
            )
        ]
        return kernel.maps * x[0] * prod(seen)
    if kernel.operator == "RESIZE_BILINEAR":
        return min(sum(maps), 4 * written)  # each is made of four
    if kernel.operator == "CUSTOM":
        return 0  # boxes of which nobody knows where they lie
    return sum(maps)


def _seen(size: int, out: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """Return how many rows of ``size`` any of the windows looks at."""
    rows = {i * stride + j * dilation - padding for i in range(out) for j in range(kernel)}
    return sum(0 <= row < size for row in rows)


def _traced(row: LayerCost, scale: int, dtype: str) -> Work:
    """Return what a traced layer has to do; of a stride's input at least a pixel per output."""
    item = ITEM_BYTES[dtype]
    read = prod(row.x)
    if row.stride is not None and max(row.stride) > 1 and not row.transposed:
        sides = zip(row.x[1:], row.y[1:], strict=False)
        read = row.x[0] * prod(min(pair) for pair in sides)
    return Work(
        row.path,
        row.kind,
        scale * row.mult_adds,
        weight_bytes(row.terms, DTYPES[_stored(dtype)]) + scale * read * item,
        scale * row.elements * item,
    )


def by_path(works: Iterable[Work]) -> list[tuple[str, list[Work]]]:
    """Return the operators of each layer, layers in the order they begin."""
    found: dict[str, list[Work]] = {}
    for work in works:
        found.setdefault(work.path, []).append(work)
    return list(found.items())


def by_kind(works: Iterable[Work]) -> list[tuple[str, list[Work]]]:
    """Return the operators of each kind of layer."""
    found: dict[str, list[Work]] = {}
    for work in works:
        found.setdefault(work.kind, []).append(work)
    return list(found.items())
