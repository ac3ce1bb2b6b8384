"""Figures that were published about a network, as printed."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from mbcost.networks import rules
from mbcost.networks.rules import MAX_CHANNELS, MAX_KERNEL, MAX_MULTIPLIER
from mbcost.networks.settings import Settings
from mbcost.units import parse_size


class Published(NamedTuple):
    """One printed row about a network: figures as printed, with a reason where ours differ."""

    alpha: Annotated[float, rules.Number(MAX_MULTIPLIER, "width multiplier", low=1e-9)]
    size: Annotated[int | str, rules.Sides("input size, 224 or 1024x2048 (height × width)")]
    classes: Annotated[int | None, rules.Whole(1, MAX_CHANNELS, "if not the network's")] = None
    reduced_tail: Annotated[bool | None, rules.Truth("with the last stage halved")] = None
    output_stride: Annotated[int | None, rules.Whole(1, MAX_KERNEL, "if not the network's")] = None
    mult_adds: Annotated[str | None, rules.PrintedCount("multiply-adds as printed, 300M")] = None
    params: Annotated[str | None, rules.PrintedCount("parameters as printed, 3.4M")] = None
    top1: Annotated[float | None, rules.Number(100, "top-1 accuracy in percent", low=0)] = None
    reason: Annotated[str | None, rules.Text("why ours differ")] = None

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

    def fits(self, settings: Settings, own: Settings) -> bool:
        """Return whether the figures were printed for the network under exactly these settings.

        What neither they nor the row say is as in ``own``, the network as it is; a setting that is
        not in there, such as the batch, changes nothing of what a paper prints.
        """
        asked = {name: settings.get(name, value) for name, value in own.items()}
        return asked == {**own, **self.settings}


PUBLISHED = rules.Record(Published, like="alpha: 1.0, size: 224")
