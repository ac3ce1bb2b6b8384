"""Room for words on a figure: boxes in pixels, and the nearest place where a label is free."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from mbcost.errors import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_RADII_PT = (3.0, 6.0, 9.0, 13.0, 18.0, 25.0, 34.0, 46.0, 60.0, 80.0)
_DIRECTIONS = 16
_GAP_PT = 2.5
"""Between labels side by side."""
_LEADER_PT = 9.0
"""From here on a thin line leads from a label to its point."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels."""

    x0: float
    y0: float
    x1: float
    y1: float

    def overlap(self, other: Box) -> float:
        """Return the area both cover."""
        width = min(self.x1, other.x1) - max(self.x0, other.x0)
        height = min(self.y1, other.y1) - max(self.y0, other.y0)
        return width * height if width > 0 and height > 0 else 0.0

    def grown(self, gap: float) -> Box:
        """Return the box with a margin of ``gap`` left and right."""
        return Box(self.x0 - gap, self.y0, self.x1 + gap, self.y1)

    def inside(self, other: Box) -> bool:
        """Return whether this lies wholly within ``other``."""
        return (
            other.x0 <= self.x0
            and self.x1 <= other.x1
            and other.y0 <= self.y0
            and self.y1 <= other.y1
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a label goes: its box, the point it belongs to, and how far away it is."""

    box: Box
    point: int
    radius_pt: float

    def leader(self, point: tuple[float, float], step: float) -> list[Box]:
        """Return small boxes along the line that leads to the point, if there is one."""
        if self.radius_pt <= _LEADER_PT:
            return []
        centre = (self.box.x0 + self.box.x1) / 2, (self.box.y0 + self.box.y1) / 2
        return list(along([centre, point], step))


def along(points: Sequence[tuple[float, float]], step: float) -> Iterator[Box]:
    """Return small boxes along a polyline, ``step`` pixels apart: what a label must not cover."""
    for (x0, y0), (x1, y1) in pairwise(points):
        parts = max(1, math.ceil(math.hypot(x1 - x0, y1 - y0) / step))
        for i in range(parts + 1):
            x, y = x0 + (x1 - x0) * i / parts, y0 + (y1 - y0) * i / parts
            yield Box(x - step / 2, y - step / 2, x + step / 2, y + step / 2)


def nearest_free(
    size: tuple[float, float],
    points: Sequence[tuple[float, float]],
    taken: Iterable[Box],
    bounds: Box,
    pixels_per_pt: float,
    reach_pt: float = _RADII_PT[-1],
    labels: Sequence[Box] = (),
) -> Place | None:
    """Return the place nearest to one of ``points`` (dearest first) where a label covers nothing
    and no line that leads from it to its point crosses one of ``labels``.

    None where nothing within ``reach_pt`` is free.
    """
    obstacles = list(taken)
    for radius in _RADII_PT:
        if radius > reach_pt:
            break
        for i, point in enumerate(points):
            for box in _around(point, size, radius * pixels_per_pt):
                place = Place(box, i, radius)
                if (
                    box.inside(bounds)
                    and not any(box.overlap(other) for other in obstacles)
                    and not any(
                        step.overlap(label)
                        for step in place.leader(point, pixels_per_pt)
                        for label in labels
                    )
                ):
                    return place
    return None


def _around(point: tuple[float, float], size: tuple[float, float], radius: float) -> Iterator[Box]:
    """Return boxes of ``size`` at ``radius`` from ``point``: above left first, then around."""
    width, height = size
    for i in range(_DIRECTIONS):
        angle = math.pi * (3 / 4 + 2 * i / _DIRECTIONS * (1 if i % 2 else -1))
        dx, dy = math.cos(angle), math.sin(angle)
        x = point[0] + radius * dx + (dx - 1) * width / 2
        y = point[1] + radius * dy + (dy - 1) * height / 2
        yield Box(x, y, x + width, y + height)


def box_of(extent: object) -> Box:
    """Return a matplotlib Bbox as a ``Box``."""
    return Box(*(float(getattr(extent, side)) for side in ("x0", "y0", "x1", "y1")))


@dataclass
class Labeller:
    """Writes labels on axes whose layout stands, each where nothing else is."""

    axes: Axes
    taken: list[Box] = field(default_factory=list)
    labels: list[Box] = field(default_factory=list)
    """Those of ``taken`` that are labels, which a line to another one's point must not cross."""

    @property
    def pixels_per_pt(self) -> float:
        """The length of a point, 1/72 inch."""
        return float(self.axes.figure.dpi) / 72

    def pixels(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point of the data lies."""
        px, py = self.axes.transData.transform((x, y))
        return float(px), float(py)

    def keep_off_bubble(self, x: float, y: float, area_pt2: float) -> None:
        """Let no label cover a marker of this area."""
        px, py = self.pixels(x, y)
        radius = (math.sqrt(area_pt2) / 2 + 1) * self.pixels_per_pt
        self.taken.append(Box(px - radius, py - radius, px + radius, py + radius))

    def keep_off_line(self, points: Sequence[tuple[float, float]], width_pt: float) -> None:
        """Let no label cover a polyline of this width."""
        pixels = [self.pixels(*point) for point in points]
        self.taken.extend(along(pixels, (width_pt + 1) * self.pixels_per_pt))

    def write(
        self,
        text: str,
        points: Sequence[tuple[float, float]],
        style: dict[str, Any],
        reach_pt: float = _RADII_PT[-1],
    ) -> bool:
        """Write ``text`` near one of ``points``; False where nothing within reach is free."""
        from matplotlib.text import Text

        label = self.axes.annotate(visible(text), points[0], (0, 0), textcoords="offset pixels")
        label.update(style)
        room = label.get_window_extent()
        label.remove()
        at = [self.pixels(*point) for point in points]
        place = nearest_free(
            (room.width, room.height),
            at,
            self.taken,
            box_of(self.axes.bbox),
            self.pixels_per_pt,
            reach_pt,
            self.labels,
        )
        if place is None:
            return False
        gap = _GAP_PT * self.pixels_per_pt
        x, y = at[place.point]
        self.labels.append(place.box.grown(gap))
        self.taken += [self.labels[-1], *place.leader((x, y), self.pixels_per_pt)]
        written = self.axes.annotate(
            visible(text),
            points[place.point],
            (
                ((place.box.x0 + place.box.x1) / 2 - x) / self.pixels_per_pt,
                ((place.box.y0 + place.box.y1) / 2 - y) / self.pixels_per_pt,
            ),
            textcoords="offset points",
            ha="center",
            va="center",
            arrowprops={"arrowstyle": "-", "linewidth": 0.4, "color": "0.4", "shrinkB": 1.0}
            if place.radius_pt > _LEADER_PT
            else None,
            zorder=5,
        )
        Text.update(written, style)
        return True
