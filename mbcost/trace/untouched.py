"""Leaves a model as it was handed in. Importing this imports torch; only ``trace`` does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

_REGISTRIES = (
    "_parameters",
    "_buffers",
    "_modules",
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
)


@contextmanager
def untouched(module: nn.Module) -> Iterator[None]:
    """Put ``module`` in eval mode; on leaving, whatever happened, restore every submodule's train
    flag, parameters, buffers, children and hooks, and drop attributes that were added."""
    modules = list(module.modules())
    flags = [part.training for part in modules]
    names = [set(vars(part)) for part in modules]
    registries = [{name: dict(getattr(part, name)) for name in _REGISTRIES} for part in modules]
    for part in modules:
        part.training = False  # not .eval(): a model may override train() and do more
    try:
        yield
    finally:
        for part, flag, known, kept in zip(modules, flags, names, registries, strict=True):
            for name, entries in kept.items():
                registry = getattr(part, name)
                if dict(registry) != entries if name != "_buffers" else True:
                    registry.clear()
                    registry.update(entries)
            for name in set(vars(part)) - known:
                delattr(part, name)
            part.training = flag
