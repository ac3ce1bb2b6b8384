"""What an operator of torch's dispatcher costs. Importing this imports torch; only ``trace`` does.

``COSTS`` maps an operator's name to the function that reads its arguments; ``free`` names those
known to cost no multiply-adds. Everything else is unknown and reported as such, unless torch's
FlopCounterMode has a formula for it, also one that a user registered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from torch import Tensor
from torch.utils.flop_counter import flop_registry

from mbcost.cost import Terms
from mbcost.graph.primitives import Shape

NOTHING = Terms()


@dataclass(frozen=True, slots=True)
class OpCost:
    """An operator's cost and what a table shows of it; shapes as torch has them, with the batch.

    ``weight`` and ``bias`` are the arguments that are a layer's parameters if they are a model's.
    """

    kind: str
    x: Shape
    y: Shape
    terms: Terms = NOTHING
    weight: Tensor | None = None
    bias: Tensor | None = None
    kernel: tuple[int, ...] | None = None
    stride: tuple[int, ...] | None = None
    groups: int | None = None
    transposed: bool = False


Args = Sequence[Any]


def _shape(value: Any) -> Shape:
    return tuple(value.shape) if isinstance(value, Tensor) else ()


def _convolution(args: Args, out: Any) -> OpCost:
    x, weight, bias, stride, _, _, transposed, _, groups = args[:9]
    y = _shape(out)
    positions = prod((x.shape if transposed else y)[2:])
    mult_adds = x.shape[0] * prod(weight.shape) * positions
    kernel = tuple(weight.shape[2:])
    if groups == x.shape[1] > 1:
        kind = "depthwise"
    elif prod(kernel) == 1 and groups == 1 and not transposed:
        kind = "pointwise"
    else:
        kind = "conv"
    strides = tuple(stride) if len(stride) == len(kernel) else tuple(stride) * len(kernel)
    return OpCost(
        kind,
        _shape(x),
        y,
        Terms(mult_adds=mult_adds, bias_adds=0 if bias is None else prod(y)),
        weight,
        bias,
        kernel,
        strides,
        groups,
        transposed,
    )


def _addmm(args: Args, out: Any) -> OpCost:
    bias, a, b = args[:3]
    y = _shape(out)
    return OpCost(
        "linear",
        _shape(a),
        y,
        Terms(mult_adds=a.shape[0] * prod(b.shape), bias_adds=prod(y)),
        b,
        bias,
    )


def _mm(args: Args, out: Any) -> OpCost:
    a, b = args[:2]
    return OpCost("linear", _shape(a), _shape(out), Terms(mult_adds=a.shape[0] * prod(b.shape)), b)


def _bmm(args: Args, out: Any) -> OpCost:
    a, b = args[:2]
    return OpCost("matmul", _shape(a), _shape(out), Terms(mult_adds=prod(a.shape) * b.shape[-1]), b)


def _baddbmm(args: Args, out: Any) -> OpCost:
    return _bmm(args[1:], out)


def _addbmm(args: Args, out: Any) -> OpCost:
    return _unhandled(_bmm(args[1:], out))


def _mv(args: Args, out: Any) -> OpCost:
    terms = Terms(mult_adds=prod(args[0].shape))
    return _unhandled(OpCost("matmul", _shape(args[0]), _shape(out), terms, args[0]))


def _addmv(args: Args, out: Any) -> OpCost:
    return _mv(args[1:], out)


def _int_mm(args: Args, out: Any) -> OpCost:
    return _unhandled(_mm(args, out))


def _addmm_activation(args: Args, out: Any) -> OpCost:
    return _unhandled(_addmm(args, out))


def _unhandled(cost: OpCost) -> OpCost:
    """Return the cost of an operator for which counters by operator have no formula."""
    terms = cost.terms
    return replace(cost, terms=terms._replace(unhandled_mult_adds=terms.mult_adds))


def _deform_conv(args: Args, out: Any) -> OpCost:
    """Each weight meets each output position once, as in any convolution; the resampling of its
    input is no multiply-add, as in ``grid_sample``."""
    x, weight, _, _, bias, *numbers = args
    y = _shape(out)
    terms = Terms(
        mult_adds=prod(weight.shape) * y[0] * prod(y[2:]),
        bias_adds=prod(y),
    )
    kernel, strides, groups = tuple(weight.shape[2:]), tuple(numbers[:2]), numbers[6]
    cost = OpCost("conv", _shape(x), y, terms, weight, bias, kernel, strides, groups)
    return _unhandled(cost)


def _conv_tbc(args: Args, out: Any) -> OpCost:
    """Time × batch × channels, weights k × in × out."""
    x, weight, bias = args[:3]
    y = _shape(out)
    terms = Terms(mult_adds=prod(weight.shape) * prod(y[:2]), bias_adds=prod(y))
    return _unhandled(OpCost("matmul", _shape(x), y, terms, weight, bias))


def _trilinear(args: Args, out: Any) -> OpCost:
    """``nn.Bilinear``: each of its out × in1 × in2 weights meets each position once."""
    a, weight, b, expand_a, expand_weight, expand_b = args[:6]
    sides = [1] * (a.dim() + len(expand_a))
    for tensor, expanded in ((a, expand_a), (weight, expand_weight), (b, expand_b)):
        own = iter(tensor.shape)
        for i in range(len(sides)):
            if i not in expanded:
                sides[i] = max(sides[i], next(own))
    terms = Terms(mult_adds=prod(sides))
    return _unhandled(OpCost("matmul", _shape(a), _shape(out), terms, weight))


def _distances(args: Args, out: Any) -> OpCost:
    """Every pair of rows: a difference and its square, or as a product of matrices, per column."""
    a = args[0]
    terms = Terms(mult_adds=prod(_shape(out)) * a.shape[-1])
    return _unhandled(OpCost("matmul", _shape(a), _shape(out), terms))


def attention(args: Args, out: Any) -> OpCost:
    """Return the cost of attention in one operator: Q·Kᵀ and its product with V."""
    q, k, v = args[:3]
    first = out[0] if isinstance(out, tuple | list) else out
    positions = prod(q.shape[:-1]) * k.shape[-2]
    mult_adds = positions * (q.shape[-1] + v.shape[-1])
    return OpCost(
        "attention",
        _shape(q),
        _shape(first),
        Terms(mult_adds=mult_adds, attention_mult_adds=mult_adds),
    )


def _batch_norm(args: Args, out: Any) -> OpCost:
    x, weight, bias = args[:3]
    elements = prod(x.shape) if weight is not None else 0
    return OpCost(
        "batch_norm", _shape(x), _shape(out[0]), Terms(norm_elements=elements), weight, bias
    )


def _layer_norm(args: Args, out: Any) -> OpCost:
    x, _, weight, bias = args[:4]
    return _norm(x, weight, bias, out)


def _group_norm(args: Args, out: Any) -> OpCost:
    return _norm(args[0], args[1], args[2], out)


def _norm(x: Any, weight: Any, bias: Any, out: Any) -> OpCost:
    elements = prod(x.shape) if weight is not None else 0
    first = out[0] if isinstance(out, tuple | list) else out
    return OpCost(
        "norm", _shape(x), _shape(first), Terms(layer_norm_elements=elements), weight, bias
    )


def _mean(args: Args, out: Any) -> OpCost:
    return OpCost("pool", _shape(args[0]), _shape(out), Terms(average_outputs=prod(_shape(out))))


def _product(args: Args, out: Any) -> OpCost:
    return OpCost("scale", _shape(args[0]), _shape(out), Terms(product_outputs=prod(_shape(out))))


def _leaky_relu(args: Args, out: Any) -> OpCost:
    y = _shape(out)
    return OpCost("activation", _shape(args[0]), y, Terms(leaky_relu_elements=prod(y)))


def _upsample(args: Args, out: Any) -> OpCost:
    y = _shape(out)
    return OpCost("upsample", _shape(args[0]), y, Terms(upsampled_elements=prod(y)))


def _free(kind: str) -> Callable[[Args, Any], OpCost]:
    def cost(args: Args, out: Any) -> OpCost:
        first = out[0] if isinstance(out, tuple | list) else out
        return OpCost(kind, _shape(args[0]), _shape(first))

    return cost


COUNTED: dict[str, Callable[[Args, Any], OpCost]] = {
    "convolution": _convolution,
    "addmm": _addmm,
    "mm": _mm,
    "bmm": _bmm,
    "baddbmm": _baddbmm,
    "mv": _mv,
    "dot": _mv,
    "vdot": _mv,
    "addmv": _addmv,
    "addbmm": _addbmm,
    "_addmm_activation": _addmm_activation,
    "_int_mm": _int_mm,
    "_trilinear": _trilinear,
    "_cdist_forward": _distances,
    "_euclidean_dist": _distances,
    "_pdist_forward": _distances,
    "conv_tbc": _conv_tbc,
    "torchvision.deform_conv2d": _deform_conv,
    "_scaled_dot_product_flash_attention": attention,
    "_scaled_dot_product_flash_attention_for_cpu": attention,
    "_scaled_dot_product_efficient_attention": attention,
    "_scaled_dot_product_cudnn_attention": attention,
    "_scaled_dot_product_fused_attention_overrideable": attention,
}
"""Operators with multiply-adds."""

_ACTIVATIONS = (
    "relu",
    "hardtanh",
    "hardswish",
    "hardsigmoid",
    "silu",
    "sigmoid",
    "gelu",
    "elu",
    "tanh",
    "_prelu_kernel",
    "mish",
    "softplus",
    "_softmax",
    "_safe_softmax",
    "_log_softmax",
    "threshold",
    "celu",
    "selu",
    "hardshrink",
    "softshrink",
    "log_sigmoid_forward",
    "glu",
    "rrelu_with_noise",
)
_POOLS = (
    "max_pool2d_with_indices",
    "max_pool3d_with_indices",
    "avg_pool2d",
    "avg_pool3d",
    "_adaptive_avg_pool2d",
    "_adaptive_avg_pool3d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "adaptive_avg_pool2d",
    "avg_pool1d",
    "adaptive_avg_pool1d",
    "max_pool1d",
)

SHOWN: dict[str, Callable[[Args, Any], OpCost]] = {
    "native_batch_norm": _batch_norm,
    "_native_batch_norm_legit": _batch_norm,
    "_native_batch_norm_legit_no_training": _batch_norm,
    "native_layer_norm": _layer_norm,
    "native_group_norm": _group_norm,
    "mean": _mean,
    "mul": _product,
    "upsample_bilinear2d": _upsample,
    "add": _free("add"),
    "sub": _free("add"),
    "embedding": _free("embedding"),
    **dict.fromkeys(_ACTIVATIONS, _free("activation")),
    "leaky_relu": _leaky_relu,
    **dict.fromkeys(_POOLS, _free("pool")),
}
"""Operators without multiply-adds that a table shows, or that some counter counts."""

COSTS = {**COUNTED, **SHOWN}


def registered(func: Any) -> Callable[[Args, Any], OpCost] | None:
    """Return the cost of an operator that only FlopCounterMode has a formula for, or None."""
    formula = flop_registry.get(func._overloadpacket)
    if formula is None:
        return None

    def cost(args: Args, out: Any) -> OpCost:
        first = out[0] if isinstance(out, tuple | list) else out
        flops = formula(*args, out_val=out)
        return OpCost("matmul", _shape(args[0]), _shape(first), Terms(mult_adds=flops // 2))

    return cost


def name_of(func: Any) -> str:
    """Return an operator's name without overload and the underscore of its in-place form."""
    name: str = func._schema.name
    space, _, name = name.rpartition("::")
    if name.endswith("_") and not name.endswith("__"):
        name = name[:-1]
    return name if space == "aten" else f"{space}.{name}"
