"""The network that is written into a file: folded, with weights, calibrated where it is quantised.

Importing this imports torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite, isnan

import torch
from torch import Tensor, nn

from mbcost.errors import MbcostError
from mbcost.graph.fold import fold_batch_norms
from mbcost.graph.graph import Graph
from mbcost.graph.primitives import BatchNorm2d
from mbcost.modules.exported.weights import (
    factor_and_shift,
    folded_module,
    with_random_weights,
    with_weights_of,
)
from mbcost.modules.graph_module import GraphModule

CALIBRATION_IMAGES = 4
"""Random images whose maps give the scales of a quantised network."""

Range = tuple[float, float]
"""Least and greatest value."""


@dataclass(frozen=True)
class Deployed:
    """A graph with its batch-norms folded, the module of it with weights, and how it is stored."""

    graph: Graph
    module: nn.Module
    batch: int = 1
    dtype: str = "fp32"
    layout: str = "nchw"
    input_range: Range = (-1.0, 1.0)
    ranges: Mapping[int, Range] | None = None
    """By node, -1 for the input, the values that its map took; None where nothing is quantised."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """What is written into the file beside the network, by key."""

    def parameters(self) -> dict[str, Tensor]:
        """Return the parameters by their keys; a batch-norm that is left is a factor, ``weight``,
        and a shift, ``bias``."""
        found = {key: value.detach() for key, value in self.module.named_parameters()}
        for node in self.graph.nodes:
            if isinstance(node.layer, BatchNorm2d):
                keys = (f"{node.path}.weight", f"{node.path}.bias")
                norm = self.module.get_submodule(node.path)
                found |= dict(zip(keys, factor_and_shift(norm), strict=True))
        return found

    def images(self, seed: int, batch: int | None = None) -> Tensor:
        """Return random images, N×C×H×W, of values in the range of the input."""
        draw = torch.Generator().manual_seed(seed)
        low, high = self.input_range
        shape = (batch or self.batch, *self.graph.x)
        return torch.rand(shape, generator=draw) * (high - low) + low

    def outputs(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return what the module puts out, in the layout of the file; computed in float64, so that
        what a file differs by is its own rounding and not torch's."""
        self.module.double()
        try:
            with torch.no_grad():
                found = self.module(images.double())
        finally:
            self.module.float()  # every weight is what it was
        maps = found if isinstance(found, tuple) else (found,)
        return tuple(self.laid_out(each.float()) for each in maps)

    def laid_out(self, maps: Tensor) -> Tensor:
        """Return N×C×H×W in the layout of the file; vectors have but one."""
        return maps.permute(0, 2, 3, 1) if self.layout == "nhwc" and maps.dim() == 4 else maps


def deploy(
    graph: Graph, seed: int, weights: str | None, input_range: Range = (-1.0, 1.0)
) -> tuple[Graph, nn.Module]:
    """Return a graph with its batch-norms folded, and its module with the weights of a file, or
    with random ones."""
    if weights is None:
        module = with_random_weights(graph, seed, input_range)
    else:
        module = with_weights_of(graph, weights)
    folded = fold_batch_norms(graph)
    return folded, folded_module(graph, module, folded)


class _Ranges(dict[int, Tensor]):
    """Maps by node, as a running module puts them here; of each the range is kept."""

    def __init__(self, graph: Graph, known: dict[int, Range]) -> None:
        super().__init__()
        self.graph = graph
        self.known = known

    def __setitem__(self, i: int, maps: Tensor) -> None:
        """Hold a map and widen the range of its node."""
        super().__setitem__(i, maps)
        found = maps.min().item(), maps.max().item()
        if not all(map(isfinite, found)):
            raise MbcostError(
                "puts out values that are not finite",
                place=self.graph.nodes[i].path,
                way_out="other weights, or a smaller --input-range",
            )
        low, high = self.known.get(i, (0.0, 0.0))
        self.known[i] = min(low, found[0]), max(high, found[1])


def calibrated(network: Deployed, seed: int) -> dict[int, Range]:
    """Return the values that each map takes over random images, -1 the input's; 0 is among them,
    as what pads a map has to be."""
    assert isinstance(network.module, GraphModule)
    low, high = network.input_range
    found = {-1: (min(low, 0.0), max(high, 0.0))}
    for image in range(CALIBRATION_IMAGES):
        maps = _Ranges(network.graph, found)
        maps[-1] = network.images(seed + image, batch=1)
        with torch.no_grad():
            network.module.run(maps)
    return found


def largest_difference(expected: Sequence[Tensor], found: Sequence[Tensor]) -> float:
    """Return the largest difference of an element ÷ the largest of its output; infinite where a
    number is no number."""
    worst = 0.0
    for ours, theirs in zip(expected, found, strict=True):
        assert ours.shape == theirs.shape
        largest = ours.abs().max().item()
        off = (ours - theirs).abs().max().item()
        ratio = off / largest if largest else (inf if off else 0.0)
        worst = max(worst, inf if isnan(ratio) else ratio)
    return worst
