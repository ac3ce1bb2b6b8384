"""The state of a trace: which module runs, which tensors are its parameters, what is on meta."""

from __future__ import annotations

from collections import Counter, deque
from threading import get_ident
from typing import Any
from weakref import ref

import torch
from torch import Tensor, nn

from mbcost.errors import MbcostError
from mbcost.modules.trace.arguments import tensors_in
from mbcost.modules.trace.calls import MODULES
from mbcost.modules.trace.operators import OpCost
from mbcost.modules.trace.recording import Call, Event, first_shape
from mbcost.modules.trace.twin import Twin

COPIES = ("_unsafe_view", "clone", "_to_copy")
"""Operators that put out their input again."""


class Recorder:
    """What hooks and modes share during one forward."""

    def __init__(self, twin: Twin) -> None:
        self.twin = twin
        self.real = twin.real
        self.thread = get_ident()
        self.paths = {id(part): path for path, part in twin.original.named_modules()}
        self.root = Call("", twin.original, 1)
        self.calls: list[Call] = []
        self.stack: list[Call] = [self.root]
        self.numbers: Counter[int] = Counter()
        self.ops: Counter[Any] = Counter()
        self.context: list[str] = []
        self.inside: list[int] = []  # mult-adds of the operators in each function that stands alone
        self.products: deque[ref[Tensor]] = deque(maxlen=8)  # elementwise, and views of them
        self.reduced = 0
        self.params = twin.parameters()
        self.views: list[Tensor] = []  # keeps views alive: an id must not be used twice
        self.twins: dict[int, tuple[Tensor, Tensor]] = {}
        self.filled: set[int] = set()
        """Storages on the CPU that operators on meta wrote to: what they hold is not known."""

    def enter(self, copied: nn.Module, args: Any) -> None:
        """Note that a module starts."""
        if get_ident() != self.thread:  # hooks are of every thread, modes of one
            self.refuse_thread(copied)
            return
        module = self.twin.modules.get(id(copied), copied)
        self.numbers[id(module)] += 1
        path = self.paths.get(id(module))
        if path is None:  # kept in a plain list: torch does not know it either
            above = self.stack[-1].path
            path = f"{above}.{type(module).__name__}" if above else type(module).__name__
        call = Call(path, module, self.numbers[id(module)])
        self.calls.append(call)
        self.stack.append(call)

    def refuse_thread(self, copied: nn.Module) -> None:
        """Raise if a module of this model runs where its operators are not seen."""
        if id(copied) in self.twin.modules:
            raise MbcostError(
                "runs in a thread of its own, where its operators cannot be watched",
                place=self.paths.get(id(self.twin.modules[id(copied)]), ""),
                way_out="let the forward run it in the same thread",
            )

    def leave(self, copied: nn.Module, args: Any, output: Any) -> None:
        """Note what the module that ends put out."""
        if get_ident() != self.thread:
            return
        module = self.twin.modules.get(id(copied), copied)
        call = self.stack[-1]
        if call.module is not module:
            return
        self.stack.pop()
        call.y = first_shape(output)
        terms = MODULES.get(type(module))
        if terms is not None:
            call.terms = terms(module, args, output)

    def add(self, name: str, cost: OpCost, params: dict[int, str]) -> None:
        """Note an operator or function of the module that runs."""
        self.stack[-1].events.append(Event(name, cost, params))

    def watch_products(self, func: Any, name: str, args: Any, out: Any) -> None:
        """Note where an elementwise product of two tensors is summed: a contraction that is
        written so that no counter sees one."""
        if name == "mul":
            a, b = args[:2]
            if isinstance(b, Tensor) and a is not b and a.numel() > 1 < b.numel():
                self.products.append(ref(out))
        elif self.products and args and any(product() is args[0] for product in self.products):
            if name in ("sum", "mean"):
                self.reduced += 1
            elif isinstance(out, Tensor) and (func.is_view or name in COPIES):
                self.products.append(ref(out))

    def parameters_in(self, args: Any, cost: OpCost | None) -> dict[int, str]:
        """Return the parameters among ``args``, also as views, each with its role in ``cost``."""
        found = {}
        for value in args:
            if isinstance(value, Tensor):
                owner = self.params.get(id(value))
                if owner is not None:
                    role = "other"
                    if cost is not None and value is cost.weight:
                        role = "weight"
                    elif cost is not None and value is cost.bias:
                        role = "bias"
                    found[owner] = role
            elif isinstance(value, list | tuple):
                found.update(self.parameters_in(value, cost))
        return found

    def remember_views(self, args: Any, out: Any) -> None:
        """A view of a parameter is that parameter: ``weight.t()``, one of three chunks."""
        owner = self.params.get(id(args[0])) if args else None
        if owner is None:
            return
        for view in out if isinstance(out, tuple | list) else (out,):
            if isinstance(view, Tensor):
                self.params[id(view)] = owner
                self.views.append(view)

    def on_one_device(self, args: Any, kwargs: Any) -> tuple[Any, Any]:
        """Return the arguments of an operator, all on meta if one of them is.

        So is what a forward made on the CPU and then filled with what has no values.
        """
        on, off = _off_meta(args)
        if kwargs:
            named = _off_meta(kwargs.values())
            on, off = on or named[0], off or named[1]
        if off and self.filled and not on:
            on = any(
                not x.is_meta and x.untyped_storage()._cdata in self.filled
                for x in tensors_in((args, kwargs))
            )
        if on and off:
            args = self.on_meta(args)
            kwargs = {key: self.on_meta(value) for key, value in kwargs.items()}
        return args, kwargs

    def on_meta(self, value: Any) -> Any:
        """Return ``value`` with every tensor replaced by its twin on the meta device."""
        if isinstance(value, Tensor):
            if value.is_meta:
                return value
            kept = self.twins.get(id(value))
            if kept is None:
                made = torch.empty_strided(
                    value.shape, value.stride(), dtype=value.dtype, device="meta"
                )
                kept = self.twins[id(value)] = (value, made)
            return kept[1]
        if isinstance(value, list | tuple) and not isinstance(value, torch.Size):
            return type(value)(self.on_meta(item) for item in value)
        return value


def _off_meta(args: Any) -> tuple[bool, bool]:
    """Return whether some tensor is on meta, and whether some is not."""
    on = off = False
    for value in args:
        if isinstance(value, Tensor):
            here = value.is_meta
            on, off = on or here, off or not here
        elif isinstance(value, list | tuple):
            inner = _off_meta(value)
            on, off = on or inner[0], off or inner[1]
    return on, off
