"""thop: multiply-adds by a hook per module class, on meta; functions are not seen."""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import Any

from mbcost.modules.counters.workbench import Counted, Workbench


def count_thop(bench: Workbench) -> Counted:
    """Return thop's total and its figure per module."""
    import torch

    # it imports distutils, which Python 3.12 dropped and setuptools still brings
    silent = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
    with silent[0], silent[1], warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from thop import profile

        with torch.no_grad():
            total, _, tree = profile(
                bench.meta_module,
                inputs=bench.inputs(bench.batch, bench.meta),
                verbose=False,
                ret_layer_info=True,
            )
    by_layer: dict[str, int] = {}
    _leaves(tree, "", by_layer)
    return Counted(int(total), by_layer)


def _leaves(tree: dict[str, Any], prefix: str, found: dict[str, int]) -> None:
    for name, (figure, _, inner) in tree.items():
        if inner:
            _leaves(inner, f"{prefix}{name}.", found)
        else:
            found[f"{prefix}{name}"] = int(figure)
