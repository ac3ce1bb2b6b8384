"""Weights of a network: drawn at random, or read from a file; and batch-norms folded into them.

Importing this imports torch. What is drawn depends on the seed and the range of the input, not
on the machine: weights are uniform, and so are the statistics of batch-norms.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from math import prod, sqrt
from pathlib import Path
from typing import assert_never

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from mbcost.errors import MbcostError
from mbcost.graph.graph import Graph
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
    Slice,
    SpaceToDepth,
    Upsample,
)
from mbcost.modules import build
from mbcost.paths import read_whole
from mbcost.units import shape_text

LARGEST_FILE = 4_000_000_000
"""Bytes of a file of weights at most."""
NAMED = 5
"""So many keys are named; of more their number is."""
_STATE_DICT = "torch.save(model.state_dict(), FILE) writes one"
_COUNTER = "num_batches_tracked"
"""What torch keeps of a batch-norm and nothing here reads."""


def with_random_weights(
    graph: Graph, seed: int, input_range: tuple[float, float] = (-1.0, 1.0)
) -> nn.Module:
    """Return the module of a graph with random weights under which maps neither fade nor explode.

    What a convolution or linear layer puts out has a mean square of about 1: its weights have a
    variance of 1 ÷ (fan-in · mean square of its input), as in arXiv:1502.01852, section 2.2.
    Batch-norms have factors and variances about 1 and shifts about 0, so that folding them changes
    every number.
    """
    module = _fresh(graph)
    draw = torch.Generator().manual_seed(seed)
    squares = mean_squares(graph, input_range)
    with torch.no_grad():
        for node in graph.nodes:
            if isinstance(node.layer, Conv2d | Linear):
                _draw_layer(module.get_submodule(node.path), squares[node.inputs[0]], draw)
            elif isinstance(node.layer, BatchNorm2d):
                _draw_norm(module.get_submodule(node.path), draw)
    return module


def _fresh(graph: Graph) -> nn.Module:
    with torch.random.fork_rng(devices=[]):  # what torch draws by itself is not what is asked for
        return build(graph)


def mean_squares(graph: Graph, input_range: tuple[float, float]) -> dict[int, float]:
    """Return about what the mean square of each map is under such weights, -1 the input's."""
    low, high = input_range
    found = {-1: (low * low + low * high + high * high) / 3}  # of uniform values
    for i, node in enumerate(graph.nodes):
        found[i] = _mean_square(node.layer, [found[source] for source in node.inputs])
    return found


def _mean_square(layer: Layer, of: Sequence[float]) -> float:
    """Return it of what a layer puts out, whose inputs have the mean squares ``of``."""
    match layer:
        case Conv2d() | Linear() | BatchNorm2d():
            return 1
        case Activation():
            return _GATES[layer.name] if layer.name in _GATES else of[0] * _KEPT[layer.name]
        case Add():
            return sum(of)
        case Scale():
            return prod(of)
        case Concat():
            return sum(of) / len(of)
        case (
            AdaptiveAvgPool2d()
            | Pool2d()
            | Flatten()
            | Slice()
            | ChannelShuffle()
            | SpaceToDepth()
            | Crop()
            | LocalResponseNorm()
            | Upsample()
        ):
            return of[0]
        case _:
            assert_never(layer)


_KEPT = {
    "relu": 0.5,
    "relu6": 0.5,
    "leaky_relu": 0.5,
    "hardswish": 0.33,
    "silu": 0.36,
    "gelu": 0.43,
}
"""What an activation leaves of the mean square of normal values of variance 1."""
_GATES = {"sigmoid": 0.5, "hardsigmoid": 0.5, "softmax": 1e-3}
"""What it is of activations between 0 and 1. Of normal values a sigmoid's is 0.3; but maps that are
taken for smaller than they are grow from gate to gate, and rounding with them."""


def _draw_layer(layer: nn.Module, square: float, draw: torch.Generator) -> None:
    weight = layer.get_parameter("weight")
    most = sqrt(3 / (weight[0].numel() * square))  # uniform up to a: a variance of a²/3
    weight.uniform_(-most, most, generator=draw)
    if layer.bias is not None:
        layer.get_parameter("bias").uniform_(-0.2, 0.2, generator=draw)


def _draw_norm(layer: nn.Module, draw: torch.Generator) -> None:
    layer.get_parameter("weight").uniform_(0.9, 1.1, generator=draw)
    layer.get_parameter("bias").uniform_(-0.2, 0.2, generator=draw)
    layer.get_buffer("running_mean").uniform_(-0.2, 0.2, generator=draw)
    layer.get_buffer("running_var").uniform_(0.9, 1.1, generator=draw)


def with_weights_of(graph: Graph, file: str) -> nn.Module:
    """Return the module of a graph with the weights of a file: a state dict of its paths.

    Raises ``MbcostError`` naming the keys that are missing, too many or of another shape.
    """
    module = _fresh(graph)
    state = _read(file)
    own = {key: value for key, value in module.state_dict().items() if not key.endswith(_COUNTER)}
    _check(file, own, state)
    with torch.no_grad():
        for key, value in own.items():
            value.copy_(state[key])
    return module


def _read(file: str) -> dict[str, Tensor]:
    raw = read_whole(Path(file), LARGEST_FILE, "PyTorch", "a state dict that torch.save wrote")
    try:
        found = torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)
    except Exception as error:  # whatever reading a file of any bytes raises
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise MbcostError(f"cannot be read: {reason}", place=file, way_out=_STATE_DICT) from None
    if not isinstance(found, Mapping) or not all(isinstance(key, str) for key in found):
        raise MbcostError(
            f"holds a {type(found).__name__}, not a state dict", place=file, way_out=_STATE_DICT
        )
    return {key: value for key, value in found.items() if not key.endswith(_COUNTER)}


def _check(file: str, own: Mapping[str, Tensor], state: Mapping[str, object]) -> None:
    problems = [
        *_listed("lacks", (key for key in own if key not in state)),
        *_listed("has nothing called", (key for key in state if key not in own), "the network "),
    ]
    if not problems:
        wrong = {key: _fault(value, state[key]) for key, value in own.items()}
        problems = _listed("has", (f"{key} {fault}" for key, fault in wrong.items() if fault))
    if problems:
        raise MbcostError(
            "; ".join(problems),
            place=file,
            way_out="keys begin with paths as `mbcost model` prints them: rows.0.conv.weight",
        )


def _listed(verb: str, keys: Iterable[str], who: str = "") -> list[str]:
    found = list(keys)
    if not found:
        return []
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return [f"{who}{verb} {', '.join(found[:NAMED])}{more}"]


def _fault(own: Tensor, given: object) -> str:
    """Return what is wrong with a value of a state dict; empty where it can be taken."""
    if not isinstance(given, Tensor):
        return f"as a {type(given).__name__}, not a tensor"
    plain = given.layout is torch.strided and not given.is_quantized and not given.is_meta
    if not plain or not given.is_floating_point():
        return f"as {str(given.dtype).removeprefix('torch.')}, not as a plain tensor of floats"
    if given.shape != own.shape:
        return f"of {shape_text(given.shape)}, not {shape_text(own.shape)}"
    return "" if bool(torch.isfinite(given.float()).all()) else "with values that are not finite"


def folded_module(graph: Graph, module: nn.Module, folded: Graph) -> nn.Module:
    """Return the module of ``folded``, which is ``graph`` with batch-norms folded, with the weights
    of ``module``, which is that of ``graph``."""
    twin = _fresh(folded)
    state = module.state_dict()
    kept = {node.path for node in folded.nodes}
    for node in graph.nodes:
        if node.path not in kept:
            convolution = graph.nodes[node.inputs[0]].path
            state |= _fused(module, convolution, node.path)
    twin.load_state_dict({key: state[key] for key in twin.state_dict()})
    return twin


def _fused(module: nn.Module, convolution: str, norm: str) -> dict[str, Tensor]:
    """Return weight and bias of a convolution with the batch-norm behind it, by their keys."""
    layer, statistics = module.get_submodule(convolution), module.get_submodule(norm)
    bias = None if layer.bias is None else layer.get_parameter("bias").double()
    weight, shift = fuse_conv_bn_weights(
        layer.get_parameter("weight").double(),
        bias,
        statistics.get_buffer("running_mean").double(),
        statistics.get_buffer("running_var").double(),
        _epsilon(statistics),
        statistics.get_parameter("weight").double(),
        statistics.get_parameter("bias").double(),
    )
    return {
        f"{convolution}.weight": weight.detach().float(),
        f"{convolution}.bias": shift.detach().float(),
    }


def factor_and_shift(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Return what a batch-norm that no convolution takes up does in eval mode: y = a·x + b."""
    deviation = (norm.get_buffer("running_var").double() + _epsilon(norm)).sqrt()
    factor = norm.get_parameter("weight").double() / deviation
    shift = norm.get_parameter("bias").double() - norm.get_buffer("running_mean").double() * factor
    return factor.detach().float(), shift.detach().float()


def _epsilon(norm: nn.Module) -> float:
    assert isinstance(norm, nn.BatchNorm2d)
    return norm.eps
