"""A network's own parameters and scales as a TFLite file holds them.

fp16 stores them as float16, each behind a ``DEQUANTIZE``, and computes in float32, as TFLite's
float16 quantisation does. int8 is TFLite's full-integer quantisation (its 8-bit quantization
specification): weights a scale per output channel and no zero point, biases int32, maps a scale
and a zero point each; operators that only move or choose values have one scale for what they read
and put out, and ``LOGISTIC`` and ``SOFTMAX`` put out 1/256, −128.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

import torch
from torch import Tensor

from mbcost.errors import MbcostError
from mbcost.graph.kernels import Kernel, Kernels, is_depthwise
from mbcost.graph.primitives import BatchNorm2d, Shape
from mbcost.modules.exported.constants import SCALE, ZERO_POINT, Constant, Constants, has_bias
from mbcost.modules.exported.deployed import Deployed, Range
from mbcost.modules.exported.quantised import map_scale, weight_and_bias

ONE_SCALE = frozenset(
    {
        "AVERAGE_POOL_2D",
        "MAX_POOL_2D",
        "CONCATENATION",
        "PAD",
        "PADV2",
        "RESHAPE",
        "RESIZE_BILINEAR",
        "SLICE",
        "SPACE_TO_DEPTH",
        "TRANSPOSE",
    }
)
"""Operators whose maps, read and put out, have one scale and zero point."""
FIXED = frozenset({"LOGISTIC", "SOFTMAX"})
"""Operators that put out a scale of 1/256 and a zero point of −128."""
LARGEST_RATIO = 2.0**18
"""Of the scales of what an ``ADD`` reads and puts out: LiteRT shifts by 20 bits."""


@dataclass(frozen=True)
class Parameters(Constants):
    """What the operators of a network read, from its own parameters."""

    half: bool = False
    """Whether parameters are stored as float16; maps and all that is computed are float32."""
    values: dict[str, Tensor] = field(default_factory=dict)
    scales: tuple[tuple[float, int], ...] = ()
    """Scale and zero point of each map, in int8."""

    def quantised(self, tensor: int) -> tuple[float, int]:
        """Return scale and zero point of a map in int8."""
        return self.scales[tensor]

    def weighted(
        self, kernel: Kernel, x: Shape, shape: tuple[int, ...], axis: int | None
    ) -> list[Constant]:
        """Return a layer's weight and bias; without a bias, zeros where there has to be one."""
        keys = f"{kernel.path}.weight", f"{kernel.path}.bias"
        weight, bias = self.values[keys[0]], self.values.get(keys[1])
        c = weight.shape[0]
        none = Constant((c,), "fp32", bytes(4 * c))
        if self.dtype == "int8":
            step, _ = self.quantised(kernel.reads[0])
            whole, counted = weight_and_bias(weight, bias, step)
            moved = _moved(whole.values, kernel, x, shape)
            scales = tuple(whole.scale.tolist())
            found = [Constant(shape, "int8", _bytes(moved), scales, axis or 0, name=keys[0])]
            unit = whole.scale * torch.tensor(step, dtype=torch.float32)
            none = none._replace(dtype="int32", scales=tuple(unit.tolist()))
            if counted is not None:
                none = none._replace(data=_bytes(counted.values), name=keys[1])
            return [*found, none] if has_bias(kernel) else found
        found = [self.floats(keys[0], _moved(weight, kernel, x, shape))]
        if has_bias(kernel):
            found.append(none if bias is None else self.floats(keys[1], bias))
        return found

    def normed(self, kernel: Kernel) -> list[Constant]:
        """Return a batch-norm's factors, or its shifts; in int8 they are float32."""
        assert isinstance(kernel.layer, BatchNorm2d)
        if kernel.operator not in ("MUL", "ADD"):
            return []
        key = f"{kernel.path}.{'weight' if kernel.operator == 'MUL' else 'bias'}"
        return [self.floats(key, self.values[key])]

    def floats(self, key: str, values: Tensor) -> Constant:
        """Return a parameter as floats."""
        shape = tuple(values.shape)
        if not self.half:
            return Constant(shape, "fp32", _bytes(values), name=key)
        return Constant(shape, "fp16", _bytes(half(key, values)), name=key)


def half(key: str, values: Tensor) -> Tensor:
    """Return a parameter in float16, or raise where it does not fit."""
    found = values.half()
    if not bool(torch.isfinite(found).all()):
        raise MbcostError(
            "has a value too large for float16",
            place=key,
            way_out="--dtype fp32, or other weights",
        )
    return found


def _moved(weight: Tensor, kernel: Kernel, x: Shape, shape: tuple[int, ...]) -> Tensor:
    """Return a weight with its dimensions in TFLite's order: the channels that it reads last."""
    if kernel.operator == "FULLY_CONNECTED":
        return weight.reshape(-1, *x).movedim(1, -1).reshape(shape)
    if is_depthwise(kernel.layer):
        return weight.permute(1, 2, 3, 0)
    return weight.permute(0, 2, 3, 1)


def _bytes(values: Tensor) -> bytes:
    data: bytes = values.contiguous().numpy().tobytes()
    return data


def map_scales(network: Deployed, found: Kernels) -> tuple[tuple[float, int], ...]:
    """Return scale and zero point of each map, those of one group together."""
    ranges = _ranges(network, found)
    groups = _groups(found)
    fixed: dict[int, str] = {}
    for i, kernel in enumerate(found.kernels):
        if kernel.operator in FIXED:
            fixed[groups[i + 1]] = kernel.path
    known: dict[int, Range] = {}
    for tensor, group in enumerate(groups):
        low, high = known.get(group, (0.0, 0.0))
        known[group] = min(low, ranges[tensor][0]), max(high, ranges[tensor][1])
    for group, path in fixed.items():
        if known[group][0] < 0 or known[group][1] > 1:
            raise MbcostError(
                "is joined with maps of other ranges, and TFLite gives all of them its scale",
                place=path,
                way_out="--dtype fp32 or fp16",
            )
    scales = [(SCALE, ZERO_POINT) if g in fixed else _scale(*known[g]) for g in groups]
    _check_additions(found, scales)
    return tuple(scales)


def _scale(low: float, high: float) -> tuple[float, int]:
    scale = map_scale(low, high)
    return scale, min(max(round(-low / scale), 0), 255) - 128


def _check_additions(found: Kernels, scales: list[tuple[float, int]]) -> None:
    for i, kernel in enumerate(found.kernels):
        if kernel.operator == "ADD" and not kernel.itemsize:
            most = max(scales[tensor][0] for tensor in kernel.reads)
            if most > LARGEST_RATIO * scales[i + 1][0]:
                raise MbcostError(
                    "adds maps that cancel out, to less than int8 can tell",
                    place=kernel.path,
                    way_out="--dtype fp32, or other weights",
                )


def _groups(found: Kernels) -> list[int]:
    """Return for each tensor one that stands for all which have the same scale."""
    first = list(range(len(found.kernels) + 1))

    def root(tensor: int) -> int:
        while first[tensor] != tensor:
            first[tensor] = first[first[tensor]]
            tensor = first[tensor]
        return tensor

    for i, kernel in enumerate(found.kernels):
        if kernel.operator in ONE_SCALE:
            for tensor in kernel.reads:
                first[root(tensor)] = root(i + 1)
    return [root(tensor) for tensor in range(len(first))]


def _ranges(network: Deployed, found: Kernels) -> list[Range]:
    """Return the values that each map takes; 0 to 0 of one that has the scale of others."""
    assert network.ranges is not None
    nodes = network.graph.nodes
    index = {node.path: i for i, node in enumerate(nodes)}
    readers = {source: i for i, node in enumerate(nodes) for source in node.inputs}
    ranges = [network.ranges[-1]]
    for i, kernel in enumerate(found.kernels):
        later = found.kernels[i + 1 : i + 2]
        node = index[kernel.path]
        if kernel.itemsize or kernel.operator in FIXED:
            ranges.append((0.0, 0.0))
        elif later and later[0].path == kernel.path:
            ranges.append(_within(kernel, ranges))
        elif kernel.activation:
            ranges.append(network.ranges[readers[node]])
        else:
            ranges.append(network.ranges[node])
    return ranges


def _within(kernel: Kernel, ranges: list[Range]) -> Range:
    """Return the values of a map inside a layer."""
    if kernel.operator in ONE_SCALE:
        return (0.0, 0.0)
    if kernel.activation == "relu6":
        return (0.0, 6.0)
    assert kernel.operator == "ADD", f"{kernel.operator} inside a layer"
    lows, highs = zip(*[ranges[tensor] for tensor in kernel.reads], strict=True)
    return max(sum(lows), -inf), min(sum(highs), inf)
