"""What a forward may fill that is not a module's own: it stands in a class, or in a hook's module.
Importing this imports torch; only ``trace`` does.
"""

from __future__ import annotations

import types
from collections import Counter, OrderedDict, defaultdict, deque
from typing import Any

from torch import Tensor, nn

MUTABLE = (list, dict, set, deque, OrderedDict, defaultdict, Counter, Tensor, nn.Parameter)
"""The types of what it may fill."""


def class_state(kind: type) -> list[tuple[str, Any]]:
    """Return the lists, dicts and tensors that a module's class holds: a copy has its own."""
    found: dict[str, Any] = {}
    for cls in reversed(kind.__mro__):
        if issubclass(cls, nn.Module) and not cls.__module__.startswith("torch."):
            found.update(
                (name, value)
                for name, value in vars(cls).items()
                if type(value) in MUTABLE and not name.startswith("__")
            )
    return list(found.items())


def names_in(code: types.CodeType) -> set[str]:
    """Return the names that code reads or calls, also in the functions inside it."""
    names = set(code.co_names)
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            names |= names_in(inner)
    return names
