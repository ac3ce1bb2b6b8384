"""From a network's rows to its graph: widths scaled, strides dilated, taps wired."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from mbcost.errors import LayerError, MbcostError, did_you_mean
from mbcost.graph.graph import Graph, Node, wire
from mbcost.graph.primitives import MAX_BOXES, Shape
from mbcost.networks.blocks import BLOCKS, MERGES, Block, arity, block_fields
from mbcost.networks.rows import Row
from mbcost.networks.scaling import Feed, ScaledRow, Scaling
from mbcost.units import number, thousands

INPUT = "input"
"""The tap that every network has: the image."""


def lowered(block: Block, x: Shape) -> tuple[tuple[Node, ...], Shape]:
    """Return a block's layers as a graph of their own on a map of shape ``x``, and its output."""
    nodes: list[Node] = []
    _, y = wire(nodes, block.steps(x), "", "", -1, x)
    return tuple(nodes), y


@lru_cache(maxsize=4096)
def placed(
    block: Block, x: Shape, prefix: str, source: int, first: int, times: int = 1
) -> tuple[tuple[Node, ...], Shape]:
    """Return a block's layers as nodes ``first``, ``first + 1``, … of a network, and its output.

    ``times`` are the maps of one image that it is fed, each of which it runs on.

    Searches count a network under many settings, most of which leave most of its blocks alike.
    """
    try:
        own, y = lowered(block, x)
    except LayerError:
        wire([], block.steps(x), prefix, prefix, -1, x)  # the error with its whole path
        raise
    nodes = []
    for path, _, layer, inputs, x_in, y_out, runs in own:
        feeds = tuple([source if i < 0 else first + i for i in inputs])
        nodes.append(Node(f"{prefix}.{path}", prefix, layer, feeds, x_in, y_out, times * runs))
    return tuple(nodes), y


class Lowering:
    """One pass over a network's rows: scales each, lowers it, wires it to what it reads."""

    def __init__(self, rows: Sequence[Row], first: Feed, scaling: Scaling, place: str) -> None:
        self.rows = rows
        self.scaling = scaling
        self.place = place
        self.first = self.last = first
        self.nodes: list[Node] = []
        self.taps = {INPUT: first}
        self.strides = {1}
        """What the network would pass through if nothing dilated."""

    def graph(self) -> Graph:
        """Return the network's graph, or raise naming the row that does not fit."""
        outputs = []
        for index, row in enumerate(self.rows):
            try:
                feeds = [self.tap(name) for name in row.inputs] or [self.last]
                self.lower(row, f"rows.{index}", feeds)
            except LayerError as error:
                raise error.at(row.place or self.place) from None
            if row.output:
                outputs.append(self.last.node)
        self.check_output_stride()
        if self.last.node not in outputs:
            outputs.append(self.last.node)
        return Graph(self.first.x, tuple(self.nodes), tuple(outputs) if len(outputs) > 1 else ())

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
            scaled = self.scaling.row(row)
            feed = feeds[0]
            for repeat in range(row.n):
                prefix = f"{path}.{repeat}" if row.n > 1 else path
                first = len(self.nodes)
                block, after = self.block(row, scaled, repeat, feed)
                times = self.nodes[feed.node].maps if feed.node >= 0 else 1
                nodes, x = placed(block, feed.x, prefix, feed.node, first, times)
                self.nodes += nodes
                if nodes and nodes[-1].maps > MAX_BOXES:
                    raise LayerError(
                        f"makes {number(nodes[-1].maps)} crops of one image",
                        place=prefix,
                        way_out=f"at most {thousands(MAX_BOXES)}",
                    )
                source = len(self.nodes) - 1 if nodes else feed.node
                self.last = Feed(source, x, after.nominal, after.stride, after.rate)
                if row.taps:
                    self.tap_stages(row, prefix, first, feed)
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

    def tap_stages(self, row: Row, path: str, first: int, feed: Feed) -> None:
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
            nominal = float(self.scaling.tailed(row).get("exp", y[0]))
            self.taps[name] = Feed(stages[stage], y, nominal, stride, feed.rate)

    def block(self, row: Row, scaled: ScaledRow, repeat: int, feed: Feed) -> tuple[Block, Feed]:
        """Return the row's block with its widths scaled, and what it puts out (still without node
        and shape); a repeat has stride 1."""
        block, after = scaled.repeat(repeat, feed)
        if "dilation" in block_fields(BLOCKS[row.block]):
            self.strides.add(after.stride * after.rate)
        return block, after

    def check_output_stride(self) -> None:
        """Raise where the network never has the output stride asked for."""
        wanted = self.scaling.output_stride
        if wanted is not None and wanted not in self.strides:
            raise MbcostError(
                f"output stride {wanted} is not a stride of this network",
                place=self.place,
                way_out=f"one of: {', '.join(map(str, sorted(self.strides)))}",
            )
