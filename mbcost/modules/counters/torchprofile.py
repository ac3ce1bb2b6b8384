"""torchprofile: multiply-adds by operator in a traced graph, on the CPU."""

from __future__ import annotations

import warnings
from typing import Any

from mbcost.modules.counters.workbench import Counted, Workbench


def count_torchprofile(bench: Workbench) -> Counted:
    """Return torchprofile's total, or why it was skipped."""
    if not bench.fits(bench.batch):
        why = bench.too_large(bench.batch)
        return Counted(None, {}, skipped=f"{why}, and it traces on the CPU")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch
        from torchprofile import profile_macs

        fused = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)  # as for fvcore: the plain operators
        try:
            with torch.no_grad():
                nodes: Any = profile_macs(bench.module, bench.inputs(bench.batch), reduction=None)
        finally:
            torch.backends.mha.set_fastpath_enabled(fused)
    # its nodes name no modules: under no scope does it say where an operator ran
    return Counted(sum(int(figure) for figure in nodes.values()), {}, tells_layers=False)
