"""What a forward is called with: tensors by position or by name, alone or in lists and dicts.

Importing this imports torch; only ``trace`` does.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor

from mbcost.errors import MbcostError


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
