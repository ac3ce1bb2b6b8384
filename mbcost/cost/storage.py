"""What counts as a parameter, and the bytes that parameters take when stored.

To add an element type: its line in ``DTYPES``; a way of counting: its line in ``PARAMS``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mbcost.cost.formulas import Terms

PARAMS: dict[str, Callable[[Terms], int]] = {
    "weights": lambda terms: terms.weights,
    "without_norm": lambda terms: terms.weights + terms.bias_params,
    "trainable": lambda terms: terms.params,
    "all": lambda terms: terms.params + terms.norm_buffers,
}
"""What people mean by parameters: the weights of convolutions and linear layers (V1 and V2 print
these), those and their biases, all that is trained (torch), all that is kept (Keras)."""


class DType(NamedTuple):
    """Bytes per element: of convolution and linear weights, and of every other parameter.

    The others are biases and batch-norm γ and β; running means and variances are not counted, as
    in ``params``, nor are the scales of a quantised tensor.
    """

    name: str
    weight: int
    other: int
    stores: str
    """In words, for captions and `--help`."""


DTYPES = {
    dtype.name: dtype
    for dtype in (
        DType("fp32", 4, 4, "4 bytes a parameter"),
        DType("fp16", 2, 2, "2 bytes a parameter"),
        # as TFLite and CMSIS-NN store a quantised layer: int8 weights, int32 biases
        DType("int8", 1, 4, "1 byte a weight, 4 a bias, γ or β"),
    )
}


def weight_bytes(terms: Terms, dtype: DType) -> int:
    """Return the bytes of the trainable parameters of a layer with these terms."""
    return dtype.weight * terms.weights + dtype.other * (terms.params - terms.weights)
