"""What counters work on, what they answer, and the comparison with the closed form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from mbcost.cost import Convention, CostReport, terms
from mbcost.errors import missing, require_directory
from mbcost.graph.graph import Graph
from mbcost.units import bytes_in_words, thousands

if TYPE_CHECKING:
    from torch import Tensor, nn

ACTIVATION_LIMIT_BYTES = 256 * 10**6
"""Counters run a real forward on the CPU while the largest layer's input and output stay under
this; above it they run on the meta device or on one image."""
MEMORY_LIMIT_BYTES = 10**9
"""So much may all weights and that layer take together on the CPU."""
ADDRESSABLE_BYTES = 2**63
"""torch has no tensor of so many bytes, not even on the meta device."""


class Workbench:
    """A graph and a batch as modules and inputs, each built once however many counters ask."""

    traced = False
    """Whether the model is from elsewhere: then a counter may crash on it, or differ."""
    real = False
    """Whether it runs only on tensors with values."""
    meta = "meta"
    """The device of ``meta_module``: the CPU for a model that runs only there."""

    def __init__(self, graph: Graph, batch: int = 1) -> None:
        self.graph = graph
        self.batch = batch

    @cached_property
    def map_bytes(self) -> int:
        """What the largest layer's input and output take, for one image."""
        found = (n.times * prod(n.x) + n.elements for n in self.graph.nodes)
        return 4 * max(found, default=0)

    @cached_property
    def weight_bytes(self) -> int:
        """What all parameters take, and the running means and variances."""
        found = (terms(n.layer, n.x, n.y) for n in self.graph.nodes)
        return 4 * sum(t.params + t.norm_buffers for t in found)

    def fits(self, batch: int) -> bool:
        """Return whether a forward of ``batch`` images may run on the CPU."""
        return not self.too_large(batch)

    def too_large(self, batch: int) -> str:
        """Return why a forward of ``batch`` images does not run on the CPU; empty where it may."""
        maps = batch * self.map_bytes
        if maps > ACTIVATION_LIMIT_BYTES:
            whose = "one image's" if batch == 1 else f"of {thousands(batch)} images the"
            limit = bytes_in_words(ACTIVATION_LIMIT_BYTES)
            return f"{whose} largest layer takes {bytes_in_words(maps)}, above {limit}"
        if self.weight_bytes + maps > MEMORY_LIMIT_BYTES:
            limit = bytes_in_words(MEMORY_LIMIT_BYTES)
            return (
                f"weights and maps take {bytes_in_words(self.weight_bytes + maps)}, above {limit}"
            )
        return ""

    @property
    def unaddressable(self) -> str:
        """Return why the model can run nowhere, not even on meta; empty where it can."""
        largest = max(self.batch * self.map_bytes, self.weight_bytes)
        if largest < ADDRESSABLE_BYTES:
            return ""
        return f"{bytes_in_words(largest)} are more than torch can address"

    @cached_property
    def module(self) -> nn.Module:
        """The graph as a module on the CPU."""
        from mbcost.modules import build

        return build(self.graph)

    @cached_property
    def meta_module(self) -> nn.Module:
        """The graph as a module on the meta device."""
        from mbcost.modules import build

        return build(self.graph, "meta")

    def inputs(self, batch: int, device: str = "cpu") -> tuple[Tensor, ...]:
        """Return a batch of inputs, here one: N×C×H×W."""
        import torch

        return (torch.zeros(batch, *self.graph.x, device=device),)


class Counted(NamedTuple):
    """What a counter said: its total and its figure per module path; or why it did not run.

    ``figures`` holds what else it reports, by the name of the ``CostReport`` figure it must equal.
    """

    total: int | None
    by_layer: Mapping[str, int]
    figures: Mapping[str, int] = MappingProxyType({})
    skipped: str = ""
    tells_layers: bool = True
    """False where the counter has a total alone."""


class Counter(NamedTuple):
    """A counter: what its figures mean, their record key, the package it needs, how it runs."""

    convention: Convention
    key: str
    package: str
    run: Callable[[Workbench], Counted]

    @property
    def name(self) -> str:
        """Return its name, which is that of its convention."""
        return self.convention.name

    @property
    def packages(self) -> tuple[str, ...]:
        """Return what must be installed for it to run."""
        return ("torch", self.package)

    @property
    def installed(self) -> bool:
        """Return whether it can run here."""
        return not missing(self.packages)


class Mismatch(NamedTuple):
    """A figure on which a counter and the closed form differ."""

    where: str
    counted: int
    predicted: int

    def __str__(self) -> str:
        counted, predicted = thousands(self.counted), thousands(self.predicted)
        return f"{self.where}: counted {counted}, predicted {predicted}"


class Verification(NamedTuple):
    """A counter's figure beside what its convention predicts, and where they differ."""

    counter: Counter
    total: int | None
    mismatches: tuple[Mismatch, ...] = ()
    skipped: str = ""
    crashed: bool = False
    by_layer: Mapping[str, int] = MappingProxyType({})
    tells_layers: bool = True

    @property
    def agrees(self) -> bool | None:
        """Return whether every figure is equal; None where the counter did not run."""
        return None if self.total is None else not self.mismatches


def verify(counter: Counter, bench: Workbench, report: CostReport) -> Verification:
    """Run ``counter`` and compare it with the rows, per module, in total and by figure.

    On a model from elsewhere a counter that crashes is skipped, and what it prints is dropped.
    """
    require_directory()
    if bench.unaddressable:
        return Verification(counter, None, skipped=bench.unaddressable)
    try:
        counted = counter.run(bench) if not bench.traced else _in_silence(counter, bench)
    except ImportError as error:
        lacking = next(iter(missing(counter.packages)), error.name)
        why = f"{lacking} is not installed: pip install {lacking}" if lacking else str(error)
        return Verification(counter, None, skipped=why)
    except Exception as error:
        if not bench.traced:
            raise
        first = (str(error).strip().splitlines() or [""])[0][:200]
        why = f"it crashes: {type(error).__name__}: {first}"
        return Verification(counter, None, skipped=why, crashed=True)
    if counted.total is None:
        return Verification(counter, None, skipped=counted.skipped)
    predicted = predicted_by_module(counter.convention, report)
    found = []
    if counted.tells_layers:
        paths = list(predicted) + [path for path in counted.by_layer if path not in predicted]
        found = [
            Mismatch(
                path or "(the model itself)", counted.by_layer.get(path, 0), predicted.get(path, 0)
            )
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
    return Verification(
        counter,
        counted.total,
        tuple(found),
        by_layer=counted.by_layer,
        tells_layers=counted.tells_layers,
    )


def predicted_by_module(convention: Convention, report: CostReport) -> dict[str, int]:
    """Return what a counter should say of each module: the calls of one, and its own functions."""
    predicted: dict[str, int] = {}
    for layer in report.layers:
        figure = report.scale * layer.counted(convention)
        predicted[layer.module] = predicted.get(layer.module, 0) + figure
    return predicted


def _in_silence(counter: Counter, bench: Workbench) -> Counted:
    import contextlib
    import io
    import warnings

    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        return counter.run(bench)


def exclusive(inclusive: Mapping[str, int], paths: Iterable[str]) -> dict[str, int]:
    """Return each module's own figure: what it counts less what its children count."""
    found = {path: inclusive.get(path, 0) for path in paths}
    for path, figure in inclusive.items():
        above = path
        while above:  # the nearest module around it that was called: containers only hold others
            above = above.rpartition(".")[0]
            if above in inclusive:
                break
        if path:
            found[above] = found.get(above, 0) - figure
    return found
