"""Networks and single blocks as specs that lower to a graph of primitive layers.

``Network`` is a YAML of rows, scaled and wired row by row in ``lowering``. ``SingleBlock`` is one
block with an input of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from mbcost.cost import CostReport, cost_of
from mbcost.errors import LayerError, MbcostError
from mbcost.graph.fold import fold_batch_norms
from mbcost.graph.graph import Graph, Node, wire
from mbcost.graph.primitives import Shape
from mbcost.networks.blocks import BLOCKS, Block, block_fields
from mbcost.networks.lowering import Lowering, overridden
from mbcost.networks.settings import FIELD_OF, SETTINGS, SettingRule, Settings, parse_all
from mbcost.units import parse_size, thousands

SCALES = ("full", "widen", "fixed", "truncate")
WIDTHS = ("truncate", "divisible", "none")
"""How α makes widths: int(c·α); a multiple of the divisor; or the network has no α."""
EXPANSIONS = ("ratio", "absolute")
MAX_REPEATS = 1000
MAX_BLOCKS = 10_000
"""Of a network, each row as often as it repeats: the deepest one published has some hundreds."""


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
    fold_bn: bool = False
    """Whether batch-norms are folded where ``settings`` do not say."""

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
    x: Shape = (64, 224, 224)
    c: int = 128
    source: str = ""
    place: str = field(default="", compare=False)
    fold_bn: bool = False
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
