"""What a layer puts out, beside windows that are laid one by one; no side stands for the other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbcost.errors import LayerError
from mbcost.graph.primitives import (
    Activation,
    AdaptiveAvgPool2d,
    Add,
    BatchNorm2d,
    ChannelShuffle,
    Concat,
    Conv2d,
    Flatten,
    Layer,
    Linear,
    LocalResponseNorm,
    Pair,
    Pool2d,
    Scale,
    Shape,
    Slice,
    Upsample,
)
from mbcost.graph.shapes import output_shape, shape_of, window


def laid(size: int, kernel: int, stride: int, padding: int, dilation: int = 1) -> int:
    """Return how often a window lies within its padded input."""
    cells = range(-padding, size + padding)
    taps = [dilation * tap for tap in range(kernel)]
    starts = cells[::stride]
    return sum(1 for start in starts if all(start + tap in cells for tap in taps))


def laid_up(size: int, kernel: int, stride: int, padding: int) -> int:
    """Return how often a window that begins in the input or left of it lies there, if it may reach
    over the right padding by less than a stride."""
    starts = range(-padding, size, stride)
    return sum(1 for start in starts if start + kernel - (size + padding) < stride)


def pairs(low: int, high: int) -> st.SearchStrategy[Pair]:
    return st.tuples(st.integers(low, high), st.integers(low, high))


@given(k=pairs(1, 4), s=pairs(1, 4), p=pairs(0, 3), d=pairs(1, 3), size=pairs(1, 12))
def test_a_convolution_lies_where_its_window_fits(
    k: Pair, s: Pair, p: Pair, d: Pair, size: Pair
) -> None:
    h, w = (laid(*sides) for sides in zip(size, k, s, p, d, strict=True))
    layer = Conv2d(2, 6, k, s, p, d, groups=2)
    if h and w:
        assert output_shape(layer, [(2, *size)]) == (6, h, w)
    else:
        with pytest.raises(LayerError, match="larger than its padded input"):
            output_shape(layer, [(2, *size)])


@given(k=pairs(1, 5), s=pairs(1, 4), p=pairs(0, 3), size=pairs(1, 12), ceil=st.booleans())
def test_a_pool_lies_where_its_window_fits_or_starts(
    k: Pair, s: Pair, p: Pair, size: Pair, ceil: bool
) -> None:
    layer = Pool2d("max", k, s, p, ceil)
    if any(2 * padding > kernel for padding, kernel in zip(p, k, strict=True)):
        with pytest.raises(LayerError, match="more than half of the pooling window"):
            output_shape(layer, [(2, *size)])
        return
    lay = laid_up if ceil else laid
    h, w = (lay(*sides) for sides in zip(size, k, s, p, strict=True))
    if h and w:
        assert output_shape(layer, [(2, *size)]) == (2, h, w)
    else:
        with pytest.raises(LayerError, match="larger than its padded input"):
            output_shape(layer, [(2, *size)])


def test_a_window_as_large_as_its_padded_input_fits_once() -> None:
    assert window(5, 7, 2, 1) == 1
    assert window(5, 4, 1, 1, dilation=2) == 1
    with pytest.raises(LayerError, match="a kernel of 8 is larger than its padded input of 7"):
        window(5, 8, 2, 1)


@pytest.mark.parametrize(
    ("layer", "inputs", "expected"),
    [
        (AdaptiveAvgPool2d((2, 3)), [(5, 8, 9)], (5, 2, 3)),
        (Upsample((8, 9)), [(5, 2, 3)], (5, 8, 9)),
        (BatchNorm2d(5), [(5, 2, 3)], (5, 2, 3)),
        (Activation("relu"), [(5, 2, 3)], (5, 2, 3)),
        (LocalResponseNorm(3), [(5, 2, 3)], (5, 2, 3)),
        (Linear(5, 7), [(5,)], (7,)),
        (Flatten(), [(5, 2, 3)], (30,)),
        (Add(), [(5, 2, 3), (5, 2, 3), (5, 2, 3)], (5, 2, 3)),
        (Slice(1, 4), [(5, 2, 3)], (3, 2, 3)),
        (Slice(0, 5), [(5, 2, 3)], (5, 2, 3)),
        (ChannelShuffle(3), [(6, 2, 3)], (6, 2, 3)),
        (Scale(), [(5, 2, 3), (5, 1, 1)], (5, 2, 3)),
        (Concat(), [(5, 2, 3), (1, 2, 3), (4, 2, 3)], (10, 2, 3)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_other_layer_puts_out_what_it_says(
    layer: Layer, inputs: list[Shape], expected: Shape
) -> None:
    assert output_shape(layer, inputs) == expected


@pytest.mark.parametrize(
    ("layer", "inputs", "problem"),
    [
        (Conv2d(4, 6, (1, 1), groups=3), [(4, 2, 2)], "3 groups divide 4 input and 6 output"),
        (Conv2d(6, 4, (1, 1), groups=3), [(6, 2, 2)], "3 groups divide 6 input and 4 output"),
        (Pool2d("max", (4, 3), (1, 1), (2, 2)), [(5, 8, 8)], "more than half"),
        (Pool2d("max", (3, 4), (1, 1), (2, 2)), [(5, 8, 8)], "more than half"),
        (Add(), [(5, 2, 3), (5, 2, 3), (5, 3, 2)], "5×2×3 and 5×2×3 and 5×3×2"),
        (Slice(-1, 2), [(5, 2, 3)], "takes channels -1 to 2 of 5"),
        (Slice(2, 2), [(5, 2, 3)], "takes channels 2 to 2 of 5"),
        (Slice(2, 6), [(5, 2, 3)], "takes channels 2 to 6 of 5"),
        (ChannelShuffle(4), [(6, 2, 3)], "4 groups divide 6 channels"),
        (Scale(), [(5, 2, 3), (5, 2, 1)], "5×2×3 by a gate of 5×2×1"),
        (Concat(), [(5, 2, 3), (5, 3, 3)], "5×2×3 and 5×3×3"),
        (Upsample((8, 9)), [(5,)], "needs a C×H×W map, not a vector of 5"),
    ],
)
def test_what_does_not_fit_is_refused(layer: Layer, inputs: list[Shape], problem: str) -> None:
    with pytest.raises(LayerError, match=problem):
        output_shape(layer, inputs)


def test_a_shape_in_words() -> None:
    assert shape_of((64, 112, 113)) == "64×112×113"
