"""Every built-in figure, and a renderer that notes where each word was really drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import combinations
from typing import Any, NamedTuple

from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure

from mbcost.networks.yaml import builtins
from mbcost.networks.yaml.document import parse_document
from mbcost.output.plots import Bars, Plot
from mbcost.output.plots.page import paint, styled, words_of
from mbcost.output.plots.sheet import COLUMN_IN, FONT, Sheet
from mbcost.studies import figures
from mbcost.studies.compare.comparison import DEFAULT_BLOCKS, Comparison
from mbcost.studies.device.profile import device_files, load_device, read_device
from mbcost.studies.device.roofline import bound_roofline, bound_rows, roofline
from mbcost.targets.resolve import resolve, resolve_one

NETWORKS = tuple(name for name, entry in builtins().items() if entry.kind == "network")
ALPHAS = ("0.35", "0.5", "0.75", "1", "1.4")
SIZES = ("96", "128", "160", "192", "224")
FINE_ALPHAS = tuple(str(n / 100) for n in range(25, 150, 5))
FINE_SIZES = tuple(str(n) for n in range(96, 321, 8))


HOST = read_device(
    parse_document(
        """
title: A processor of many words and digits, 1 thread
source: made up
peaks: {fp32: {mult_adds_per_s: 58.4G, source: made up}}
bandwidths:
  - {level: L1, bytes: 32KiB, bytes_per_s: 212GB, source: made up}
  - {level: L2, bytes: 1MiB, bytes_per_s: 92.4GB, source: made up}
  - {level: L3, bytes: 32MiB, bytes_per_s: 97.4GB, source: made up}
  - {level: memory, bytes_per_s: 23.8GB, source: made up}
""",
        "host.yaml",
    ),
    "host",
)
MEASURED = [
    {
        **row,
        "seconds": row["seconds"] * (1 + i % 7),
        "mult_adds_per_second": row["mult_adds_per_second"] / (1 + i % 7),
    }
    for i, row in enumerate(bound_rows(resolve_one("v2"), HOST, "fp32"))
]
"""As a measurement would have them: below the roof, more or less."""


def bars_of(*targets: str) -> Bars:
    return figures.bars(Comparison(resolve(targets)))


FIGURES: dict[str, Callable[[], Plot]] = {
    "accuracy": lambda: figures.accuracy(("v1", "v2", "v3-large", "v3-small")),
    "accuracy of one network": lambda: figures.accuracy(("v1",)),
    "accuracy by params": lambda: figures.accuracy((), "params"),
    "share by kind": lambda: figures.share(resolve(NETWORKS)),
    "share by block": lambda: figures.share(resolve(("v1", "v2", "v3-large")), "block"),
    "bars of blocks": lambda: bars_of(*DEFAULT_BLOCKS),
    "bars of networks": lambda: bars_of(*NETWORKS),
    "bars of one": lambda: bars_of("v2"),
    "share": lambda: figures.share(resolve(("v1", "v3-small"))),
    **{
        f"roofline on {device} in {dtype}": lambda device=device, dtype=dtype: bound_roofline(  # type: ignore[misc]
            resolve(("v1", "v2", "v3-large")), load_device(device), dtype
        )
        for device in device_files()
        for dtype in load_device(device).peaks
    },
    "roofline that was measured": lambda: roofline(MEASURED, HOST, "fp32", measured=True),
    "heat map": lambda: figures.heat_map_of_grid("v2", ALPHAS, SIZES, {}),
    "heat map without texts": lambda: figures.heat_map_of_grid(
        "v1", FINE_ALPHAS, FINE_SIZES, {}, "params"
    ),
    "heat map of one cell": lambda: figures.heat_map_of_grid("v1", (), (), {}),
    **{
        f"layers of {name}": lambda name=name: figures.layers(resolve_one(name))  # type: ignore[misc]
        for name in (*NETWORKS, *DEFAULT_BLOCKS)
    },
}


class Word(NamedTuple):
    """A line of text as drawn: its corners in pixels, y downwards."""

    text: str
    size_pt: float
    x0: float
    y0: float
    x1: float
    y1: float


class WordNotes(RendererAgg):
    """Draws as ever, and notes each line of text."""

    def __init__(self, figure: Figure) -> None:
        width, height = figure.get_size_inches() * figure.dpi
        super().__init__(width, height, figure.dpi)  # type: ignore[no-untyped-call]
        self.words: list[Word] = []

    def draw_text(
        self,
        gc: Any,
        x: float,
        y: float,
        s: str,
        prop: Any,
        angle: float,
        ismath: Any = False,
        mtext: Any = None,
    ) -> None:
        w, h, d = self.get_text_width_height_descent(s, prop, ismath)  # type: ignore[no-untyped-call]
        assert angle in (0, 90), f"{s!r} stands at {angle}°"
        box = (x, y - h + d, x + w, y + d) if angle == 0 else (x - h + d, y - w, x + d, y)
        if s.strip():
            self.words.append(Word(s, prop.get_size_in_points(), *box))
        super().draw_text(gc, x, y, s, prop, angle, ismath, mtext)  # type: ignore[no-untyped-call]


def words_drawn(figure: Figure) -> list[Word]:
    notes = WordNotes(figure)
    figure.draw(notes)
    return notes.words


def overlapping(words: list[Word]) -> list[tuple[str, str]]:
    """Return the pairs of words that cover each other by more than half a pixel."""
    return [
        (a.text, b.text)
        for a, b in combinations(words, 2)
        if min(a.x1, b.x1) - max(a.x0, b.x0) > 0.5 and min(a.y1, b.y1) - max(a.y0, b.y0) > 0.5
    ]


@contextmanager
def painted(
    plot: Plot, width: float = COLUMN_IN, height: float | None = None, font: str = FONT
) -> Iterator[Figure]:
    with styled(words_of(plot), font):
        yield paint(plot, Sheet(width, height, font))
