"""What a question is answered with in Python: a table or a figure, as text, data or a file."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mbcost.errors import MbcostError, did_you_mean, not_installed
from mbcost.output.formats import FORMATS
from mbcost.output.table import Record, Table

if TYPE_CHECKING:
    import pandas

    from mbcost.output.plots import Plot


@dataclass(frozen=True, repr=False)
class Answer:
    """A table: printed as on the command line, shown in a notebook, or as plain data."""

    table: Table

    def __repr__(self) -> str:
        name = self.table.title or ", ".join(column.title for column in self.table.columns[:3])
        return f"Answer({name!r}, {len(self.table.data)} rows)"

    def __str__(self) -> str:
        return FORMATS["table"].write(self.table)

    def _repr_html_(self) -> str:
        from mbcost.output.formats.html import to_html

        return to_html(self.table)

    def records(self) -> list[Record]:
        """Return the rows as plain data, as the CSV has them."""
        return [{key: row.get(key) for key in self.table.fields} for row in self.table.data]

    @property
    def document(self) -> Any:
        """What the JSON holds."""
        return self.table.document

    def frame(self) -> pandas.DataFrame:
        """Return the rows as a DataFrame."""
        try:
            import pandas
        except ImportError:
            raise not_installed("a data frame", ["pandas"]) from None
        return pandas.DataFrame(self.records(), columns=list(self.table.fields))

    def write(self, path: str | PathLike[str]) -> None:
        """Write a file, whole or not at all; its suffix decides the format."""
        from mbcost.output.files import write_whole

        suffix = Path(path).suffix
        name = next((n for n, form in FORMATS.items() if suffix in form.suffixes), None)
        if name is None:
            known = [suffix for form in FORMATS.values() for suffix in form.suffixes]
            raise MbcostError(
                f"unknown suffix {suffix!r}", place=str(path), way_out=did_you_mean(suffix, known)
            )
        write_whole(Path(path), FORMATS[name].write(self.table))


@dataclass(frozen=True, repr=False)
class Figure(Answer):
    """A figure: shown in a notebook, or written as ``.png``, ``.svg`` or ``.pdf``."""

    plot: Plot

    def __repr__(self) -> str:
        return f"Figure({type(self.plot).__name__}, {len(self.table.data)} rows)"

    def _repr_html_(self) -> str:
        from mbcost.output.page.svg import inline
        from mbcost.output.plots import render

        return inline(render(self.plot, ".svg"), f"figure-{id(self)}")

    def write(
        self,
        path: str | PathLike[str],
        *,
        width: str | float = "3.5in",
        height: str | float | None = None,
        font: str | None = None,
    ) -> None:
        """Draw to a file, or write the plotted values, by its suffix.

        ``width`` and ``height`` are lengths such as ``"8cm"``, or inches; without a height it is
        what suits the width. ``font`` is an installed family.
        """
        from mbcost.output.plots import FIGURE_SUFFIXES, sheet_of, write_figure

        if Path(path).suffix.lower() in FIGURE_SUFFIXES:
            tall = None if height is None else str(height)
            write_figure(self.plot, Path(path), sheet_of(str(width), tall, font))
        else:
            super().write(path)
