"""What counts as a parameter, and the bytes of each."""

from __future__ import annotations

from mbcost.cost import DTYPES, PARAMS, Terms, weight_bytes

TERMS = Terms(
    weights=1000, bias_params=200, norm_buffers=50, other_params=7, norm_params=30, mult_adds=99
)


def test_each_sense_of_parameters_adds_up_what_it_names() -> None:
    assert {name: count(TERMS) for name, count in PARAMS.items()} == {
        "weights": 1000,
        "without_norm": 1000 + 200,
        "trainable": 1000 + 200 + 30 + 7,
        "all": 1000 + 200 + 30 + 7 + 50,
    }


def test_only_weights_take_a_byte_in_int8() -> None:
    others = 200 + 30 + 7
    assert {name: weight_bytes(TERMS, dtype) for name, dtype in DTYPES.items()} == {
        "fp32": 4 * 1000 + 4 * others,
        "fp16": 2 * 1000 + 2 * others,
        "int8": 1 * 1000 + 4 * others,
    }
    assert {name: dtype.name for name, dtype in DTYPES.items()} == {name: name for name in DTYPES}
