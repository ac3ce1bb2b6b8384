"""The counters people use, each really run and compared with what its convention predicts.

To add a counter: a module beside these with one function ``Workbench -> Counted``, and its line in
``COUNTERS`` with its convention, which stands in ``cost.convention``.
"""

from collections.abc import Sequence

from mbcost.cost.convention import (
    FVCORE,
    PTFLOPS_ATEN,
    PTFLOPS_PYTORCH,
    THOP,
    TORCH,
    TORCHINFO,
    TORCHPROFILE,
)
from mbcost.errors import missing, not_installed
from mbcost.modules.counters.fvcore import count_fvcore
from mbcost.modules.counters.ptflops import count_ptflops_aten, count_ptflops_pytorch
from mbcost.modules.counters.thop import count_thop
from mbcost.modules.counters.torch import count_torch
from mbcost.modules.counters.torchinfo import count_torchinfo
from mbcost.modules.counters.torchprofile import count_torchprofile
from mbcost.modules.counters.workbench import (
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

COUNTERS = {
    counter.name: counter
    for counter in (
        Counter(TORCHINFO, "torchinfo_mult_adds", "torchinfo", count_torchinfo),
        Counter(FVCORE, "fvcore_flops", "fvcore", count_fvcore),
        Counter(TORCH, "torch_flops", "torch", count_torch),
        Counter(PTFLOPS_ATEN, "ptflops_aten_macs", "ptflops", count_ptflops_aten),
        Counter(PTFLOPS_PYTORCH, "ptflops_pytorch_macs", "ptflops", count_ptflops_pytorch),
        Counter(THOP, "thop_macs", "thop", count_thop),
        Counter(TORCHPROFILE, "torchprofile_macs", "torchprofile", count_torchprofile),
    )
}
"""By name; those after torch come with the extra ``counters``."""

DEFAULT_COUNTERS = ("torchinfo", "fvcore")


def require(
    counters: Sequence[Counter], *, any_will_do: bool = False, place: str = "", instead: str = ""
) -> None:
    """Raise where not all counters are installed, or, if ``any_will_do``, where none is."""
    if any_will_do:
        if any(counter.installed for counter in counters):
            return
        counters = [COUNTERS[name] for name in DEFAULT_COUNTERS]
    lacking = missing(package for counter in counters for package in counter.packages)
    if lacking:
        raise not_installed("a counter", lacking, place=place, instead=instead)


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
    "require",
    "verify",
]
