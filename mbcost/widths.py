"""How a width multiplier turns a printed width into a built one."""

from __future__ import annotations


def make_divisible(value: float, divisor: int = 8) -> int:
    """Return the multiple of ``divisor`` nearest to ``value``, never below 90 % of it.

    The rule of the V2 and V3 reference code; at least ``divisor``.
    """
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded
