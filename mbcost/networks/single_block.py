"""One block with an input of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any

from mbcost.cost import CostReport, cost_of
from mbcost.errors import LayerError
from mbcost.graph.fold import fold_batch_norms
from mbcost.graph.graph import Graph, Node, wire
from mbcost.graph.primitives import Shape
from mbcost.networks.blocks import BLOCKS, Block, block_fields
from mbcost.networks.rows import overridden
from mbcost.networks.rules import MAX_CHANNELS, As, Chw, SettingRule, Text, Whole
from mbcost.networks.settings import FIELD_OF, SETTINGS, Settings, parse_all

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
    fold_bn: Annotated[bool, SETTINGS["fold_bn"]] = False
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
        given = parse_all(self.accepts, settings, self.name)
        return cost_of(self.graph(given), self.name, given.get("batch", 1))
