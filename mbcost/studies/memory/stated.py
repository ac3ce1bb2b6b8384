"""The figures of memory that budgets, sweeps and searches read: those of ``mbcost memory``.

``Stated`` is what they are stated in. To add a figure of a whole network: its function, and its
line in ``OF_WHOLE``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from mbcost.errors import MbcostError
from mbcost.graph.deployed import Image
from mbcost.graph.graph import Graph
from mbcost.graph.kernels import Fusion
from mbcost.graph.liveness import peak
from mbcost.graph.training import Optimizer
from mbcost.studies.memory.figures import Memory
from mbcost.studies.memory.how import How
from mbcost.studies.memory.words import FUSED
from mbcost.targets.subject import Subject


class Stated(NamedTuple):
    """What bytes are stated in."""

    dtype: str = "fp32"
    """One of ``DTYPES``: of weights and maps; a step of training is always in fp32."""
    fuse: Fusion | None = None
    """The peak is that of the network deployed so; None is eager inference, a kernel per layer."""
    optimizer: Optimizer = "sgd"
    """Of a step of training."""

    def how(self, image: Image | None = None) -> How:
        """Return the same as ``mbcost memory`` takes it; an arena is fused as TFLite fuses it."""
        return How(self.dtype, self.fuse or "tflite", image, optimizer=self.optimizer)


def peak_bytes(graph: Graph, batch: int, stated: Stated, image: Image | None = None) -> int:
    """Return ``peak_activation_bytes``; of the deployed network it is ``lower_bound_bytes``."""
    memory = Memory(graph, batch, stated.how(image))
    return peak(memory.eager if stated.fuse is None else memory.deployed).size


def arena_bytes(graph: Graph, batch: int, stated: Stated) -> int:
    """Return the planned head of the deployed network's arena."""
    return Memory(graph, batch, stated.how()).arena.size


def train_peak_bytes(graph: Graph, batch: int, stated: Stated) -> int:
    """Return the most bytes alive in a step of training."""
    return Memory(graph, batch, stated.how()).training.train_peak_bytes


OF_WHOLE: dict[str, Callable[[Graph, int, Stated], int]] = {
    "arena_bytes": arena_bytes,
    "train_peak_bytes": train_peak_bytes,
}
"""Figures by column that no block has by itself: the scalar closed form of the whole network."""


def subject_peak_bytes(subject: Subject, stated: Stated) -> int:
    """Return the peak of a subject; a model from elsewhere is traced, in eager float32 alone."""
    if not subject.traced:
        with _named(subject):
            return peak_bytes(subject.graph, subject.batch, stated)
    if stated.fuse is not None:
        raise _no_graph(subject, "--fuse", "leave out --fuse")
    from mbcost.studies.memory.traced import traced_figures

    found: int = traced_figures(subject, stated.how())["peak_activation_bytes"]
    return found


def subject_whole(subject: Subject, key: str, stated: Stated) -> int:
    """Return a figure of ``OF_WHOLE`` of a subject, which must be in closed form."""
    if subject.traced:
        option = f"--max-{key.replace('_', '-')}"
        raise _no_graph(subject, option, f"leave out {option}")
    with _named(subject):
        return OF_WHOLE[key](subject.graph, subject.batch, stated)


@contextmanager
def _named(subject: Subject) -> Iterator[None]:
    """Put the target before the place of what cannot be deployed or trained."""
    try:
        yield
    except MbcostError as error:
        raise error.at(subject.target) from None


def _no_graph(subject: Subject, option: str, way_out: str) -> MbcostError:
    return MbcostError(
        "is a model from elsewhere, of which eager inference in float32 alone is known",
        place=f"{subject.target}: {option}",
        way_out=f"{way_out}, or name a network or YAML file",
    )


def peak_words(stated: Stated) -> str:
    """Return what the peak is, in words."""
    if stated.fuse is None:
        return (
            "peak activation: the most bytes of maps alive in eager inference, every layer writing "
            f"a new map, the image held by its caller, in {stated.dtype}"
        )
    return f"peak activation: {bound_words(stated)}"


def bound_words(stated: Stated) -> str:
    """Return what the lower bound is, in words."""
    return (
        "the most bytes of maps alive in the deployed network (batch-norms folded, "
        f"{FUSED[stated.fuse or 'tflite']}), the image freed after its last reader, in "
        f"{stated.dtype}: no arena can be smaller"
    )


def arena_words(stated: Stated) -> str:
    """Return what the arena is, in words."""
    return (
        f"arena: the head that TFLite Micro plans, {FUSED[stated.fuse or 'tflite']}, in "
        f"{stated.dtype}"
    )


def train_words(stated: Stated) -> str:
    """Return what the peak of training is, in words."""
    return (
        f"training peak: the most bytes alive in a step of training with {stated.optimizer}, in "
        "fp32: weights, gradients, buffers, optimizer state, batch and targets are in it"
    )


AT_LEAST = "an interpreter takes at least the arena: what it keeps besides is not in it"
"""What tables with ``arena_bytes`` say."""
WORDS: dict[str, Callable[[Stated], str]] = {
    "arena_bytes": arena_words,
    "train_peak_bytes": train_words,
}
"""What the figures of ``OF_WHOLE`` are, in words."""
