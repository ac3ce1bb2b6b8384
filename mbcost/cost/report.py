"""The costs of a network's layers, and their sums.

``CostReport`` is what every table, export, budget and plot reads.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from mbcost.cost.convention import PAPERS, Convention
from mbcost.cost.coverage import Coverage, names
from mbcost.cost.formulas import KINDS, Terms, kind, terms
from mbcost.cost.storage import DTYPES, PARAMS, weight_bytes
from mbcost.errors import MbcostError, not_installed, shown
from mbcost.graph.graph import Graph, Node
from mbcost.graph.primitives import Conv2d, Layer, Shape, Upsample
from mbcost.units import bytes_in_words, shape_text, thousands

if TYPE_CHECKING:
    import pandas

BYTES_PER_ELEMENT = 4
"""float32, as torchinfo counts."""
IMAGE_CHANNELS = 3
"""A network that reads so many channels reads an image; a block of other channels a map."""


LAYER_KEYS = (
    "path",
    "kind",
    "kernel",
    "stride",
    "groups",
    "input",
    "output",
    "params",
    "mult_adds",
)
"""The keys of a layer's record."""


class LayerCost(NamedTuple):
    """One layer of a network: where it is, what it maps, what it costs for one image.

    ``path`` is the module's; a further call of a shared module has ``#2`` and so on behind it, and
    a function that a module calls itself ``:name`` (``self:name`` in the model's own forward).
    ``kernel``, ``stride`` and ``groups`` are a convolution's, None elsewhere.
    """

    path: str
    block: str
    kind: str
    x: Shape
    y: Shape
    terms: Terms
    kernel: tuple[int, ...] | None = None
    stride: tuple[int, ...] | None = None
    groups: int | None = None
    transposed: bool = False
    put_out: int | None = None
    """Elements of the output, of all the images the layer stands for; None where ``y`` says it."""
    times: int = 1
    """How often it runs for one image; ``terms`` are of one run. More than once behind a crop."""
    maps: int = 1
    """How many maps of shape ``y`` there are then: as often as it runs, but for the crop itself."""
    saved: bool | None = None
    """Whether torchinfo's forward/backward size has the output; None: where there are params."""

    @property
    def elements(self) -> int:
        """Return the elements of the output."""
        return self.maps * prod(self.y) if self.put_out is None else self.put_out

    @property
    def params(self) -> int:
        """Return the trainable parameters."""
        return self.terms.params

    @property
    def mult_adds(self) -> int:
        """Return the multiply-adds of the weights for one image."""
        return self.times * self.terms.mult_adds

    def counted(self, convention: Convention) -> int:
        """Return what a counter of ``convention`` says of the layer for one image."""
        return self.times * convention.total(self.terms)

    @property
    def module(self) -> str:
        """Return the module's path: without the number of the call and the function's name."""
        path, colon, _ = self.path.partition("#")[0].partition(":")
        return "" if colon and path == "self" else path

    def record(self, times: int) -> dict[str, object]:
        """Return the layer as plain data, its mult_adds ``times`` over: for the whole batch."""
        return {
            "path": self.path,
            "kind": self.kind,
            "kernel": _side(self.kernel),
            "stride": _side(self.stride),
            "groups": self.groups,
            "input": _apart(self.times, self.x),
            "output": _apart(self.maps, self.y),
            "params": self.params,
            "mult_adds": self.mult_adds * times,
        }


def _apart(maps: int, shape: Shape) -> list[int]:
    """Return the shape of so many maps, their number first where it is not one."""
    return [*shape] if maps == 1 else [maps, *shape]


def _side(sides: tuple[int, ...] | None) -> int | str | None:
    if sides is None:
        return None
    return sides[0] if len(set(sides)) == 1 else "x".join(map(str, sides))


@dataclass(frozen=True, repr=False)
class CostReport:
    """What a network costs: its layers, and sums over them.

    Layers are for one image by closed form, for the whole batch where a trace ran it (part of the
    work may not depend on the batch); the report's own figures are for ``batch`` images.
    """

    name: str
    layers: tuple[LayerCost, ...]
    x: Shape
    y: Shape
    batch: int = 1
    ys: tuple[Shape, ...] = ()
    """All outputs, where there are several; ``y`` is the last of them."""
    more_inputs: tuple[Shape, ...] = ()
    """Inputs after the first."""
    images: int = 1
    """How many images the layers stand for: 1, or the batch."""
    input_elements: int | None = None
    """Elements of all inputs for the batch, where not every input has the batch dimension."""
    coverage: Coverage | None = None
    """Which operators the costs cover, of a traced model; None by closed form, which covers all."""

    def __repr__(self) -> str:
        missing = f", {len(self.uncounted)} operators not counted" if self.uncounted else ""
        return (
            f"CostReport({self.name!r}: {thousands(self.params)} params, "
            f"{thousands(self.mult_adds)} mult-adds, input {shape_text(self.inputs, '×')}, "
            f"batch {self.batch}{missing})"
        )

    @property
    def scale(self) -> int:
        """Return how often the layers' figures enter the report's own."""
        return self.batch // self.images

    @property
    def uncounted(self) -> dict[str, int]:
        """Return the operators whose cost is missing from the totals, each with how often it ran;
        empty where everything is counted."""
        return {} if self.coverage is None else self.coverage.unknown

    @cached_property
    def terms(self) -> Terms:
        """Return the sum of the layers' terms, each of one run, for ``images`` images."""
        return _summed(layer.terms for layer in self.layers)

    @cached_property
    def terms_by_times(self) -> dict[int, Terms]:
        """Return the sums of the terms of those layers that run once for an image, 300 times, …"""
        if all(layer.times == 1 for layer in self.layers):
            return {1: self.terms}
        found = dict.fromkeys(layer.times for layer in self.layers)
        return {n: _summed(row.terms for row in self.layers if row.times == n) for n in found}

    @property
    def params(self) -> int:
        """Return the trainable parameters: weights, biases, batch-norm γ and β."""
        return self.terms.params

    @property
    def params_weights(self) -> int:
        """Return the weights of convolutions and linear layers alone."""
        return self.params_as("weights")

    @property
    def params_all(self) -> int:
        """Return the parameters with the running means and variances of batch-norms."""
        return self.params_as("all")

    def params_as(self, counts: str) -> int:
        """Return the parameters in one of the senses of ``PARAMS``."""
        return PARAMS[counts](self.terms)

    @property
    def mult_adds(self) -> int:
        """Return the multiply-adds of convolution and linear weights (and, in traced models, of
        matrix products and attention), for the batch."""
        return self.total(PAPERS)

    def total(self, convention: Convention) -> int:
        """Return what a counter of ``convention`` says of the batch."""
        runs = self.terms_by_times.items()
        return self.scale * sum(n * convention.total(terms) for n, terms in runs)  # it is linear

    @property
    def inputs(self) -> tuple[Shape, ...]:
        """Return the shapes of all inputs."""
        return (self.x, *self.more_inputs)

    def restated(self, convention: Convention) -> CostReport:
        """Return the report whose ``mult_adds``, everywhere, are what a counter of ``convention``
        says."""
        layers = tuple(
            row._replace(terms=row.terms._replace(mult_adds=convention.total(row.terms)))
            for row in self.layers
        )
        return replace(self, layers=layers)

    @property
    def input_bytes(self) -> int:
        """Return the bytes of the input batch in float32."""
        elements = self.input_elements
        if elements is None:
            elements = self.batch * sum(prod(x) for x in self.inputs)
        return elements * BYTES_PER_ELEMENT

    @cached_property
    def forward_backward_bytes(self) -> int:
        """Return torchinfo's forward/backward size: twice what modules with parameters put out."""
        elements = sum(
            layer.elements
            for layer in self.layers
            if (layer.params if layer.saved is None else layer.saved)
        )
        return 2 * self.scale * elements * BYTES_PER_ELEMENT

    @property
    def param_bytes(self) -> int:
        """Return the bytes of the trainable parameters in float32."""
        return self.weight_bytes("fp32")

    def weight_bytes(self, dtype: str) -> int:
        """Return the bytes of the trainable parameters stored as one of ``DTYPES``."""
        if not isinstance(dtype, str) or dtype not in DTYPES:
            raise MbcostError(f"unknown dtype {shown(dtype)}", way_out=" or ".join(DTYPES))
        return weight_bytes(self.terms, DTYPES[dtype])

    @property
    def total_bytes(self) -> int:
        """Return torchinfo's estimated total: input, forward/backward and parameters."""
        return self.input_bytes + self.forward_backward_bytes + self.param_bytes

    @property
    def upsamples(self) -> bool:
        """Return whether a layer of it is an upsampling."""
        return any(layer.terms.upsampled_elements for layer in self.layers)

    def by_kind(self, figure: str) -> dict[str, int]:
        """Return ``params`` or ``mult_adds`` summed by kind of layer, without the zeros."""
        if figure not in ("params", "mult_adds"):
            raise MbcostError(f"unknown figure {shown(figure)}", way_out="params or mult_adds")
        sums = dict.fromkeys(KINDS, 0)
        for layer in self.layers:
            sums[layer.kind] += getattr(layer, figure)
        scale = self.scale if figure == "mult_adds" else 1
        return {name: value * scale for name, value in sums.items() if value}

    def by_block(self) -> dict[str, tuple[int, int]]:
        """Return (params, mult_adds) summed by block, in order."""
        sums: dict[str, tuple[int, int]] = {}
        for layer in self.layers:
            params, mult_adds = sums.get(layer.block, (0, 0))
            sums[layer.block] = (
                params + layer.params,
                mult_adds + layer.mult_adds * self.scale,
            )
        return sums

    def records(self) -> list[dict[str, object]]:
        """Return the layers as plain data, mult_adds for the batch."""
        return [layer.record(self.scale) for layer in self.layers]

    def frame(self) -> pandas.DataFrame:
        """Return the layers as a DataFrame: path, kind, kernel, …, params, mult_adds."""
        try:
            import pandas
        except ImportError:
            raise not_installed("a data frame", ["pandas"]) from None

        # object: a kernel is a number, "1x7" or nothing, and an int must not become a float
        frame = pandas.DataFrame(self.records(), columns=list(LAYER_KEYS), dtype=object)
        counts = [key for key in ("params", "mult_adds") if max(frame[key], default=0) < 2**63]
        return frame.astype(dict.fromkeys(counts, "int64"))

    def _repr_html_(self) -> str:
        """Return the totals, and where they sit, as a notebook shows them."""
        from mbcost.cost.notebook import html_of
        from mbcost.cost.tree import tree

        totals = [
            f"{self.name}: {thousands(self.params)} params "
            f"({bytes_in_words(self.param_bytes)} in float32), "
            f"{thousands(self.mult_adds)} mult-adds",
            f"input {shape_text(self.inputs, '×')}, batch {self.batch}; "
            f"output {shape_text(self.ys or (self.y,), '×')}",
        ]
        if self.coverage is not None:
            totals += [f"traced: {thousands(self.coverage.seen)} operator calls"]
            totals += filter(None, [self.coverage.on_real_tensors()])
        missing = f"not counted: {names(self.uncounted)}" if self.uncounted else ""
        branches = tree(self.layers, self.scale)
        return html_of(totals, missing, branches, self.mult_adds, self.params)


def cost_of(graph: Graph, name: str, batch: int = 1) -> CostReport:
    """Return the closed-form costs of a graph."""
    layers = [_row(node) for node in graph.nodes]
    _mark_ends(graph, layers)
    ys = graph.ys if graph.outputs else ()
    return CostReport(name, tuple(layers), graph.x, graph.y, batch, ys)


def _mark_ends(graph: Graph, layers: list[LayerCost]) -> None:
    """Set the terms of a network's ends: its image at the first layer, at the last the arg max."""
    if layers and len(graph.x) == 3 and graph.x[0] == IMAGE_CHANNELS:
        first = layers[0]
        layers[0] = first._replace(terms=first.terms._replace(image_elements=prod(graph.x)))
    if layers and isinstance(graph.nodes[-1].layer, Upsample):
        last = layers[-1]
        ranked = prod(last.y) - prod(last.y[1:])
        layers[-1] = last._replace(terms=last.terms._replace(ranked_elements=ranked))


def _row(node: Node) -> LayerCost:
    path, block, layer, inputs, x, y, times = node
    name, costs = _costs(layer, x, y, len(inputs))
    kernel: tuple[int, ...] | None = None
    stride: tuple[int, ...] | None = None
    groups: int | None = None
    if isinstance(layer, Conv2d):
        kernel, stride, groups = layer.kernel, layer.stride, layer.groups
    row = LayerCost(path, block, name, x, y, costs, kernel, stride, groups)
    return row if node.maps == 1 else row._replace(times=times, maps=node.maps)


def _summed(terms: Iterable[Terms]) -> Terms:
    return Terms(*map(sum, zip(*terms, strict=True)))


@lru_cache(maxsize=2**14)
def _costs(layer: Layer, x: Shape, y: Shape, inputs: int) -> tuple[str, Terms]:
    """Return a layer's kind and terms: networks repeat layers as they repeat blocks."""
    return kind(layer), terms(layer, x, y, inputs)
