"""Our side of each printed figure: from a network's YAML to one exact number.

To add a figure: one function and its line in ``FIGURES``, and its name in ``document.MEASURES``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from math import prod
from typing import Any, assert_never

from mbcost.cost import CONVENTIONS, CONVOLUTIONS, FLOPS_PER_MULT_ADD, PARAMS, CostReport, LayerCost
from mbcost.errors import MbcostError, did_you_mean
from mbcost.graph.graph import Node
from mbcost.networks.settings import parse_all
from mbcost.studies.papers.document import Column, Net
from mbcost.studies.papers.printed import parse_printed
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
    than: Case | None = None

    def counted(self, report: CostReport | None = None) -> tuple[LayerCost, ...]:
        """Return the layers that the column counts: all, or all but the classifier."""
        layers = (report or self.subject.report).layers
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
    found = Subject(name, subject.spec, {**subject.settings, **parsed})
    if not column.plus_one:
        return found
    _, h, w = found.graph.x
    return at_size(found, h + 1, w + 1)


def at_size(subject: Subject, h: int, w: int) -> Subject:
    """Return the subject on an image of another size."""
    target = re.sub(r"([@,])size=[^,]*", rf"\1size={h}x{w}", subject.target)
    return replace(subject, target=target, settings={**subject.settings, "size": (h, w)})


def classifier_index(layers: tuple[LayerCost, ...]) -> int:
    """Return the index of the last layer with weights: the classifier."""
    weighted = [i for i, layer in enumerate(layers) if layer.terms.weights]
    return weighted[-1]


def mult_adds(case: Case) -> Fraction:
    """Return the multiply-adds of what the column counts."""
    figure = sum(counted_as(layer, case) for layer in case.counted()) + _further_passes(case)
    _, h, w = case.subject.report.x if case.column.fitted else (0, 0, 0)
    figure += case.column.fitted * h * w
    halved = FLOPS_PER_MULT_ADD if CONVENTIONS[case.column.counted_as].in_flops else 1
    return Fraction(figure, halved) + _printed_beside(case)


def counted_as(layer: LayerCost, case: Case) -> int:
    """Return what the column's convention says of a layer, as the network is counted."""
    figure = layer.counted(CONVENTIONS[case.column.counted_as])
    match case.net.counted:
        case "convolutions":
            return figure if layer.kind in CONVOLUTIONS else 0
        case "pools too":
            return figure + layer.times * layer.terms.adaptive_pool_inputs
        case "all":
            return figure
        case _:
            assert_never(case.net.counted)


ONCE = ("weights", "regularised_weights", "ranked_elements")
"""Terms that a graph of several passes has once: the variables, and the arg max of the mean."""


def _further_passes(case: Case) -> int:
    """Return what an evaluation on a pyramid of scaled images adds to the pass at full size, by
    DeepLab's rule (model.py, scale_dimension): a side of (h − 1) · scale + 1, each image also
    mirrored where the row says so."""
    scales = [Fraction(str(scale)) for scale in case.facts.get("scales", ())]
    passes = 2 if case.facts.get("flips") else 1
    weights = CONVENTIONS[case.column.counted_as].weights
    _, *sides = case.subject.report.x
    total = 0
    for scale in scales or [Fraction(1)]:
        h, w = (int((side - 1) * scale + 1) for side in sides) if scales else (0, 0)
        report = case.subject.report if scale == 1 else at_size(case.subject, h, w).report
        for layer in case.counted(report):
            once = sum(getattr(weights, name) * getattr(layer.terms, name) for name in ONCE)
            again = passes - 1 if scale == 1 else passes
            total += again * (counted_as(layer, case) - once)
    return total


def _printed_beside(case: Case) -> Fraction:
    """Return what the row says comes on top, as printed: a last layer on a vector, whose weights
    are each used once."""
    return parse_printed(case.facts["plus"]).value if "plus" in case.facts else Fraction(0)


def params(case: Case) -> Fraction:
    """Return the parameters of what the column counts."""
    return Fraction(sum(params_of(layer, case) for layer in case.counted())) + _printed_beside(case)


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
    return figure(case.than)


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
