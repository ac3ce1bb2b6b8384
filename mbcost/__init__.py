"""What a convolution block or a mobile network costs, provably right.

    import mbcost
    mbcost.count("v2", alpha=0.5).mult_adds
    mbcost.compare("v1", "v2@alpha=0.5", counters=("torchinfo", "fvcore")).frame()

Importing mbcost imports neither torch nor pandas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mbcost._version import __version__

if TYPE_CHECKING:
    from mbcost.cost import CostReport, UncountedWarning
    from mbcost.errors import CheckFailedError, MbcostError, RealTensorsWarning
    from mbcost.networks.network import Network
    from mbcost.networks.single_block import SingleBlock
    from mbcost.studies.answer import Answer, Figure
    from mbcost.studies.answers import check, diff, explain, paper, plot, reconcile
    from mbcost.studies.compare.comparison import Comparison, compare
    from mbcost.studies.device.answers import roof
    from mbcost.studies.memory.api import memory
    from mbcost.studies.spaces.answers import search, sweep
    from mbcost.targets.count import count, load

__all__ = [
    "Answer",
    "CheckFailedError",
    "Comparison",
    "CostReport",
    "Figure",
    "MbcostError",
    "Network",
    "RealTensorsWarning",
    "SingleBlock",
    "UncountedWarning",
    "__version__",
    "check",
    "compare",
    "count",
    "diff",
    "explain",
    "load",
    "memory",
    "paper",
    "plot",
    "reconcile",
    "roof",
    "search",
    "sweep",
]

_HOMES = {
    "Answer": "mbcost.studies.answer",
    "CheckFailedError": "mbcost.errors",
    "Comparison": "mbcost.studies.compare.comparison",
    "CostReport": "mbcost.cost",
    "Figure": "mbcost.studies.answer",
    "MbcostError": "mbcost.errors",
    "Network": "mbcost.networks.network",
    "RealTensorsWarning": "mbcost.errors",
    "SingleBlock": "mbcost.networks.single_block",
    "UncountedWarning": "mbcost.cost",
    "check": "mbcost.studies.answers",
    "compare": "mbcost.studies.compare.comparison",
    "count": "mbcost.targets.count",
    "diff": "mbcost.studies.answers",
    "explain": "mbcost.studies.answers",
    "load": "mbcost.targets.count",
    "memory": "mbcost.studies.memory.api",
    "paper": "mbcost.studies.answers",
    "plot": "mbcost.studies.answers",
    "reconcile": "mbcost.studies.answers",
    "roof": "mbcost.studies.device.answers",
    "search": "mbcost.studies.spaces.answers",
    "sweep": "mbcost.studies.spaces.answers",
}


def __dir__() -> list[str]:
    """Return the public names, those too that have yet to be imported."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: the command line needs few of them."""
    if name not in _HOMES:
        raise AttributeError(f"module 'mbcost' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
