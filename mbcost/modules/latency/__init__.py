"""How long networks take: what runs them, what is measured, in which order, what may be said of it.

``statistics`` makes an estimate of samples, ``rounds`` takes them; neither knows torch.
``runtimes`` makes calls of networks, ``layers`` takes one call apart, ``machine`` says where all
that ran. To add a runtime: its function in ``runtimes`` and its line in ``RUNTIMES``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from mbcost.errors import missing, not_installed

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mbcost.modules.exported.deployed import Deployed

Call = Callable[[], object]
BETWEEN = "(between layers)"
"""Under which stands what a run takes and no part of it accounts for."""


class Parts(Protocol):
    """A call that is taken apart each time it runs."""

    def __call__(self) -> object:
        """Run it once."""
        ...

    def runs(self) -> Sequence[Mapping[str, float]]:
        """Return the seconds of each run so far by layer, by what the runtime does beside layers,
        and ``BETWEEN``; it is not run afterwards. They come to the whole run: none is left out."""
        ...


@dataclass(frozen=True)
class Runnable:
    """A network that a runtime can be given: as a module with its inputs, and as a file's."""

    name: str
    module: Callable[[], nn.Module]
    """In eval mode, with values."""
    inputs: tuple[Tensor, ...]
    named: Mapping[str, Tensor] = field(default_factory=dict)
    deployed: Callable[[str], Deployed] | None = None
    """By dtype, what is written into a file; None of a model from elsewhere."""


class Runtime(NamedTuple):
    """What runs networks: which dtypes, and what it needs."""

    name: str
    dtypes: tuple[str, ...]
    packages: tuple[str, ...]
    extra: str
    file: str | None
    """The suffix of the file that it runs, of mbcost's own networks alone, batch-norms folded."""
    by_layer: bool
    """Whether it tells where the time goes."""

    def require(self) -> None:
        """Raise where a package is missing."""
        lacking = missing(self.packages)
        if lacking:
            install = f"'mbcost[{self.extra}]'" if self.extra else " ".join(lacking)
            raise not_installed(f"the runtime {self.name}", lacking, install=install)

    def call(self, network: Runnable, dtype: str, threads: int) -> Call:
        """Return what runs the network once. Threads are torch's own, or of this call alone."""
        made: Call = getattr(_runtimes(), self.name)(network, dtype, threads)
        return made

    def parts(self, network: Runnable, dtype: str, threads: int) -> Parts:
        """Return the same call, taken apart."""
        made: Parts = getattr(_layers(), self.name)(network, dtype, threads)
        return made


def _runtimes() -> Any:
    return import_module("mbcost.modules.latency.runtimes")


def _layers() -> Any:
    return import_module("mbcost.modules.latency.layers")


_FILES = ("fp32", "fp16", "int8")
RUNTIMES = {
    runtime.name: runtime
    for runtime in (
        Runtime("eager", ("fp32",), ("torch",), "", file=None, by_layer=True),
        Runtime("compile", ("fp32",), ("torch",), "", file=None, by_layer=False),
        Runtime(
            "onnx", _FILES, ("torch", "onnx", "onnxruntime"), "onnx", file=".onnx", by_layer=True
        ),
        Runtime(
            "litert",
            _FILES,
            ("torch", "ai_edge_litert", "flatbuffers"),
            "tflite",
            file=".tflite",
            by_layer=False,
        ),
    )
}
