"""A module that the caller of a function has at hand, as a model from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mbcost.errors import MbcostError
from mbcost.targets.elsewhere.source import DEFAULT_INPUT, InputShape

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, eq=False)
class GivenModel:
    """A module; what is built of it is a copy each time, and the module stays as it was."""

    module: nn.Module

    @property
    def name(self) -> str:
        """The name of its class."""
        return type(self.module).__name__

    @property
    def place(self) -> str:
        """Where an error in it happened."""
        return self.name

    def native_input(self) -> tuple[InputShape, ...]:
        """Return 1×3×224×224: a module does not say what its input is."""
        return DEFAULT_INPUT

    def size_options(self, size: tuple[int, int]) -> dict[str, Any]:
        """Return nothing: it is built already."""
        return {}

    def check_options(self, options: Mapping[str, Any], target: str) -> None:
        """Raise for any: it is built already."""
        if options:
            raise MbcostError(
                f"a module takes no setting {next(iter(options))!r}",
                place=target,
                way_out="its input alone: input=(1, 3, 224, 224)",
            )

    def construct(self, options: Mapping[str, Any]) -> nn.Module:
        """Return a copy, with the values of its tensors."""
        from mbcost.modules.trace.twin import Twin

        copy: nn.Module = Twin(self.module, self.name, real=True).model
        return copy
