"""The memory of a subject as plain data: the keys of ``mbcost memory``.

Bytes, whole; null where a figure was not asked for or is not known. To add a figure: its line in
``COLUMNS`` and its value in ``record``.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property

from mbcost.cost import DTYPES, terms, weight_bytes
from mbcost.graph.arena import Arena, arena
from mbcost.graph.deployed import InPlace, deployed
from mbcost.graph.eager import eager
from mbcost.graph.graph import Graph
from mbcost.graph.liveness import Schedule, largest_activation, peak, without_input
from mbcost.graph.order import Ordered, best_order
from mbcost.graph.primitives import BatchNorm2d
from mbcost.graph.training import Fit, Training, max_batch, smallest_batch, training
from mbcost.networks.settings import as_record
from mbcost.output.table import Column, Record
from mbcost.studies.memory.how import How
from mbcost.targets.subject import Subject

COLUMNS = {
    column.key: column
    for column in (
        Column("name", "name"),
        Column("target", "target"),
        Column("batch", "batch", "whole"),
        Column("dtype", "dtype"),
        Column("largest_activation_bytes", "largest map", "memory", rank=3),
        Column("peak_activation_bytes", "peak", "memory"),
        Column("peak_at", "at", rank=4),
        Column("lower_bound_bytes", "bound", "memory", rank=2),
        Column("arena_bytes", "arena", "memory"),
        Column("arena_persistent_bytes", "kept besides", "memory", rank=4),
        Column("arena_overhead", "above bound", "growth", rank=3),
        Column("best_order_bytes", "best order", "memory"),
        Column("order_is_best", "no better order", "truth", rank=4),
        Column("fusion", "fusion", rank=5),
        Column("saved_bytes", "saved", "memory", rank=1),
        Column("weight_bytes", "weights", "memory"),
        Column("grad_bytes", "gradients", "memory", rank=4),
        Column("optimizer_bytes", "optimizer", "memory", rank=3),
        Column("buffer_bytes", "buffers", "memory", rank=5),
        Column("peak_forward_bytes", "forward", "memory", rank=2),
        Column("peak_backward_bytes", "backward", "memory", rank=2),
        Column("peak_step_bytes", "step", "memory", rank=2),
        Column("train_peak_bytes", "training peak", "memory"),
        Column("max_batch", "max batch", "whole"),
        Column("max_batch_bytes", "takes", "memory"),
        Column("next_batch_bytes", "the next", "memory"),
        Column("settings", "settings", "settings"),
    )
}
KEYS = tuple(COLUMNS)


class Memory:
    """What a graph of closed form needs, each schedule made once and only where it is asked for."""

    def __init__(self, graph: Graph, batch: int, how: How) -> None:
        self.graph = graph
        self.batch = batch
        self.how = how

    @cached_property
    def eager(self) -> Schedule:
        """Inference as torch runs it, a kernel per layer."""
        how = self.how
        held = how.image in (None, "held")
        found = eager(
            self.graph,
            batch=self.batch,
            itemsize=how.itemsize,
            image="held" if held else "released",
        )
        return without_input(found) if how.image == "excluded" else found

    @cached_property
    def weight_bytes(self) -> int:
        """The parameters as ``dtype`` stores them; a bf16 is as long as an fp16."""
        stored = DTYPES["fp16" if self.how.dtype == "bf16" else self.how.dtype]
        found = (terms(node.layer, node.x, node.y) for node in self.graph.nodes)
        return sum(weight_bytes(each, stored) for each in found)

    @property
    def buffer_bytes(self) -> int:
        """Running means and variances, and how many batches each batch-norm has seen (int64)."""
        norms = [node.layer for node in self.graph.nodes if isinstance(node.layer, BatchNorm2d)]
        return sum(2 * norm.c * self.how.itemsize + 8 for norm in norms)

    @cached_property
    def ordered(self) -> Ordered | None:
        """The deployed layers in the best order; None where none was asked for."""
        return best_order(self._deployed()) if self.how.order == "best" else None

    @cached_property
    def deployed(self) -> Schedule:
        """Inference as deployed, in the order asked for."""
        return self._deployed(self.how.in_place, self.ordered)

    def _deployed(
        self, in_place: Collection[InPlace] = (), order: Ordered | None = None
    ) -> Schedule:
        how = self.how
        return deployed(
            self.graph,
            fuse=how.fuse,
            batch=self.batch,
            itemsize=how.itemsize,
            image=how.image or "released",
            in_place=in_place,
            order=order.order if order else None,
        )

    @cached_property
    def arena(self) -> Arena:
        """Where each tensor of the deployed network lies."""
        return arena(self.deployed, self.how.align)

    @cached_property
    def training(self) -> Training:
        """A step of training."""
        return training(
            self.graph, batch=self.batch, optimizer=self.how.optimizer, amp=self.how.amp
        )

    @property
    def largest_activation(self) -> int:
        """The bytes of the largest map of the batch."""
        return self.batch * self.how.itemsize * largest_activation(self.graph.x, self.graph.nodes)

    @property
    def schedule(self) -> Schedule:
        """What is shown step by step: the step of training where one is asked for."""
        return self.training.schedule if self.how.train else self.eager

    @property
    def ends(self) -> tuple[tuple[str, int], ...]:
        """The operators of that schedule before which its phases end."""
        if not self.how.train:
            return (("forward", len(self.eager.operators)),)
        step = self.training
        ends = (step.forward_end, step.backward_end, len(step.schedule.operators))
        return tuple(zip(("forward", "backward", "step"), ends, strict=True))


def record(subject: Subject, how: How) -> Record:
    """Return the memory of a subject, a value for each of ``KEYS``."""
    found: Record = dict.fromkeys(KEYS)
    found |= {
        "name": subject.name,
        "target": subject.target,
        "batch": subject.batch,
        "dtype": how.dtype,
        "settings": as_record(subject.settings),
    }
    if subject.traced:
        from mbcost.studies.memory.traced import traced_figures

        return found | traced_figures(subject, how)
    memory = Memory(subject.graph, subject.batch, how)
    found |= {"weight_bytes": memory.weight_bytes, "buffer_bytes": memory.buffer_bytes}
    found |= _inference(memory) | _deployed(memory)
    if how.train:
        found |= _trained(memory.training)
    if how.fit is not None:
        found |= fit_record(fitted(subject, how, how.fit))
    return found


def _inference(memory: Memory) -> Record:
    most = peak(memory.eager)
    operators = memory.eager.operators
    return {
        "largest_activation_bytes": memory.largest_activation,
        "peak_activation_bytes": most.size,
        "peak_at": operators[most.at].path if operators else None,
    }


def _deployed(memory: Memory) -> Record:
    bound, size = peak(memory.deployed).size, memory.arena.size
    return {
        "fusion": memory.how.fusion,
        "lower_bound_bytes": bound,
        "arena_bytes": size,
        "arena_overhead": size / bound - 1 if bound else None,
        "best_order_bytes": memory.ordered.size if memory.ordered else None,
        "order_is_best": memory.ordered.exact if memory.ordered else None,
    }


def _trained(step: Training) -> Record:
    standing = ("saved_bytes", "weight_bytes", "grad_bytes", "optimizer_bytes", "buffer_bytes")
    peaks = ("peak_forward_bytes", "peak_backward_bytes", "peak_step_bytes", "train_peak_bytes")
    return {key: getattr(step, key) for key in (*standing, *peaks)}


def fitted(subject: Subject, how: How, limit: int) -> Fit:
    """Return the largest batch that trains, or runs, within ``limit`` bytes.

    What runs is the weights, the buffers and the peak of maps.
    """

    def trains(batch: int) -> int:
        return Memory(subject.graph, batch, how).training.train_peak_bytes

    def runs(batch: int) -> int:
        memory = Memory(subject.graph, batch, how)
        return memory.weight_bytes + memory.buffer_bytes + peak(memory.eager).size

    if how.train:
        return max_batch(trains, limit, smallest_batch(subject.graph))
    return max_batch(runs, limit)


def fit_record(fit: Fit) -> Record:
    """Return the largest batch and what it and the next one take; null where none fits."""
    return {
        "max_batch": fit.batch,
        "max_batch_bytes": fit.size or None,
        "next_batch_bytes": fit.next_size,
    }
