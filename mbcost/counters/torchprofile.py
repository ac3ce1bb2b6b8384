"""torchprofile: multiply-adds by operator in a traced graph, on the CPU."""

from __future__ import annotations

import re
import warnings

from mbcost.counters.workbench import Counted, Workbench


def count_torchprofile(bench: Workbench) -> Counted:
    """Return torchprofile's total and its figure per module, or why it was skipped."""
    if not bench.fits(bench.batch):
        return Counted(None, {}, skipped="it traces on the CPU, and the maps are too large")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch
        from torchprofile import profile_macs

        fused = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)  # as for fvcore: the plain operators
        try:
            with torch.no_grad():
                nodes = profile_macs(bench.module, bench.inputs(bench.batch), reduction=None)
        finally:
            torch.backends.mha.set_fastpath_enabled(fused)
    by_layer: dict[str, int] = {}
    for node, figure in nodes.items():
        path = _path(node.scope)
        by_layer[path] = by_layer.get(path, 0) + int(figure)
    return Counted(sum(int(figure) for figure in nodes.values()), by_layer)


def _path(scope: str) -> str:
    """Return the module's path in ``Net/Sequential[features]/Conv2d[0]`` or ``__module.a/…``."""
    names = re.findall(r"\[([^\]]*)\]", scope)
    if names:
        return ".".join(names)
    last = scope.rpartition("/")[2]
    return last.removeprefix("__module.model").removeprefix("__module").lstrip(".")
