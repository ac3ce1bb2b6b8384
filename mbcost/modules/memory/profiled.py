"""What the CPU's allocator tells torch's profiler while a module runs. Importing this imports
torch; only ``memory`` does.

Here nothing watches from inside Python. What an operator allocates and frees before it ends is its
kernel's workspace; what is allocated outside operators is a number that torch wraps in a tensor.
Operators that are made of others, such as ``aten::conv2d``, are taken apart, as a dispatch mode
sees them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from mbcost.modules.memory.observed import Observed, Sample

_OWN_KERNEL = ("CPU", "CompositeExplicitAutograd", "CompositeExplicitAutogradNonFunctional")
"""Of these an operator has one that is not made of others."""


_GIVEN = "mbcost: what is given"


def profiled_run(run: Callable[[], object], make: Callable[[], object]) -> Observed:
    """Return what ``run`` allocates without gradients and keeps, beside what ``make`` makes for it:
    of what is older, the allocator does not tell when it is freed."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # else it writes to stderr that there is no GPU
    import torch
    from torch.profiler import ProfilerActivity, profile, record_function

    events = _Events()
    with torch.inference_mode(False), torch.no_grad():
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
            with record_function(_GIVEN):
                make()
            output = run()
        del output
    for event in in_order(profiler.profiler.kineto_results.experimental_event_tree()):
        events.visit(event, inside=False)
    return Observed(events.given, tuple(events.samples), events.largest, events.most)


class _Events:
    """Goes through the events in the order in which they happened."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self.given = 0
        self.largest = 0
        self.most = 0
        """Bytes, with workspace."""
        self._alive: dict[int, int] = {}
        self._others: dict[int, int] = {}

    def visit(self, event: Any, inside: bool) -> None:
        """Follow an event that is ``inside`` an operator, or not."""
        fields = event.extra_fields
        if hasattr(fields, "alloc_size"):
            self._allocation(fields.ptr, fields.alloc_size, inside)
            return
        whole = not inside and has_kernel(event.name)
        before = set(self._alive)
        for child in in_order(event.children):
            self.visit(child, inside or whole)
        new = self._alive.keys() - before
        if whole and new:
            self.largest = max(self.largest, *(self._alive[pointer] for pointer in new))
            self.samples.append(Sample("", event.name, sum(self._alive.values())))
        elif event.name == _GIVEN:
            self.given = sum(self._alive.values())
            self.samples.clear()

    def _allocation(self, pointer: int, size: int, inside: bool) -> None:
        if size < 0:
            self._alive.pop(pointer, None)
            self._others.pop(pointer, None)
            return
        (self._alive if inside else self._others)[pointer] = size
        self.most = max(self.most, sum(self._alive.values()) + sum(self._others.values()))


def in_order(events: Iterable[Any]) -> list[Any]:
    """Return events in the order in which they began."""
    return sorted(events, key=lambda event: event.start_time_ns)


@cache
def has_kernel(name: str) -> bool:
    """Return whether an operator is more than a composition of others."""
    import torch

    space, colon, operator = name.partition("::")
    packet = getattr(getattr(torch.ops, space), operator, None) if colon else None
    if packet is None:
        return False
    overloads = [
        name if overload == "default" else f"{name}.{overload}"
        for overload in packet.overloads()
        if not overload.endswith("out")
    ]
    return any(
        torch._C._dispatch_has_kernel_for_dispatch_key(overload, key)
        for overload in overloads
        if torch._C._dispatch_has_kernel(overload)  # some are known to TorchScript alone
        for key in _OWN_KERNEL
    )
