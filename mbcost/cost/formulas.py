"""The closed form: what one layer costs for one image, as exact integers.

To add a primitive's cost, add its case to ``terms``, ``kind`` and ``formula``; mypy names the
missing ones.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple, assert_never

from mbcost.graph.primitives import (
    Activation,
    AdaptiveAvgPool2d,
    Add,
    BatchNorm2d,
    ChannelShuffle,
    Concat,
    Conv2d,
    Crop,
    Flatten,
    Layer,
    Linear,
    LocalResponseNorm,
    Pool2d,
    Scale,
    Shape,
    Slice,
    SpaceToDepth,
    Upsample,
)


class Terms(NamedTuple):
    """What counters count, each term once, for one image.

    A ``Convention`` weighs each of them. The later terms tell apart what was called as a module
    and what as a function, since several counters see only the one or the other.
    """

    weights: int = 0
    """Weights of convolutions and linear layers (what the V1 and V2 papers print)."""
    bias_params: int = 0
    """Biases of convolutions and linear layers."""
    norm_buffers: int = 0
    """Running mean and variance of batch-norms, 2·C."""
    other_params: int = 0
    """Parameters of anything else: class tokens, embeddings, layer scales."""
    norm_params: int = 0
    """γ and β of batch-norms and other norms, 2·C."""
    mult_adds: int = 0
    """Multiply-adds of convolutions, linear layers, matrix products and attention."""
    bias_adds: int = 0
    """One per output element of a biased convolution or linear layer."""
    norm_elements: int = 0
    """Elements that batch-norms put out, C·H·W."""
    adaptive_pool_inputs: int = 0
    """Elements that adaptive average pools read."""
    upsampled_elements: int = 0
    """Elements that bilinear upsampling puts out, C·H·W."""
    functional_mult_adds: int = 0
    """Of ``mult_adds``, those outside a childless module with weights."""
    functional_bias_adds: int = 0
    """Of ``bias_adds``, those outside a childless module with weights."""
    functional_norm_params: int = 0
    """Of ``norm_params``, those outside a childless module."""
    functional_norm_elements: int = 0
    """Of the elements that norms put out, those outside torch's own norm modules."""
    subclass_mult_adds: int = 0
    """Of ``mult_adds``, those in a module of another class than torch's own."""
    subclass_bias_adds: int = 0
    """Of ``bias_adds``, those in a module of another class than torch's own."""
    repeated_linear: int = 0
    """Of the two of linear modules, those beyond an image's first position (token)."""
    unfused_bias_adds: int = 0
    """Of ``bias_adds``, those that torch adds apart from the product (linear on 4-D maps)."""
    attention_mult_adds: int = 0
    """Of ``mult_adds``, those of ``scaled_dot_product_attention``."""
    named_product_mult_adds: int = 0
    """Of ``mult_adds``, those of ``torch.matmul``, ``mm``, ``bmm`` called by name, not as ``@``."""
    layer_norm_elements: int = 0
    """Elements that layer, group and instance norms put out."""
    activation_module_elements: int = 0
    """Elements put out by ReLU, ReLU6, LeakyReLU, PReLU, ELU and GELU modules."""
    activation_function_elements: int = 0
    """Elements through ``F.relu relu6 prelu elu gelu silu softmax``, also from inside a module."""
    pool_module_inputs: int = 0
    """Elements that pooling modules read, maximum and average."""
    pool_function_inputs: int = 0
    """Elements that ``F.*_pool*`` read, also from inside a module."""
    adaptive_pool_module_elements: int = 0
    """Elements that adaptive average pool modules read and put out."""
    average_pool_module_outputs: int = 0
    """Elements that windowed average pool modules put out."""
    average_outputs: int = 0
    """Elements put out by average pools of any kind and by ``mean``."""
    product_outputs: int = 0
    """Elements put out by elementwise products, such as squeeze-and-excite's."""
    leaky_relu_elements: int = 0
    """Elements that leaky ReLUs put out."""
    softmax_module_operations: int = 0
    """Exponentials, additions and divisions of softmax modules: 3·n − 1 for n channels."""
    upsample_module_elements: int = 0
    """Of ``upsampled_elements``, those that upsampling modules put out."""
    response_norm_elements: int = 0
    """Elements that local response norms put out."""
    unhandled_mult_adds: int = 0
    """Of ``mult_adds``, those of operators that FlopCounterMode has no formula for: deformable
    convolutions, bilinear layers, matrix by vector, distances."""
    parameter_rule_excess: int = 0
    """What torchinfo's rule, a module's parameters times its output positions, gives beyond the
    terms above: on transposed convolutions, recurrent layers, norms of a batch."""
    padded_mult_adds: int = 0
    """What a dilated convolution computes beyond ``mult_adds`` where its map is padded to a
    multiple of the dilation and dealt out into that many maps; closed form alone, as all below."""
    window_elements: int = 0
    """Elements that pools with a window look at: the window's area for each that they put out."""
    sum_elements: int = 0
    """Additions of residuals and of joined maps: one per element and input after the first."""
    gated_elements: int = 0
    """Elements that products of a map and its gate put out."""
    activation_operations: int = 0
    """Additions, products and quotients that activations are written as (see ``_OPERATIONS``)."""
    regularised_weights: int = 0
    """Of ``weights``, those of all but depthwise convolutions."""
    image_elements: int = 0
    """Elements of the image, at the first layer of a network that reads three channels."""
    ranked_elements: int = 0
    """Comparisons of an arg max over the classes of each pixel, at the upsampling that a network
    for segmentation ends in."""

    @property
    def params(self) -> int:
        """Return the trainable parameters: weights, biases, γ and β, and any other."""
        return self.weights + self.bias_params + self.norm_params + self.other_params

    def plus(self, other: Terms) -> Terms:
        """Return the sum, term by term."""
        return Terms(*(a + b for a, b in zip(self, other, strict=True)))


_NOTHING = Terms()

_HOOKED_MODULES = ("relu", "relu6", "leaky_relu", "gelu")
"""Of our activations, those whose module has a hook in ptflops."""
_HOOKED_FUNCTIONS = ("relu", "silu", "gelu", "softmax")
"""Those whose module calls a function that ptflops patches (``nn.ReLU6`` calls ``F.hardtanh``)."""
_OPERATIONS = {"hardswish": 3, "hardsigmoid": 2, "silu": 2, "gelu": 4, "softmax": 5}
"""Operations per element of activations that TensorFlow writes with arithmetic, as its profiler
counts them: x · relu6(x + 3) · 1/6 is three, as slim's ``hard_swish`` has it. The others (ReLU6,
sigmoid) are operators of their own, of which no statistics are registered."""


def terms(layer: Layer, x: Shape, y: Shape, inputs: int = 2) -> Terms:
    """Return the terms of ``layer``, which maps one image of shape ``x`` to ``y``; ``inputs`` is
    how many maps an addition reads.

    A convolution has kh · kw · c_in/groups · c_out weights, each used h_out · w_out times.
    """
    match layer:
        case Conv2d():
            return _convolution(layer, y)
        case BatchNorm2d():
            return Terms(norm_params=2 * layer.c, norm_buffers=2 * layer.c, norm_elements=prod(y))
        case Linear():
            biases = layer.features_out if layer.bias else 0
            weights = layer.features_in * layer.features_out
            return _products(weights, biases, 1, regularised=weights)
        case AdaptiveAvgPool2d():
            read, put_out = prod(x), prod(y)
            return Terms(
                adaptive_pool_inputs=read,
                pool_module_inputs=read,
                pool_function_inputs=read,
                adaptive_pool_module_elements=read + put_out,
                average_outputs=put_out,
            )
        case Pool2d():
            average = prod(y) if layer.mode == "avg" else 0
            return Terms(
                pool_module_inputs=prod(x),
                pool_function_inputs=prod(x),
                average_pool_module_outputs=average,
                average_outputs=average,
                window_elements=prod(layer.kernel) * prod(y),
            )
        case Activation():
            softmax = 3 * prod(y) - prod(y[1:]) if layer.name == "softmax" else 0
            return Terms(
                softmax_module_operations=softmax,
                leaky_relu_elements=prod(y) if layer.name == "leaky_relu" else 0,
                activation_module_elements=prod(y) if layer.name in _HOOKED_MODULES else 0,
                activation_function_elements=prod(y) if layer.name in _HOOKED_FUNCTIONS else 0,
                activation_operations=_OPERATIONS.get(layer.name, 0) * prod(y),
            )
        case Upsample():
            return Terms(upsampled_elements=prod(y), upsample_module_elements=prod(y))
        case LocalResponseNorm():
            # torch squares, pads the channels, averages over them, scales, divides
            padded = (x[0] + layer.size - 1) * prod(x[1:])
            return Terms(
                pool_function_inputs=padded,
                average_outputs=prod(y),
                product_outputs=2 * prod(y),
                response_norm_elements=prod(y),
            )
        case Scale():
            return Terms(product_outputs=prod(y), gated_elements=prod(y))
        case Add():
            return Terms(sum_elements=(inputs - 1) * prod(y))
        case Flatten() | Concat() | Slice() | ChannelShuffle() | SpaceToDepth() | Crop():
            return _NOTHING
        case _:
            assert_never(layer)


def _products(
    weights: int, biases: int, positions: int, *, padded: int = 0, regularised: int
) -> Terms:
    """Return the terms of weights and biases that are each used once at every position; at
    ``padded`` further ones zeros are multiplied."""
    return Terms(
        weights=weights,
        bias_params=biases,
        mult_adds=weights * positions,
        bias_adds=biases * positions,
        padded_mult_adds=weights * padded,
        regularised_weights=regularised,
    )


def _convolution(layer: Conv2d, y: Shape) -> Terms:
    kh, kw = layer.kernel
    weights = kh * kw * (layer.c_in // layer.groups) * layer.c_out
    positions = y[1] * y[2]
    padded = prod(-(-side // rate) * rate for side, rate in zip(y[1:], layer.dilation, strict=True))
    return _products(
        weights,
        layer.c_out if layer.bias else 0,
        positions,
        padded=padded - positions,
        regularised=0 if _depthwise(layer) else weights,
    )


def _depthwise(layer: Conv2d) -> bool:
    return layer.groups == layer.c_in > 1


def kind(layer: Layer) -> str:
    """Return the first kind that fits; a bias belongs to its layer."""
    match layer:
        case Linear():
            return "linear"
        case Conv2d():
            if _depthwise(layer):
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
        case SpaceToDepth():
            return "space_to_depth"
        case Crop():
            return "crop"
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
    "attention",
    "matmul",
    "batch_norm",
    "norm",
    "activation",
    "pool",
    "embedding",
    "flatten",
    "add",
    "scale",
    "concat",
    "slice",
    "shuffle",
    "space_to_depth",
    "crop",
    "local_response_norm",
    "upsample",
    "other",
)
"""Kinds of layers; those of the closed form and those that only a trace finds."""

WITH_PARAMS = (Conv2d, Linear, BatchNorm2d)
"""The layers that have parameters; of all others params and mult-adds are 0."""

CONVOLUTIONS = ("conv", "depthwise", "pointwise")
