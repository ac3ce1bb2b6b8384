"""A model from elsewhere as counters work on it."""

from __future__ import annotations

from functools import cached_property
from math import prod
from typing import TYPE_CHECKING

from mbcost.cost import CostReport
from mbcost.counters import Workbench
from mbcost.models import Model
from mbcost.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor, nn


class ModelWorkbench(Workbench):
    """A model from elsewhere as modules and inputs, each built once however many counters ask."""

    traced = True

    def __init__(self, model: Model, settings: Settings, report: CostReport) -> None:
        self.model = model
        self.settings = settings
        self.report = report
        self.batch = report.batch

    @cached_property
    def map_bytes(self) -> int:
        """What the largest layer's input and output take, for one image."""
        maps = (prod(row.x) + row.elements // self.batch for row in self.report.layers)
        return 4 * max(maps, default=0)

    @cached_property
    def weight_bytes(self) -> int:
        """What all parameters and buffers take, called or not."""
        from torch.nn.parameter import is_lazy

        held = (*self._built.parameters(), *self._built.buffers())
        return sum(t.numel() * t.element_size() for t in held if not is_lazy(t))

    @cached_property
    def _built(self) -> nn.Module:
        return self.model.build(self.settings)

    @cached_property
    def module(self) -> nn.Module:
        """The model on the CPU, its parameters zero."""
        from mbcost.models.build import with_zeros

        return with_zeros(self._built)

    @cached_property
    def meta_module(self) -> nn.Module:
        """The model on the meta device."""
        return self.model.build(self.settings).to("meta")

    def inputs(self, batch: int, device: str = "cpu") -> tuple[Tensor, ...]:
        """Return the inputs, ``batch`` images of them."""
        found = self.model.inputs(self.settings, batch, device)
        if "input" not in self.settings or batch == self.batch:
            return found
        return tuple(  # given whole, with its own batch
            x.new_zeros(batch, *x.shape[1:]) if x.shape[0] == self.batch else x for x in found
        )
