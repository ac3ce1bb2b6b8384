"""Deployed inference as a schedule: batch-norms folded, activations fused, flatten free.

Which operators there are stands in ``kernels``. Tensors have indices in the order in which they
are written, the image before them, as a TFLite file has them. Weights lie outside, in flash.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import prod
from typing import Literal, NamedTuple, get_args

from mbcost.graph.graph import Graph
from mbcost.graph.kernels import Fusion, Kernel, Kernels, is_depthwise, kernels
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
) -> Schedule:
    """Return inference with ``graph`` as it is deployed; sizes are in bytes of ``itemsize``.

    ``order`` lists the operators by their indices as they run without it: what ``best_order``
    found for the schedule without ``in_place``, which this then applies.
    """
    found = kernels(graph, fuse)
    run = range(len(found.kernels)) if order is None else order
    return _Scheduling(found, run, batch, itemsize, image, in_place).schedule()


class _Scheduling(NamedTuple):
    found: Kernels
    run: Sequence[int]
    batch: int
    itemsize: int
    image: Image
    in_place: Collection[InPlace]

    def schedule(self) -> Schedule:
        """Return operators over storages; buffers of operators in place come after tensors."""
        all_kernels = self.found.kernels
        last = {tensor: at for at, i in enumerate(self.run) for tensor in all_kernels[i].reads}
        storages: list[Storage] = []
        place: dict[int, int] = {}
        if self.image != "excluded":
            place[0] = 0
            storages.append(Storage("input", self.size(0), "input"))
        rewritten: dict[int, int] = {}
        for at, i in enumerate(self.run):
            source = self.over(all_kernels[i], {t for t in all_kernels[i].reads if last[t] == at})
            if source is None:
                place[i + 1] = len(storages)
                storages.append(Storage(all_kernels[i].path, self.size(i + 1), "activation"))
            else:
                place[i + 1] = place[source]
                rewritten[i] = self.buffer(all_kernels[i])
        operators = []
        for i in self.run:
            path, reads = all_kernels[i].path, all_kernels[i].reads
            writes = (place[i + 1],)
            if i in rewritten:
                writes = (len(storages),) if rewritten[i] else ()
                storages += [Storage(path, rewritten[i], "temporary")] if rewritten[i] else []
            read = tuple(dict.fromkeys(place[t] for t in reads if t in place))
            operators.append(Operator(path, read, writes))
        given = (0,) if 0 in place else ()
        kept = [place[tensor] for tensor in self.found.outputs if tensor in place]
        kept += given if self.image == "held" else ()
        return Schedule(tuple(storages), tuple(operators), given, tuple(dict.fromkeys(kept)))

    def size(self, tensor: int) -> int:
        """Return the bytes of a tensor."""
        return prod(self.found.shape(tensor)) * self.batch * self.itemsize

    def over(self, kernel: Kernel, ending: Collection[int]) -> int | None:
        """Return the tensor whose place an operator takes, of those that nothing reads later."""
        free = [tensor for tensor in kernel.reads if tensor in ending and self.is_ours(tensor)]
        if "add" in self.in_place and isinstance(kernel.layer, Add):
            return free[0] if free else None
        if "depthwise" in self.in_place and is_depthwise(kernel.layer):
            same = [tensor for tensor in free if self.found.shape(tensor) == kernel.y]
            return same[0] if same else None
        return None

    def is_ours(self, tensor: int) -> bool:
        """Return whether a tensor may be written over: no output, nor an image elsewhere."""
        return tensor not in self.found.outputs and (tensor > 0 or self.image == "released")

    def buffer(self, kernel: Kernel) -> int:
        """Return the bytes that an operator in place needs besides: a channel of one image."""
        return prod(kernel.y[1:]) * self.itemsize if is_depthwise(kernel.layer) else 0
