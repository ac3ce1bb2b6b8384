"""ptflops, both of its backends: ``pytorch`` by module hooks and patched functions, ``aten`` by
dispatch. It tells modules apart only in print, so its figures are totals.
"""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any

from mbcost.modules.counters.workbench import Counted, Workbench

if TYPE_CHECKING:
    from torch import nn


def count_ptflops_pytorch(bench: Workbench) -> Counted:
    """Return the total of the ``pytorch`` backend, on the CPU: on meta it counts a biased linear
    layer twice, once more in the decomposed addmm."""
    if not bench.fits(bench.batch):
        why = bench.too_large(bench.batch)
        return Counted(None, {}, skipped=f"{why}, and this backend needs the CPU")
    return _counted(bench, bench.module, "pytorch", "cpu")


def count_ptflops_aten(bench: Workbench) -> Counted:
    """Return the total of the ``aten`` backend, on meta."""
    return _counted(bench, bench.meta_module, "aten", bench.meta)


def _counted(bench: Workbench, module: nn.Module, backend: str, device: str) -> Counted:
    import torch
    from ptflops import get_model_complexity_info

    inputs = bench.inputs(bench.batch, device)
    scale = 1
    if backend == "pytorch":  # it divides what modules counted by the batch, not what functions did
        inputs, scale = bench.inputs(1, device), bench.batch
    given: Any = inputs[0]
    if len(inputs) > 1:
        names = list(_parameter_names(module))
        given = dict(zip(names, inputs, strict=False))
    printed = io.StringIO()
    with torch.no_grad(), contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        total, _ = get_model_complexity_info(
            module,
            (1,),
            print_per_layer_stat=False,
            as_strings=False,
            input_constructor=lambda _: given,
            ost=printed,
            backend=backend,
        )
    if total is None:  # it prints the exception instead of raising it
        lines = [line for line in printed.getvalue().splitlines() if "Error" in line]
        raise RuntimeError(lines[-1] if lines else "ptflops gave up")
    return Counted(scale * int(total), {}, tells_layers=False)


def _parameter_names(module: nn.Module) -> list[str]:
    import inspect

    return list(inspect.signature(module.forward).parameters)
