"""Deployed inference as a schedule: batch-norms folded, activations fused, flatten free.

Which operators there are stands in ``kernels``. Tensors have indices in the order in which they
are written, the image before them, as a TFLite file has them. Weights lie outside, in flash.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import prod
from typing import Literal, NamedTuple, get_args

from mbcost.graph.graph import Graph
from mbcost.graph.kernels import Fusion, Kernel, Kernels, in_order, is_depthwise, kernels
from mbcost.graph.liveness import Operator, Schedule, Storage
from mbcost.graph.primitives import Add

Image = Literal["held", "released", "excluded"]
IMAGES: tuple[Image, ...] = get_args(Image)
"""The image stays to the end; it is freed after its last reader, as an arena plans it; or it is
somewhere else, and counts nothing."""
InPlace = Literal["add", "depthwise"]
IN_PLACE: tuple[InPlace, ...] = get_args(InPlace)
"""What may write over its own input.

``add``: a sum takes the place of the first of its terms that nothing reads later.
``depthwise``: a depthwise convolution that puts out as much as it reads takes its input's place,
with a buffer of one channel (MCUNet's TinyEngine, arXiv:2007.10319, section 3.2); one with a stride
does not.
"""


def deployed(
    graph: Graph,
    *,
    fuse: Fusion = "tflite",
    batch: int = 1,
    itemsize: int = 4,
    image: Image = "released",
    in_place: Collection[InPlace] = (),
    order: Sequence[int] | None = None,
    stored: str | None = None,
) -> Schedule:
    """Return inference with ``graph`` as it is deployed; sizes are in bytes of ``itemsize``.

    ``order`` lists the operators by their indices as they run without it: what ``best_order``
    found for the schedule without ``in_place``, which this then applies. ``stored`` is the dtype of
    the file whose operators these are, as for ``kernels``.
    """
    found = kernels(graph, fuse, stored)
    if order is not None:
        found = in_order(found, order)
    return _Scheduling(found, batch, itemsize, image, in_place).schedule()


class _Scheduling(NamedTuple):
    found: Kernels
    batch: int
    itemsize: int
    image: Image
    in_place: Collection[InPlace]

    def schedule(self) -> Schedule:
        """Return operators over storages; buffers of operators in place come after tensors."""
        found = self.found
        storages, place = list[Storage](), dict[int, int]()
        if self.image != "excluded":
            storages.append(Storage("input", self.size(0), "input"))
            place[0] = 0
        rewritten = self.rewritten() if self.in_place else {}
        for i, kernel in enumerate(found.kernels):
            if i in rewritten:
                place[i + 1] = place[rewritten[i]]
            else:
                place[i + 1] = len(storages)
                storages.append(Storage(kernel.path, self.size(i + 1), "activation"))
        operators = []
        for i, kernel in enumerate(found.kernels):
            writes: tuple[int, ...] = (place[i + 1],)
            if i in rewritten:
                writes = (len(storages),) if is_depthwise(kernel.layer) else ()
                storages += [Storage(kernel.path, self.buffer(kernel), "temporary")] * len(writes)
            reads = tuple(dict.fromkeys([place[t] for t in kernel.reads if t in place]))
            operators.append(Operator(kernel.path, reads, writes))
        given = (0,) if 0 in place else ()
        kept = dict.fromkeys([place[tensor] for tensor in found.outputs if tensor in place])
        if self.image == "held":
            kept |= dict.fromkeys(given)
        return Schedule(tuple(storages), tuple(operators), given, tuple(kept))

    def rewritten(self) -> dict[int, int]:
        """Return each operator that runs in place, and the tensor whose place it takes."""
        found = self.found
        last = {t: i for i, kernel in enumerate(found.kernels) for t in kernel.reads}
        if self.image != "released":
            last.pop(0, None)
        for tensor in found.outputs:
            last.pop(tensor, None)
        taken: dict[int, int] = {}
        for i, kernel in enumerate(found.kernels):
            if self.may_rewrite(kernel):
                free = [t for t in kernel.reads if last.get(t) == i and found.shape(t) == kernel.y]
                taken |= {i: free[0]} if free else {}
        return taken

    def may_rewrite(self, kernel: Kernel) -> bool:
        """Return whether an operator is one of those that run in place."""
        if isinstance(kernel.layer, Add):
            return "add" in self.in_place
        if kernel.operator == "DEPTHWISE_CONV_2D":
            return "depthwise" in self.in_place
        return False

    def size(self, tensor: int) -> int:
        """Return the bytes of a tensor."""
        own = self.found.kernels[tensor - 1].itemsize if tensor else 0
        return self.found.elements(tensor) * self.batch * (own or self.itemsize)

    def buffer(self, kernel: Kernel) -> int:
        """Return the bytes of a channel of one image."""
        return prod(kernel.y[1:]) * self.itemsize
