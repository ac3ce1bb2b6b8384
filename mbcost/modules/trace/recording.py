"""A forward as it ran: the calls of modules, and what each called itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from mbcost.cost import Terms
from mbcost.cost.coverage import Coverage
from mbcost.graph.primitives import Shape
from mbcost.modules.trace.free import BY_CONVENTION, REDUCED_PRODUCT, is_zero
from mbcost.modules.trace.operators import COUNTED, NOTHING, OpCost, name_of, registered


@dataclass
class Event:
    """An operator or a function that a module called, with the parameters it read."""

    name: str
    cost: OpCost
    params: dict[int, str] = field(default_factory=dict)
    """Role (weight, bias or other) by the id of the parameter."""


@dataclass
class Call:
    """One call of a module."""

    path: str
    module: nn.Module
    number: int
    events: list[Event] = field(default_factory=list)
    terms: Terms = NOTHING
    """What counters add because of the module's class."""
    y: Shape = ()


@dataclass
class Recording:
    """A forward as it ran: calls in the order of their start."""

    model: nn.Module
    images: int
    calls: list[Call]
    ops: Counter[Any]
    reduced: int = 0
    """Elementwise products that were summed."""
    output_shape: Shape = ()

    def without_batch(self, shape: Shape) -> Shape:
        """Return a shape without its batch dimension, where it has one."""
        return shape[1:] if len(shape) > 1 and shape[0] == self.images else shape

    def coverage(self) -> Coverage:
        """Return which operators ran: counted, known to be zero, unknown."""
        found = Coverage()
        for func, times in self.ops.items():
            name = name_of(func)
            if name in COUNTED or registered(func) is not None:
                which = found.counted
            else:
                which = found.zero if is_zero(func, name) else found.unknown
            which[name] = which.get(name, 0) + times
            if name in BY_CONVENTION:
                words = f"{BY_CONVENTION[name]} ({name})"
                found.by_convention[words] = found.by_convention.get(words, 0) + times
        if self.reduced:
            found.by_convention[REDUCED_PRODUCT] = self.reduced
        return found


def first_shape(value: Any) -> Shape:
    """Return the shape of the first tensor in what a model returned."""
    if isinstance(value, Tensor):
        return tuple(value.shape)
    if isinstance(value, dict):
        value = list(value.values())
    if hasattr(value, "__dict__") and not isinstance(value, list | tuple):
        value = list(vars(value).values())
    if isinstance(value, list | tuple):
        for item in value:
            shape = first_shape(item)
            if shape:
                return shape
    return ()
