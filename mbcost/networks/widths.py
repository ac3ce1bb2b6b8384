"""How a width multiplier turns a printed width into a built one."""

from __future__ import annotations

from typing import NamedTuple

from mbcost.errors import LayerError


def make_divisible(value: float, divisor: int = 8) -> int:
    """Return the multiple of ``divisor`` nearest to ``value``, never below 90 % of it.

    The rule of the V2 and V3 reference code; at least ``divisor``.
    """
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def truncated(value: float) -> int:
    """Return the whole part of a scaled width."""
    if value < 1:
        raise LayerError("no channel is left", way_out="a larger alpha")
    return int(value)


class Rounding(NamedTuple):
    """A network's rule: ``divisible`` makes multiples of ``divisor``, any other whole numbers; none
    is below ``least``."""

    width: str
    divisor: int
    least: int = 0

    def of(self, value: float) -> int:
        """Return a scaled width as built."""
        if self.width == "divisible":
            return max(make_divisible(value, self.divisor), self.least)
        return self.truncated(value)

    def truncated(self, value: float) -> int:
        """Return the whole part of a scaled width, whatever the network's rule."""
        return self.least if value < self.least else truncated(value)
