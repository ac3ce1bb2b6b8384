"""What counters work on, what they answer, and the comparison with the closed form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from mbcost.cost import CONVENTIONS, Convention, CostReport
from mbcost.layers import Graph

if TYPE_CHECKING:
    from torch import Tensor, nn

ACTIVATION_LIMIT_BYTES = 256 * 10**6
"""Counters run a real forward on the CPU while the largest layer's input and output stay under
this; above it they run on the meta device or on one image."""


class Workbench:
    """A graph and a batch as modules and inputs, each built once however many counters ask."""

    def __init__(self, graph: Graph, batch: int = 1) -> None:
        self.graph = graph
        self.batch = batch

    def fits(self, batch: int) -> bool:
        """Return whether a forward of ``batch`` images stays under the activation limit."""
        largest = max((prod(n.x) + prod(n.y) for n in self.graph.nodes), default=0)
        return 4 * batch * largest <= ACTIVATION_LIMIT_BYTES

    @cached_property
    def module(self) -> nn.Module:
        """The graph as a module on the CPU."""
        from mbcost.build import build

        return build(self.graph)

    @cached_property
    def meta_module(self) -> nn.Module:
        """The graph as a module on the meta device."""
        from mbcost.build import build

        return build(self.graph, "meta")

    def images(self, batch: int, device: str = "cpu") -> Tensor:
        """Return a batch of inputs, N×C×H×W."""
        import torch

        return torch.zeros(batch, *self.graph.x, device=device)


class Counted(NamedTuple):
    """What a counter said: its total and its figure per module path; or why it did not run.

    ``figures`` holds what else it reports, by the name of the ``CostReport`` figure it must equal.
    """

    total: int | None
    by_layer: Mapping[str, int]
    figures: Mapping[str, int] = MappingProxyType({})
    skipped: str = ""


class Counter(NamedTuple):
    """A counter: the record key of its figure, the package that must be installed, how it runs."""

    name: str
    key: str
    package: str
    run: Callable[[Workbench], Counted]

    @property
    def convention(self) -> Convention:
        """Return what this counter's figures mean."""
        return CONVENTIONS[self.name]


class Mismatch(NamedTuple):
    """A figure on which a counter and the closed form differ."""

    where: str
    counted: int
    predicted: int

    def __str__(self) -> str:
        return f"{self.where}: counted {self.counted:,}, predicted {self.predicted:,}"


class Verification(NamedTuple):
    """A counter's figure beside what its convention predicts, and where they differ."""

    counter: Counter
    total: int | None
    mismatches: tuple[Mismatch, ...] = ()
    skipped: str = ""

    @property
    def agrees(self) -> bool | None:
        """Return whether every figure is equal; None where the counter did not run."""
        return None if self.total is None else not self.mismatches


def verify(counter: Counter, bench: Workbench, report: CostReport) -> Verification:
    """Run ``counter`` and compare it with the closed form, per layer, in total and by figure."""
    counted = counter.run(bench)
    if counted.total is None:
        return Verification(counter, None, skipped=counted.skipped)
    convention = counter.convention
    predicted = {
        layer.path: report.batch * convention.total(layer.terms) for layer in report.layers
    }
    paths = list(predicted) + [path for path in counted.by_layer if path not in predicted]
    found = [
        Mismatch(path, counted.by_layer.get(path, 0), predicted.get(path, 0))
        for path in paths
        if counted.by_layer.get(path, 0) != predicted.get(path, 0)
    ]
    if counted.total != sum(predicted.values()):
        found.append(Mismatch("total", counted.total, sum(predicted.values())))
    found += [
        Mismatch(figure, value, getattr(report, figure))
        for figure, value in counted.figures.items()
        if value != getattr(report, figure)
    ]
    return Verification(counter, counted.total, tuple(found))
