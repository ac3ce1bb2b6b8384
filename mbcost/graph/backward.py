"""The backward in closed form: functions in reverse, and how their gradients are added up.

Autograd adds a second gradient of a map to the first one in place where that one is no view and
nothing else holds its storage; an observer in a dispatch mode makes it add out of place. The
gradient of a parameter is kept as it is.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from mbcost.graph.tape import FP32, Function, Tape


class _Gradient(NamedTuple):
    """A gradient that waits for its function."""

    storage: int
    size: int
    """Bytes of its own."""
    own: bool
    """Whether it is no view: a view holds what it is a view of."""


def backward(tape: Tape, loss: int) -> dict[int, int]:
    """Note the backward from function ``loss``; return the storage of each parameter's gradient.

    The caller of the backward holds the loss's own gradient, 4 bytes, until it is done.
    """
    run = _Backward(tape)
    root = tape.operator("loss", (), FP32, category="gradient")
    run.held[root] += 1
    run.waiting[loss] = _Gradient(root, FP32, True)
    for i in range(loss, -1, -1):
        if i in run.waiting:
            run.function(tape.functions[i], run.waiting.pop(i))
    tape.hold((root,))
    return run.parameters


class _Backward:
    """A backward while it is written down."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.waiting: dict[int, _Gradient] = {}
        self.held: Counter[int] = Counter()
        """By storage, how many gradients are handed on and wait."""
        self.parameters: dict[int, int] = {}

    def function(self, function: Function, given: _Gradient) -> None:
        """Note what a function runs, and hand its results on in the order of its inputs."""
        self.held[given.storage] -= 1
        results: list[int] = []
        for i, work in enumerate(function.works):
            reads = [results[read] for read in work.reads]
            if i == len(function.works) - 1:
                reads += [given.storage, *function.saved]
            first = self.tape.operator(function.path, reads, *work.writes, category="gradient")
            results += range(first, first + len(work.writes))
        sizes = [size for work in function.works for size in work.writes]
        handed = []
        for edge in function.edges:
            if edge.result is not None:
                handed.append(_Gradient(results[edge.result], sizes[edge.result], True))
            elif edge.view is not None:
                handed.append(_Gradient(given.storage, edge.view, False))
            else:
                handed.append(given)
        self.held.update(gradient.storage for gradient in handed)
        added = []
        for edge, gradient in zip(function.edges, handed, strict=True):
            if edge.target < 0:
                self.parameters[~edge.target] = gradient.storage
            elif edge.target in self.waiting:
                self._add(function.path, edge.target, gradient)
                added.append(gradient.storage)
            else:
                self.waiting[edge.target] = gradient
        if added:  # what was added to another stays until the function has handed all on
            self.tape.hold(added)
            self.held.subtract(added)

    def _add(self, path: str, target: int, other: _Gradient) -> None:
        """Note the sum of what waits for a function and another gradient of the same map."""
        first = self.waiting[target]
        reads = (first.storage, other.storage)
        if first.own and self.held[first.storage] == 1 and not self.tape.observed:
            self.tape.operator(path, reads)
            return
        self.held[first.storage] -= 1
        written = self.tape.operator(path, reads, first.size, category="gradient")
        self.held[written] += 1
        self.waiting[target] = _Gradient(written, first.size, True)
