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
from mbcost.modules.trace.operators import OpCost

Args = tuple[Any, ...]

_ORDER = {F.scaled_dot_product_attention: ("query", "key", "value", "attn_mask")}


def bound(func: Any, args: Args, kwargs: dict[str, Any]) -> Args:
    """Return what was given to a function in the order of its signature: its tensors first."""
    order = _ORDER.get(func, ("input",))[len(args) :]
    named = [kwargs[name] for name in order if name in kwargs]
    return (*args, *named, *(value for name, value in kwargs.items() if name not in order))


def _elements(value: Any) -> int:
    first = value[0] if isinstance(value, tuple | list) and value else value
    return prod(first.shape) if isinstance(first, Tensor) else 0


def _shown(kind: str, args: Args, out: Any, terms: Terms) -> OpCost:
    first = out[0] if isinstance(out, tuple | list) else out
    x = tuple(args[0].shape) if args else ()
    return OpCost(kind, x, tuple(first.shape), terms)


def _activation(args: Args, out: Any, inside: int) -> OpCost:
    terms = Terms(mult_adds=inside, activation_function_elements=_elements(args[:1]))
    return _shown("activation", args, out, terms)


def _max_pool(args: Args, out: Any, inside: int) -> OpCost:
    terms = Terms(mult_adds=inside, pool_function_inputs=_elements(args[:1]))
    return _shown("pool", args, out, terms)


def _average_pool(args: Args, out: Any, inside: int) -> OpCost:
    terms = Terms(
        mult_adds=inside,
        pool_function_inputs=_elements(args[:1]),
        average_outputs=_elements(out),
    )
    return _shown("pool", args, out, terms)


def _adaptive_average_pool_2d(args: Args, out: Any, inside: int) -> OpCost:
    cost = _average_pool(args, out, inside)
    return _shown("pool", args, out, cost.terms._replace(adaptive_pool_inputs=_elements(args[:1])))


def _instance_norm(args: Args, out: Any, inside: int) -> OpCost:
    terms = Terms(mult_adds=inside, layer_norm_elements=_elements(out))
    return _shown("norm", args, out, terms)


def _attention(args: Args, out: Any, inside: int) -> OpCost:
    """Its products with K and with V are operators, seen after broadcasting and under vmap."""
    return _shown("attention", args, out, Terms(mult_adds=inside, attention_mult_adds=inside))


FUNCTIONS: dict[Any, Callable[[Args, Any, int], OpCost]] = {
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
    F.scaled_dot_product_attention: _attention,
}
"""Functions that are one row: of what they got, put out, and the mult-adds of their operators."""

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
