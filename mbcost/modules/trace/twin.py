"""A copy of a model, for a forward to do with as it likes. Importing this imports torch; only
``trace`` does.

The structure is copied; of a tensor only what a shape needs: its twin is on the meta device, tied
where it is tied, sharing a storage where it shares one. Nothing that the copy holds leads back to
the model: closures, hooks, bound methods and weak references are copied with what they hold. What
cannot be copied is refused.
"""

from __future__ import annotations

import contextvars
import copyreg
import sys
import threading
import types
import weakref
from collections import OrderedDict
from typing import Any, NoReturn

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from mbcost.errors import MbcostError
from mbcost.modules.trace.data import Data, NoCopyError
from mbcost.modules.trace.held import MUTABLE, class_state, names_in

_SHARED = frozenset(
    (
        *(type(None), bool, int, float, complex, str, bytes, range, slice),
        *(type(Ellipsis), type(NotImplemented), type, types.ModuleType, types.CodeType),
        *(torch.dtype, torch.device, torch.Size, torch.layout, torch.memory_format),
        torch.jit.ScriptFunction,
    )
)
"""Types whose values a forward cannot change: the copy holds them too."""

_INSIDE = {
    "OptimizedModule": "_orig_mod",
    "DataParallel": "module",
    "DistributedDataParallel": "module",
}
"""Torch's wrappers that change how a module runs, not what: the module inside stands for them."""

_OPERATORS = ("torch._ops", "torch._library")
"""Where the types of operators, torch's own and those that users define, stand."""

_HOOKS = ("_forward_hooks", "_forward_pre_hooks")
_LOCKS = {type(make()): make for make in (threading.Lock, threading.RLock)}


class Twin:
    """``model`` copied: the copy, and which original each of its modules and tensors stands for."""

    def __init__(
        self, model: nn.Module, name: str, *, real: bool = False, fake: Any = None
    ) -> None:
        """Copy ``model``; ``real`` copies the values of its tensors too, to the CPU; ``fake`` is
        the ``FakeTensorMode`` whose tensors without values the copy then has, on the CPU too."""
        self.original = unwrapped(model)
        self.real = real
        self._name = name
        self._memo: dict[int, Any] = {}
        self._alive: list[Any] = []  # an id in the memo must not be used twice
        self._data = Data(real=real, fake=fake)
        self._in_hook = False
        self._class_states: dict[type, list[tuple[str, Any]]] = {}
        self.modules: dict[int, nn.Module] = {}
        """The original by the id of its copy."""
        self.tensors: dict[int, Tensor] = {}
        """The original by the id of its copy."""
        try:
            with _Tensors(self):
                self.model: nn.Module = self.copy(self.original)
        except NoCopyError as error:
            self._refuse(error)
        except RecursionError as error:
            self._refuse(NoCopyError("what it holds is nested too deeply"), error)
        for part in self.model.modules():
            part.__dict__["training"] = False  # not .eval(): a model may override train()

    def _refuse(self, error: NoCopyError, cause: Exception | None = None) -> NoReturn:
        paths = {id(part): path for path, part in self.original.named_modules()}
        path = ".".join(p for p in (paths.get(id(error.module), ""), error.attribute) if p)
        raise MbcostError(
            f"cannot be copied: {error.reason}",
            place=f"{self._name}: {path}" if path else self._name,
            way_out=error.way_out
            or "a model is counted on a copy, so that it is left as it is: take that off first",
        ) from cause or error

    def parameters(self) -> dict[int, int]:
        """Return the id of each original parameter by the id of its copy, and of plain tensors
        that are views of one whole."""
        parameters = {id(p): p for p in self.original.parameters()}
        found = {copied: id(x) for copied, x in self.tensors.items() if id(x) in parameters}
        if self._data.shares:
            whole = {(p.untyped_storage()._cdata, p.numel()): id(p) for p in parameters.values()}
            for copied, x in self.tensors.items():
                if copied not in found and x.layout is torch.strided:
                    owner = whole.get((x.untyped_storage()._cdata, x.numel()))
                    if owner is not None:
                        found[copied] = owner
        return found

    def copy(self, x: Any) -> Any:
        """Return the copy of ``x``, the same one however often it is met."""
        kind = type(x)
        if kind in _SHARED:
            return x
        if id(x) in self._memo:
            return self._memo[id(x)]
        if isinstance(x, Tensor):
            return self.tensor(x)
        if isinstance(x, nn.Module):
            return self._module(x)
        made = self._container(x, kind)
        if made is None:
            made = self._held(x, kind)
        if made is None:
            made = self._rebuilt(x)
        return made

    def _keep(self, x: Any, made: Any) -> Any:
        self._memo[id(x)] = made
        self._alive.append(x)
        return made

    def _container(self, x: Any, kind: type) -> Any:
        """Return the copy of a list, dict or tuple, else None."""
        if kind is list:
            items = self._keep(x, [])
            items.extend(self.copy(item) for item in x)
            return items
        if kind is dict or kind is OrderedDict:
            entries = self._keep(x, kind())
            for key, value in x.items():
                entries[self.copy(key)] = self.copy(value)
            return entries
        if kind is tuple:
            made = tuple(self.copy(item) for item in x)
            if id(x) in self._memo:  # it holds itself
                return self._memo[id(x)]
            same = all(new is old for new, old in zip(made, x, strict=True))
            return x if same else self._keep(x, made)
        return None

    def _held(self, x: Any, kind: type) -> Any:
        """Return the copy of what a plain deep copy shares or refuses, else None."""
        if isinstance(x, type):
            return x
        if kind is types.FunctionType:
            return self._function(x)
        if kind is types.MethodType:
            return self._keep(x, types.MethodType(self.copy(x.__func__), self.copy(x.__self__)))
        if kind is types.BuiltinFunctionType:  # a method of a list is one, as a function is
            if x.__self__ is None or isinstance(x.__self__, types.ModuleType | type):
                return x
            return self._keep(x, getattr(self.copy(x.__self__), x.__name__))
        if kind is types.CellType:
            cell = self._keep(x, types.CellType())
            try:
                inside = x.cell_contents
            except ValueError:  # a name that was not given yet
                return cell
            cell.cell_contents = self.copy(inside)
            return cell
        if kind is weakref.ReferenceType:
            target = x()
            return x if target is None else self._keep(x, weakref.ref(self.copy(target)))
        if kind in _LOCKS:
            return self._keep(x, _LOCKS[kind]())
        if kind is torch.Generator:
            return self._keep(x, x.clone_state())
        if kind is types.MappingProxyType:
            return self._keep(x, kind(self.copy(dict(x))))
        if x is sys.stdout or x is sys.stderr or kind is contextvars.ContextVar:
            return x
        if kind.__module__.startswith(_OPERATORS):
            return x
        return None

    def _rebuilt(self, x: Any) -> Any:
        """Return the copy of any other object, as ``copy.deepcopy`` makes it."""
        try:
            own = getattr(type(x), "__deepcopy__", None)
            if own is not None:
                return self._keep(x, own(x, self._memo))
            reduce = copyreg.dispatch_table.get(type(x))
            recipe = reduce(x) if reduce else x.__reduce_ex__(4)
            if isinstance(recipe, str):
                return x
            self._alive.append(recipe)
            return self._follow(x, *recipe)
        except (NoCopyError, MbcostError):
            raise
        except Exception as error:
            what = (str(error).strip().splitlines() or [""])[0][:200]
            raise NoCopyError(what or type(error).__name__) from error

    def _follow(
        self,
        x: Any,
        make: Any,
        args: Any,
        state: Any = None,
        items: Any = None,
        pairs: Any = None,
        setter: Any = None,
    ) -> Any:
        made = self._keep(x, make(*(self.copy(arg) for arg in args)))
        if state is not None:
            state = self.copy(state)
            if setter is not None:
                setter(made, state)
            elif hasattr(made, "__setstate__"):
                made.__setstate__(state)
            else:
                plain, slots = state if isinstance(state, tuple) else (state, None)
                made.__dict__.update(plain or {})
                for name, value in (slots or {}).items():
                    setattr(made, name, value)
        for item in items or ():
            made.append(self.copy(item))
        for key, value in pairs or ():
            made[self.copy(key)] = self.copy(value)
        return made

    def _module(self, x: nn.Module) -> nn.Module:
        """Return the copy of a module by its attributes: none of its own code runs."""
        inside = unwrapped(x)
        if inside is not x:
            return self._keep(x, self.copy(inside))  # type: ignore[no-any-return]
        if isinstance(x, torch.jit.ScriptModule):
            raise NoCopyError(
                "it is compiled by TorchScript, and what runs in it cannot be watched",
                module=x,
                way_out="count the module from before torch.jit.script or torch.jit.trace",
            )
        kind = type(x)
        try:
            made: nn.Module = object.__new__(kind)
        except TypeError as error:  # it is a list or a dict too
            raise NoCopyError(str(error), module=x) from error
        self._keep(x, made)
        self.modules[id(made)] = x
        state = object.__getstate__(x)
        plain, slots = state if isinstance(state, tuple) else (state, {})
        if kind not in self._class_states:
            self._class_states[kind] = class_state(kind)
        in_hook = self._in_hook
        try:
            for name, value in self._class_states[kind]:
                made.__dict__[name] = self.copy(value)
            for name, value in plain.items():
                self._in_hook = name in _HOOKS
                made.__dict__[name] = value if type(value) in _SHARED else self.copy(value)
            for name, value in slots.items():
                object.__setattr__(made, name, self.copy(value))
        except NoCopyError as error:
            if error.module is None:
                error.module, error.attribute = x, name
            raise
        self._in_hook = in_hook
        made.__dict__["_compiled_call_impl"] = None  # module.compile(): its plain call is traced
        return made

    def _function(self, f: types.FunctionType) -> types.FunctionType:
        """Return a function with a copy of what it closes over; a hook's globals are its own.

        A hook that stores a map in a list, or counts its calls, shall do so in copies.
        """
        own_globals = self._in_hook and not (f.__module__ or "").startswith("torch.")
        if not (f.__closure__ or f.__defaults__ or f.__kwdefaults__ or own_globals):
            return f
        cells = tuple(self.copy(cell) for cell in f.__closure__ or ())
        if id(f) in self._memo:  # it closes over itself
            return self._memo[id(f)]  # type: ignore[no-any-return]
        names = dict(f.__globals__) if own_globals else f.__globals__
        made = self._keep(f, types.FunctionType(f.__code__, names, f.__name__, None, cells or None))
        made.__defaults__ = self.copy(f.__defaults__)
        made.__kwdefaults__ = self.copy(f.__kwdefaults__)
        made.__dict__.update(f.__dict__)
        made.__qualname__, made.__module__ = f.__qualname__, f.__module__
        if own_globals:
            for name in names_in(f.__code__) & names.keys():
                if type(names[name]) in MUTABLE or isinstance(names[name], nn.Module):
                    names[name] = self.copy(names[name])
        return made  # type: ignore[no-any-return]

    def tensor(self, x: Tensor) -> Tensor:
        """Return the twin of a tensor, with its attributes."""
        kind = type(x)
        plain = kind is nn.Parameter or kind is Tensor
        if not plain and is_traceable_wrapper_subclass(x):
            made = self._wrapper(x)
        else:
            made = self._data.copy(x)
        if kind is nn.Parameter:
            made = nn.Parameter(made, x.requires_grad)
        elif not plain and type(made) is not kind:
            made = torch.Tensor._make_subclass(kind, made, x.requires_grad)
        elif x.requires_grad:
            made.requires_grad_()
        self._keep(x, made)
        self.tensors[id(made)] = x
        if vars(x):
            made.__dict__.update({key: self.copy(value) for key, value in vars(x).items()})
        return made

    def _wrapper(self, x: Any) -> Tensor:
        """Return the twin of a tensor that is made of others, as a quantised one is."""
        names, context = x.__tensor_flatten__()
        inner = {name: self.copy(getattr(x, name)) for name in names}
        made: Tensor = type(x).__tensor_unflatten__(inner, context, x.shape, x.stride())
        return made


class _Tensors(TorchFunctionMode):
    """Tensors met by an object's own ``__deepcopy__`` become twins too."""

    def __init__(self, twin: Twin) -> None:
        super().__init__()
        self.twin = twin

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is Tensor.__deepcopy__:
            return self.twin.copy(args[0])
        return func(*args, **(kwargs or {}))


def unwrapped(module: nn.Module) -> nn.Module:
    """Return the module inside torch's wrappers for compiling and for several devices."""
    kind = type(module)
    name = _INSIDE.get(kind.__name__, "")
    if name in module.__dict__.get("_modules", {}) and kind.__module__.startswith("torch."):
        return unwrapped(module._modules[name])  # type: ignore[arg-type]
    return module
