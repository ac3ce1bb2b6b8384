"""The closed form: what one layer costs for one image, as exact integers.

To add a primitive's cost, add its case to ``terms``, ``kind`` and ``formula``; mypy names the
missing ones.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple, assert_never

from mbcost.layers import (
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


class Terms(NamedTuple):
    """What counters count, each term once, for one image.

    A ``Convention`` has a weight of the same name for each term from ``mult_adds`` on.
    """

    weights: int = 0
    """Weights of convolutions and linear layers (what the V1 and V2 papers print)."""
    bias_params: int = 0
    """Biases of convolutions and linear layers."""
    norm_params: int = 0
    """γ and β of batch-norms, 2·C."""
    norm_buffers: int = 0
    """Running mean and variance of batch-norms, 2·C."""
    mult_adds: int = 0
    """Multiply-adds of convolution and linear weights."""
    bias_adds: int = 0
    """One per output element of a biased convolution or linear layer."""
    norm_elements: int = 0
    """Elements that batch-norms put out, C·H·W."""
    adaptive_pool_inputs: int = 0
    """Elements that adaptive average pools read."""
    upsampled_elements: int = 0
    """Elements that bilinear upsampling puts out, C·H·W."""

    @property
    def params(self) -> int:
        """Return the trainable parameters: weights, biases, γ and β."""
        return self.weights + self.bias_params + self.norm_params


_NOTHING = Terms()


def terms(layer: Layer, x: Shape, y: Shape) -> Terms:
    """Return the terms of ``layer``, which maps one image of shape ``x`` to ``y``.

    A convolution has kh · kw · c_in/groups · c_out weights, each used h_out · w_out times.
    """
    match layer:
        case Conv2d():
            kh, kw = layer.kernel
            weights = kh * kw * (layer.c_in // layer.groups) * layer.c_out
            positions = y[1] * y[2]
            if not layer.bias:
                return Terms(weights, 0, 0, 0, weights * positions)
            return Terms(weights, layer.c_out, 0, 0, weights * positions, prod(y))
        case BatchNorm2d():
            trained = kept = 2 * layer.c
            return Terms(0, 0, trained, kept, 0, 0, prod(y))
        case Linear():
            return Terms(
                weights=layer.features_in * layer.features_out,
                bias_params=layer.features_out if layer.bias else 0,
                mult_adds=layer.features_in * layer.features_out,
                bias_adds=layer.features_out if layer.bias else 0,
            )
        case AdaptiveAvgPool2d():
            return Terms(adaptive_pool_inputs=prod(x))
        case Upsample():
            return Terms(upsampled_elements=prod(y))
        case (
            Activation()
            | Pool2d()
            | Flatten()
            | Add()
            | Scale()
            | Concat()
            | Slice()
            | ChannelShuffle()
            | LocalResponseNorm()
        ):
            return _NOTHING
        case _:
            assert_never(layer)


def kind(layer: Layer) -> str:
    """Return the first kind that fits; a bias belongs to its layer."""
    match layer:
        case Linear():
            return "linear"
        case Conv2d():
            if layer.groups == layer.c_in > 1:
                return "depthwise"
            if layer.kernel == (1, 1) and layer.groups == 1:
                return "pointwise"
            return "conv"
        case BatchNorm2d():
            return "batch_norm"
        case Activation():
            return "activation"
        case AdaptiveAvgPool2d() | Pool2d():
            return "pool"
        case Flatten():
            return "flatten"
        case Add():
            return "add"
        case Scale():
            return "scale"
        case Concat():
            return "concat"
        case Slice():
            return "slice"
        case ChannelShuffle():
            return "shuffle"
        case LocalResponseNorm():
            return "local_response_norm"
        case Upsample():
            return "upsample"
        case _:
            assert_never(layer)


KINDS = (
    "linear",
    "depthwise",
    "pointwise",
    "conv",
    "batch_norm",
    "activation",
    "pool",
    "flatten",
    "add",
    "scale",
    "concat",
    "slice",
    "shuffle",
    "local_response_norm",
    "upsample",
)


def formula(layer: Layer, y: Shape) -> tuple[str, str]:
    """Return the formulas of (params, mult_adds) with the numbers filled in; empty where zero.

    A convolution reads kh·kw · c_in/groups · c_out (· h_out·w_out), a linear layer in · out.
    """
    match layer:
        case Conv2d():
            kh, kw = layer.kernel
            per_group = layer.c_in // layer.groups
            window = f"{kh}²" if kh == kw else f"{kh}·{kw}"
            fan_in = f"{layer.c_in}/{layer.groups}" if layer.groups > 1 else f"{per_group}"
            weights = f"{window}·{fan_in}·{layer.c_out}"
            bias = f" + {layer.c_out}" if layer.bias else ""
            return weights + bias, f"{weights}·{y[1]}·{y[2]}"
        case BatchNorm2d():
            return f"2·{layer.c}", ""
        case Linear():
            weights = f"{layer.features_in}·{layer.features_out}"
            bias = f" + {layer.features_out}" if layer.bias else ""
            return weights + bias, weights
        case (
            Activation()
            | AdaptiveAvgPool2d()
            | Pool2d()
            | Flatten()
            | Add()
            | Scale()
            | Concat()
            | Slice()
            | ChannelShuffle()
            | LocalResponseNorm()
            | Upsample()
        ):
            return "", ""
        case _:
            assert_never(layer)
