"""Figures as papers print them, and when one of ours agrees with one of theirs.

The part of ``units`` that only papers need, apart from it so that no other command imports it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

from mbcost.errors import MbcostError

UNITS = {
    "": Fraction(1),
    "%": Fraction(1, 100),
    "x": Fraction(1),
    "kB": Fraction(1000),
    "k": Fraction(10**3),
    "M": Fraction(10**6),
    "B": Fraction(10**9),
    "G": Fraction(10**9),
}
_PRINTED = re.compile(r"(>?)(\d+(?:\.\d+)?)(?: to (\d+(?:\.\d+)?))?(kB|[%xkMBG]?)")


@dataclass(frozen=True, slots=True)
class Printed:
    """A figure as a paper prints it: ``569M``, ``94.86%``, ``>2.5x``, ``8 to 9x``."""

    digits: str
    unit: str = ""
    bound: str = ""
    """``>`` for "more than", ``to`` for a range."""
    high: str = ""

    @property
    def value(self) -> Fraction:
        """Return the figure itself, in base units."""
        return Fraction(self.digits) * UNITS[self.unit]

    def step(self, significant: int | None = None) -> Fraction:
        """Return what the last printed digit stands for.

        With ``significant`` the trailing zeros of a whole number after so many digits are taken
        for rounding: of 2 digits, 1600 is 16 hundreds and 800 is 80 tens.
        """
        whole, dot, decimals = self.digits.partition(".")
        zeros = 0
        if significant is not None and not dot:
            zeros = min(len(whole) - len(whole.rstrip("0")), max(0, len(whole) - significant))
        return Fraction(10) ** (zeros - len(decimals)) * UNITS[self.unit]

    def range(self) -> tuple[Fraction, Fraction]:
        """Return the least value that rounds to the digits, and the first that does not truncate
        to them any more."""
        return self.value - self.step() / 2, self.value + self.step()

    def agrees(self, value: Fraction, significant: int | None = None) -> bool:
        """Return whether ``value`` rounds or truncates to the printed digits, or is in range."""
        if self.bound == ">":
            return value > self.value
        if self.bound == "to":
            return self.value <= value <= Fraction(self.high) * UNITS[self.unit]
        steps = value / self.step(significant)
        printed = self.value / self.step(significant)
        return printed in (math.floor(steps), math.floor(steps + Fraction(1, 2)))

    def like(self, value: Fraction) -> str:
        """Return ``value`` in the printed unit, with two decimals more than are printed."""
        scaled = value / UNITS[self.unit]
        if scaled.denominator == 1 and self.unit in ("", "%"):
            return f"{int(scaled)}{self.unit}"
        decimals = len(self.digits.partition(".")[2]) + 2
        return f"{float(scaled):.{decimals}f}{self.unit}"

    def __str__(self) -> str:
        high = f" to {self.high}" if self.high else ""
        return f"{'>' if self.bound == '>' else ''}{self.digits}{high}{self.unit}"


def parse_printed(text: str) -> Printed:
    """Return the printed figure in ``text``."""
    match = _PRINTED.fullmatch(text.strip())
    if not match:
        raise MbcostError(
            f"{text!r} is not a printed figure", way_out="like 569M, 4.2M, 94.86%, >2.5x, 8 to 9x"
        )
    more, digits, high, unit = match.groups()
    return Printed(digits, unit, "to" if high else more, high or "")
