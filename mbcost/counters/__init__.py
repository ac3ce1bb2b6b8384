"""The counters people use, each really run and compared with what its convention predicts.

To add a counter: a module beside these with one function ``Workbench -> Counted``, and its line in
``COUNTERS``; its convention is an entry in ``cost.CONVENTIONS``.
"""

from mbcost.counters.fvcore import count_fvcore
from mbcost.counters.ptflops import count_ptflops_aten, count_ptflops_pytorch
from mbcost.counters.thop import count_thop
from mbcost.counters.torch import count_torch
from mbcost.counters.torchinfo import count_torchinfo
from mbcost.counters.torchprofile import count_torchprofile
from mbcost.counters.workbench import (
    ACTIVATION_LIMIT_BYTES,
    MEMORY_LIMIT_BYTES,
    Counted,
    Counter,
    Mismatch,
    Verification,
    Workbench,
    predicted_by_module,
    verify,
)

COUNTERS: dict[str, Counter] = {
    "torchinfo": Counter("torchinfo", "torchinfo_mult_adds", "torchinfo", count_torchinfo),
    "fvcore": Counter("fvcore", "fvcore_flops", "fvcore", count_fvcore),
    "torch": Counter("torch", "torch_flops", "torch", count_torch),
    "ptflops-aten": Counter("ptflops-aten", "ptflops_aten_macs", "ptflops", count_ptflops_aten),
    "ptflops-pytorch": Counter(
        "ptflops-pytorch", "ptflops_pytorch_macs", "ptflops", count_ptflops_pytorch
    ),
    "thop": Counter("thop", "thop_macs", "thop", count_thop),
    "torchprofile": Counter(
        "torchprofile", "torchprofile_macs", "torchprofile", count_torchprofile
    ),
}
"""By name; those after torch need the extra ``counters``."""

DEFAULT_COUNTERS = ("torchinfo", "fvcore")

__all__ = [
    "ACTIVATION_LIMIT_BYTES",
    "COUNTERS",
    "DEFAULT_COUNTERS",
    "MEMORY_LIMIT_BYTES",
    "Counted",
    "Counter",
    "Mismatch",
    "Verification",
    "Workbench",
    "predicted_by_module",
    "verify",
]
