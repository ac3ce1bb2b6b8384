"""What a forward is called with: tensors by position or by name, alone or in lists and dicts.

Importing this imports torch; only ``trace`` does.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mbcost.errors import MbcostError

_SEED = 0


def bind(
    forward: Callable[..., Any], inputs: Sequence[Any], named: Mapping[str, Any], place: str
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments for ``forward``: names it does not have make one dict, if it takes one
    argument.

    Raises ``MbcostError`` with the names that it does have.
    """
    if not named:
        return tuple(inputs), {}
    try:
        signature = inspect.signature(forward)
    except (TypeError, ValueError):
        return tuple(inputs), dict(named)
    try:
        signature.bind(*inputs, **named)
    except TypeError:
        pass
    else:
        return tuple(inputs), dict(named)
    known = signature.parameters
    if not inputs and len(known) == 1 and not named.keys() & known.keys():
        return (dict(named),), {}
    raise MbcostError(
        f"its forward does not take the inputs {', '.join(named)} as they are named",
        place=place,
        way_out=f"it takes {', '.join(known) or 'none'}",
    )


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Yield the tensors among arguments, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors_in(item)


def with_values(value: Any) -> Any:
    """Return arguments with values where they have only a shape: the same ones every time.

    Uniform in [0, 1) for numbers, zeros for indices and masks.
    """
    return _with_values(value, torch.Generator().manual_seed(_SEED))


def _with_values(value: Any, generator: torch.Generator) -> Any:
    if isinstance(value, Tensor):
        if not value.is_meta:
            return value
        if value.dtype.is_floating_point:
            return torch.rand(value.shape, generator=generator).to(value.dtype)
        return torch.zeros(value.shape, dtype=value.dtype)
    if isinstance(value, dict):
        return {key: _with_values(item, generator) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_with_values(item, generator) for item in value)
    return value
