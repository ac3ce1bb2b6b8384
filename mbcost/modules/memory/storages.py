"""Watches the storages of tensors while a module runs. Importing this imports torch; only
``memory`` does.

A storage is alive from the operator that puts it out until Python and torch have both let go of
it; a weak reference tells. Views share one. Storages that operators read and none of them wrote,
such as weights, do not count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any
from weakref import ref

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mbcost.errors import MbcostError
from mbcost.modules.memory.observed import Observed, Sample

_MADE_IN_PYTHON = (torch.ops.aten.lift_fresh.default,)
"""Operators whose input is a tensor that a forward just made of numbers."""


class Storages(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no types there
    """Takes a sample after every operator that allocates."""

    def __init__(self, module: nn.Module | None, given: Iterable[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.samples: list[Sample] = []
        self.largest = 0
        self._paths = {id(part): path for path, part in module.named_modules()} if module else {}
        self._stack = [(0, "")]
        self._thread = get_ident()
        self._alive: dict[int, tuple[int, ref[Any]]] = {}
        self._others: dict[int, ref[Any]] = {}
        self._bytes = 0
        for x in given:
            self._watch(x)
        self.given = self._bytes

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func not in _MADE_IN_PYTHON:
            for x in tree_leaves((args, kwargs)):
                if isinstance(x, Tensor):
                    self._read(x)
        out = func(*args, **kwargs)
        before = self._bytes
        for x in tree_leaves(out):
            if isinstance(x, Tensor):
                self._watch(x)
        if self._bytes > before:
            self.samples.append(Sample(self.path, str(func), self._bytes))
        return out

    @property
    def alive(self) -> int:
        """Return the bytes that are alive now."""
        return self._bytes

    def _read(self, x: Tensor) -> None:
        """Note what an operator reads: where none of them wrote it, it does not count."""
        storage = _storage(x)
        key = storage._cdata
        if key not in self._alive and key not in self._others:
            self._others[key] = ref(storage, lambda _: self._others.pop(key, None))

    def _watch(self, x: Tensor) -> None:
        """Note what an operator puts out: a new storage, or one that may have grown."""
        storage = _storage(x)
        key = storage._cdata
        if key in self._others:
            return
        known = self._alive.get(key)
        size = storage.nbytes()
        if known is None:
            self._alive[key] = size, ref(storage, lambda _: self._drop(key))
            self._bytes += size
        elif known[0] != size:
            self._alive[key] = size, known[1]
            self._bytes += size - known[0]
        self.largest = max(self.largest, size)

    def _drop(self, key: int) -> None:
        self._bytes -= self._alive.pop(key)[0]

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch what runs inside, and which module runs it."""
        handles = (
            register_module_forward_pre_hook(self._enter),
            register_module_forward_hook(self._leave),
        )
        try:
            with self:
                yield
        finally:
            for handle in handles:
                handle.remove()

    @property
    def path(self) -> str:
        """Return the path of the innermost module that runs."""
        return self._stack[-1][1]

    def _enter(self, module: nn.Module, args: Any) -> None:
        if get_ident() != self._thread:  # hooks are of every thread, modes of one
            if id(module) in self._paths:
                raise MbcostError(
                    "runs in a thread of its own, where its memory cannot be watched",
                    place=self._paths[id(module)],
                    way_out="let the forward run it in the same thread",
                )
            return
        self._stack.append((id(module), self._paths.get(id(module), self.path)))

    def _leave(self, module: nn.Module, args: Any, output: Any) -> None:
        if get_ident() != self._thread:
            return
        while len(self._stack) > 1 and self._stack.pop()[0] != id(module):
            pass  # one that raised, and whose error was caught


def _storage(x: Tensor) -> Any:
    """Return a tensor's storage, or raise where it has none, as a sparse one."""
    try:
        return x.untyped_storage()
    except (NotImplementedError, RuntimeError) as error:
        raise MbcostError(
            f"a {x.layout} tensor does not tell which memory it holds",
            way_out="its memory cannot be watched",
        ) from error


def observed_run(
    run: Callable[[], object], given: Iterable[Tensor], module: nn.Module | None = None
) -> Observed:
    """Return what ``run`` keeps alive without gradients, beside what it is ``given``.

    Paths are those of ``module``. What ``run`` returns is alive until the end.
    """
    watch = Storages(module, given)
    with torch.inference_mode(False), torch.no_grad(), watch.watched():
        output = run()
    del output
    return Observed(watch.given, tuple(watch.samples), watch.largest)
