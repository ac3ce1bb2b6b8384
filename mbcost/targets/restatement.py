"""How mult-adds are shown: by which convention, and whether each counts as two flops."""

from __future__ import annotations

from typing import NamedTuple

from mbcost.cost import CONVENTIONS, FLOPS_PER_MULT_ADD, PAPERS, Convention
from mbcost.errors import MbcostError, did_you_mean


class Restatement(NamedTuple):
    """How ``mult_adds`` are shown: by which convention, and whether each counts as two flops."""

    convention: Convention = PAPERS
    flops: bool = False

    @property
    def name(self) -> str:
        """Return the record's ``convention``."""
        return self.convention.name

    @property
    def in_flops(self) -> bool:
        """Return whether the figure asked for is in flops, two per mult-add."""
        return self.flops or self.convention.in_flops

    @property
    def unit(self) -> str:
        """Return the record's ``unit``, by the name that ``--unit`` takes."""
        return "flop" if self.in_flops else "mult-add"

    @property
    def figure(self) -> str:
        """Return the key of the figure asked for; ``mult_adds`` are never flops."""
        return "flops" if self.in_flops else "mult_adds"

    def mult_adds(self, figure: int) -> int | float:
        """Return a figure of the convention in mult-adds: half of flops, ending in .5 where odd."""
        if not self.convention.in_flops:
            return figure
        half, odd = divmod(figure, FLOPS_PER_MULT_ADD)
        return half + 0.5 if odd else half

    def flop_count(self, figure: int) -> int:
        """Return a figure of the convention in flops."""
        return figure if self.convention.in_flops else FLOPS_PER_MULT_ADD * figure

    @property
    def title(self) -> str:
        """Return the header of the figure's column."""
        return self._title("flops" if self.in_flops else "mult-adds")

    @property
    def mult_adds_title(self) -> str:
        """Return the header of the column of ``mult_adds``, whatever was asked for."""
        return self._title("mult-adds")

    @property
    def flops_title(self) -> str:
        """Return the header of the column of ``flops``, whatever was asked for."""
        return self._title("flops")

    def _title(self, unit: str) -> str:
        return unit if self.convention is PAPERS else f"{unit} as {self.convention.name}"

    @property
    def counts(self) -> str:
        """Return the caption's sentence: what is counted."""
        twice = ", each as two flops" if self.flops else ""
        return f"{self.title}: {self.convention.counts}{twice}."


AS_IN_PAPERS = Restatement()


def restatement(convention: str | None, unit: str | None) -> Restatement:
    """Return how to show mult-adds by the names of a convention and of a unit."""
    name = (convention or PAPERS.name).replace("_", "-")
    if name not in CONVENTIONS:
        raise MbcostError(
            f"unknown convention {convention!r}",
            place="--convention",
            way_out=did_you_mean(name, CONVENTIONS),
        )
    unit = (unit or "mult-add").replace("_", "-").removesuffix("s")
    if unit not in ("mult-add", "flop"):
        raise MbcostError(
            f"unknown unit {unit!r}", place="--unit", way_out="mult-add, or flop: two of them"
        )
    chosen = CONVENTIONS[name]
    if unit == "flop" and chosen.in_flops:
        raise MbcostError(
            f"{name} counts two per multiply-add already",
            place="--unit",
            way_out="leave out --unit flop",
        )
    return Restatement(chosen, unit == "flop")
