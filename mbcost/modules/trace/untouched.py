"""Leaves what surrounds a model as it was: random numbers, defaults, what its classes hold.

The model itself is never run: its ``Twin`` is. Importing this imports torch; only ``trace`` does.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def untouched(module: nn.Module | None = None) -> Iterator[None]:
    """Put back, whatever happens inside: the state of every global random number generator,
    torch's defaults, and what a forward assigned to the classes of ``module``."""
    python = random.getstate()
    numpy = sys.modules.get("numpy.random")
    of_numpy = numpy.get_state() if numpy is not None else None
    of_torch = torch.get_rng_state()
    of_cuda = torch.cuda.get_rng_state_all() if torch.cuda._initialized else []
    dtype = torch.get_default_dtype()
    fused = torch.backends.mha.get_fastpath_enabled()
    classes = _classes(module)
    try:
        yield
    finally:
        for cls, known in classes.items():
            _put_back(cls, known)
        torch.backends.mha.set_fastpath_enabled(fused)
        torch.set_default_dtype(dtype)
        if of_cuda:
            torch.cuda.set_rng_state_all(of_cuda)
        torch.set_rng_state(of_torch)
        if numpy is not None:
            numpy.set_state(of_numpy)
        random.setstate(python)


def _classes(module: nn.Module | None) -> dict[type, dict[str, object]]:
    """Return the classes of a model's modules that are not torch's own, each with what it holds."""
    kinds = {type(part) for part in module.modules()} if module is not None else set()
    return {
        cls: dict(vars(cls))
        for cls in {cls for kind in kinds for cls in kind.__mro__}
        if issubclass(cls, nn.Module) and not cls.__module__.startswith("torch.")
    }


def _put_back(cls: type, known: dict[str, object]) -> None:
    now = dict(vars(cls))
    for name in now.keys() - known.keys():
        delattr(cls, name)
    for name, value in known.items():
        if now.get(name) is not value:
            setattr(cls, name, value)


@contextmanager
def plain_operators() -> Iterator[None]:
    """Run attention on the CPU by its products, as on the meta device: not by fused operators,
    which tell nothing of what is in them."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
