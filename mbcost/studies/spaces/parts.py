"""What a sweep adds up: the rows of a network, or one layer of a row, a whole network, a block.

A part is counted in two steps. ``built`` is all that settings and choices come to; ``cost`` sees
that and what is fed to the part, never a setting. So configs that come to the same share a cost,
and none that differ do.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple, Protocol

from mbcost.cost import DTYPES, WITH_PARAMS, Terms, cost_of, terms, weight_bytes
from mbcost.errors import MbcostError
from mbcost.graph.eager import eager
from mbcost.graph.fold import fold_batch_norms
from mbcost.graph.graph import Graph
from mbcost.graph.kernels import FUSES, Fusion
from mbcost.graph.liveness import largest_activation, peak
from mbcost.graph.primitives import Shape
from mbcost.networks.blocks import MERGES, Block
from mbcost.networks.lowering import lowered
from mbcost.networks.network import Network
from mbcost.networks.rows import edited, layer_of
from mbcost.networks.scaling import Feed, ScaledRow, Scaling
from mbcost.networks.single_block import SingleBlock
from mbcost.networks.spec import Spec
from mbcost.studies.memory.how import ITEM_BYTES
from mbcost.studies.memory.stated import Stated, peak_bytes
from mbcost.studies.spaces.space import Slot, Space, with_slots

INPUT_SETTINGS = ("in", "size", "rho")
DEFAULT = Stated()
FUSED_INTO = ("activation", "stacked_separable", "factorized_reduction")
"""Blocks that begin with what a deployed network computes in the row before them."""


IMAGE, MAP = -1, 0
"""What a row is fed, as the node of its ``Feed``: the image, or a map that some row wrote."""


class Figures(NamedTuple):
    """What a block or network costs, by column of a sweep: sums first, then maxima.

    Of a part, mult-adds and bytes of maps are of one image, and the peak of eager inference is what
    is alive beside the image: that is held all along, and so no row of a chain knows its size.
    """

    params: int = 0
    params_weights: int = 0
    params_all: int = 0
    mult_adds: int = 0
    weight_bytes: int = 0
    largest_activation_bytes: int = 0
    peak_activation_bytes: int = 0

    def plus(self, other: Figures, times: int = 1) -> Figures:
        """Return the figures of this and then ``times`` the other."""
        n = len(SUMS)
        sums = [a + times * b for a, b in zip(self[:n], other[:n], strict=True)]
        return Figures(*sums, *map(max, self[n:], other[n:]))


MAXIMA = ("largest_activation_bytes", "peak_activation_bytes")
SUMS = Figures._fields[: -len(MAXIMA)]
OF_BATCH = ("mult_adds", *MAXIMA)
"""The figures that grow with the batch."""


_NEEDED = Terms._fields.index("mult_adds") + 1
"""Parameters and mult-adds: the terms before those that tell counters apart."""


class _Kind(NamedTuple):
    """How a block is counted."""

    stated: Stated
    maxima: bool
    """Those are left at 0 where nobody asks for them: they take longer than the sums."""
    fold: bool
    """Fold the batch-norms, each of which has its convolution in the same block."""


@lru_cache(maxsize=2**16)
def block_figures(block: Block, kind: _Kind, feed: int, x: Shape) -> tuple[Figures, int, Shape]:
    """Return what a block costs on ``IMAGE`` or ``MAP`` of shape ``x``, and what it puts out.

    That is ``IMAGE`` where all that the block does is to look at the image in another way.
    """
    stated, maxima, fold = kind
    nodes, y = lowered(block, x)
    if fold:
        nodes = fold_batch_norms(Graph(x, nodes)).nodes
    found = [terms(n.layer, n.x, n.y)[:_NEEDED] for n in nodes if isinstance(n.layer, WITH_PARAMS)]
    total = Terms(*map(sum, zip(*found, strict=True)))
    figures = Figures(
        total.params,
        total.weights,
        total.params + total.norm_buffers,
        total.mult_adds,
        weight_bytes(total, DTYPES[stated.dtype]),
    )
    if not maxima:
        return figures, MAP, y
    beside, after = _peak_beside(Graph(x, nodes), stated, feed)
    figures = figures._replace(
        largest_activation_bytes=ITEM_BYTES[stated.dtype] * largest_activation(x, nodes),
        peak_activation_bytes=beside,
    )
    return figures, after, y


def _peak_beside(graph: Graph, stated: Stated, feed: int) -> tuple[int, int]:
    """Return the peak of a block in bytes, without an image that is always there, and whether it
    puts out that image (a view of it) or a map.

    A chain of blocks peaks where one of its blocks does, since only a block's input outlives the
    block before it; of a deployed one that is so while nothing is fused into the block before.
    """
    if stated.fuse is not None:
        return peak_bytes(graph, 1, stated), MAP
    itemsize = ITEM_BYTES[stated.dtype]
    schedule = eager(graph, itemsize=itemsize, image="held" if feed == IMAGE else "released")
    below = schedule.kept[0]
    put_out = graph.nodes[-1].elements if graph.nodes else prod(graph.x)
    assert schedule.storages[below].size == itemsize * put_out, "a block ends in a part of a map"
    held = image_bytes(graph.x, stated) if feed == IMAGE else 0
    return peak(schedule).size - held, feed if below in schedule.given else MAP


def image_bytes(x: Shape, stated: Stated) -> int:
    """Return the bytes of an image that is held all along; none where it is planned in an arena."""
    return ITEM_BYTES[stated.dtype] * prod(x) if stated.fuse is None else 0


def scalar_figures(
    spec: Spec, settings: Mapping[str, Any], stated: Stated = DEFAULT
) -> tuple[Figures, Shape]:
    """Return what a spec costs by the scalar closed form, and the shape it puts out."""
    graph, batch = spec.graph(settings), settings.get("batch", 1)
    report = cost_of(graph, spec.name, batch)
    figures = Figures(
        report.params,
        report.params_weights,
        report.params_all,
        report.mult_adds,
        report.weight_bytes(stated.dtype),
        batch * ITEM_BYTES[stated.dtype] * largest_activation(graph.x, graph.nodes),
        peak_bytes(graph, batch, stated),
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

    def __init__(
        self, space: Space, scalings: Scalings, stated: Stated, row: int, repeat: int | None
    ) -> None:
        assert isinstance(space.spec, Network)
        self.row = space.spec.rows[row]
        self.stated = stated
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
                kind = _Kind(self.stated, maxima, built.fold)
                figures, node, y = block_figures(block, kind, feed.node, feed.x)
                self.repeats[key] = figures, after._replace(node=node, x=y)
            figures, after = self.repeats[key]
            times = built.n - repeat if repeat and after == feed else 1
            total = figures if total is None else total.plus(figures, times)
            feed = after
            repeat += times
        assert total is not None  # a row has a repeat
        return total, feed


class GraphPart:
    """A whole network, counted once per combination: its rows branch or keep an output stride, or
    are fused into one another."""

    def __init__(self, space: Space, stated: Stated) -> None:
        self.space = space
        self.stated = stated
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
        figures, y = scalar_figures(with_slots(self.space.spec, chosen), given, self.stated)
        beside = figures.peak_activation_bytes - image_bytes(feed.x, self.stated)
        return figures._replace(peak_activation_bytes=beside), feed._replace(x=y)


class BlockPart:
    """A single block: every setting except its input's is a choice."""

    axes: tuple[int, ...] = ()

    def __init__(self, space: Space, block: SingleBlock, stated: Stated) -> None:
        self.space = space
        self.block = block
        self.stated = stated

    def built(self, settings: tuple[Any, ...], values: tuple[Any, ...]) -> tuple[Block, bool]:
        """Return the block, and whether its batch-norms are folded."""
        chosen = settings_of(self.space, settings)
        fold = bool(chosen.get("fold_bn", self.block.fold_bn))
        return self.block.built(chosen), fold

    def cost(self, built: tuple[Block, bool], feed: Feed, maxima: bool) -> tuple[Figures, Feed]:
        """Return the block's figures."""
        block, fold = built
        kind = _Kind(self.stated, maxima, fold)
        figures, _, y = block_figures(block, kind, IMAGE, feed.x)
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


def parts(space: Space, stated: Stated) -> list[Part]:
    """Return the parts of a space's spec, in the order in which they run."""
    if isinstance(space.spec, SingleBlock):
        return [BlockPart(space, space.spec, stated)]
    if not isinstance(space.spec, Network):
        raise MbcostError(
            "is not a network or block of mbcost",
            place=space.target,
            way_out="sweep one from `mbcost list`, or a YAML file",
        )
    if not _is_chain(space.spec) or (stated.fuse is not None and _fuses_rows(space, stated.fuse)):
        return [GraphPart(space, stated)]
    chosen = {slot.row for axis in space.axes for slot in axis.slots if slot.repeat is not None}
    scalings = Scalings(space)
    found: list[Part] = []
    for i, row in enumerate(space.spec.rows):
        depth = space.depth_axis.get(i)
        most = row.n if depth is None else max(space.axes[depth].values)
        repeats = range(most) if i in chosen else (None,)
        found += [RowPart(space, scalings, stated, i, repeat) for repeat in repeats]
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


def _fuses_rows(space: Space, fuse: Fusion) -> bool:
    """Return whether a row of a deployed network may be computed in part by the row before it.

    A row of an activation that is never fused, as a softmax, leaves that alone.
    """
    assert isinstance(space.spec, Network)
    for i, row in enumerate(space.spec.rows):
        if row.block == "activation":
            acts = {row.fields["act"], (row.reduced_tail or {}).get("act", row.fields["act"])}
            for axis in space.axes:
                if any(slot.row == i and slot.field == "act" for slot in axis.slots):
                    acts.update(axis.values)
            if acts & FUSES[fuse]:
                return True
        elif row.block in FUSED_INTO:
            return True
    return False
