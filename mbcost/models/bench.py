"""A model from elsewhere as counters work on it."""

from __future__ import annotations

from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

from mbcost.cost import CostReport
from mbcost.counters import ACTIVATION_LIMIT_BYTES, Workbench
from mbcost.models import Model
from mbcost.settings import Settings

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

    def fits(self, batch: int) -> bool:
        """Return whether a forward of ``batch`` images stays under the activation limit."""
        largest = max((prod(row.x) + prod(row.y) for row in self.report.layers), default=0)
        return 4 * batch * largest <= ACTIVATION_LIMIT_BYTES

    @cached_property
    def module(self) -> nn.Module:
        """The model on the CPU: its parameters zero, or the values that it was traced with."""
        from mbcost.models.build import with_zeros

        if self.real:
            return self._by_position(self.model.build(self.settings, real=True))
        return self._by_position(with_zeros(self.model.build(self.settings)))

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
        forward = module.forward

        def by_position(*inputs: Any) -> Any:
            args, kwargs = bind(forward, *self.model.by_name(self.settings, inputs), self.model.name)
            return forward(*args, **kwargs)

        from mbcost.trace.arguments import bind

        module.forward = by_position  # it was built for this
        return module

    def inputs(self, batch: int, device: str = "cpu") -> tuple[Tensor, ...]:
        """Return the inputs, ``batch`` images of them; with values if it was traced with some."""
        if not self.real:
            return self.model.inputs(self.settings, batch, device)
        from mbcost.trace.arguments import with_values

        return with_values(self.model.inputs(self.settings, batch))  # type: ignore[no-any-return]
