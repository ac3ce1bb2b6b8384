"""What a sweep adds up: the rows of a network, or one layer of a row, a whole network, a block.

A part is counted in two steps. ``built`` is all that settings and choices come to; ``cost`` sees
that and what is fed to the part, never a setting. So configs that come to the same share a cost,
and none that differ do.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from mbcost.cost import DTYPES, WITH_PARAMS, Terms, cost_of, terms, weight_bytes
from mbcost.errors import MbcostError
from mbcost.graph.fold import fold_batch_norms
from mbcost.graph.graph import Graph
from mbcost.graph.liveness import largest_activation, peak_activation
from mbcost.graph.primitives import Shape
from mbcost.networks.blocks import MERGES, Block
from mbcost.networks.lowering import lowered
from mbcost.networks.network import Network
from mbcost.networks.rows import edited, layer_of
from mbcost.networks.scaling import Feed, ScaledRow, Scaling
from mbcost.networks.single_block import SingleBlock
from mbcost.networks.spec import Spec
from mbcost.studies.spaces.space import Slot, Space, with_slots

INPUT_SETTINGS = ("in", "size", "rho")


class Figures(NamedTuple):
    """What a block or network costs: sums first, then maxima; mult-adds and maps of one image.

    ``*_bytes`` are the weights as stored, one for each of ``DTYPES``.
    """

    params: int = 0
    params_weights: int = 0
    params_all: int = 0
    mult_adds: int = 0
    fp32_bytes: int = 0
    fp16_bytes: int = 0
    int8_bytes: int = 0
    largest_activation: int = 0
    peak_activation: int = 0

    def plus(self, other: Figures, times: int = 1) -> Figures:
        """Return the figures of this and then ``times`` the other."""
        n = len(SUMS)
        sums = [a + times * b for a, b in zip(self[:n], other[:n], strict=True)]
        return Figures(*sums, *map(max, self[n:], other[n:]))


MAXIMA = ("largest_activation", "peak_activation")
SUMS = Figures._fields[: -len(MAXIMA)]


_NEEDED = Terms._fields.index("mult_adds") + 1
"""Parameters and mult-adds: the terms before those that tell counters apart."""


@lru_cache(maxsize=2**16)
def block_figures(
    block: Block, x: Shape, maxima: bool = True, fold: bool = False
) -> tuple[Figures, Shape]:
    """Return what a block costs on a map of shape ``x``, and the shape it puts out.

    Without ``maxima`` those are left at 0: they take longer than the sums. ``fold`` folds the
    batch-norms, each of which has its convolution in the same block.
    """
    nodes, y = lowered(block, x)
    if fold:
        nodes = fold_batch_norms(Graph(x, nodes)).nodes
    found = [terms(n.layer, n.x, n.y)[:_NEEDED] for n in nodes if isinstance(n.layer, WITH_PARAMS)]
    total = Terms(*map(sum, zip(*found, strict=True)))
    bytes_as = {f"{name}_bytes": weight_bytes(total, dtype) for name, dtype in DTYPES.items()}
    figures = Figures(
        total.params,
        total.weights,
        total.params + total.norm_buffers,
        total.mult_adds,
        **bytes_as,
    )
    if maxima:
        figures = figures._replace(
            largest_activation=largest_activation(x, nodes),
            peak_activation=peak_activation(x, nodes),
        )
    return figures, y


def scalar_figures(spec: Spec, settings: Mapping[str, Any]) -> tuple[Figures, Shape]:
    """Return what a spec costs by the scalar closed form, and the shape it puts out."""
    graph = spec.graph(settings)
    report = cost_of(graph, spec.name, settings.get("batch", 1))
    figures = Figures(
        report.params,
        report.params_weights,
        report.params_all,
        report.mult_adds,
        **{f"{name}_bytes": report.weight_bytes(name) for name in DTYPES},
        largest_activation=largest_activation(graph.x, graph.nodes),
        peak_activation=peak_activation(graph.x, graph.nodes, graph.outputs),
    )
    return figures, graph.y


class Part(Protocol):
    """A piece of a spec that is counted by itself; one after the other, they are the whole."""

    axes: tuple[int, ...]
    """The axes of its own fields; settings come apart from these."""

    def built(self, settings: tuple[Any, ...], values: tuple[Any, ...]) -> Hashable:
        """Return all that settings and a value per axis come to here."""
        ...

    def cost(self, built: Any, feed: Feed, maxima: bool) -> tuple[Figures, Feed]:
        """Return what it costs after ``feed``, and what it feeds; the maxima only if asked for."""
        ...


class _BuiltRow(NamedTuple):
    scaled: ScaledRow
    n: int
    fold: bool


class RowPart:
    """A row of a network; with ``repeat``, that one of its layers."""

    def __init__(self, space: Space, scalings: Scalings, row: int, repeat: int | None) -> None:
        assert isinstance(space.spec, Network)
        self.row = space.spec.rows[row]
        self.repeat = repeat
        self.scalings = scalings
        slots = {
            i: [slot for slot in axis.slots if slot.row == row and slot.repeat in (None, repeat)]
            for i, axis in enumerate(space.axes)
        }
        self.slots = {i: mine for i, mine in slots.items() if mine}
        self.axes = tuple(self.slots)
        self.repeats: dict[Hashable, tuple[Figures, Feed]] = {}
        self.scaled: dict[ScaledRow, ScaledRow] = {}

    def built(self, settings: tuple[Any, ...], values: tuple[Any, ...]) -> _BuiltRow | None:
        """Return the row scaled, and its repeats; None for a layer that is not there."""
        own: dict[str, Any] = {}
        layer: dict[str, Any] = {}
        for value, slots in zip(values, self.slots.values(), strict=True):
            for slot in slots:
                (own if slot.repeat is None else layer)[slot.field] = value
        row = edited(self.row, own)
        if self.repeat is not None:
            if self.repeat >= row.n:
                return None
            row = layer_of(row, self.repeat, layer)
        scaling, fold = self.scalings.of(settings)
        scaled = scaling.row(row)
        return _BuiltRow(self.scaled.setdefault(scaled, scaled), row.n, fold)

    def cost(self, built: _BuiltRow | None, feed: Feed, maxima: bool) -> tuple[Figures, Feed]:
        """Return the sums over the repeats; equal repeats are counted once and multiplied."""
        if built is None:
            return Figures(), feed
        total: Figures | None = None
        repeat = 0
        while repeat < built.n:
            key = (built.scaled, built.fold, repeat > 0, feed)
            if key not in self.repeats:
                block, after = built.scaled.repeat(repeat, feed)
                figures, y = block_figures(block, feed.x, maxima, built.fold)
                self.repeats[key] = figures, after._replace(x=y)
            figures, after = self.repeats[key]
            times = built.n - repeat if repeat and after == feed else 1
            total = figures if total is None else total.plus(figures, times)
            feed = after
            repeat += times
        assert total is not None  # a row has a repeat
        return total, feed


class GraphPart:
    """A whole network, counted once per combination: its rows branch or keep an output stride."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.axes = tuple(i for i, axis in enumerate(space.axes) if axis.slots)

    def built(self, settings: tuple[Any, ...], values: tuple[Any, ...]) -> Hashable:
        """Return the settings and the fields as they are."""
        return settings, values

    def cost(
        self, built: tuple[tuple[Any, ...], tuple[Any, ...]], feed: Feed, maxima: bool
    ) -> tuple[Figures, Feed]:
        """Return the scalar closed form's figures."""
        settings, values = built
        chosen: dict[Slot, Any] = {}
        for i, value in zip(self.axes, values, strict=True):
            chosen.update((slot, value) for slot in self.space.axes[i].slots)
        c, h, w = feed.x
        given = {**settings_of(self.space, settings), "in": c, "size": (h, w)}
        assert isinstance(self.space.spec, Network)
        figures, y = scalar_figures(with_slots(self.space.spec, chosen), given)
        return figures, feed._replace(x=y)


class BlockPart:
    """A single block: every setting except its input's is a choice."""

    axes: tuple[int, ...] = ()

    def __init__(self, space: Space, block: SingleBlock) -> None:
        self.space = space
        self.block = block

    def built(self, settings: tuple[Any, ...], values: tuple[Any, ...]) -> tuple[Block, bool]:
        """Return the block, and whether its batch-norms are folded."""
        chosen = settings_of(self.space, settings)
        fold = bool(chosen.get("fold_bn", self.block.fold_bn))
        return self.block.built(chosen), fold

    def cost(self, built: tuple[Block, bool], feed: Feed, maxima: bool) -> tuple[Figures, Feed]:
        """Return the block's figures."""
        block, fold = built
        figures, y = block_figures(block, feed.x, maxima, fold)
        return figures, feed._replace(x=y)


class Scalings:
    """How each combination of settings scales rows, made once for every part."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.known: dict[tuple[Any, ...], tuple[Scaling, bool]] = {}

    def of(self, settings: tuple[Any, ...]) -> tuple[Scaling, bool]:
        """Return what scales rows under these settings, and whether batch-norms are folded."""
        if settings not in self.known:
            assert isinstance(self.space.spec, Network)
            chosen = settings_of(self.space, settings)
            fold = bool(chosen.get("fold_bn", self.space.spec.fold_bn))
            self.known[settings] = self.space.spec.scaling(chosen), fold
        return self.known[settings]


def setting_axes(space: Space) -> tuple[int, ...]:
    """Return the axes that every part depends on: settings, except the input and the batch."""
    outside = (*INPUT_SETTINGS, "batch")
    return tuple(i for i, a in enumerate(space.axes) if not a.slots and a.key not in outside)


def settings_of(space: Space, chosen: tuple[Any, ...]) -> dict[str, Any]:
    """Return the settings, except the input's and the batch, with the chosen ones."""
    fixed = {k: v for k, v in space.settings.items() if k not in (*INPUT_SETTINGS, "batch")}
    keys = [space.axes[i].key for i in setting_axes(space)]
    return fixed | dict(zip(keys, chosen, strict=True))


def input_feed(space: Space, settings: Mapping[str, Any]) -> Feed:
    """Return what the first part is fed under these settings."""
    if isinstance(space.spec, Network):
        return space.spec.first_feed(settings)
    assert isinstance(space.spec, SingleBlock)
    c, h, w = space.spec.x
    return Feed(-1, (settings.get("in", c), *settings.get("size", (h, w))), None)


def parts(space: Space) -> list[Part]:
    """Return the parts of a space's spec, in the order in which they run."""
    if isinstance(space.spec, SingleBlock):
        return [BlockPart(space, space.spec)]
    if not isinstance(space.spec, Network):
        raise MbcostError(
            "is not a network or block of mbcost",
            place=space.target,
            way_out="sweep one from `mbcost list`, or a YAML file",
        )
    if not _is_chain(space.spec):
        return [GraphPart(space)]
    chosen = {slot.row for axis in space.axes for slot in axis.slots if slot.repeat is not None}
    scalings = Scalings(space)
    found: list[Part] = []
    for i, row in enumerate(space.spec.rows):
        depth = space.depth_axis.get(i)
        most = row.n if depth is None else max(space.axes[depth].values)
        repeats = range(most) if i in chosen else (None,)
        found += [RowPart(space, scalings, i, repeat) for repeat in repeats]
    return found


def _is_chain(network: Network) -> bool:
    """Return whether every row reads only the row before it.

    The stride that an output stride asks for is one of the whole network's, so that this is no
    matter of a row either.
    """
    return network.output_stride is None and not any(
        row.block in (*MERGES, "crop") or row.inputs or row.taps or row.output
        for row in network.rows
    )
