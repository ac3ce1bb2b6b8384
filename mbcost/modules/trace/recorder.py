"""Watches one forward: modules by hooks, functions by function mode, operators by dispatch.

Importing this imports torch; only ``trace`` does.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from threading import get_ident
from typing import Any
from weakref import ref

import torch
from torch import Tensor, nn
from torch._C import DispatchKey
from torch.nn import functional as F  # noqa: N812  (its usual name)
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from mbcost.cost import Terms
from mbcost.cost.coverage import Coverage
from mbcost.errors import MbcostError
from mbcost.graph.primitives import Shape
from mbcost.modules.trace.arguments import bind, tensors_in
from mbcost.modules.trace.calls import FUNCTIONS, MODULES, NAMED_PRODUCTS, bound
from mbcost.modules.trace.free import BY_CONVENTION, REDUCED_PRODUCT, is_zero
from mbcost.modules.trace.operators import COSTS, COUNTED, NOTHING, OpCost, name_of, registered
from mbcost.modules.trace.quick import QUICK, quick_output
from mbcost.modules.trace.twin import Twin
from mbcost.modules.trace.untouched import plain_operators, untouched
from mbcost.modules.trace.values import (
    NeedsValuesError,
    asks_for_values,
    refuse_too_large,
    why_values,
    with_values,
)

_ATTENTION_INSIDE = "attention"
_NAMED = "named"
_SILENT = "silent"
_COPIES = ("_unsafe_view", "clone", "_to_copy")


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


def record_forward(
    module: nn.Module,
    inputs: Sequence[Any],
    named: Mapping[str, Any],
    name: str,
    *,
    real: bool = False,
) -> Recording:
    """Run a copy of ``module`` once on ``inputs``; an error in it names where it happened.

    On the meta device, or ``real``: with its values, on the CPU. Raises ``NeedsValuesError`` where
    only the second can be.
    """
    _refuse_lazy(module, name)
    if real:
        refuse_too_large(module, name)
    plainly = plain_operators() if real else nullcontext()  # on meta there are no others
    with torch.inference_mode(False), torch.no_grad(), untouched(module), plainly:
        twin = Twin(module, name, real=real)
        args, kwargs = bind(twin.model.forward, inputs, named, name)
        if real:
            args, kwargs = with_values(args), with_values(kwargs)
        args, kwargs = twin.copy(args), twin.copy(kwargs)
        recorder = _Recorder(twin)
        output = recorder.run(args, kwargs, name)
        images = _images((args, kwargs), recorder.calls)
    recording = Recording(twin.original, images, recorder.calls, recorder.ops, recorder.reduced)
    recording.output_shape = recording.without_batch(_first_shape(output))
    return recording


def _refuse_lazy(module: nn.Module, name: str) -> None:
    for tensors in (module.parameters(), module.buffers()):
        if any(torch.nn.parameter.is_lazy(tensor) for tensor in tensors):
            raise MbcostError(
                "has lazy layers whose widths are not known yet",
                place=name,
                way_out="run it once on a real input first",
            )


def _images(given: Any, calls: Sequence[Call]) -> int:
    """Return how many images the arguments hold: the first dimension of their first tensor.

    A vector is one image, as is what a convolution takes without a batch: C×H×W in two dimensions.
    A list of such images is a batch.
    """
    args, _ = given
    first = args[0] if args else None
    if isinstance(first, list) and all(isinstance(x, Tensor) and x.dim() == 3 for x in first):
        return len(first)
    x = tuple(next(tensors_in(given)).shape)
    if len(x) < 2:
        return 1
    for call in calls:
        for event in call.events:
            kernel = event.cost.kernel
            if kernel is not None and len(kernel) == len(x) - 1 and event.cost.x[0] == 1 != x[0]:
                return 1
    return x[0]


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

    def run(self, args: Any, kwargs: Any, name: str) -> Any:
        handles = (
            register_module_forward_pre_hook(self.enter),
            register_module_forward_hook(self.leave),
        )
        try:
            with _Dispatch(self), _Functions(self):
                return self.twin.model(*args, **kwargs)
        except MbcostError:
            raise
        except Exception as error:
            raise self.explained(error, tensors_in((args, kwargs)), name) from error
        finally:
            for handle in handles:
                handle.remove()

    def explained(self, error: Exception, inputs: Iterable[Tensor], name: str) -> MbcostError:
        path = self.stack[-1].path
        shapes = " and ".join("x".join(map(str, x.shape)) for x in inputs)
        lines = str(error).strip().splitlines() or [""]
        text = f"{type(error).__name__}: {lines[0][:300]}"
        if not self.real and asks_for_values(error):
            return NeedsValuesError(why_values(error), place=name)
        return MbcostError(
            f"its forward fails on an input of {shapes}: {text}",
            place=f"{name}: {path}" if path else name,
            way_out="another --input or --size; the shape includes the batch: --input 1x3x224x224",
        )

    def enter(self, copied: nn.Module, args: Any) -> None:
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
        if get_ident() != self.thread:
            return
        module = self.twin.modules.get(id(copied), copied)
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
            elif isinstance(out, Tensor) and (func.is_view or name in _COPIES):
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


_CHECK_DEVICES = frozenset(
    (
        *(torch.lstm, torch.gru, torch.rnn_tanh, torch.rnn_relu),
        *(torch.lstm_cell, torch.gru_cell, torch.rnn_tanh_cell, torch.rnn_relu_cell),
        F.scaled_dot_product_attention,
    )
)
"""Functions that refuse an argument made on the CPU, such as a first state of zeros, before any
operator runs."""


class _Functions(TorchFunctionMode):
    """Sees which function was called: ``F.relu`` is not ``torch.relu`` to every counter."""

    def __init__(self, recorder: _Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _CHECK_DEVICES and not self.recorder.real:
            args = self.recorder.on_meta(args)
            kwargs = {key: self.recorder.on_meta(value) for key, value in kwargs.items()}
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
        recorder.inside.append(0)
        try:
            out = func(*args, **kwargs)
        finally:
            recorder.context.pop()
            inside = recorder.inside.pop()
        if _SILENT in recorder.context:
            recorder.inside[-1] += inside
        elif known is not None:
            given = bound(func, args, kwargs)
            cost = known(given, out, inside)
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
        given = args
        if not recorder.real:
            args, kwargs = recorder.on_one_device(args, kwargs)
        if _is_composite(func):
            with self:
                return func._op_dk(DispatchKey.CompositeImplicitAutograd, *args, **kwargs)
        recorder.ops[func] += 1
        out = NotImplemented if recorder.real or func not in QUICK else quick_output(func, args)
        if out is NotImplemented:
            out = func(*args, **kwargs)
        name = name_of(func)
        recorder.watch_products(func, name, args, out)
        if func.is_view or name in _COPIES:
            recorder.remember_views(args, out)
            return out
        compute = COSTS.get(name) or registered(func)
        cost = (
            compute(args, out)
            if compute is not None and isinstance(out, Tensor | tuple | list)
            else None
        )
        if _SILENT in recorder.context:
            if cost is not None:
                recorder.inside[-1] += cost.terms.mult_adds
            return out
        params = recorder.parameters_in(args, cost)
        if cost is not None:
            recorder.add(name, self.in_context(cost), params)
        elif params:
            recorder.add(name, OpCost("other", (), _first_shape(out)), params)
        if func._schema.is_mutable and given and args[0] is not given[0] and out is args[0]:
            recorder.filled.add(given[0].untyped_storage()._cdata)
            return given[0]
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


_COMPOSITE: dict[Any, bool] = {}


def _is_composite(func: Any) -> bool:
    """Return whether torch takes an operator apart on the way here: under inference mode it does
    not."""
    found = _COMPOSITE.get(func)
    if found is None:
        key = "CompositeImplicitAutograd"
        found = torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), key)
        _COMPOSITE[func] = found
    return found
