"""Our side of each printed figure: from a network's YAML to one exact number.

To add a figure: one function and its line in ``FIGURES``, and its name in ``document.MEASURES``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any

from mbcost.cost import PARAMS, LayerCost
from mbcost.errors import MbcostError, did_you_mean
from mbcost.graph.graph import Node
from mbcost.networks.settings import parse_all
from mbcost.studies.papers.document import Column, Net
from mbcost.targets.resolve import resolve_one
from mbcost.targets.subject import Subject

BYTES_PER_NUMBER = 2
"""16 bits, as V2's Table 3 counts."""


@dataclass(frozen=True)
class Case:
    """What a figure is computed from: a subject, how the column counts, what the row adds."""

    subject: Subject
    column: Column
    net: Net
    facts: Mapping[str, Any]
    than: Subject | None = None

    def counted(self, subject: Subject | None = None) -> tuple[LayerCost, ...]:
        """Return the layers that the column counts: all, or all but the classifier."""
        layers = (subject or self.subject).report.layers
        if self.net.from_row:
            layers = tuple(c for c in layers if int(c.path.split(".")[1]) >= self.net.from_row)
        if self.column.classifier:
            return layers
        last = classifier_index(layers)
        return layers[:last] + layers[last + 1 :]


def subject_of(target: str, settings: Mapping[str, Any], column: Column) -> Subject:
    """Return the target under the row's settings; the column's own settings win."""
    subject = resolve_one(target)
    given = {**settings, **column.settings}
    parsed = parse_all(subject.spec.accepts, given, target)
    shown = ",".join(f"{key}={value}" for key, value in given.items())
    name = f"{target}{',' if '@' in target else '@'}{shown}" if shown else target
    return Subject(name, subject.spec, {**subject.settings, **parsed})


def classifier_index(layers: tuple[LayerCost, ...]) -> int:
    """Return the index of the last layer with weights: the classifier."""
    weighted = [i for i, layer in enumerate(layers) if layer.terms.weights]
    return weighted[-1]


def mult_adds(case: Case) -> Fraction:
    """Return the multiply-adds of what the column counts."""
    return Fraction(sum(layer.mult_adds for layer in case.counted()))


def params(case: Case) -> Fraction:
    """Return the parameters of what the column counts."""
    return Fraction(sum(params_of(layer, case) for layer in case.counted()))


def params_of(layer: LayerCost, case: Case) -> int:
    """Return a layer's parameters as the column counts them."""
    return PARAMS[case.column.counts](layer.terms)


def _share(case: Case, of: Callable[[LayerCost], int]) -> Fraction:
    mine = sum(of(layer) for layer in case.counted() if layer.kind == case.facts["kind"])
    return Fraction(mine, sum(of(layer) for layer in case.counted()))


def mult_adds_share(case: Case) -> Fraction:
    """Return the share of one kind of layer in the multiply-adds."""
    return _share(case, lambda layer: layer.mult_adds)


def params_share(case: Case) -> Fraction:
    """Return the share of one kind of layer in the parameters."""
    return _share(case, lambda layer: params_of(layer, case))


def _other(case: Case, figure: Callable[[Case], Fraction]) -> Fraction:
    if case.than is None:
        raise MbcostError(
            "a comparison needs 'than'", place=case.subject.target, way_out="than: another net"
        )
    return figure(Case(case.than, case.column, case.net, case.facts))


def mult_adds_ratio(case: Case) -> Fraction:
    """Return how many times fewer multiply-adds than ``than``."""
    return _other(case, mult_adds) / mult_adds(case)


def params_ratio(case: Case) -> Fraction:
    """Return how many times fewer parameters than ``than``."""
    return _other(case, params) / params(case)


def mult_adds_saved(case: Case) -> Fraction:
    """Return the multiply-adds fewer than ``than``."""
    return _other(case, mult_adds) - mult_adds(case)


def held(case: Case) -> Iterator[Node]:
    """Yield the nodes whose output is held whole, by the network's rule in the paper's file.

    Of a block that is one operation only the last layer's output; nothing of a streamed row.
    """
    nodes = case.subject.graph.nodes
    last = {node.block: index for index, node in enumerate(nodes)}
    for index, node in enumerate(nodes):
        row = ".".join(node.path.split(".")[:2])
        inside = case.net.blocks and last[node.block] != index
        if not inside and row not in case.net.streamed and len(node.y) == 3:
            yield node


def _largest(case: Case) -> Node:
    wanted, without = case.facts["map"], case.facts.get("without", [])
    fitting = [
        node for node in held(case) if wanted in ("max", node.y[1]) and node.y[1] not in without
    ]
    if not fitting:
        raise MbcostError(
            f"holds no map of {wanted} x {wanted}",
            place=case.subject.target,
            way_out=f"its input is {' x '.join(map(str, case.subject.graph.x))}",
        )
    return max(fitting, key=lambda node: prod(node.y))


def channels(case: Case) -> Fraction:
    """Return the channels of the largest tensor that is held at a map size."""
    return Fraction(_largest(case).y[0])


def memory(case: Case) -> Fraction:
    """Return the bytes of the largest tensor that is held at a map size, at 16 bits."""
    return Fraction(prod(_largest(case).y) * BYTES_PER_NUMBER)


def layers(case: Case) -> Fraction:
    """Return the convolutions and linear layers, depthwise and pointwise counted apart."""
    return Fraction(sum(c.terms.weights > 0 for c in case.subject.report.layers))


def bottlenecks(case: Case) -> Fraction:
    """Return the blocks with a depthwise convolution."""
    found = {c.block for c in case.subject.report.layers if c.kind == "depthwise"}
    return Fraction(len(found))


def width(case: Case) -> Fraction:
    """Return the channels that the layer at ``at`` puts out."""
    for node in case.subject.graph.nodes:
        if node.path == case.facts["at"]:
            return Fraction(node.y[0])
    paths = [node.path for node in case.subject.graph.nodes]
    raise MbcostError(
        f"no layer {case.facts['at']!r}",
        place=case.subject.target,
        way_out=did_you_mean(case.facts["at"], paths),
    )


FIGURES: dict[str, Callable[[Case], Fraction]] = {
    "mult_adds": mult_adds,
    "params": params,
    "mult_adds_share": mult_adds_share,
    "params_share": params_share,
    "mult_adds_ratio": mult_adds_ratio,
    "params_ratio": params_ratio,
    "mult_adds_saved": mult_adds_saved,
    "channels": channels,
    "memory": memory,
    "layers": layers,
    "bottlenecks": bottlenecks,
    "width": width,
}
