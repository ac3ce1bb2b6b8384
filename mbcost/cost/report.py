"""The costs of a network's layers, and their sums.

``CostReport`` is what every table, export, budget and plot reads.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from mbcost.cost.convention import PAPERS, Convention
from mbcost.cost.formulas import CONVOLUTIONS, KINDS, Terms, kind, terms
from mbcost.cost.weights import DTYPES, weight_bytes
from mbcost.errors import MbcostError, shown
from mbcost.layers import Conv2d, Graph, Layer, Node, Shape

if TYPE_CHECKING:
    import pandas

BYTES_PER_ELEMENT = 4
"""float32, as torchinfo counts."""


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

    @property
    def params(self) -> int:
        """Return the trainable parameters."""
        return self.terms.params

    @property
    def mult_adds(self) -> int:
        """Return the multiply-adds of the weights for one image."""
        return self.terms.mult_adds

    @property
    def module(self) -> str:
        """Return the module's path: without the number of the call and the function's name."""
        path, colon, _ = self.path.partition("#")[0].partition(":")
        return "" if colon and path == "self" else path

    def record(self, batch: int) -> dict[str, object]:
        """Return the layer as plain data, mult_adds for the whole batch."""
        return {
            "path": self.path,
            "kind": self.kind,
            "kernel": _side(self.kernel),
            "stride": _side(self.stride),
            "groups": self.groups,
            "input": list(self.x),
            "output": list(self.y),
            "params": self.params,
            "mult_adds": self.mult_adds * batch,
        }


def _side(sides: tuple[int, ...] | None) -> int | str | None:
    if sides is None:
        return None
    return sides[0] if len(set(sides)) == 1 else "x".join(map(str, sides))


@dataclass(frozen=True)
class CostReport:
    """What a network costs: its layers, and sums over them.

    Layers are for one image; the report's own figures are for ``batch`` images.
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

    @cached_property
    def terms(self) -> Terms:
        """Return the sum of the layers' terms, for one image."""
        return Terms(*map(sum, zip(*(layer.terms for layer in self.layers), strict=True)))

    @property
    def params(self) -> int:
        """Return the trainable parameters: weights, biases, batch-norm γ and β."""
        return self.terms.params

    @property
    def params_weights(self) -> int:
        """Return the weights of convolutions and linear layers alone."""
        return self.terms.weights

    @property
    def params_without_norm(self) -> int:
        """Return the weights and biases of convolutions and linear layers, without batch-norms."""
        return self.terms.weights + self.terms.bias_params

    @property
    def params_all(self) -> int:
        """Return the parameters with the running means and variances of batch-norms."""
        return self.params + self.terms.norm_buffers

    @property
    def mult_adds(self) -> int:
        """Return the multiply-adds of convolution and linear weights (and, in traced models, of
        matrix products and attention), for the batch."""
        return self.total(PAPERS)

    def total(self, convention: Convention) -> int:
        """Return what a counter of ``convention`` says of the batch."""
        return self.batch * convention.total(self.terms)  # linear in the terms

    @property
    def inputs(self) -> tuple[Shape, ...]:
        """Return the shapes of all inputs."""
        return (self.x, *self.more_inputs)

    def restated(self, convention: Convention, factor: int = 1) -> CostReport:
        """Return the report whose ``mult_adds``, everywhere, are ``factor`` × what a counter of
        ``convention`` says."""
        layers = tuple(
            row._replace(terms=row.terms._replace(mult_adds=factor * convention.total(row.terms)))
            for row in self.layers
        )
        return replace(self, layers=layers)

    @property
    def input_bytes(self) -> int:
        """Return the bytes of the input batch in float32."""
        elements = sum(prod(x) for x in self.inputs)
        return self.batch * elements * BYTES_PER_ELEMENT

    @cached_property
    def forward_backward_bytes(self) -> int:
        """Return torchinfo's forward/backward size: twice what layers with parameters put out."""
        elements = sum(prod(layer.y) for layer in self.layers if layer.params)
        return 2 * self.batch * elements * BYTES_PER_ELEMENT

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
        scale = self.batch if figure == "mult_adds" else 1
        return {name: value * scale for name, value in sums.items() if value}

    def by_block(self) -> dict[str, tuple[int, int]]:
        """Return (params, mult_adds) summed by block, in order."""
        sums: dict[str, tuple[int, int]] = {}
        for layer in self.layers:
            params, mult_adds = sums.get(layer.block, (0, 0))
            sums[layer.block] = (
                params + layer.params,
                mult_adds + layer.mult_adds * self.batch,
            )
        return sums

    def frame(self) -> pandas.DataFrame:
        """Return the layers as a DataFrame: path, kind, kernel, …, params, mult_adds."""
        import pandas

        rows = [layer.record(self.batch) for layer in self.layers]
        # object: a kernel is a number, "1x7" or nothing, and an int must not become a float
        frame = pandas.DataFrame(rows, dtype=object)
        counts = [key for key in ("params", "mult_adds") if rows and max(frame[key]) < 2**63]
        return frame.astype(dict.fromkeys(counts, "int64"))

    def _repr_html_(self) -> str:
        """Return the totals and the layers as a notebook shows them."""
        from html import escape

        totals = f"{self.name}: {self.params:,} params, {self.mult_adds:,} mult-adds"
        layers = self.frame().fillna("").to_html(index=False)
        return f"<p>{escape(totals)}</p>\n{layers}"


def cost_of(graph: Graph, name: str, batch: int = 1) -> CostReport:
    """Return the closed-form costs of a graph."""
    layers = tuple(_row(node) for node in graph.nodes)
    ys = graph.ys if graph.outputs else ()
    return CostReport(name, layers, graph.x, graph.y, batch, ys)


def _row(node: Node) -> LayerCost:
    path, block, layer, _, x, y = node
    name, costs = _costs(layer, x, y)
    if isinstance(layer, Conv2d):
        return LayerCost(path, block, name, x, y, costs, layer.kernel, layer.stride, layer.groups)
    return LayerCost(path, block, name, x, y, costs)


@lru_cache(maxsize=2**14)
def _costs(layer: Layer, x: Shape, y: Shape) -> tuple[str, Terms]:
    """Return a layer's kind and terms: networks repeat layers as they repeat blocks."""
    return kind(layer), terms(layer, x, y)


def formula(row: LayerCost) -> tuple[str, str]:
    """Return the formulas of (params, mult_adds) with the numbers filled in.

    A convolution reads kh·kw · c_in/groups · c_out (· h_out·w_out; a transposed one h_in·w_in), a
    linear layer in · out (· positions), a norm 2·c. Empty where zero or where no formula is known.
    """
    if row.kind in CONVOLUTIONS and row.kernel is not None:
        return _conv_formula(row, row.kernel)
    if row.kind == "linear" and row.terms.weights:
        weights = f"{row.x[-1]}·{row.y[-1]}"
        bias = f" + {row.y[-1]}" if row.terms.bias_params else ""
        return weights + bias, "·".join((weights, *map(str, row.y[:-1])))
    if row.kind in ("batch_norm", "norm") and row.terms.norm_params:
        return f"2·{row.terms.norm_params // 2}", ""
    return "", ""


def _conv_formula(row: LayerCost, kernel: tuple[int, ...]) -> tuple[str, str]:
    square = len(kernel) == 2 and kernel[0] == kernel[1]
    window = f"{kernel[0]}²" if square else "·".join(map(str, kernel))
    groups = row.groups or 1
    fan_in = f"{row.x[0]}/{groups}" if groups > 1 else f"{row.x[0]}"
    weights = f"{window}·{fan_in}·{row.y[0]}"
    bias = f" + {row.y[0]}" if row.terms.bias_params else ""
    positions = (row.x if row.transposed else row.y)[1:]
    return (weights + bias if row.params else ""), "·".join((weights, *map(str, positions)))
