"""Where shapes are not enough: which errors say so, and the values that a forward then gets.

Importing this imports torch; only ``trace`` does.
"""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mbcost.errors import MbcostError
from mbcost.units import bytes_in_words

_SEED = 0


class NeedsValuesError(MbcostError):
    """A forward that asks for the value of a tensor, which the meta device does not have."""


_DEVICES = re.compile(r"same device|expected device", re.IGNORECASE)
_VALUES = re.compile(r"meta(?!data)|data.?dependent|" + _DEVICES.pattern, re.IGNORECASE)
_NO_SHAPES = re.compile(r"(\w+::\w+).*(no fake impl|'Meta' backend)", re.DOTALL)
_READS = re.compile(
    r"item\(\)|copy out of meta|convert meta|data.?dependent|output_size|nonzero|::equal\b|unique"
    r"|masked_select|::nms\b|bincount|is_nonzero"
)
"""Of the operators that need values, those whose outcome decides what runs next."""


def asks_for_values(error: Exception) -> bool:
    """Return whether an error is of the meta device, or of what is on it and what is not."""
    return isinstance(error, NotImplementedError) or bool(_VALUES.search(str(error)))


def why_values(error: Exception) -> str:
    """Return in words why a forward does not run on the meta device."""
    text = str(error)
    if _READS.search(text):
        return "the path depends on the data"
    if _DEVICES.search(text):
        return "it makes tensors on the CPU beside those of its input"
    operator = _NO_SHAPES.search(text)
    return f"{operator[1] if operator else 'it'} does not run on the meta device"


def refuse_too_large(module: nn.Module, place: str) -> None:
    """Raise where a copy of a model's weights does not fit into the memory that is free."""
    tensors = {id(x): x for x in chain(module.parameters(), module.buffers())}.values()
    needed = sum(x.numel() * x.element_size() for x in tensors)
    free = _free_bytes()
    if free is not None and needed > free:
        raise MbcostError(
            f"its path depends on values, and a copy of its weights takes {bytes_in_words(needed)} "
            f"where {bytes_in_words(free)} are free",
            place=place,
            way_out="count it where there is more memory, or only the parts whose path is fixed",
        )


def _free_bytes() -> int | None:
    """Return the memory that Linux says is available; None where nothing says it."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvail"))
    except (OSError, StopIteration, ValueError):
        return None


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
