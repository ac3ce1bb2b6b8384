"""torch's own ``FlopCounterMode``, by dispatch; on the meta device, so that nothing is computed."""

from __future__ import annotations

from mbcost.counters.workbench import Counted, Workbench


def count_torch(bench: Workbench) -> Counted:
    """Return torch's total flops (a multiply-add counts two) and its figure per layer."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    module = bench.meta_module
    mode = FlopCounterMode(display=False)
    with torch.no_grad(), mode:
        module(bench.images(bench.batch, "meta"))
    root = type(module).__name__
    leaves = {f"{root}.{path}": path for path, m in module.named_modules() if not any(m.children())}
    by_layer = {
        leaves[name]: sum(flops.values())
        for name, flops in mode.get_flop_counts().items()
        if name in leaves
    }
    return Counted(mode.get_total_flops(), by_layer)
