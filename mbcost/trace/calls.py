"""Functions and modules that counters see as such. Importing this imports torch; only ``trace``
does.

``FUNCTIONS`` and ``MODULES`` give the terms that depend on how a thing was called, not on what it
computes. To add one: its line.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (its usual name)

from mbcost.cost import Terms
from mbcost.trace.operators import OpCost, attention

Args = tuple[Any, ...]


def _elements(value: Any) -> int:
    first = value[0] if isinstance(value, tuple | list) and value else value
    return prod(first.shape) if isinstance(first, Tensor) else 0


def _shown(kind: str, args: Args, out: Any, terms: Terms) -> OpCost:
    first = out[0] if isinstance(out, tuple | list) else out
    x = tuple(args[0].shape) if args else ()
    return OpCost(kind, x, tuple(first.shape), terms)


def _activation(args: Args, out: Any) -> OpCost:
    terms = Terms(activation_function_elements=_elements(args[:1]))
    return _shown("activation", args, out, terms)


def _max_pool(args: Args, out: Any) -> OpCost:
    return _shown("pool", args, out, Terms(pool_function_inputs=_elements(args[:1])))


def _average_pool(args: Args, out: Any) -> OpCost:
    terms = Terms(pool_function_inputs=_elements(args[:1]), average_outputs=_elements(out))
    return _shown("pool", args, out, terms)


def _adaptive_average_pool_2d(args: Args, out: Any) -> OpCost:
    cost = _average_pool(args, out)
    return _shown("pool", args, out, cost.terms._replace(adaptive_pool_inputs=_elements(args[:1])))


def _instance_norm(args: Args, out: Any) -> OpCost:
    return _shown("norm", args, out, Terms(layer_norm_elements=_elements(out)))


FUNCTIONS: dict[Any, Callable[[Args, Any], OpCost]] = {
    **dict.fromkeys(
        (F.relu, F.relu6, F.prelu, F.elu, F.gelu, F.silu, F.softmax),
        _activation,
    ),
    **dict.fromkeys(
        (
            F.max_pool1d,
            F.max_pool2d,
            F.max_pool3d,
            F.adaptive_max_pool1d,
            F.adaptive_max_pool2d,
            F.adaptive_max_pool3d,
        ),
        _max_pool,
    ),
    **dict.fromkeys(
        (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d, F.adaptive_avg_pool1d, F.adaptive_avg_pool3d),
        _average_pool,
    ),
    F.adaptive_avg_pool2d: _adaptive_average_pool_2d,
    F.instance_norm: _instance_norm,
    F.scaled_dot_product_attention: attention,
}
"""Functions whose operators stand for one call; what they compute is their line's business."""

NAMED_PRODUCTS = frozenset((torch.matmul, torch.mm, torch.bmm))
"""Products as ptflops' pytorch backend patches them (``@`` and the methods are other functions)."""

STANDARD = frozenset(
    (
        nn.Conv1d,
        nn.Conv2d,
        nn.Conv3d,
        nn.ConvTranspose1d,
        nn.ConvTranspose2d,
        nn.ConvTranspose3d,
        nn.Linear,
    )
)
"""Modules with weights that counters by class know; a subclass is another class to them."""


STANDARD_NORMS = frozenset(
    (
        nn.BatchNorm1d,
        nn.BatchNorm2d,
        nn.BatchNorm3d,
        nn.InstanceNorm1d,
        nn.InstanceNorm2d,
        nn.InstanceNorm3d,
        nn.LayerNorm,
        nn.GroupNorm,
    )
)
"""Norm modules that counters by class know."""


def _hooked(module: nn.Module, args: Args, out: Any) -> Terms:
    return Terms(activation_module_elements=_elements(out))


def _pool(module: nn.Module, args: Args, out: Any) -> Terms:
    return Terms(pool_module_inputs=_elements(args))


def _windowed(module: nn.Module, args: Args, out: Any) -> Terms:
    return Terms(pool_module_inputs=_elements(args), average_pool_module_outputs=_elements(out))


def _adaptive(module: nn.Module, args: Args, out: Any) -> Terms:
    read = _elements(args)
    return Terms(pool_module_inputs=read, adaptive_pool_module_elements=read + _elements(out))


MODULES: dict[type[nn.Module], Callable[[nn.Module, Args, Any], Terms]] = {
    **dict.fromkeys((nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.GELU), _hooked),
    **dict.fromkeys(
        (
            nn.MaxPool1d,
            nn.MaxPool2d,
            nn.MaxPool3d,
            nn.AdaptiveMaxPool1d,
            nn.AdaptiveMaxPool2d,
            nn.AdaptiveMaxPool3d,
        ),
        _pool,
    ),
    **dict.fromkeys((nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d), _windowed),
    **dict.fromkeys((nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d), _adaptive),
}
"""Module classes with a hook in some counter, by exact class as those counters look them up."""
