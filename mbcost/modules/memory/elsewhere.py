"""What a forward of any ``nn.Module`` keeps in memory, on tensors of the CPU without values.

The meta device is not the CPU: there batch-norm in eval mode puts out its statistics, and attention
runs in parts. Importing this imports torch; only ``memory`` does.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
    UnsupportedFakeTensorException,
    UnsupportedOperatorException,
)

from mbcost.errors import MbcostError
from mbcost.modules.memory.observed import Observed
from mbcost.modules.memory.storages import Storages
from mbcost.modules.trace.arguments import bind, tensors_in
from mbcost.modules.trace.forward import failed_forward, refuse_lazy
from mbcost.modules.trace.twin import Twin
from mbcost.modules.trace.untouched import untouched
from mbcost.modules.trace.values import refuse_too_large, with_values

NEEDS_VALUES = (
    DataDependentOutputException,
    DynamicOutputShapeException,
    UnsupportedFakeTensorException,
    UnsupportedOperatorException,
)


def observed_inference(
    module: nn.Module,
    inputs: Sequence[Any],
    name: str = "",
    *,
    named: Mapping[str, Any] = MappingProxyType({}),
    built: Callable[[], nn.Module] | None = None,
    real: bool = False,
) -> Observed:
    """Return what one forward of a copy of ``module`` in eval mode keeps; its caller holds the
    inputs, of which shapes matter.

    ``real`` runs it with the values of the model, or of the one that ``built`` returns; so does a
    path that depends on values, or an operator that has no other form.
    """
    refuse_lazy(module, name)
    if not real:
        try:
            fake = FakeTensorMode(allow_non_fake_inputs=True)
            return _observed(module, inputs, named, name, fake)
        except NEEDS_VALUES:
            pass
    with_some = module if built is None else built()
    refuse_too_large(with_some, name)
    return _observed(with_some, inputs, named, name, None)


def _observed(
    module: nn.Module,
    inputs: Sequence[Any],
    named: Mapping[str, Any],
    name: str,
    fake: FakeTensorMode | None,
) -> Observed:
    with torch.inference_mode(False), torch.no_grad(), untouched(module):
        twin = Twin(module, name, real=fake is None, fake=fake)
        args, kwargs = bind(twin.model.forward, inputs, named, name)
        if fake is None:
            args, kwargs = with_values(args), with_values(kwargs)
        args, kwargs = twin.copy(args), twin.copy(kwargs)
        watch = Storages(twin.model, tensors_in((args, kwargs)))
        try:
            with fake or torch.no_grad(), watch.watched(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                output = twin.model(*args, **kwargs)
        except (MbcostError, *NEEDS_VALUES):
            raise
        except Exception as error:
            raise failed_forward(error, tensors_in((args, kwargs)), name, watch.path) from error
        del output
    return Observed(watch.given, tuple(watch.samples), watch.largest)
