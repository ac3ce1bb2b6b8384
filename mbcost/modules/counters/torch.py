"""torch's own ``FlopCounterMode``, by dispatch; on the meta device, so that nothing is computed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from mbcost.modules.counters.workbench import Counted, Workbench, exclusive

if TYPE_CHECKING:
    from torch import nn


@contextmanager
def _without_gradients(module: nn.Module) -> Iterator[None]:
    """Its tracker of modules crashes where a parameter, such as a class token, enters one."""
    trained = [p for p in module.parameters() if p.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


def _plainly(bench: Workbench) -> AbstractContextManager[None]:
    """On the CPU attention has fused operators without a formula; on meta it has not."""
    if not bench.real:
        return nullcontext()
    from mbcost.modules.trace.untouched import plain_operators

    return plain_operators()


def count_torch(bench: Workbench) -> Counted:
    """Return torch's total flops (a multiply-add counts two) and its figure per layer."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    module = bench.meta_module.requires_grad_(False)  # its hooks on gradients fail under no_grad
    mode = FlopCounterMode(display=False)
    with torch.no_grad(), _plainly(bench), _without_gradients(module), mode:
        module(*bench.inputs(bench.batch, bench.meta))
    root = type(module).__name__
    names = {f"{root}.{path}" if path else root: path for path, _ in module.named_modules()}
    inclusive = {
        names[name]: sum(flops.values())
        for name, flops in mode.get_flop_counts().items()
        if name in names
    }
    return Counted(mode.get_total_flops(), exclusive(inclusive, names.values()))
