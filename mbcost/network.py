"""Networks and single blocks as specs, and their lowering to a graph of primitive layers.

``Network`` is a YAML of rows; α, ρ, classes and the reduced tail are applied here, row by row, by
the scaling rule the YAML names. ``SingleBlock`` is one block with an input of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from mbcost.blocks import BLOCKS, MERGES, Block, arity, block_fields
from mbcost.cost import CostReport, cost_of
from mbcost.errors import LayerError, MbcostError, did_you_mean
from mbcost.fold import fold_batch_norms
from mbcost.layers import Graph, Node, Shape, wire
from mbcost.settings import FIELD_OF, SETTINGS, SettingRule, Settings, parse_all
from mbcost.widths import make_divisible

SCALES = ("full", "widen", "fixed", "truncate")
WIDTHS = ("truncate", "divisible")
EXPANSIONS = ("ratio", "absolute")
INPUT = "input"
"""The tap that every network has: the image."""


class Published(NamedTuple):
    """One printed row about a network: figures as printed, with a reason where ours differ."""

    alpha: float
    size: int | str
    mult_adds: str | None = None
    params: str | None = None
    top1: float | None = None
    reason: str | None = None
    classes: int | None = None
    reduced_tail: bool | None = None
    output_stride: int | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """Return the settings the figures were printed for."""
        further = {
            "classes": self.classes,
            "reduced_tail": self.reduced_tail,
            "output_stride": self.output_stride,
        }
        given = {name: value for name, value in further.items() if value is not None}
        return {"alpha": self.alpha, "size": self.size, **given}


class Row(NamedTuple):
    """A row of a network's table: a block, its fields unscaled, and how often it repeats.

    It reads the row before, or the taps that ``inputs`` names: ``name`` makes one of its output,
    ``taps`` of stages inside its block (``c4``, ``expand``). ``output`` puts its map out.
    """

    block: str
    fields: Mapping[str, Any]
    n: int = 1
    scale: str = "full"
    reduced_tail: Mapping[str, Any] | None = None
    place: str = ""
    name: str = ""
    taps: tuple[tuple[str, str], ...] = ()
    inputs: tuple[str, ...] = ()
    output: bool = False


class _Feed(NamedTuple):
    """A map that a row can read, and what scaling has to know of it."""

    node: int
    x: Shape
    nominal: float
    """Width before scaling: what a printed expansion is a ratio of."""
    stride: int = 1
    """Pixels of the input per cell, along one side."""
    rate: int = 1
    """Dilation that stands for the strides left out to keep the output stride."""


@dataclass(frozen=True)
class Network:
    """A network as its paper's table: rows of blocks, and the rule by which widths scale."""

    name: str
    x: Shape
    rows: tuple[Row, ...]
    title: str = ""
    """The name in full, ``mobilenet_v2``."""
    classes: int | None = None
    width: str = "truncate"
    divisor: int = 8
    expansion: str = "absolute"
    source: str = ""
    published: tuple[Published, ...] = ()
    published_params: str = "trainable"
    published_source: str = ""
    place: str = field(default="", compare=False)
    output_stride: int | None = None

    @cached_property
    def accepts(self) -> Mapping[str, SettingRule]:
        """The settings that mean something for this network, each with its rule."""
        names = ["in", "size", "rho", "batch", "fold_bn", "alpha"]
        if any("classes" in row.fields.values() for row in self.rows):
            names.append("classes")
        if any(row.reduced_tail for row in self.rows):
            names.append("reduced_tail")
        if self.width == "divisible":
            names.append("round_nearest")
        if self.output_stride is not None:
            names.append("output_stride")
        return {name: SETTINGS[name] for name in names}

    def input_shape(self, settings: Settings) -> Shape:
        """Return the input under ``in`` and either ``size`` or ``rho``."""
        c, h, w = self.x
        if "rho" in settings:
            if "size" in settings:
                raise MbcostError(
                    "rho and size both set the input size", place=self.name, way_out="give one"
                )
            h, w = (round(settings["rho"] * side) for side in (h, w))
            if not (1 <= h <= 65536 and 1 <= w <= 65536):
                raise MbcostError(
                    f"rho {settings['rho']} makes the input {h}x{w}",
                    place=self.name,
                    way_out="sizes from 1 to 65536",
                )
        h, w = settings.get("size", (h, w))
        return (settings.get("in", c), h, w)

    def facts(self, settings: Settings) -> dict[str, Any]:
        """Return alpha, rho, size and classes as the records show them."""
        _, h, w = self.input_shape(settings)
        rho = settings.get("rho")
        if rho is None and h * self.x[2] == w * self.x[1]:
            rho = h / self.x[1]
        return {
            "alpha": settings.get("alpha", 1.0),
            "rho": rho,
            "size": (h, w),
            "classes": settings.get("classes", self.classes),
        }

    def graph(self, settings: Settings | None = None) -> Graph:
        """Return the network's layers under these settings (all optional).

        Raises ``MbcostError`` naming the row where a map shrinks to nothing or widths do not fit.
        """
        graph = _Lowering(self, settings or {}).graph()
        return fold_batch_norms(graph) if settings and settings.get("fold_bn") else graph

    def count(self, **settings: object) -> CostReport:
        """Return the closed-form costs: ``network.count(alpha=0.5, size=160, batch=8)``."""
        return report(self, parse_all(self.accepts, settings, self.name))


class _Lowering:
    """One pass over a network's rows: scales each, lowers it, wires it to what it reads."""

    def __init__(self, network: Network, settings: Settings) -> None:
        self.network = network
        self.alpha: float = settings.get("alpha", 1.0)
        self.classes = settings.get("classes", network.classes)
        self.tail: bool = settings.get("reduced_tail", False)
        self.divisor: int = settings.get("round_nearest", network.divisor)
        self.output_stride: int | None = settings.get("output_stride", network.output_stride)
        self.x = network.input_shape(settings)
        self.nodes: list[Node] = []
        self.last = _Feed(-1, self.x, network.x[0])
        self.taps = {INPUT: self.last}
        self.strides = {1}

    def graph(self) -> Graph:
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

    def tap(self, name: str) -> _Feed:
        if name not in self.taps:
            raise LayerError(
                f"reads {name!r}, which no row above is called",
                way_out=did_you_mean(name, self.taps),
            )
        return self.taps[name]

    def lower(self, row: Row, path: str, feeds: Sequence[_Feed]) -> None:
        """Append the row's layers; what it puts out is then ``last``, and its taps are known."""
        if row.block in MERGES:
            self.merge(row, path, feeds)
        elif len(feeds) > 1:
            raise LayerError(
                f"reads {len(feeds)} inputs", way_out=f"one; {', '.join(MERGES)} read several"
            )
        else:
            fields = {**row.fields, **(row.reduced_tail or {})} if self.tail else row.fields
            feed = feeds[0]
            for repeat in range(row.n):
                prefix = f"{path}.{repeat}" if row.n > 1 else path
                first = len(self.nodes)
                block, self.last = self.block(row, fields, repeat, feed)
                source, x = wire(self.nodes, block.steps(feed.x), prefix, prefix, feed.node, feed.x)
                self.last = self.last._replace(node=source, x=x)
                self.tap_stages(row, fields, prefix, first, feed)
                feed = self.last
        if row.name:
            self.taps[row.name] = self.last

    def merge(self, row: Row, path: str, feeds: Sequence[_Feed]) -> None:
        block = MERGES[row.block]()
        if not block.least <= len(feeds) <= block.most:
            raise LayerError(
                f"reads {len(feeds)} input{'s' if len(feeds) > 1 else ''}",
                way_out=f"{row.block} reads {arity(block)}, like inputs: [low, high]",
            )
        (first, *others) = [(feed.node, feed.x) for feed in feeds]
        steps = block.steps([feed.x for feed in feeds])
        source, x = wire(self.nodes, steps, path, path, *first, others)
        like = feeds[-1] if row.block == "upsample" else feeds[0]
        nominal = sum(f.nominal for f in feeds) if row.block == "concat" else feeds[0].nominal
        self.last = _Feed(source, x, nominal, like.stride, like.rate)

    def tap_stages(
        self, row: Row, fields: Mapping[str, Any], path: str, first: int, feed: _Feed
    ) -> None:
        """Make the row's taps known: each is the last layer of a stage such as ``expand``."""
        stages: dict[str, int] = {}
        for index in range(first, len(self.nodes)):
            stages[self.nodes[index].path.removeprefix(f"{path}.").partition(".")[0]] = index
        for name, stage in row.taps:
            if stage not in stages:
                raise LayerError(
                    f"{name!r} taps a stage {stage!r} that the block has not got",
                    way_out=did_you_mean(stage, stages),
                )
            y = self.nodes[stages[stage]].y
            stride = feed.stride if y[1:] == feed.x[1:] else self.last.stride
            nominal = float(fields.get("exp", y[0]))
            self.taps[name] = _Feed(stages[stage], y, nominal, stride, feed.rate)

    def block(
        self, row: Row, fields: Mapping[str, Any], repeat: int, feed: _Feed
    ) -> tuple[Block, _Feed]:
        """Return the row's block with its widths scaled, and what it puts out (still without node
        and shape); a repeat has stride 1."""
        built = dict(fields)
        if repeat and "s" in built:
            built["s"] = 1
        stride, rate = self.strided(row, built, feed)
        nominal = feed.nominal
        if "exp" in built:
            built["exp"] = self.expanded(built["exp"], feed.x[0], nominal)
        if built.get("c") == "classes":
            nominal = built["c"] = self.classes
        elif "c" in built:
            nominal = built["c"]
            built["c"] = self.scaled(built["c"], row.scale)
        elif row.block == "conv":
            nominal = int(nominal * built["t"])
        after = feed._replace(nominal=nominal, stride=stride, rate=rate)
        return BLOCKS[row.block](**built), after

    def strided(self, row: Row, built: dict[str, Any], feed: _Feed) -> tuple[int, int]:
        """Return the row's (stride, rate) of output; past the output stride, dilate in place.

        As in DeepLab's reference code: a layer whose stride is left out keeps the rate of its
        input, those behind it dilate. A row's own dilation counts in units of that rate.
        """
        s = built.get("s", 1)
        stride, rate = feed.stride * s, feed.rate
        if "dilation" in block_fields(BLOCKS[row.block]):
            if feed.rate > 1 and (built.get("k", 3) > 1):
                built["dilation"] = built.get("dilation", 1) * feed.rate
                if "p" in built:
                    built["p"] *= feed.rate
            if self.output_stride is not None and s > 1 and stride > self.output_stride:
                built["s"] = 1
                stride, rate = feed.stride, feed.rate * s
            self.strides.add(stride)
        return stride, rate

    def check_output_stride(self) -> None:
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
                return self.rounded(c * max(1.0, self.alpha))
            case "truncate":
                return self.truncated(c * self.alpha)
            case _:
                return self.rounded(c * self.alpha)

    def rounded(self, value: float) -> int:
        if self.network.width == "divisible":
            return make_divisible(value, self.divisor)
        return self.truncated(value)

    def truncated(self, value: float) -> int:
        if value < 1:
            raise LayerError("no channel is left", way_out="a larger alpha")
        return int(value)

    def expanded(self, exp: int, c_in: int, nominal: float) -> int:
        """Return the built expansion: as a ratio to the built input width, or scaled by itself."""
        if self.network.expansion == "ratio":
            return self.rounded(c_in * (exp / nominal))
        return self.rounded(exp * self.alpha)

    def _at(self, row: Row, error: LayerError) -> MbcostError:
        return error.at(row.place or self.network.place or self.network.name)


@dataclass(frozen=True)
class SingleBlock:
    """One block with an input of its own; 64 → 128 channels at 224 × 224 unless set."""

    name: str
    block: str
    fields: Mapping[str, Any]
    x: Shape = (64, 224, 224)
    c: int = 128
    source: str = ""
    place: str = field(default="", compare=False)

    @cached_property
    def accepts(self) -> Mapping[str, SettingRule]:
        """The settings that mean something for this block: its fields, and their longer names."""
        fields = block_fields(BLOCKS[self.block])
        names = ["in", "size", "batch", "fold_bn"]
        names += [n for n in FIELD_OF if self._field(n) in fields]
        return {name: SETTINGS[name] for name in names} | {
            name: known.rule for name, known in fields.items()
        }

    def _field(self, setting: str) -> str:
        """Return the block's field that a setting means; a convolution's t is not an expansion."""
        if setting == "expand" and "exp" not in block_fields(BLOCKS[self.block]):
            return ""
        return FIELD_OF.get(setting, setting)

    def built(self, settings: Settings) -> Block:
        """Return the block with its fields under these settings."""
        known = block_fields(BLOCKS[self.block])
        fields = {"c": self.c, **self.fields} if "c" in known else dict(self.fields)
        if self.block == "conv" and "t" in fields:
            fields["c"] = None
        for name, value in settings.items():
            if self._field(name) in known:
                fields[self._field(name)] = value
        if "expand" in settings or "t" in settings:
            fields["exp" if "exp" in known else "c"] = None  # two ways to say one thing
        elif "exp" in settings:
            fields["t"] = None
        return BLOCKS[self.block](**fields)

    def graph(self, settings: Settings | None = None) -> Graph:
        """Return the block's layers under these settings (all optional)."""
        settings = settings or {}
        c, h, w = self.x
        h, w = settings.get("size", (h, w))
        x = (settings.get("in", c), h, w)
        nodes: list[Node] = []
        try:
            wire(nodes, self.built(settings).steps(x), "", "", -1, x)
        except LayerError as error:
            raise error.at(self.place or self.name) from None
        graph = Graph(x, tuple(nodes))
        return fold_batch_norms(graph) if settings.get("fold_bn") else graph

    def facts(self, settings: Settings) -> dict[str, Any]:
        """Return size; a block has no alpha, rho or classes."""
        return {
            "alpha": None,
            "rho": None,
            "size": settings.get("size", self.x[1:]),
            "classes": None,
        }

    def count(self, **settings: object) -> CostReport:
        """Return the closed-form costs: ``block.count(out=256, size="56x56")``."""
        return report(self, parse_all(self.accepts, settings, self.name))


Spec = Network | SingleBlock
"""What a target names: something with settings that lowers to a graph."""


def report(spec: Spec, settings: Settings) -> CostReport:
    """Return the closed-form costs of a spec under parsed settings."""
    return cost_of(spec.graph(settings), spec.name, settings.get("batch", 1))
