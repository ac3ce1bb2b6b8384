"""Runs one forward of a copy, watched: modules by hooks, functions and operators by modes.

Importing this imports torch; only ``trace`` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)

from mbcost.errors import MbcostError
from mbcost.modules.trace.arguments import bind, tensors_in
from mbcost.modules.trace.modes import Dispatch, Functions
from mbcost.modules.trace.recorder import Recorder
from mbcost.modules.trace.recording import Call, Recording, first_shape
from mbcost.modules.trace.twin import Twin
from mbcost.modules.trace.untouched import plain_operators, untouched
from mbcost.modules.trace.values import (
    NeedsValuesError,
    asks_for_values,
    refuse_too_large,
    why_values,
    with_values,
)


def record_forward(
    module: nn.Module,
    inputs: Sequence[Any],
    named: Mapping[str, Any],
    name: str,
    *,
    real: bool = False,
) -> Recording:
    """Run a copy of ``module`` once on ``inputs``; an error in it names where it happened.

    On the meta device, or ``real``: with its values, on the CPU. Raises ``NeedsValuesError`` where
    only the second can be.
    """
    refuse_lazy(module, name)
    if real:
        refuse_too_large(module, name)
    plainly = plain_operators() if real else nullcontext()  # on meta there are no others
    with torch.inference_mode(False), torch.no_grad(), untouched(module), plainly:
        twin = Twin(module, name, real=real)
        args, kwargs = bind(twin.model.forward, inputs, named, name)
        if real:
            args, kwargs = with_values(args), with_values(kwargs)
        args, kwargs = twin.copy(args), twin.copy(kwargs)
        recorder = Recorder(twin)
        output = _run(recorder, args, kwargs, name)
        images = _images((args, kwargs), recorder.calls)
    recording = Recording(twin.original, images, recorder.calls, recorder.ops, recorder.reduced)
    recording.output_shape = recording.without_batch(first_shape(output))
    return recording


def _run(recorder: Recorder, args: Any, kwargs: Any, name: str) -> Any:
    handles = (
        register_module_forward_pre_hook(recorder.enter),
        register_module_forward_hook(recorder.leave),
    )
    try:
        with Dispatch(recorder), Functions(recorder):
            return recorder.twin.model(*args, **kwargs)
    except MbcostError:
        raise
    except Exception as error:
        raise _explained(recorder, error, tensors_in((args, kwargs)), name) from error
    finally:
        for handle in handles:
            handle.remove()


def _explained(
    recorder: Recorder, error: Exception, inputs: Iterable[Tensor], name: str
) -> MbcostError:
    if not recorder.real and asks_for_values(error):
        return NeedsValuesError(why_values(error), place=name)
    return failed_forward(error, inputs, name, recorder.stack[-1].path)


def failed_forward(error: Exception, inputs: Iterable[Tensor], name: str, path: str) -> MbcostError:
    """Return in words that the module at ``path`` of a model fails on such inputs."""
    shapes = " and ".join("x".join(map(str, x.shape)) for x in inputs)
    lines = str(error).strip().splitlines() or [""]
    text = f"{type(error).__name__}: {lines[0][:300]}"
    return MbcostError(
        f"its forward fails on an input of {shapes}: {text}",
        place=f"{name}: {path}" if path else name,
        way_out="another --input or --size; the shape includes the batch: --input 1x3x224x224",
    )


def refuse_lazy(module: nn.Module, name: str) -> None:
    """Raise where a module does not know its widths yet."""
    for tensors in (module.parameters(), module.buffers()):
        if any(torch.nn.parameter.is_lazy(tensor) for tensor in tensors):
            raise MbcostError(
                "has lazy layers whose widths are not known yet",
                place=name,
                way_out="run it once on a real input first",
            )


def _images(given: Any, calls: Sequence[Call]) -> int:
    """Return how many images the arguments hold: the first dimension of their first tensor.

    A vector is one image, as is what a convolution takes without a batch: C×H×W in two dimensions.
    A list of such images is a batch.
    """
    args, _ = given
    first = args[0] if args else None
    if isinstance(first, list) and all(isinstance(x, Tensor) and x.dim() == 3 for x in first):
        return len(first)
    x = tuple(next(tensors_in(given)).shape)
    if len(x) < 2:
        return 1
    for call in calls:
        for event in call.events:
            kernel = event.cost.kernel
            if kernel is not None and len(kernel) == len(x) - 1 and event.cost.x[0] == 1 != x[0]:
                return 1
    return x[0]
