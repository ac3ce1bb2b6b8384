"""fvcore: flops by operator in a traced graph.

It crashes on meta tensors, so it traces on the CPU: the whole batch while that is small, else one
image, times the batch (each of its operators is linear in the batch).
"""

from __future__ import annotations

import warnings

from mbcost.counters.workbench import ACTIVATION_LIMIT_BYTES, Counted, Workbench
from mbcost.units import megabytes


def count_fvcore(bench: Workbench) -> Counted:
    """Return fvcore's total flops and its figure per layer, or why it was skipped."""
    if not bench.fits(1):
        limit = megabytes(ACTIVATION_LIMIT_BYTES).removesuffix(".00")
        return Counted(
            None,
            {},
            skipped=f"one image's largest layer is above {limit} MB and fvcore needs the CPU",
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's deprecation of torch.jit is not the user's
        import torch
        from fvcore.nn import FlopCountAnalysis

        batch = bench.batch if bench.fits(bench.batch) else 1
        with torch.no_grad():
            analysis = FlopCountAnalysis(bench.module, bench.images(batch))
            analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
            scale = bench.batch // batch
            modules = analysis.by_module()
            by_layer = {
                path: scale * int(modules[path])
                for path, part in bench.module.named_modules()
                if not any(part.children())
            }
            return Counted(scale * int(analysis.total()), by_layer)
