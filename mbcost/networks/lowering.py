"""From a network's rows to its graph: widths scaled, strides dilated, taps wired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from mbcost.errors import LayerError, MbcostError, did_you_mean
from mbcost.graph.graph import Graph, Node, wire
from mbcost.graph.primitives import Shape
from mbcost.networks.blocks import BLOCKS, MERGES, ONE_OF, Block, arity, block_fields
from mbcost.networks.blocks.fields import stride_fields, width_fields
from mbcost.networks.settings import Settings
from mbcost.networks.widths import Rounding, truncated

if TYPE_CHECKING:
    from mbcost.networks.network import Network, Row

INPUT = "input"
"""The tap that every network has: the image."""


def lowered(block: Block, x: Shape) -> tuple[tuple[Node, ...], Shape]:
    """Return a block's layers as a graph of their own on a map of shape ``x``, and its output."""
    nodes: list[Node] = []
    _, y = wire(nodes, block.steps(x), "", "", -1, x)
    return tuple(nodes), y


@lru_cache(maxsize=4096)
def placed(
    block: Block, x: Shape, prefix: str, source: int, first: int
) -> tuple[tuple[Node, ...], Shape]:
    """Return a block's layers as nodes ``first``, ``first + 1``, … of a network, and its output.

    Searches count a network under many settings, most of which leave most of its blocks alike.
    """
    try:
        own, y = lowered(block, x)
    except LayerError:
        wire([], block.steps(x), prefix, prefix, source, x)  # the error with its whole path
        raise
    nodes = []
    for path, _, layer, inputs, x_in, y_out in own:
        feeds = tuple([source if i < 0 else first + i for i in inputs])
        nodes.append(Node(f"{prefix}.{path}", prefix, layer, feeds, x_in, y_out))
    return tuple(nodes), y


def overridden(block: str, fields: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return a block's fields with new ones; of two ways to say one thing the new one stays."""
    rivals = set(ONE_OF.get(block, ()))
    given = sorted(rivals & set(new))
    if len(given) > 1:
        raise LayerError(f"{' and '.join(given)} both set the width", way_out="give one of them")
    gone = rivals - set(given) if given else ()
    return {name: value for name, value in fields.items() if name not in gone} | dict(new)


class Feed(NamedTuple):
    """A map that a row can read, and what scaling has to know of it."""

    node: int
    x: Shape
    nominal: float | None
    """Width before scaling: what a printed expansion is a ratio of; None after a row without c."""
    stride: int = 1
    """Pixels of the input per cell, along one side; kept where an output stride is."""
    rate: int = 1
    """Dilation that stands for the strides left out to keep the output stride."""


class ScaledRow(NamedTuple):
    """A row under settings: what it is fed decides the rest, and nothing else is read.

    Settings under which a row comes to equal ones build it alike after any other row: a sweep
    counts them once.
    """

    block: str
    fields: tuple[tuple[str, Any], ...]
    """As built, except an expansion by ratio, strides and dilations, which are as printed."""
    nominal: float | None
    """Width before scaling that it hands on, …"""
    times: float | None
    """… or if this is given, the one that it is fed times this."""
    ratio: Rounding | None
    """Where the expansion is a ratio to the width that it is fed: how that is rounded."""
    output_stride: int | None

    def repeat(self, index: int, feed: Feed) -> tuple[Block, Feed]:
        """Return the block of one repeat, and what it puts out (still without node and shape)."""
        built = dict(self.fields)
        if index:  # whether its stride is written or the block's default
            built |= dict.fromkeys(stride_fields(BLOCKS[self.block]), 1)
        stride, rate = self._strided(built, feed)
        if self.ratio is not None:
            if feed.nominal is None:
                raise LayerError(
                    "has an expansion by ratio to a width that no row states",
                    way_out="expansion: absolute, or a row with c before it",
                )
            built["exp"] = self.ratio.of(feed.x[0] * (built["exp"] / feed.nominal))
        nominal = self.nominal
        if self.times is not None and feed.nominal is not None:
            nominal = int(feed.nominal * self.times)
        after = feed._replace(nominal=nominal, stride=stride, rate=rate)
        return BLOCKS[self.block](**built), after

    def _strided(self, built: dict[str, Any], feed: Feed) -> tuple[int, int]:
        """Return the row's (stride, rate) of output; past the output stride, dilate in place.

        As in DeepLab's reference code: a layer whose stride is left out keeps the rate of its
        input, those behind it dilate. A row's own dilation counts in units of that rate.
        """
        if self.output_stride is None:
            return feed.stride, feed.rate  # of no consequence, and so not told apart
        known = block_fields(BLOCKS[self.block])
        s, k = (built.get(name, known[name].default) if name in known else 1 for name in ("s", "k"))
        stride, rate = feed.stride * s, feed.rate
        if "dilation" in known:
            if feed.rate > 1 and k > 1:
                built["dilation"] = built.get("dilation", 1) * feed.rate
                if "p" in built:
                    built["p"] *= feed.rate
            if s > 1 and stride > self.output_stride:
                built["s"] = 1
                stride, rate = feed.stride, feed.rate * s
        return stride, rate


class Lowering:
    """One pass over a network's rows: scales each, lowers it, wires it to what it reads."""

    def __init__(self, network: Network, settings: Settings) -> None:
        self.network = network
        self.alpha: float = settings.get("alpha", 1.0)
        self.classes = settings.get("classes", network.classes)
        self.tail: bool = settings.get("reduced_tail", False)
        divisor = settings.get("round_nearest", network.divisor)
        self.rounding = Rounding(network.width, divisor if network.width == "divisible" else 1)
        self.output_stride: int | None = settings.get("output_stride", network.output_stride)
        self.x = network.input_shape(settings)
        self.nodes: list[Node] = []
        self.last = Feed(-1, self.x, network.x[0])
        self.taps = {INPUT: self.last}
        self.strides = {1}
        """What the network would pass through if nothing dilated."""

    def graph(self) -> Graph:
        """Return the network's graph, or raise naming the row that does not fit."""
        outputs = []
        for index, row in enumerate(self.network.rows):
            try:
                feeds = [self.tap(name) for name in row.inputs] or [self.last]
                self.lower(row, f"rows.{index}", feeds)
            except LayerError as error:
                raise self._at(row, error) from None
            if row.output:
                outputs.append(self.last.node)
        self.check_output_stride()
        if self.last.node not in outputs:
            outputs.append(self.last.node)
        return Graph(self.x, tuple(self.nodes), tuple(outputs) if len(outputs) > 1 else ())

    def tap(self, name: str) -> Feed:
        """Return the map of that name."""
        if name not in self.taps:
            raise LayerError(
                f"reads {name!r}, but no row above has that name",
                way_out=did_you_mean(name, self.taps),
            )
        return self.taps[name]

    def lower(self, row: Row, path: str, feeds: Sequence[Feed]) -> None:
        """Append the row's layers; what it puts out is then ``last``, and its taps are known."""
        if row.block in MERGES:
            self.merge(row, path, feeds)
        elif len(feeds) > 1:
            raise LayerError(
                f"reads {len(feeds)} inputs", way_out=f"one; {', '.join(MERGES)} read several"
            )
        else:
            fields = self.tailed(row)
            feed = feeds[0]
            for repeat in range(row.n):
                prefix = f"{path}.{repeat}" if row.n > 1 else path
                first = len(self.nodes)
                block, after = self.block(row, fields, repeat, feed)
                nodes, x = placed(block, feed.x, prefix, feed.node, first)
                self.nodes += nodes
                source = len(self.nodes) - 1 if nodes else feed.node
                self.last = Feed(source, x, after.nominal, after.stride, after.rate)
                if row.taps:
                    self.tap_stages(row, fields, prefix, first, feed)
                feed = self.last
        if row.name:
            self.taps[row.name] = self.last

    def merge(self, row: Row, path: str, feeds: Sequence[Feed]) -> None:
        """Append a row that joins several maps."""
        block = MERGES[row.block]()
        if not block.least <= len(feeds) <= block.most:
            raise LayerError(
                f"reads {len(feeds)} input{'s' if len(feeds) > 1 else ''}",
                way_out=f"{row.block} reads {arity(block)}, like inputs: [low, high]",
            )
        (first, *others) = [(feed.node, feed.x) for feed in feeds]
        steps = block.steps([feed.x for feed in feeds])
        source, x = wire(self.nodes, steps, path, path, *first, others)
        first_feed = feeds[0]
        like = feeds[-1] if row.block == "upsample" else first_feed
        nominal = first_feed.nominal
        if row.block == "concat":
            widths = [feed.nominal for feed in feeds if feed.nominal is not None]
            nominal = sum(widths) if len(widths) == len(feeds) else None
        self.last = Feed(source, x, nominal, like.stride, like.rate)

    def tap_stages(
        self, row: Row, fields: Mapping[str, Any], path: str, first: int, feed: Feed
    ) -> None:
        """Make the row's taps known: each is the last layer of a stage such as ``expand``."""
        stages: dict[str, int] = {}
        for index in range(first, len(self.nodes)):
            stages[self.nodes[index].path.removeprefix(f"{path}.").partition(".")[0]] = index
        for name, stage in row.taps:
            if stage not in stages:
                raise LayerError(
                    f"{name!r} taps a stage {stage!r} that the block does not have",
                    way_out=did_you_mean(stage, stages),
                )
            y = self.nodes[stages[stage]].y
            stride = feed.stride if y[1:] == feed.x[1:] else self.last.stride
            nominal = float(fields.get("exp", y[0]))
            self.taps[name] = Feed(stages[stage], y, nominal, stride, feed.rate)

    def tailed(self, row: Row) -> Mapping[str, Any]:
        """Return a row's fields, those of the reduced tail in place of its own where asked for."""
        if self.tail and row.reduced_tail:
            return overridden(row.block, row.fields, row.reduced_tail)
        return row.fields

    def block(
        self, row: Row, fields: Mapping[str, Any], repeat: int, feed: Feed
    ) -> tuple[Block, Feed]:
        """Return the row's block with its widths scaled, and what it puts out (still without node
        and shape); a repeat has stride 1."""
        block, after = self.scaled_row(row, fields).repeat(repeat, feed)
        if "dilation" in block_fields(BLOCKS[row.block]):
            self.strides.add(after.stride * after.rate)
        return block, after

    def scaled_row(self, row: Row, fields: Mapping[str, Any]) -> ScaledRow:
        """Return the row with these fields under the settings: whatever is fed to it, the settings
        are not asked again."""
        built = dict(fields)
        inner = width_fields(BLOCKS[row.block])
        for name in inner:
            built[name] = self.scaled(built[name], row.scale)
        nominal: float | None = None
        times: float | None = None
        if built.get("c") == "classes":
            nominal = built["c"] = self.classes
        elif "c" in built:
            nominal = built["c"]
            built["c"] = self.scaled(built["c"], row.scale)
        elif not inner:
            times = built.get("t", 1) if row.block == "conv" else 1
        ratio = None
        if "exp" in built and self.network.expansion == "ratio":
            ratio = self.rounding
        elif "exp" in built:
            built["exp"] = self.rounding.of(built["exp"] * self.alpha)
        fixed = tuple(built.items())
        return ScaledRow(row.block, fixed, nominal, times, ratio, self.output_stride)

    def check_output_stride(self) -> None:
        """Raise where the network never has the output stride asked for."""
        wanted = self.output_stride
        if wanted is not None and wanted not in self.strides:
            raise MbcostError(
                f"output stride {wanted} is not a stride of this network",
                place=self.network.place or self.network.name,
                way_out=f"one of: {', '.join(map(str, sorted(self.strides)))}",
            )

    def scaled(self, c: int, scale: str) -> int:
        """Return a printed width as built, by the row's own rule where it has one."""
        match scale:
            case "fixed":
                return c
            case "widen":
                return self.rounding.of(c * max(1.0, self.alpha))
            case "truncate":
                return truncated(c * self.alpha)
            case _:
                return self.rounding.of(c * self.alpha)

    def _at(self, row: Row, error: LayerError) -> MbcostError:
        return error.at(row.place or self.network.place or self.network.name)
