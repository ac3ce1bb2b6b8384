"""How TFLite pads a window: by one of its two schemes, or by an operator of its own before it.

torch's zeros stand on both sides; those of ``SAME`` stand on the far side first where their number
is odd, as at a stride of 2. A window that neither scheme gives is a ``PAD``, then a ``VALID`` one.
"""

from __future__ import annotations

from typing import Literal

from mbcost.graph.primitives import Conv2d, Pair, Pool2d, Shape

Padding = Literal["VALID", "SAME", "PAD"]


def padding(layer: Conv2d | Pool2d, x: Shape, y: Shape) -> Padding:
    """Return how TFLite pads a window: by what its scheme puts out, not where the zeros stand.

    So is a network that was trained with ``SAME``; of one that was not, see ``placed``.
    """
    (_, h, w), (_, out_h, out_w), (sh, sw), (kh, kw) = x, y, layer.stride, span(layer)
    if out_h == (h - kh) // sh + 1 and out_w == (w - kw) // sw + 1:
        return "VALID"
    return "SAME" if out_h == -(-h // sh) and out_w == -(-w // sw) else "PAD"


def placed(layer: Conv2d | Pool2d, x: Shape, y: Shape) -> Padding:
    """Return how TFLite pads a window that has to see torch's zeros where they stand.

    An average counts torch's zeros, and not those of ``SAME``.
    """
    sides = list(zip(x[1:], y[1:], layer.padding, layer.stride, span(layer), strict=True))
    needed = [(out - 1) * s + k - n for n, out, _, s, k in sides]
    if not any(layer.padding) and max(needed) <= 0:
        return "VALID"
    if isinstance(layer, Pool2d) and layer.mode == "avg" and any(layer.padding):
        return "PAD"
    same = all(
        out == -(-n // s) and p == max(more, 0) // 2
        for (n, out, p, s, _), more in zip(sides, needed, strict=True)
    )
    return "SAME" if same else "PAD"


def padded(layer: Conv2d | Pool2d, x: Shape, y: Shape, how: Padding) -> Shape | None:
    """Return the shape that a ``PAD`` before the window puts out, None where there is none."""
    if how != "PAD":
        return None
    sides = zip(x[1:], y[1:], layer.padding, layer.stride, span(layer), strict=True)
    return (x[0], *[max(n + 2 * p, (out - 1) * s + k) for n, out, p, s, k in sides])


def span(layer: Conv2d | Pool2d) -> Pair:
    """Return how many pixels a window covers from its first to its last, in each direction."""
    if isinstance(layer, Pool2d):
        return layer.kernel
    (kh, kw), (dh, dw) = layer.kernel, layer.dilation
    return ((kh - 1) * dh + 1, (kw - 1) * dw + 1)
