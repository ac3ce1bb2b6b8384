"""Networks and single blocks as specs that lower to a graph of primitive layers.

``Network`` is a YAML of rows, scaled and wired row by row in ``lowering``. ``SingleBlock`` is one
block with an input of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any

from mbcost.cost import PARAMS, CostReport, cost_of
from mbcost.errors import MbcostError
from mbcost.graph.fold import fold_batch_norms
from mbcost.graph.graph import Graph
from mbcost.graph.primitives import Shape
from mbcost.networks.lowering import Lowering
from mbcost.networks.published import PUBLISHED, Published
from mbcost.networks.rows import ROW, Row
from mbcost.networks.rules import (
    MAX_CHANNELS,
    MAX_KERNEL,
    As,
    Chw,
    ListOf,
    OneOf,
    SettingRule,
    Text,
    Whole,
)
from mbcost.networks.scaling import Feed, Scaling
from mbcost.networks.settings import SETTINGS, Settings, parse_all
from mbcost.networks.widths import Rounding
from mbcost.units import thousands

WIDTHS = ("truncate", "divisible", "none")
"""How α makes widths: int(c·α); a multiple of the divisor; or the network has no α."""
EXPANSIONS = ("ratio", "absolute")
MAX_ROWS = 1000
MAX_BLOCKS = 10_000
"""Of a network, each row as often as it repeats: the deepest one published has some hundreds."""


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
    min_width: Annotated[int, Whole(0, MAX_CHANNELS, "of a layer that alpha scales")] = 0
    expansion: Annotated[str, OneOf(EXPANSIONS, "whether exp scales as a ratio")] = "absolute"
    output_stride: Annotated[int | None, Whole(1, MAX_KERNEL, "where dilation takes over")] = None
    fold_bn: Annotated[bool, SETTINGS["fold_bn"]] = False
    """Whether batch-norms are folded where ``settings`` do not say."""
    place: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        """Refuse more blocks than can be counted in a blink."""
        blocks = sum(row.n for row in self.rows)
        if blocks > MAX_BLOCKS:
            raise MbcostError(
                f"its rows repeat {thousands(blocks)} times in all",
                place=self.place or self.name,
                way_out=f"at most {thousands(MAX_BLOCKS)}",
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

    def top1(self, settings: Settings) -> float | None:
        """Return the top-1 published for the network under exactly these settings, in per cent."""
        asked = {**settings, "size": self.input_shape(settings)[1:]}
        own = {
            "in": self.x[0],
            "size": self.x[1:],
            "alpha": 1.0,
            "classes": self.classes,
            "reduced_tail": False,
            "round_nearest": self.divisor,
            "output_stride": self.output_stride,
        }
        fitting = (row for row in self.published if row.fits(asked, own))
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

    def scaling(self, settings: Settings) -> Scaling:
        """Return what the settings do to the rows."""
        divisor = settings.get("round_nearest", self.divisor) if self.width == "divisible" else 1
        return Scaling(
            alpha=settings.get("alpha", 1.0),
            rounding=Rounding(self.width, divisor, self.min_width),
            expansion=self.expansion,
            classes=settings.get("classes", self.classes),
            tail=settings.get("reduced_tail", False),
            output_stride=settings.get("output_stride", self.output_stride),
        )

    def first_feed(self, settings: Settings) -> Feed:
        """Return what the first row is fed: the image."""
        return Feed(-1, self.input_shape(settings), self.x[0])

    def lowering(self, settings: Settings) -> Lowering:
        """Return a pass over the rows under these settings."""
        first, scaling = self.first_feed(settings), self.scaling(settings)
        return Lowering(self.rows, first, scaling, self.place or self.name)

    def graph(self, settings: Settings | None = None) -> Graph:
        """Return the network's layers under these settings (all optional).

        Raises ``MbcostError`` naming the row where a map shrinks to nothing or widths do not fit.
        """
        settings = settings or {}
        graph = self.lowering(settings).graph()
        return fold_batch_norms(graph) if settings.get("fold_bn", self.fold_bn) else graph

    def count(self, **settings: object) -> CostReport:
        """Return the closed-form costs: ``network.count(alpha=0.5, size=160, batch=8)``."""
        given = parse_all(self.accepts, settings, self.name)
        return cost_of(self.graph(given), self.name, given.get("batch", 1))
