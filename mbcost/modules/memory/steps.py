"""A step of training, really run on the CPU, and what it keeps alive. Importing this imports torch.

``watched`` is under a dispatch mode, which changes what autograd does: it adds gradients up out of
place. Otherwise nothing watches from inside: the allocator tells torch's profiler. The steps are
those of ``graph.training``, which is compared with them: a first one makes the optimizer's state,
the second is observed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import reduce
from operator import add
from typing import Any, NamedTuple, assert_never

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from mbcost.graph.graph import Graph
from mbcost.graph.training import Optimizer
from mbcost.modules.graph_module import GraphModule
from mbcost.modules.memory.observed import Sample
from mbcost.modules.memory.profiled import has_kernel, in_order
from mbcost.modules.memory.storages import Storages

PHASES = ("forward", "backward", "step")
_PHASE = "mbcost: "


class Phase(NamedTuple):
    """What a part of a step kept alive."""

    start: int
    """Bytes alive when it began."""
    samples: tuple[Sample, ...]

    @property
    def peak(self) -> int:
        """Return the most bytes alive after an operator."""
        return max([self.start, *[sample.size for sample in self.samples]])


class Step:
    """A network, its optimizer, an image and its targets: all zero, all held until the end."""

    def __init__(self, graph: Graph, batch: int, optimizer: Optimizer, amp: bool) -> None:
        self.module = trained_module(graph)
        self.image = torch.zeros(batch, *graph.x)
        self.targets = [torch.zeros(batch, *y[1:], dtype=torch.int64) for y in graph.ys]
        self.optimizer = optimizer_of(self.module, optimizer)
        self._autocast = torch.autocast("cpu", dtype=torch.bfloat16, enabled=amp)

    def run(self, phase: Any = nullcontext) -> None:
        """Run one step, each part of it within ``phase`` of its name; then drop the gradients."""
        with phase("forward"), self._autocast:
            outputs = self.outputs()
            loss = self._loss(outputs)
        with phase("backward"):
            loss.backward()  # type: ignore[no-untyped-call]  # torch has no types there
        with phase("step"):
            self.optimizer.step()
        self.optimizer.zero_grad()

    def outputs(self) -> Any:
        """Run a forward."""
        return self.module(self.image)

    def _loss(self, outputs: Tensor | tuple[Tensor, ...]) -> Tensor:
        if isinstance(outputs, Tensor):
            outputs = (outputs,)
        losses = [cross_entropy(y, t) for y, t in zip(outputs, self.targets, strict=True)]
        return reduce(add, losses)

    def given(self) -> list[Tensor]:
        """Return every tensor that is there before a step."""
        states = [x for state in self.optimizer.state.values() for x in state.values()]
        tensors = [x for x in states if isinstance(x, Tensor)]
        module = self.module
        return [self.image, *self.targets, *module.parameters(), *module.buffers(), *tensors]


def watched_step(
    graph: Graph, batch: int, optimizer: Optimizer = "adam", amp: bool = False
) -> dict[str, Phase]:
    """Return what each part of a step keeps alive while a dispatch mode watches."""
    return watched(Step(graph, batch, optimizer, amp))


def watched(step: Step) -> dict[str, Phase]:
    """Return what each part of the second of two steps keeps alive, seen by a dispatch mode."""
    step.run()
    watch = Storages(None, step.given())
    found = {}

    @contextmanager
    def phase(name: str) -> Iterator[None]:
        start, first = watch.alive, len(watch.samples)
        yield
        found[name] = Phase(start, tuple(watch.samples[first:]))

    with watch:
        step.run(phase)
    return found


def profiled_step(
    graph: Graph, batch: int, optimizer: Optimizer = "adam", amp: bool = False
) -> dict[str, Phase]:
    """Return what each part of a step keeps alive, by the events of the CPU's allocator."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # else it writes to stderr that there is no GPU
    from torch.profiler import ProfilerActivity, profile, record_function

    step = Step(graph, batch, optimizer, amp)
    step.run()
    given = {x.untyped_storage()._cdata: x.untyped_storage().nbytes() for x in step.given()}
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        step.run(lambda name: record_function(_PHASE + name))
    events = _Events(sum(given.values()))
    for event in in_order(profiler.profiler.kineto_results.experimental_event_tree()):
        events.visit(event, inside=False)
    return events.phases


class _Events:
    """Goes through the events in the order in which they happened.

    A sample is taken after an operator if anything is alive that was allocated since the last one:
    by the operator, or before it, as the tensor in which torch wraps a Python number.
    """

    def __init__(self, given: int) -> None:
        self.phases: dict[str, Phase] = {}
        self._alive: dict[int, int] = {}
        self._new: set[int] = set()
        self._size = given
        self._samples: list[Sample] = []

    def visit(self, event: Any, inside: bool) -> None:
        """Follow an event that is ``inside`` an operator, or not."""
        fields = event.extra_fields
        if hasattr(fields, "alloc_size"):
            self._allocation(fields.ptr, fields.alloc_size)
            return
        whole = not inside and has_kernel(event.name) and not _casts(event)
        start = self._size
        for child in in_order(event.children):
            self.visit(child, inside or whole)
        if whole and self._new:
            self._samples.append(Sample("", event.name, self._size))
            self._new.clear()
        elif event.name.startswith(_PHASE):
            self.phases[event.name[len(_PHASE) :]] = Phase(start, tuple(self._samples))
            self._samples.clear()

    def _allocation(self, pointer: int, size: int) -> None:
        if size > 0:
            self._alive[pointer] = size
            self._new.add(pointer)
            self._size += size
        elif pointer in self._alive:
            self._size -= self._alive.pop(pointer)
            self._new.discard(pointer)


def _casts(event: Any) -> bool:
    """Return whether this is autocast, which copies what an operator is given and then calls it."""
    called = {child.name for child in event.children}
    return {"aten::to", event.name} <= called


def trained_module(graph: Graph) -> nn.Module:
    """Return the graph as a module in training, with weights of zero."""
    with torch.device("meta"):
        module = GraphModule(graph).train()
    module.to_empty(device="cpu")
    for tensor in (*module.parameters(), *module.buffers()):
        tensor.detach().zero_()
    return module


def optimizer_of(module: nn.Module, name: Optimizer) -> torch.optim.Optimizer:
    """Return an optimizer of all parameters, as torch makes it of its name."""
    match name:
        case "sgd":
            return torch.optim.SGD(module.parameters())
        case "momentum":
            return torch.optim.SGD(module.parameters(), momentum=0.9)
        case "adam":
            return torch.optim.Adam(module.parameters())
        case "adamw":
            return torch.optim.AdamW(module.parameters())
        case _:
            assert_never(name)
