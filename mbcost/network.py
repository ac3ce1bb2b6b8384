"""Networks and single blocks as specs, and their lowering to a graph of primitive layers.

``Network`` is a YAML of rows; α, ρ, classes and the reduced tail are applied here, row by row, by
the scaling rule the YAML names. ``SingleBlock`` is one block with an input of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from mbcost.blocks import BLOCKS, Block, block_fields
from mbcost.blocks.fields import width_fields
from mbcost.cost import CostReport, cost_of
from mbcost.errors import LayerError, MbcostError
from mbcost.fold import fold_batch_norms
from mbcost.layers import Graph, Node, Shape, wire
from mbcost.settings import FIELD_OF, SETTINGS, SettingRule, Settings, parse_all
from mbcost.widths import make_divisible

SCALES = ("full", "widen", "fixed")
WIDTHS = ("truncate", "divisible", "none")
"""How α makes widths: int(c·α); a multiple of the divisor; or the network has no α."""
EXPANSIONS = ("ratio", "absolute")
MAX_REPEATS = 1000


class Published(NamedTuple):
    """One printed row about a network: figures as printed, with a reason where ours differ."""

    alpha: float
    size: int
    mult_adds: str | None = None
    params: str | None = None
    top1: float | None = None
    reason: str | None = None


class Row(NamedTuple):
    """A row of a network's table: a block, its fields unscaled, and how often it repeats."""

    block: str
    fields: Mapping[str, Any]
    n: int = 1
    scale: str = "full"
    reduced_tail: Mapping[str, Any] | None = None
    place: str = ""


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
        return {name: SETTINGS[name] for name in names}

    def printed_for(self, row: Published) -> dict[str, Any]:
        """Return the settings of a published row; without a width multiplier there is no alpha."""
        settings: dict[str, Any] = {"size": row.size}
        return settings | ({"alpha": row.alpha} if "alpha" in self.accepts else {})

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
        graph = Lowering(self, settings or {}).graph()
        return fold_batch_norms(graph) if settings and settings.get("fold_bn") else graph

    def count(self, **settings: object) -> CostReport:
        """Return the closed-form costs: ``network.count(alpha=0.5, size=160, batch=8)``."""
        return report(self, parse_all(self.accepts, settings, self.name))


@lru_cache(maxsize=4096)
def lowered(block: Block, x: Shape) -> tuple[tuple[Node, ...], Shape]:
    """Return a block's layers as a graph of their own on a map of shape ``x``, and its output.

    Networks repeat blocks, and sweeps repeat networks: a block is lowered once per input shape.
    """
    nodes: list[Node] = []
    _, y = wire(nodes, block.steps(x), "", "", -1, x)
    return tuple(nodes), y


def place(nodes: list[Node], block: Block, prefix: str, source: int, x: Shape) -> tuple[int, Shape]:
    """Append a block's layers to ``nodes`` as ``wire`` does; return the last one."""
    try:
        own, y = lowered(block, x)
    except LayerError:
        wire([], block.steps(x), prefix, prefix, source, x)  # the error with its whole path
        raise
    first = len(nodes)
    for path, _, layer, inputs, x_in, y_out in own:
        feeds = tuple([source if i < 0 else first + i for i in inputs])
        nodes.append(Node(f"{prefix}.{path}", prefix, layer, feeds, x_in, y_out))
    return (len(nodes) - 1 if own else source), y


class Lowering:
    """One pass over a network's rows: scales each, lowers it, wires it to the one before."""

    def __init__(self, network: Network, settings: Settings) -> None:
        self.network = network
        self.alpha: float = settings.get("alpha", 1.0)
        self.classes = settings.get("classes", network.classes)
        self.tail: bool = settings.get("reduced_tail", False)
        self.divisor: int = settings.get("round_nearest", network.divisor)
        self.x = network.input_shape(settings)
        self.nominal: int | None = network.x[0]
        """Width of the current map before scaling: what a printed expansion is a ratio of; None
        after a block that has no c."""

    def graph(self) -> Graph:
        """Return the layers of all rows."""
        nodes: list[Node] = []
        source, x = -1, self.x
        for index, row in enumerate(self.network.rows):
            fields = {**row.fields, **(row.reduced_tail or {})} if self.tail else row.fields
            for repeat in range(row.n):
                prefix = f"rows.{index}.{repeat}" if row.n > 1 else f"rows.{index}"
                try:
                    source, x = place(nodes, self.block(row, fields, repeat, x), prefix, source, x)
                except LayerError as error:
                    raise self._at(row, error) from None
        return Graph(self.x, tuple(nodes))

    def block(self, row: Row, fields: Mapping[str, Any], repeat: int, x: Shape) -> Block:
        """Return the row's block with its widths scaled; a repeat has stride 1."""
        built = dict(fields)
        if repeat and "s" in built:
            built["s"] = 1
        if "exp" in built:
            built["exp"] = self.expanded(built["exp"], x[0])
        factor = {"full": self.alpha, "widen": max(1.0, self.alpha), "fixed": 1.0}[row.scale]
        inner = width_fields(BLOCKS[row.block])
        for name in inner:
            built[name] = self.rounded(built[name] * factor)
        if built.get("c") == "classes":
            self.nominal = built["c"] = self.classes
        elif "c" in built:
            self.nominal = built["c"]
            built["c"] = self.rounded(built["c"] * factor)
        elif inner:
            self.nominal = None
        elif row.block == "conv" and self.nominal is not None:
            self.nominal = int(self.nominal * built["t"])
        return BLOCKS[row.block](**built)

    def rounded(self, value: float) -> int:
        """Return a built width by the network's rule."""
        if self.network.width == "divisible":
            return make_divisible(value, self.divisor)
        if value < 1:
            raise LayerError("no channel is left", way_out="a larger alpha")
        return int(value)

    def expanded(self, exp: int, c_in: int) -> int:
        """Return the built expansion: as a ratio to the built input width, or scaled by itself."""
        if self.network.expansion == "ratio":
            if self.nominal is None:
                raise LayerError(
                    "has an expansion by ratio to a width that no row prints",
                    way_out="expansion: absolute, or a row with c before it",
                )
            return self.rounded(c_in * (exp / self.nominal))
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
        if setting == "expand" and self.block == "conv":
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
            other = {"inverted_residual": "exp", "conv": "c"}.get(self.block)
            if other:
                fields[other] = None  # two ways to say one thing
        elif "exp" in settings and "t" in known:
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
