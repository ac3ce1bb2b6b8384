"""The counters people use, each really run and compared with what its convention predicts.

To add a counter: a module beside these with one function ``Workbench -> Counted``, and its line in
``COUNTERS``; its convention is an entry in ``cost.CONVENTIONS``.
"""

from mbcost.counters.fvcore import count_fvcore
from mbcost.counters.torch import count_torch
from mbcost.counters.torchinfo import count_torchinfo
from mbcost.counters.workbench import (
    ACTIVATION_LIMIT_BYTES,
    Counted,
    Counter,
    Mismatch,
    Verification,
    Workbench,
    verify,
)

COUNTERS: dict[str, Counter] = {
    "torchinfo": Counter("torchinfo", "torchinfo_mult_adds", "torchinfo", count_torchinfo),
    "fvcore": Counter("fvcore", "fvcore_flops", "fvcore", count_fvcore),
    "torch": Counter("torch", "torch_flops", "torch", count_torch),
}

DEFAULT_COUNTERS = ("torchinfo", "fvcore")

__all__ = [
    "ACTIVATION_LIMIT_BYTES",
    "COUNTERS",
    "DEFAULT_COUNTERS",
    "Counted",
    "Counter",
    "Mismatch",
    "Verification",
    "Workbench",
    "verify",
]
