"""Weights and biases as whole numbers, as any format stores them; maps by their ranges.

Weights have a scale per output channel and no zero point (arXiv:1806.08342, sections 2 and 3.1),
biases the product of the scales of the map and the weight.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

LARGEST_BIAS = 2**30
"""Of a bias in units of its scale: half of what an int32 holds, so that sums fit too."""
SMALLEST = 1e-18
"""Least scale of a tensor: the product of two is a float32 still. What is smaller is all zeros."""


class Whole(NamedTuple):
    """Whole numbers, and the scale of each output channel."""

    values: Tensor
    scale: Tensor


def map_scale(low: float, high: float) -> float:
    """Return the scale of a map that takes values from ``low`` to ``high``, 0 among them; it is a
    float32."""
    step = (high - low) / 255
    return torch.tensor(step if step > SMALLEST else 1.0, dtype=torch.float32).item()


def weight_and_bias(weight: Tensor, bias: Tensor | None, step: float) -> tuple[Whole, Whole | None]:
    """Return a weight in int8 and its bias in int32; ``step`` is the scale of the map they meet."""
    weight = weight.double()
    scale = weight.abs().flatten(1).amax(1) / 127
    if bias is not None:
        scale = scale.maximum(bias.double().abs() / (step * LARGEST_BIAS))
    scale = torch.where(scale > SMALLEST, scale, 1.0).float()
    columns = scale.double().reshape(-1, *(1 for _ in weight.shape[1:]))
    whole = Whole((weight / columns).round().clamp(-127, 127).to(torch.int8), scale)
    if bias is None:
        return whole, None
    unit = scale * torch.tensor(step, dtype=torch.float32)
    return whole, Whole((bias.double() / unit.double()).round().to(torch.int32), unit)
