"""Figures that were published about a network, as printed."""

from __future__ import annotations

from typing import Any, NamedTuple

from mbcost.units import parse_size


class Published(NamedTuple):
    """One printed row about a network: figures as printed, with a reason where ours differ."""

    alpha: float
    size: int | str
    mult_adds: str | None = None
    params: str | None = None
    top1: float | None = None
    reason: str | None = None
    classes: int | None = None
    reduced_tail: bool | None = None
    output_stride: int | None = None

    @property
    def sides(self) -> tuple[int, int]:
        """Return height and width of the input."""
        return (self.size, self.size) if isinstance(self.size, int) else parse_size(self.size)

    @property
    def settings(self) -> dict[str, Any]:
        """Return the settings the figures were printed for."""
        further = {
            "classes": self.classes,
            "reduced_tail": self.reduced_tail,
            "output_stride": self.output_stride,
        }
        given = {name: value for name, value in further.items() if value is not None}
        return {"alpha": self.alpha, "size": self.sides, **given}
