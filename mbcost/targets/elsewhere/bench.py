"""A model from elsewhere as counters work on it."""

from __future__ import annotations

from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

from mbcost.cost import CostReport
from mbcost.modules.counters import Workbench
from mbcost.networks.settings import Settings
from mbcost.targets.elsewhere import Model

if TYPE_CHECKING:
    from torch import Tensor, nn


class ModelWorkbench(Workbench):
    """A model from elsewhere as modules and inputs, each built once however many counters ask."""

    traced = True

    def __init__(
        self, model: Model, settings: Settings, report: CostReport, *, real: bool = False
    ) -> None:
        self.model = model
        self.settings = settings
        self.report = report
        self.batch = report.batch
        self.real = real
        self.meta = "cpu" if real else "meta"

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
        """The model on the CPU: its parameters zero, or the values that it was traced with."""
        from mbcost.targets.elsewhere.build import with_zeros

        if self.real:
            return self._by_position(self.model.build(self.settings, real=True))
        return self._by_position(with_zeros(self._built))

    @cached_property
    def meta_module(self) -> nn.Module:
        """The model on the meta device; the one on the CPU where only that can run."""
        if self.real:
            return self.module
        return self._by_position(self.model.build(self.settings).to("meta"))

    def _by_position(self, module: nn.Module) -> nn.Module:
        """Let a model take by position what it was given by name: so counters call it."""
        if not any(given.name for given in self.model.input_shapes(self.settings)):
            return module
        from mbcost.modules.trace.arguments import bind

        forward = module.forward

        def by_position(*inputs: Any) -> Any:
            given, named = self.model.by_name(self.settings, inputs)
            args, kwargs = bind(forward, given, named, self.model.name)
            return forward(*args, **kwargs)

        module.forward = by_position  # it was built for this
        return module

    def inputs(self, batch: int, device: str = "cpu") -> tuple[Tensor, ...]:
        """Return the inputs, ``batch`` images of them; with values if it was traced with some."""
        found = self.model.inputs(self.settings, batch, "meta" if self.real else device)
        if "input" in self.settings and batch != self.batch:  # given whole, with its own batch
            found = tuple(
                x.new_zeros(batch, *x.shape[1:]) if x.shape[0] == self.batch else x for x in found
            )
        if not self.real:
            return found
        from mbcost.modules.trace.values import with_values

        return with_values(found)  # type: ignore[no-any-return]
