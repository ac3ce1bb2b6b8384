"""What sees a forward from inside torch: which function was called, which operators ran."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch._C import DispatchKey
from torch.nn import functional as F  # noqa: N812  (its usual name)
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from mbcost.modules.trace.calls import FUNCTIONS, NAMED_PRODUCTS, bound
from mbcost.modules.trace.operators import COSTS, OpCost, name_of, registered
from mbcost.modules.trace.quick import QUICK, quick_output
from mbcost.modules.trace.recorder import COPIES, Recorder
from mbcost.modules.trace.recording import first_shape

ATTENTION_INSIDE = "attention"
NAMED = "named"
SILENT = "silent"

_CHECK_DEVICES = frozenset(
    (
        *(torch.lstm, torch.gru, torch.rnn_tanh, torch.rnn_relu),
        *(torch.lstm_cell, torch.gru_cell, torch.rnn_tanh_cell, torch.rnn_relu_cell),
        F.scaled_dot_product_attention,
    )
)
"""Functions that refuse an argument made on the CPU, such as a first state of zeros, before any
operator runs."""


class Functions(TorchFunctionMode):
    """Sees which function was called: ``F.relu`` is not ``torch.relu`` to every counter."""

    def __init__(self, recorder: Recorder) -> None:
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
            context = SILENT
        elif func in NAMED_PRODUCTS:
            context = NAMED
        elif func is F.multi_head_attention_forward and not kwargs.get("need_weights", True):
            context = ATTENTION_INSIDE
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
        if SILENT in recorder.context:
            recorder.inside[-1] += inside
        elif known is not None:
            given = bound(func, args, kwargs)
            cost = known(given, out, inside)
            recorder.add(func.__name__, cost, recorder.parameters_in(given, cost))
        return out


class Dispatch(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no types there
    """Sees every operator, and runs it on meta."""

    def __init__(self, recorder: Recorder) -> None:
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
        if func.is_view or name in COPIES:
            recorder.remember_views(args, out)
            return out
        compute = COSTS.get(name) or registered(func)
        cost = (
            compute(args, out)
            if compute is not None and isinstance(out, Tensor | tuple | list)
            else None
        )
        if SILENT in recorder.context:
            if cost is not None:
                recorder.inside[-1] += cost.terms.mult_adds
            return out
        params = recorder.parameters_in(args, cost)
        if cost is not None:
            recorder.add(name, self.in_context(cost), params)
        elif params:
            recorder.add(name, OpCost("other", (), first_shape(out)), params)
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
        if context[-1] == NAMED:
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
