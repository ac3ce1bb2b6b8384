"""A forward in training as it is written down, and autograd's functions, which go back through it.

A function is what autograd keeps of an operator of the forward: what it saves, the operators of its
backward, and whom it hands gradients to. ``autograd`` writes what layers do, ``backward`` goes
back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import NamedTuple

from mbcost.graph.liveness import Operator, Storage
from mbcost.graph.primitives import Shape

FP32 = 4
INDEX = 8
"""Bytes of an int64: where a maximum was found, the class of a pixel."""
NUMBER = 8
"""Bytes of a Python number that torch wraps in a tensor while an operator reads it."""


class Tensor(NamedTuple):
    """A map as it is passed on in the forward."""

    storage: int
    shape: Shape
    """Of one image."""
    itemsize: int
    function: int | None = None
    """The function that made it; None where nothing before it is trained."""


class Work(NamedTuple):
    """An operator of a backward: the bytes that it writes, and which of the results before it
    it reads; the last one reads what came in and what was saved too."""

    writes: tuple[int, ...]
    reads: tuple[int, ...] = ()


class Edge(NamedTuple):
    """A gradient that a function hands on."""

    target: int
    """A function, or ``~i`` for parameter ``i``."""
    result: int | None = None
    """Which of the function's results; None is what came in."""
    view: int | None = None
    """The bytes of a view of what came in, or of a part of it; None hands on the very tensor."""


class Function(NamedTuple):
    """A function of autograd's graph."""

    path: str
    saved: tuple[int, ...]
    works: tuple[Work, ...]
    edges: tuple[Edge, ...]


class Tape:
    """A forward as it is written down, and the functions of its backward."""

    def __init__(self, batch: int, amp: bool, observed: bool) -> None:
        self.batch = batch
        self.amp = amp
        self.observed = observed
        self.storages: list[Storage] = []
        self.operators: list[Operator] = []
        self.functions: list[Function] = []
        self.parameters: list[tuple[str, int]] = []
        """Path of the layer, and bytes in fp32."""
        self.saved: dict[int, None] = {}
        """Storages that functions save, in order; no parameter and no buffer is one of them."""
        self.copies: list[int] = []
        """Parameters in 2 bytes, which autocast keeps until it ends."""

    def operator(
        self,
        path: str,
        reads: Iterable[int],
        *sizes: int,
        category: str = "activation",
        number: bool = False,
    ) -> int:
        """Note an operator that writes storages of these sizes; return the first.

        Where it reads a Python ``number``, torch wraps it, unseen by an observer: one more, the
        last.
        """
        first = len(self.storages)
        for size in sizes:
            self.storages.append(Storage(path, size, category))
        if number and not self.observed:
            self.storages.append(Storage(path, NUMBER, "temporary"))
        written = tuple(range(first, len(self.storages)))
        self.operators.append(Operator(path, tuple(reads), written))
        return first

    def hold(self, storages: Iterable[int]) -> None:
        """Keep storages alive until the last operator has run."""
        last = self.operators[-1]
        self.operators[-1] = last._replace(reads=(*last.reads, *storages))

    def size(self, x: Tensor) -> int:
        """Return the bytes of a tensor."""
        return self.batch * prod(x.shape) * x.itemsize

    def function(
        self,
        path: str,
        saved: Sequence[int],
        works: Sequence[Work],
        edges: Sequence[tuple[Tensor, int | None] | Edge],
    ) -> int | None:
        """Note a function; return it, or None where it hands nothing on."""
        found = []
        for edge in edges:
            if isinstance(edge, Edge):
                found.append(edge)
            elif edge[0].function is not None:
                found.append(Edge(edge[0].function, edge[1]))
        if not found:
            return None
        tensors = [i for i in saved if self.storages[i].category != "temporary"]
        self.saved.update(dict.fromkeys(tensors))
        self.functions.append(Function(path, tuple(saved), tuple(works), tuple(found)))
        return len(self.functions) - 1

    def view(self, path: str, x: Tensor) -> int | None:
        """Note the function of a view."""
        edges = [] if x.function is None else [Edge(x.function, view=self.size(x))]
        return self.function(path, (), (), edges)

    def cast(self, path: str, x: Tensor, itemsize: int) -> Tensor:
        """Return a map in so many bytes an element: itself, or a copy."""
        if x.itemsize == itemsize:
            return x
        y = x._replace(itemsize=itemsize)
        y = y._replace(storage=self.operator(path, (x.storage,), self.size(y)))
        made = self.function(path, (), (Work((self.size(x),)),), ((x, 0),))
        return y._replace(function=made)
