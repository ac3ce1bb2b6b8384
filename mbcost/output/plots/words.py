"""Where the words of a figure were really drawn: whether all of them have room."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

from mbcost.output.plots.room import Box

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BLUR_PX = 0.5


def misplaced(figure: Figure) -> str:
    """Return what is wrong with the place of a word, or nothing: it lies on another, or is cut."""
    width, height = figure.get_size_inches() * figure.dpi
    paper = Box(-_BLUR_PX, -_BLUR_PX, width + _BLUR_PX, height + _BLUR_PX)
    drawn = _drawn(figure)
    for word, box in drawn:
        if not box.inside(paper):
            return f"{word!r} would be cut off"
    for (one, a), (other, b) in combinations(drawn, 2):
        if a.overlap(b) and min(_sides(a, b)) > _BLUR_PX:
            return f"{one!r} would lie on {other!r}"
    return ""


def _sides(a: Box, b: Box) -> tuple[float, float]:
    """Return width and height of what both cover."""
    return min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)


def _drawn(figure: Figure) -> Sequence[tuple[str, Box]]:
    """Return each line of text with its box in pixels, y downwards."""
    from matplotlib.backends.backend_agg import RendererAgg

    found: list[tuple[str, Box]] = []

    class Notes(RendererAgg):
        """Draws as ever, and notes each line of text."""

        def draw_text(
            self,
            gc: Any,
            x: float,
            y: float,
            s: str,
            prop: Any,
            angle: float,
            *rest: Any,
            **named: Any,
        ) -> None:
            w, h, d = self.get_text_width_height_descent(s, prop, False)  # type: ignore[no-untyped-call]
            flat = Box(x, y - h + d, x + w, y + d)
            if s.strip():
                found.append((s, Box(x - h + d, y - w, x + d, y) if angle == 90 else flat))
            super().draw_text(gc, x, y, s, prop, angle, *rest, **named)  # type: ignore[no-untyped-call]

    width, height = figure.get_size_inches() * figure.dpi
    figure.draw(Notes(width, height, figure.dpi))  # type: ignore[no-untyped-call]
    return found
