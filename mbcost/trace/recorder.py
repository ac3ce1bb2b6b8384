"""Watches one forward: modules by hooks, functions by function mode, operators by dispatch.

Importing this imports torch; only ``trace`` does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (its usual name)
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from mbcost.cost import Terms
from mbcost.errors import MbcostError
from mbcost.layers import Shape
from mbcost.trace.calls import FUNCTIONS, MODULES, NAMED_PRODUCTS
from mbcost.trace.operators import COSTS, COUNTED, NOTHING, OpCost, is_zero, name_of
from mbcost.trace.untouched import untouched

_ATTENTION_INSIDE = "attention"
_NAMED = "named"
_SILENT = "silent"


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
    output_shape: Shape = ()

    def without_batch(self, shape: Shape) -> Shape:
        """Return a shape without its batch dimension, where it has one."""
        return shape[1:] if len(shape) > 1 and shape[0] == self.images else shape

    def coverage(self) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
        """Return (counted, known zero, unknown) operators by name."""
        found: tuple[dict[str, int], ...] = ({}, {}, {})
        for func, times in self.ops.items():
            name = name_of(func)
            which = 0 if name in COUNTED else 1 if is_zero(func, name) else 2
            found[which][name] = found[which].get(name, 0) + times
        return found[0], found[1], found[2]


def record_forward(module: nn.Module, inputs: Sequence[Tensor], name: str) -> Recording:
    """Run ``module`` once on meta copies of ``inputs``; an error in it names where it happened."""
    if any(torch.nn.parameter.is_lazy(p) for p in module.parameters()):
        raise MbcostError(
            "has lazy layers whose widths are not known yet",
            place=name,
            way_out="run it once on a real input first",
        )
    recorder = _Recorder(module)
    meta = [x.to("meta") if x.device.type != "meta" else x for x in inputs]
    first = meta[0].shape
    images = int(first[0]) if len(first) in (2, 4, 5) else 1
    with untouched(module), torch.no_grad():
        output = recorder.run(meta, name)
    recording = Recording(module, images, recorder.calls, recorder.ops)
    recording.output_shape = recording.without_batch(_first_shape(output))
    return recording


def _first_shape(value: Any) -> Shape:
    """Return the shape of the first tensor in what a model returned."""
    if isinstance(value, Tensor):
        return tuple(value.shape)
    if isinstance(value, dict):
        value = list(value.values())
    if hasattr(value, "__dict__") and not isinstance(value, list | tuple):
        value = list(vars(value).values())
    if isinstance(value, list | tuple):
        for item in value:
            shape = _first_shape(item)
            if shape:
                return shape
    return ()


class _Recorder:
    """The state that hooks and modes share during one forward."""

    def __init__(self, model: nn.Module) -> None:
        self.paths = {id(part): path for path, part in model.named_modules()}
        self.model = model
        self.root = Call("", model, 1)
        self.calls: list[Call] = []
        self.stack: list[Call] = [self.root]
        self.numbers: Counter[int] = Counter()
        self.ops: Counter[Any] = Counter()
        self.context: list[str] = []
        self.params = {id(p): id(p) for p in model.parameters()}
        self.tensors = self.params.keys() | {id(b) for b in model.buffers()}
        self.views: list[Tensor] = []  # keeps views alive: an id must not be used twice
        self.twins: dict[int, tuple[Tensor, Tensor]] = {}
        self.used: dict[int, str] = {}

    def run(self, inputs: Sequence[Tensor], name: str) -> Any:
        handles = (
            register_module_forward_pre_hook(self.enter),
            register_module_forward_hook(self.leave),
        )
        try:
            with _Dispatch(self), _Functions(self):
                return self.model(*inputs)
        except MbcostError:
            raise
        except Exception as error:
            raise self.explained(error, inputs, name) from error
        finally:
            for handle in handles:
                handle.remove()

    def explained(self, error: Exception, inputs: Sequence[Tensor], name: str) -> MbcostError:
        path = self.stack[-1].path
        shapes = " and ".join("x".join(map(str, x.shape)) for x in inputs)
        lines = str(error).strip().splitlines() or [""]
        text = f"{type(error).__name__}: {lines[0][:300]}"
        way_out = "another --input or --size; the shape includes the batch: --input 1x3x224x224"
        if _depends_on_data(error):
            way_out = "its path depends on the values of its input, so its cost has no one answer"
        return MbcostError(
            f"its forward fails on an input of {shapes}: {text}",
            place=f"{name}: {path}" if path else name,
            way_out=way_out,
        )

    def enter(self, module: nn.Module, args: Any) -> None:
        self.numbers[id(module)] += 1
        path = self.paths.get(id(module))
        if path is None:  # kept in a plain list: torch does not know it either
            above = self.stack[-1].path
            path = f"{above}.{type(module).__name__}" if above else type(module).__name__
        call = Call(path, module, self.numbers[id(module)])
        self.calls.append(call)
        self.stack.append(call)

    def leave(self, module: nn.Module, args: Any, output: Any) -> None:
        call = self.stack[-1]
        if call.module is not module:
            return
        self.stack.pop()
        call.y = _first_shape(output)
        terms = MODULES.get(type(module))
        if terms is not None:
            call.terms = terms(module, args, output)

    def add(self, name: str, cost: OpCost, params: dict[int, str]) -> None:
        self.stack[-1].events.append(Event(name, cost, params))

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

    def on_meta(self, value: Any, wanted: bool) -> Any:
        """Return ``value`` with every tensor replaced by its twin on the meta device."""
        if isinstance(value, Tensor):
            if value.device.type == "meta" or not (wanted or id(value) in self.tensors):
                return value
            kept = self.twins.get(id(value))
            if kept is None:
                twin = torch.empty_strided(
                    value.shape, value.stride(), dtype=value.dtype, device="meta"
                )
                kept = self.twins[id(value)] = (value, twin)
                if id(value) in self.params:
                    self.params[id(twin)] = self.params[id(value)]
            return kept[1]
        if isinstance(value, list | tuple) and not isinstance(value, torch.Size):
            return type(value)(self.on_meta(item, wanted) for item in value)
        return value


def _depends_on_data(error: Exception) -> bool:
    words = ("meta tensor", "Meta tensor", "data-dependent", "DataDependent", "'aten::nonzero'")
    return any(word in f"{type(error).__name__} {error}" for word in words)


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


class _Functions(TorchFunctionMode):
    """Sees which function was called: ``F.relu`` is not ``torch.relu`` to every counter."""

    def __init__(self, recorder: _Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        known = FUNCTIONS.get(func)
        context = ""
        if known is not None:
            context = _SILENT
        elif func in NAMED_PRODUCTS:
            context = _NAMED
        elif func is F.multi_head_attention_forward and not kwargs.get("need_weights", True):
            context = _ATTENTION_INSIDE
        if not context:
            return func(*args, **kwargs)
        recorder = self.recorder
        recorder.context.append(context)
        try:
            out = func(*args, **kwargs)
        finally:
            recorder.context.pop()
        if known is not None and _SILENT not in recorder.context:
            given = args or tuple(kwargs.values())  # F.adaptive_avg_pool2d(input=…) is rare
            cost = known(given, out)
            recorder.add(func.__name__, cost, recorder.parameters_in(given, cost))
        return out


class _Dispatch(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no types there
    """Sees every operator, and runs it on meta."""

    def __init__(self, recorder: _Recorder) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.recorder = recorder

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        recorder = self.recorder
        recorder.ops[func] += 1
        given = args
        on, off = _off_meta(args)
        if off:
            args = recorder.on_meta(args, on)
            if on:
                kwargs = {key: recorder.on_meta(value, on) for key, value in kwargs.items()}
        out = _quick(func, args) if func in _QUICK else func(*args, **kwargs)
        if out is NotImplemented:
            out = func(*args, **kwargs)
        name = name_of(func)
        if func.is_view or name in ("_unsafe_view", "clone", "_to_copy"):
            recorder.remember_views(args, out)
            return out
        if _SILENT in recorder.context:
            return out
        compute = COSTS.get(name)
        cost = (
            compute(args, out)
            if compute is not None and isinstance(out, Tensor | tuple | list)
            else None
        )
        params = recorder.parameters_in(args, cost)
        if cost is not None:
            recorder.add(name, self.in_context(cost), params)
        elif params:
            recorder.add(name, OpCost("other", (), _first_shape(out)), params)
        if func._schema.is_mutable and given and args[0] is not given[0] and out is args[0]:
            return given[0]  # in place on the model's own buffer: it keeps its value
        return out

    def in_context(self, cost: OpCost) -> OpCost:
        """Return the cost with the terms that depend on the function around the operator."""
        context = self.recorder.context
        if not context:
            return cost
        terms = cost.terms
        if context[-1] == _NAMED:
            return replace(cost, terms=terms._replace(named_product_mult_adds=terms.mult_adds))
        if cost.kind == "matmul":
            return replace(
                cost, kind="attention", terms=terms._replace(attention_mult_adds=terms.mult_adds)
            )
        return replace(cost, terms=terms._replace(product_outputs=0))


_QUICK = {
    torch.ops.aten.convolution.default,
    torch.ops.aten.native_batch_norm.default,
}


def _quick(func: Any, args: Any) -> Any:
    """Return the output of a convolution or batch-norm by its shape alone, 20 times as fast as
    torch's own meta functions; NotImplemented where those should decide or complain."""
    x, weight = args[0], args[1]
    if not x.is_meta or not x.is_contiguous():
        return NotImplemented
    if func is torch.ops.aten.native_batch_norm.default:
        if args[5] or weight is None or weight.shape[0] != x.shape[1]:
            return NotImplemented
        return torch.empty_like(x), x.new_empty(0), x.new_empty(0)
    bias, stride, padding, dilation, transposed, _, groups = args[2:9]
    dims = len(x.shape) - 2
    if (
        transposed
        or dims != 2
        or len(weight.shape) != 4
        or not weight.is_contiguous()
        or x.dtype != weight.dtype
        or x.shape[1] != weight.shape[1] * groups
        or weight.shape[0] % groups
        or (bias is not None and bias.shape[0] != weight.shape[0])
    ):
        return NotImplemented
    sides = []
    for i in range(dims):
        s, p, d = (v[i] if len(v) > 1 else v[0] for v in (stride, padding, dilation))
        side = (x.shape[i + 2] + 2 * p - d * (weight.shape[i + 2] - 1) - 1) // s + 1
        if side < 1:
            return NotImplemented
        sides.append(side)
    return x.new_empty((x.shape[0], weight.shape[0], *sides))
