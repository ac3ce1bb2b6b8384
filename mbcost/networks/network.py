"""Networks and single blocks as specs that lower to a graph of primitive layers.

``Network`` is a YAML of rows, scaled and wired row by row in ``lowering``. ``SingleBlock`` is one
block with an input of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Annotated, Any, NamedTuple

from mbcost.cost import PARAMS, CostReport, cost_of
from mbcost.errors import LayerError, MbcostError
from mbcost.graph.fold import fold_batch_norms
from mbcost.graph.graph import Graph, Node, wire
from mbcost.graph.primitives import Shape
from mbcost.networks.blocks import BLOCKS, MERGES, Block, block_fields
from mbcost.networks.lowering import Lowering, overridden
from mbcost.networks.rules import (
    MAX_CHANNELS,
    MAX_KERNEL,
    MAX_MULTIPLIER,
    As,
    Chw,
    Field,
    Keys,
    ListOf,
    MappingOf,
    Name,
    Names,
    Number,
    OneOf,
    OrWord,
    PrintedCount,
    Record,
    Rule,
    SettingRule,
    Sides,
    Tagged,
    Text,
    Truth,
    Whole,
    fields_of,
)
from mbcost.networks.settings import FIELD_OF, SETTINGS, Settings, parse_all
from mbcost.units import parse_size

SCALES = ("full", "widen", "fixed", "truncate")
WIDTHS = ("truncate", "divisible", "none")
"""How α makes widths: int(c·α); a multiple of the divisor; or the network has no α."""
EXPANSIONS = ("ratio", "absolute")
MAX_REPEATS = 1000
MAX_ROWS = 1000
MAX_BLOCKS = 10_000
"""Of a network, each row as often as it repeats: the deepest one published has some hundreds."""
READS = "names of rows and taps above; or input, the image"
TAIL = "the fields that differ with reduced_tail"
DILATES = "strides beyond it become dilations"
FOLD_BN = SETTINGS["fold_bn"]
TAPS = MappingOf(
    Text("a stage of the block"),
    "name of a tap: the stage of the block it is taken at, {c4: expand}",
    empty="taps nothing",
    like="like tap: {c4: expand}",
    names=True,
)


class Published(NamedTuple):
    """One printed row about a network: figures as printed, with a reason where ours differ."""

    alpha: Annotated[float, Number(MAX_MULTIPLIER, "width multiplier", low=1e-9)]
    size: Annotated[int | str, Sides("input size, 224 or 1024x2048 (height × width)")]
    classes: Annotated[int | None, Whole(1, MAX_CHANNELS, "where they are not the network's")] = (
        None
    )
    reduced_tail: Annotated[bool | None, Truth("with the last stage halved")] = None
    output_stride: Annotated[int | None, Whole(1, MAX_KERNEL, "if not the network's own")] = None
    mult_adds: Annotated[str | None, PrintedCount("multiply-adds as printed, 300M")] = None
    params: Annotated[str | None, PrintedCount("parameters as printed, 3.4M")] = None
    top1: Annotated[float | None, Number(100, "top-1 accuracy in percent", low=0)] = None
    reason: Annotated[str | None, Text("why ours differ")] = None

    @property
    def sides(self) -> tuple[int, int]:
        """Return height and width of the input."""
        return (self.size, self.size) if isinstance(self.size, int) else parse_size(self.size)

    @property
    def settings(self) -> dict[str, Any]:
        """Return the settings the figures were printed for."""
        further = {
            "classes": self.classes,
            "reduced_tail": self.reduced_tail,
            "output_stride": self.output_stride,
        }
        given = {name: value for name, value in further.items() if value is not None}
        return {"alpha": self.alpha, "size": self.sides, **given}


PUBLISHED = Record(Published, like="alpha: 1.0, size: 224")


class Row(NamedTuple):
    """A row of a network's table: a block, its fields unscaled, and how often it repeats.

    It reads the row before, or the taps that ``inputs`` names: ``name`` makes one of its output,
    ``taps`` of stages inside its block (``c4``, ``expand``). ``output`` puts its map out.
    """

    block: Annotated[str, Name("what the row is made of")]
    fields: Mapping[str, Any]
    n: Annotated[int, Whole(1, MAX_REPEATS, "repeats of a row")] = 1
    scale: Annotated[str, OneOf(SCALES, "how a row's width scales with alpha")] = "full"
    reduced_tail: Annotated[Mapping[str, Any] | None, Keys({}, TAIL)] = None
    taps: Annotated[tuple[tuple[str, str], ...], TAPS, As("tap")] = ()
    name: Annotated[str, Name("a name by which later rows read this one")] = ""
    inputs: Annotated[tuple[str, ...], Names(1, 1, READS)] = ()
    output: Annotated[bool, Truth("put out beside the last row's map")] = False
    place: str = ""


@cache
def row_keys(block: str) -> Keys:
    """Return the keys of a row with this block or merge."""
    own = fields_of(Row)
    if block in MERGES:
        merge = MERGES[block]
        read = Field("inputs", Names(merge.least, merge.most, READS), required=True)
        named = {key: own[key] for key in ("block", "name")}
        return Keys({**named, "inputs": read, "output": own["output"]}, summary(merge))
    fields: dict[str, Field[Rule]] = {**block_fields(BLOCKS[block])}
    if "c" in fields:
        fields["c"] = fields["c"]._replace(rule=OrWord("classes", fields["c"].rule))
    tail = {name: known._replace(required=False) for name, known in fields.items()}
    halved = own["reduced_tail"]._replace(rule=Keys(tail, TAIL))
    return Keys({**own, "reduced_tail": halved, **fields}, summary(BLOCKS[block]))


def set_keys(block: str) -> Keys:
    """Return the keys of a block in a set; its ``c`` may be left to the set."""
    fields = dict(block_fields(BLOCKS[block]))
    if "c" in fields:
        fields["c"] = fields["c"]._replace(required=False)
    return Keys({"block": fields_of(Row)["block"], **fields}, summary(BLOCKS[block]))


def summary(documented: type) -> str:
    """Return the first paragraph of a class's docstring."""
    return " ".join((documented.__doc__ or "").split("\n\n")[0].split())


ROW = Tagged("block", (*BLOCKS, *MERGES), row_keys)


@dataclass(frozen=True)
class Network:
    """A network as its paper's table: rows of blocks, and the rule by which widths scale."""

    name: str
    x: Annotated[Shape, Chw("C, H, W of the input"), As("input")]
    rows: Annotated[tuple[Row, ...], ListOf(ROW, "from input to output", MAX_ROWS, "; use n")]
    title: Annotated[str, Text("the name in full, mobilenet_v2"), As("name")] = ""
    source: Annotated[str, Text("where the table is printed")] = ""
    published_source: Annotated[str, Text("where the figures are printed, if elsewhere")] = ""
    published_params: Annotated[str, OneOf(tuple(PARAMS), "which params are printed")] = "trainable"
    published: Annotated[tuple[Published, ...], ListOf(PUBLISHED), As(nullable=True)] = ()
    classes: Annotated[int | None, Whole(1, MAX_CHANNELS, "classes"), As(nullable=True)] = None
    width: Annotated[str, OneOf(WIDTHS, "how alpha makes widths")] = "truncate"
    divisor: Annotated[int, Whole(1, MAX_CHANNELS, "of width: divisible")] = 8
    expansion: Annotated[str, OneOf(EXPANSIONS, "whether exp scales as a ratio")] = "absolute"
    output_stride: Annotated[int | None, Whole(1, MAX_KERNEL, DILATES)] = None
    fold_bn: Annotated[bool, FOLD_BN] = False
    """Whether batch-norms are folded where ``settings`` do not say."""
    place: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        """Refuse more blocks than can be counted in a blink."""
        blocks = sum(row.n for row in self.rows)
        if blocks > MAX_BLOCKS:
            raise MbcostError(
                f"its rows repeat {blocks:,} times in all",
                place=self.place or self.name,
                way_out=f"at most {MAX_BLOCKS:,}",
            )

    @cached_property
    def accepts(self) -> Mapping[str, SettingRule]:
        """The settings that mean something for this network, each with its rule."""
        names = ["in", "size", "rho", "batch", "fold_bn"]
        if self.width != "none":
            names.append("alpha")
        if any("classes" in row.fields.values() for row in self.rows):
            names.append("classes")
        if any(row.reduced_tail for row in self.rows):
            names.append("reduced_tail")
        if self.width == "divisible":
            names.append("round_nearest")
        if self.output_stride is not None:
            names.append("output_stride")
        return {name: SETTINGS[name] for name in names}

    def printed_for(self, row: Published) -> dict[str, Any]:
        """Return the settings of a published row; without a width multiplier there is no alpha."""
        return {name: value for name, value in row.settings.items() if name in self.accepts}

    def top1(self, alpha: float, sides: tuple[int, int]) -> float | None:
        """Return the top-1 published for exactly this α and size and the network as it is."""
        as_it_is = {
            "alpha": alpha,
            "size": sides,
            "classes": self.classes,
            "reduced_tail": False,
            "output_stride": self.output_stride,
        }
        fitting = (row for row in self.published if row.settings.items() <= as_it_is.items())
        return next((row.top1 for row in fitting if row.top1 is not None), None)

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
        settings = settings or {}
        graph = Lowering(self, settings).graph()
        return fold_batch_norms(graph) if settings.get("fold_bn", self.fold_bn) else graph

    def count(self, **settings: object) -> CostReport:
        """Return the closed-form costs: ``network.count(alpha=0.5, size=160, batch=8)``."""
        return report(self, parse_all(self.accepts, settings, self.name))


INPUT_SETTINGS = ("in", "size", "batch", "fold_bn")
"""What every block accepts; no field of that name hides it (AlexNet's normalisation has a size)."""


@dataclass(frozen=True)
class SingleBlock:
    """One block with an input of its own; 64 → 128 channels at 224 × 224 unless set."""

    name: str
    block: str
    fields: Mapping[str, Any]
    x: Annotated[Shape, Chw("C, H, W of the input"), As("input")] = (64, 224, 224)
    c: Annotated[int, Whole(1, MAX_CHANNELS, "output channels of each block")] = 128
    source: Annotated[str, Text("where the blocks are described")] = ""
    place: str = field(default="", compare=False)
    fold_bn: Annotated[bool, FOLD_BN] = False
    """Whether batch-norms are folded where ``settings`` do not say."""

    @cached_property
    def accepts(self) -> Mapping[str, SettingRule]:
        """The settings that mean something for this block: its fields, and their longer names."""
        fields = block_fields(BLOCKS[self.block])
        names = [n for n in FIELD_OF if self._field(n) in fields]
        own = {name: known.rule for name, known in fields.items()}
        return own | {name: SETTINGS[name] for name in (*INPUT_SETTINGS, *names)}

    def _field(self, setting: str) -> str:
        """Return the block's field that a setting means; a convolution's t is not an expansion."""
        if setting == "expand" and self.block == "conv":
            return ""
        return FIELD_OF.get(setting, setting)

    def built(self, settings: Settings) -> Block:
        """Return the block with its fields under these settings."""
        known = block_fields(BLOCKS[self.block])
        fields = overridden(self.block, {"c": self.c} if "c" in known else {}, self.fields)
        chosen = {
            self._field(name): value
            for name, value in settings.items()
            if self._field(name) in known and name not in INPUT_SETTINGS
        }
        fields = overridden(self.block, fields, chosen)
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
        return fold_batch_norms(graph) if settings.get("fold_bn", self.fold_bn) else graph

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
