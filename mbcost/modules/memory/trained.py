"""What a step of training of any ``nn.Module`` keeps, on tensors of the CPU without values.

A dispatch mode watches, under which autograd adds gradients up out of place: the peak in backward
may be above that of a step which nobody watches. Importing this imports torch; only ``memory``
does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import reduce
from operator import add
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.functional import cross_entropy
from torch.utils._python_dispatch import TorchDispatchMode

from mbcost.errors import MbcostError
from mbcost.graph.training import Optimizer
from mbcost.modules.memory.elsewhere import NEEDS_VALUES
from mbcost.modules.memory.saved import saved_by
from mbcost.modules.memory.steps import Phase, Step, optimizer_of, watched
from mbcost.modules.trace.arguments import bind, tensors_in
from mbcost.modules.trace.forward import failed_forward, refuse_lazy
from mbcost.modules.trace.twin import Twin
from mbcost.modules.trace.untouched import untouched
from mbcost.modules.trace.values import refuse_too_large, with_values


class Trained(NamedTuple):
    """What a step of training keeps, and what autograd saves in its forward."""

    phases: Mapping[str, Phase]
    """By ``PHASES``."""
    saved: int
    """Bytes of unique storages without parameters and buffers."""
    in_place_on_view: str = ""
    """The first operator that wrote in place to a view, in a forward without values: its backward
    may keep more on tensors with values, of which autograd makes the view anew by its strides."""

    @property
    def peak(self) -> int:
        """Return the most bytes alive: parameters, gradients, buffers, state, inputs, targets."""
        return max(phase.peak for phase in self.phases.values())


class ModelStep(Step):
    """A model, its optimizer, its inputs and a class for every place of what it puts out.

    The loss is the sum of the cross entropies of all floating-point outputs, whose classes are
    their second dimension.
    """

    def __init__(self, module: nn.Module, args: Any, kwargs: Any, optimizer: Optimizer) -> None:
        self.module = module
        self.inputs = args, kwargs
        self.targets: list[Tensor] = []
        self.optimizer = optimizer_of(module, optimizer)
        self._autocast = torch.autocast("cpu", enabled=False)

    def outputs(self) -> Any:
        """Run a forward; the first one tells the shapes of the targets."""
        args, kwargs = self.inputs
        outputs = self.module(*args, **kwargs)
        if not self.targets:
            self.targets = [
                torch.zeros((y.shape[0], *y.shape[2:]), dtype=torch.int64) for y in _scores(outputs)
            ]
        return outputs

    def _loss(self, outputs: Any) -> Tensor:
        found = _scores(outputs)
        if not found:
            raise MbcostError(
                "puts out nothing that a loss can be made of: no tensor of N × classes",
                way_out="its inference can be watched",
            )
        losses = [cross_entropy(y, t) for y, t in zip(found, self.targets, strict=True)]
        return reduce(add, losses)

    def given(self) -> list[Tensor]:
        """Return every tensor that is there before a step."""
        states = [x for state in self.optimizer.state.values() for x in state.values()]
        tensors = [x for x in states if isinstance(x, Tensor)]
        own = (*self.module.parameters(), *self.module.buffers())
        return [*tensors_in(self.inputs), *self.targets, *own, *tensors]


def _scores(outputs: Any) -> list[Tensor]:
    return [y for y in tensors_in(outputs) if y.is_floating_point() and y.dim() > 1]


def observed_training(
    module: nn.Module,
    inputs: Sequence[Any],
    name: str = "",
    *,
    named: Mapping[str, Any] = MappingProxyType({}),
    optimizer: Optimizer = "sgd",
    built: Callable[[], nn.Module] | None = None,
) -> Trained:
    """Return what the second of two steps of training keeps, of a copy of ``module``.

    Where its path depends on values, or an operator has no other form, it runs on the CPU on those
    of the model, or of the one that ``built`` returns.
    """
    refuse_lazy(module, name)
    try:
        fake = FakeTensorMode(allow_non_fake_inputs=True)
        return _trained(module, inputs, named, name, optimizer, fake)
    except NEEDS_VALUES:
        real = module if built is None else built()
        refuse_too_large(real, name)
        return _trained(real, inputs, named, name, optimizer, None)


def _trained(
    module: nn.Module,
    inputs: Sequence[Any],
    named: Mapping[str, Any],
    name: str,
    optimizer: Optimizer,
    fake: FakeTensorMode | None,
) -> Trained:
    with torch.inference_mode(False), torch.enable_grad(), untouched(module):
        twin = Twin(module, name, real=fake is None, fake=fake)
        for part in twin.model.modules():
            part.__dict__["training"] = True
        args, kwargs = bind(twin.model.forward, inputs, named, name)
        if fake is None:
            args, kwargs = with_values(args), with_values(kwargs)
        args, kwargs = twin.copy(args), twin.copy(kwargs)
        layouts = _Layouts()
        try:
            with fake or nullcontext(), layouts if fake else nullcontext():
                found = trained_step(ModelStep(twin.model, args, kwargs, optimizer))
            return found._replace(in_place_on_view=layouts.in_place_on_view)
        except (MbcostError, *NEEDS_VALUES):
            raise
        except Exception as error:
            raise failed_forward(error, tensors_in((args, kwargs)), name, "") from error


class _Layouts(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no types there
    """Gives tensors without values the layout that the CPU's kernels give theirs, and notes where
    autograd treats the two differently."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.in_place_on_view = ""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not self.in_place_on_view and func._schema.is_mutable:
            x = args[0] if args else None
            if isinstance(x, Tensor) and x._is_view() and x.requires_grad:
                self.in_place_on_view = str(func)
        out = func(*args, **(kwargs or {}))
        if func is torch.ops.aten.native_layer_norm_backward.default and out[0] is not None:
            return torch.empty(out[0].shape, dtype=out[0].dtype), *out[1:]
        return out


def trained_step(step: ModelStep) -> Trained:
    """Return what a step keeps, and what autograd saves in one more forward."""
    phases = watched(step)
    return Trained(phases, sum(saved_by(step.outputs, step.module).values()))
