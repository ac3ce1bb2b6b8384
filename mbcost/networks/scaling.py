"""How settings scale rows: widths by α, a reduced tail, the classes, an output stride.

``Scaling`` turns a ``Row`` into a ``ScaledRow``, which makes the block of each of its repeats from
what it is fed alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, assert_never

from mbcost.errors import LayerError
from mbcost.graph.primitives import Shape
from mbcost.networks.blocks import BLOCKS, Block, block_fields
from mbcost.networks.blocks.fields import stride_fields, width_fields
from mbcost.networks.rows import Row, Scale, overridden
from mbcost.networks.widths import Rounding
from mbcost.units import number


class Feed(NamedTuple):
    """A map that a row can read, and what scaling has to know of it."""

    node: int
    x: Shape
    nominal: float | None
    """Width before scaling: what a printed expansion is a ratio of; None after a row without c."""
    stride: int = 1
    """Pixels of the input per cell, along one side; kept where an output stride is."""
    rate: int = 1
    """Dilation that stands for the strides left out to keep the output stride."""


class ScaledRow(NamedTuple):
    """A row under settings: what it is fed decides the rest, and nothing else is read.

    Settings under which a row comes to equal ones build it alike after any other row: a sweep
    counts them once.
    """

    block: str
    fields: tuple[tuple[str, Any], ...]
    """As built, except an expansion by ratio, strides and dilations, which are as printed."""
    nominal: float | None
    """Width before scaling that it hands on, …"""
    times: float | None
    """… or if this is given, the one that it is fed times this."""
    ratio: Rounding | None
    """Where the expansion is a ratio to the width that it is fed: how that is rounded."""
    output_stride: int | None

    def repeat(self, index: int, feed: Feed) -> tuple[Block, Feed]:
        """Return the block of one repeat, and what it puts out (still without node and shape)."""
        built = dict(self.fields)
        if index:  # whether its stride is written or the block's default
            built |= dict.fromkeys(stride_fields(BLOCKS[self.block]), 1)
        stride, rate = self._strided(built, feed)
        if self.ratio is not None:
            if feed.nominal is None:
                raise LayerError(
                    "has an expansion by ratio to a width that no row states",
                    way_out="expansion: absolute, or a row with c before it",
                )
            if feed.nominal == 0:
                raise LayerError(
                    "has an expansion by ratio to a width that the rows before make 0",
                    way_out="a larger t before it, or expansion: absolute",
                )
            built["exp"] = self.ratio.of(feed.x[0] * (built["exp"] / feed.nominal))
        nominal = self.nominal
        if self.times is not None and feed.nominal is not None:
            nominal = self._widened(feed.nominal, self.times)
        after = feed._replace(nominal=nominal, stride=stride, rate=rate)
        return BLOCKS[self.block](**built), after

    @staticmethod
    def _widened(nominal: float, times: float) -> int:
        try:
            return int(nominal * times)
        except (OverflowError, ValueError):  # infinite, or no number
            raise LayerError(
                f"widens what the rows before it hand on by {number(times)}, past any number",
                way_out="a smaller t",
            ) from None

    def _strided(self, built: dict[str, Any], feed: Feed) -> tuple[int, int]:
        """Return the row's (stride, rate) of output; past the output stride, dilate in place.

        As in DeepLab's reference code: a layer whose stride is left out keeps the rate of its
        input, those behind it dilate. A row's own dilation counts in units of that rate.
        """
        if self.output_stride is None:
            return feed.stride, feed.rate  # of no consequence, and so not told apart
        known = block_fields(BLOCKS[self.block])
        s, k = (built.get(name, known[name].default) if name in known else 1 for name in ("s", "k"))
        stride, rate = feed.stride * s, feed.rate
        k = max(k, built.get("kw") or 1)
        if "dilation" in known:
            if feed.rate > 1 and k > 1:
                built["dilation"] = built.get("dilation", 1) * feed.rate
                if "p" in built:
                    built["p"] *= feed.rate
            if s > 1 and stride > self.output_stride:
                built["s"] = 1
                stride, rate = feed.stride, feed.rate * s
        return stride, rate


def _widening(block: str, built: Mapping[str, Any]) -> float:
    """Return by what a block without a width of its own multiplies the one that it is fed."""
    if block == "reorg":
        return float(built.get("s", block_fields(BLOCKS[block])["s"].default) ** 2)
    return float(built.get("t", 1)) if block == "conv" else 1.0


@dataclass(frozen=True)
class Scaling:
    """What a network's settings do to its rows."""

    alpha: float
    rounding: Rounding
    expansion: str
    classes: int | None
    tail: bool
    output_stride: int | None

    def tailed(self, row: Row) -> Mapping[str, Any]:
        """Return a row's fields, those of the reduced tail in place of its own where asked for."""
        if self.tail and row.reduced_tail:
            return overridden(row.block, row.fields, row.reduced_tail)
        return row.fields

    def row(self, row: Row) -> ScaledRow:
        """Return the row under the settings: whatever is fed to it, they are not asked again."""
        built = dict(self.tailed(row))
        inner = width_fields(BLOCKS[row.block])
        for name in inner:
            built[name] = self.scaled(built[name], row.scale) if built[name] else 0
        nominal: float | None = None
        times: float | None = None
        if built.get("c") == "classes":
            nominal = built["c"] = self.classes
        elif "c" in built:
            nominal = built["c"]
            built["c"] = self.scaled(built["c"], row.scale)
        elif not inner:
            times = _widening(row.block, built)
        ratio = None
        if "exp" in built and self.expansion == "ratio":
            ratio = self.rounding
        elif "exp" in built:
            built["exp"] = self.rounding.of(built["exp"] * self.alpha)
        fixed = tuple(built.items())
        return ScaledRow(row.block, fixed, nominal, times, ratio, self.output_stride)

    def scaled(self, c: int, scale: Scale) -> int:
        """Return a printed width as built, by the row's own rule where it has one."""
        match scale:
            case "fixed":
                return c
            case "widen":
                return self.rounding.of(c * max(1.0, self.alpha))
            case "truncate":
                return self.rounding.truncated(c * self.alpha)
            case "full":
                return self.rounding.of(c * self.alpha)
            case _:
                assert_never(scale)
