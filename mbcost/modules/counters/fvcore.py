"""fvcore: flops by operator in a traced graph.

It crashes on meta tensors, so it traces on the CPU: the whole batch while that is small, else one
image, times the batch (each of our operators is linear in the batch), or, of a model from
elsewhere, one and two images.
"""

from __future__ import annotations

import warnings
from typing import Any

from mbcost.modules.counters.workbench import Counted, Workbench, exclusive


def count_fvcore(bench: Workbench) -> Counted:
    """Return fvcore's total flops and its figure per layer, or why it was skipped."""
    least = min(bench.batch, 2 if bench.traced else 1)
    if not bench.fits(least):
        return Counted(None, {}, skipped=f"{bench.too_large(least)}, and fvcore needs the CPU")
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

    def counted(batch: int) -> dict[str, int]:
        with torch.no_grad():
            analysis = analysis_class(bench.module, bench.inputs(batch))
            analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
            return {path: int(n) for path, n in analysis.by_module().items()}

    if bench.fits(bench.batch):
        inclusive = counted(bench.batch)
    elif not bench.traced:
        inclusive = {path: bench.batch * n for path, n in counted(1).items()}
    else:  # part of the work may not depend on the batch: two batches tell how much
        one, two = counted(1), counted(2)
        inclusive = {path: n + (bench.batch - 1) * (two[path] - n) for path, n in one.items()}
    paths = [path for path, _ in bench.module.named_modules()]
    return Counted(inclusive[""], exclusive(inclusive, paths))
