"""Which positions of a kernel ever see the image, and not the padding around it alone.

On small maps a kernel is larger than what it slides over: of 3×3 on a map of 1×1 only the middle
meets a pixel, and the eight weights around it are never used nor trained.
"""

from __future__ import annotations

from mbcost.graph.graph import Node
from mbcost.graph.primitives import Conv2d


def seen_positions(node: Node) -> tuple[int, int] | None:
    """Return how many positions of a convolution's kernel meet an element of its map somewhere,
    and how many it has; None of a layer that is no convolution."""
    layer = node.layer
    if not isinstance(layer, Conv2d):
        return None
    seen = 1
    for axis in (0, 1):
        seen *= seen_offsets(
            layer.kernel[axis],
            layer.stride[axis],
            layer.padding[axis],
            layer.dilation[axis],
            node.x[1 + axis],
            node.y[1 + axis],
        )
    return seen, layer.kernel[0] * layer.kernel[1]


def seen_offsets(k: int, s: int, p: int, d: int, x: int, y: int) -> int:
    """Return how many of the k offsets along an axis meet one of the x elements, of y outputs.

    Offset i reads element o·s + i·d − p at output o: it meets one where there is an o from 0 to
    y − 1 with 0 ≤ o·s + i·d − p < x.
    """
    found = 0
    for i in range(k):
        first = max(0, -((i * d - p) // s))  # ⌈(p − i·d) ÷ s⌉
        last = min(y - 1, (x - 1 + p - i * d) // s)
        found += first <= last
    return found
