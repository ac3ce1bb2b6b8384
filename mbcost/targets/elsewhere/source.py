"""What a source of models must know of a model: how it is built and what it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from mbcost.graph.primitives import Shape

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class InputShape:
    """The shape of an input with its batch dimension, torch's name of its type, and the name of
    the forward's argument where it is given by name."""

    shape: Shape
    dtype: str = "float32"
    name: str = ""


DEFAULT_INPUT = (InputShape((1, 3, 224, 224)),)


class Source(Protocol):
    """A model that can be built."""

    @property
    def name(self) -> str:
        """What the target calls it."""
        ...

    @property
    def place(self) -> str:
        """Where an error in it happened."""
        ...

    def native_input(self) -> tuple[InputShape, ...]:
        """Return what it takes unless told otherwise."""
        ...

    def size_options(self, size: tuple[int, int]) -> dict[str, Any]:
        """Return the builder's arguments by which it learns of an input size; often none."""
        ...

    def check_options(self, options: Mapping[str, Any], target: str) -> None:
        """Raise for arguments that no target of this source may have."""
        ...

    def construct(self, options: Mapping[str, Any]) -> nn.Module:
        """Call the builder."""
        ...


_WEIGHTS = (
    "pretrained",
    "weights",
    "weights_backbone",
    "pretrained_backbone",
    "checkpoint_path",
)


def no_weights(options: Mapping[str, Any], target: str) -> None:
    """Raise for an argument that asks a library for weights: costs need none.

    A checkpoint is a pickle, whose reading may run what it holds.
    """
    from mbcost.errors import MbcostError

    for name in _WEIGHTS:
        if options.get(name):
            raise MbcostError(
                f"{name} would load weights",
                place=target,
                way_out="leave it out: weights do not change what a model costs",
            )
