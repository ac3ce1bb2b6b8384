"""Inverted residuals run in t groups of their inner channels (MobileNetV2, section 5.1)."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import NamedTuple

from mbcost.graph.graph import Graph
from mbcost.graph.kernels import Kernel, is_depthwise, kernels
from mbcost.graph.primitives import Conv2d, Layer

PAPER_ITEMSIZE = 2
"""Bytes an element in MobileNetV2's Table 3: 16-bit floats."""


class Bottleneck(NamedTuple):
    """An expansion, a depthwise convolution and a projection that nothing comes between."""

    path: str
    """Of its expansion."""
    outside: int
    """Elements of its input and its output."""
    inside: tuple[int, int]
    """Elements of a channel of what the expansion and what the depthwise convolution put out."""
    channels: int
    """Inner ones."""

    def elements(self, groups: int) -> int:
        """Return the elements alive at once where the inner channels run in so many groups."""
        return self.outside + -(-self.channels // groups) * sum(self.inside)


class SplitPeak(NamedTuple):
    """The bytes of the bottleneck that needs the most, and which one it is."""

    size: int
    path: str


def bottlenecks(graph: Graph) -> Iterator[Bottleneck]:
    """Yield what section 5.1 splits: with SE inside, every inner channel waits for all others."""
    found = kernels(graph, "all")
    readers: dict[int, list[Kernel | None]] = {tensor: [None] for tensor in found.outputs}
    for kernel in found.kernels:
        for tensor in kernel.reads:
            readers.setdefault(tensor, []).append(kernel)
    for i, kernel in enumerate(found.kernels):
        x = kernel.reads[0]
        if not is_depthwise(kernel.layer) or x == 0 or readers[x] != [kernel]:
            continue
        above, below = found.kernels[x - 1], readers.get(i + 1, [])
        if len(below) == 1 and below[0] and _mixes(above.layer) and _mixes(below[0].layer):
            outside = found.elements(above.reads[0]) + below[0].maps * prod(below[0].y)
            inside = (above.maps * prod(above.y[1:]), kernel.maps * prod(kernel.y[1:]))
            if above.y[0] == kernel.y[0]:
                yield Bottleneck(above.path, outside, inside, kernel.y[0])


def split_peak(
    graph: Graph, groups: int | None, itemsize: int = PAPER_ITEMSIZE
) -> SplitPeak | None:
    """Return the peak over ``graph``'s bottlenecks in ``groups`` groups, None without a bottleneck.

    ``groups`` of None is a channel at a time. By our reading of the section, a bottleneck's input,
    its output and a group's share of both inner maps are alive together, in the two bytes an
    element of the paper's Table 3, and layers outside bottlenecks do not count: so it gives
    3,562,496 bytes for v2 in one group, and 583,296 a channel at a time.
    """
    found = [
        SplitPeak(block.elements(groups or block.channels) * itemsize, block.path)
        for block in bottlenecks(graph)
    ]
    return max(found, key=lambda one: one.size) if found else None


def _mixes(layer: Layer) -> bool:
    return isinstance(layer, Conv2d) and layer.kernel == (1, 1) and layer.groups == 1
