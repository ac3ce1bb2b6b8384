"""What a layer costs: every term beside a count of single operations, or beside numbers written
out by hand; whatever a layer does not do is 0."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbcost.cost import KINDS, Terms, kind, terms
from mbcost.graph.primitives import (
    ACTIVATIONS,
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
    Pool2d,
    Scale,
    Shape,
    Slice,
    Upsample,
)


def counted(*sides: int) -> int:
    """Return in how many ways one index of each side can be chosen, by going through them."""
    return sum(1 for _ in product(*map(range, sides)))


@given(
    per_group=st.integers(1, 3),
    out=st.integers(1, 3),
    groups=st.integers(1, 3),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    y=st.tuples(st.integers(1, 3), st.integers(1, 4)),
    dilation=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    bias=st.booleans(),
)
def test_a_convolution_multiplies_every_weight_at_every_place(
    per_group: int,
    out: int,
    groups: int,
    kernel: tuple[int, int],
    y: tuple[int, int],
    dilation: tuple[int, int],
    bias: bool,
) -> None:
    layer = Conv2d(
        per_group * groups, out * groups, kernel, groups=groups, bias=bias, dilation=dilation
    )
    outputs = (out * groups, *y)
    padded = [
        next(n for n in range(side, 9) if n % d == 0) for side, d in zip(y, dilation, strict=True)
    ]
    weights = counted(out * groups, per_group, *kernel)
    assert terms(layer, (per_group * groups, 9, 9), outputs) == Terms(
        weights=weights,
        regularised_weights=0 if per_group == 1 and groups > 1 else weights,
        padded_mult_adds=weights * (counted(*padded) - counted(*y)),
        bias_params=counted(out * groups) if bias else 0,
        mult_adds=counted(*outputs, per_group, *kernel),
        bias_adds=counted(*outputs) if bias else 0,
    )


LINEAR = Terms(weights=21, mult_adds=21, regularised_weights=21)


@pytest.mark.parametrize(
    ("layer", "x", "y", "expected"),
    [
        (BatchNorm2d(5), (5, 2, 3), (5, 2, 3), Terms(0, 0, 10, 0, 10, norm_elements=30)),
        (Linear(7, 3), (7,), (3,), LINEAR._replace(bias_params=3, bias_adds=3)),
        (Linear(7, 3, bias=False), (7,), (3,), LINEAR),
        (
            AdaptiveAvgPool2d((1, 2)),
            (5, 4, 6),
            (5, 1, 2),
            Terms(
                adaptive_pool_inputs=120,
                pool_module_inputs=120,
                pool_function_inputs=120,
                adaptive_pool_module_elements=130,
                average_outputs=10,
            ),
        ),
        (
            Pool2d("avg", (2, 3), (2, 3)),
            (5, 4, 6),
            (5, 2, 2),
            Terms(
                pool_module_inputs=120,
                pool_function_inputs=120,
                average_pool_module_outputs=20,
                average_outputs=20,
                window_elements=20 * 6,
            ),
        ),
        (
            Pool2d("max", (2, 3), (2, 3)),
            (5, 4, 6),
            (5, 2, 2),
            Terms(pool_module_inputs=120, pool_function_inputs=120, window_elements=20 * 6),
        ),
        (
            Upsample((4, 6)),
            (5, 2, 3),
            (5, 4, 6),
            Terms(upsampled_elements=120, upsample_module_elements=120),
        ),
        (
            LocalResponseNorm(3),  # two channels more are averaged over
            (4, 2, 5),
            (4, 2, 5),
            Terms(
                pool_function_inputs=60,
                average_outputs=40,
                product_outputs=80,
                response_norm_elements=40,
            ),
        ),
        (Scale(), (4, 2, 5), (4, 2, 5), Terms(product_outputs=40, gated_elements=40)),
        (Flatten(), (4, 2, 5), (40,), Terms()),
        (Add(), (4, 2, 5), (4, 2, 5), Terms(sum_elements=40)),
        (Concat(), (4, 2, 5), (8, 2, 5), Terms()),
        (Slice(1, 3), (4, 2, 5), (2, 2, 5), Terms()),
        (ChannelShuffle(2), (4, 2, 5), (4, 2, 5), Terms()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_term_of_a_layer_is_as_worked_out_by_hand(
    layer: Layer, x: Shape, y: Shape, expected: Terms
) -> None:
    assert terms(layer, x, y) == expected


HOOKED = {
    "relu": (30, 30),
    "relu6": (30, 0),
    "leaky_relu": (30, 0),
    "gelu": (30, 30),
    "silu": (0, 30),
    "softmax": (0, 30),
}
"""Elements that ptflops counts of a module, and of the function that it calls."""
PROFILED = {"hardswish": 3, "hardsigmoid": 2, "silu": 2, "gelu": 4, "softmax": 5}
"""Operations per element that the profiler of TensorFlow 2.15 said of slim's and its own."""


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_costs_what_is_hooked_of_it(name: str) -> None:
    module, function = HOOKED.get(name, (0, 0))
    each = 5 + 4 + 5  # exponentials, additions, divisions of 5 channels
    assert terms(Activation(name), (5, 2, 3), (5, 2, 3)) == Terms(
        activation_module_elements=module,
        activation_function_elements=function,
        softmax_module_operations=6 * each if name == "softmax" else 0,
        activation_operations=30 * PROFILED.get(name, 0),
        leaky_relu_elements=30 if name == "leaky_relu" else 0,
    )


def test_an_addition_of_many_maps_is_one_less_for_each_element() -> None:
    assert terms(Add(), (4, 2, 5), (4, 2, 5), inputs=4) == Terms(sum_elements=3 * 40)


def test_a_softmax_of_a_vector_is_one_sum() -> None:
    assert terms(Activation("softmax"), (5,), (5,)).softmax_module_operations == 14


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (Conv2d(1, 8, (1, 1)), "pointwise"),
        (Conv2d(1, 8, (3, 3)), "conv"),
        (Conv2d(8, 8, (1, 3)), "conv"),
        (Conv2d(8, 8, (3, 1)), "conv"),
        (Conv2d(8, 24, (1, 1), groups=8), "depthwise"),
        (Conv2d(8, 8, (3, 3), groups=4), "conv"),
        (Scale(), "scale"),
        (Upsample((2, 2)), "upsample"),
        (Pool2d("max", (2, 2), (2, 2)), "pool"),
        (AdaptiveAvgPool2d(), "pool"),
    ],
)
def test_a_kind_is_told_by_kernel_and_groups(layer: Layer, expected: str) -> None:
    assert kind(layer) == expected
    assert expected in KINDS


def test_parameters_are_all_that_is_trained() -> None:
    one_each = Terms(
        weights=1, bias_params=10, norm_buffers=100, other_params=1000, norm_params=10_000
    )
    assert one_each.params == 11_011


def test_terms_add_up_one_by_one() -> None:
    first = Terms(*range(len(Terms._fields)))
    second = Terms(*(100 * i for i in range(len(Terms._fields))))
    assert first.plus(second) == Terms(*(101 * i for i in range(len(Terms._fields))))
