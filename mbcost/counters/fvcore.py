"""fvcore: flops by operator in a traced graph.

It crashes on meta tensors, so it traces on the CPU: the whole batch while that is small, else one
image, times the batch (each of its operators is linear in the batch).
"""

from __future__ import annotations

import warnings
from typing import Any

from mbcost.counters.workbench import Counted, Workbench, exclusive


def count_fvcore(bench: Workbench) -> Counted:
    """Return fvcore's total flops and its figure per layer, or why it was skipped."""
    if not bench.fits(1):
        return Counted(None, {}, skipped=f"{bench.too_large(1)}, and fvcore needs the CPU")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's deprecation of torch.jit is not the user's
        import torch
        from fvcore.nn import FlopCountAnalysis

        # without gradients torch takes attention's fused fast path, which has no handle here;
        # who calls fvcore plainly has gradients on, and so the plain operators
        fused = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            return _analysed(bench, FlopCountAnalysis)
        finally:
            torch.backends.mha.set_fastpath_enabled(fused)


def _analysed(bench: Workbench, analysis_class: Any) -> Counted:
    import torch

    batch = bench.batch if bench.fits(bench.batch) else 1
    scale = bench.batch // batch
    with torch.no_grad():
        analysis = analysis_class(bench.module, bench.inputs(batch))
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        inclusive = {path: scale * int(n) for path, n in analysis.by_module().items()}
        paths = [path for path, _ in bench.module.named_modules()]
        return Counted(scale * int(analysis.total()), exclusive(inclusive, paths))
