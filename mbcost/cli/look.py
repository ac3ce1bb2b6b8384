"""The options for how a table looks in a paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from mbcost.errors import MbcostError, did_you_mean
from mbcost.output.look import LINE_WIDTHS, Look
from mbcost.units import PREFIXES

Texts = list[str] | None


@dataclass(frozen=True)
class LookGiven:
    """How the author of a paper wants a table; CSV and JSON stay raw."""

    headings: Annotated[
        Texts,
        typer.Option(
            "--headings",
            metavar="KEY=TEXT",
            help="Heading of a column: mult_adds=MAdds. Repeatable.",
            show_default=False,
        ),
    ] = None
    caption: Annotated[
        str | None, typer.Option("--caption", metavar="TEXT", help="Caption in place of ours.")
    ] = None
    title: Annotated[
        str | None, typer.Option("--title", metavar="TEXT", help="Title in place of ours.")
    ] = None
    tex_label: Annotated[
        str | None,
        typer.Option("--tex-label", metavar="NAME", help="LaTeX: \\label of the table: tab:cost."),
    ] = None
    tabular_only: Annotated[
        bool,
        typer.Option("--tabular-only", help="LaTeX: the tabular alone, for a float of your own."),
    ] = False
    plain: Annotated[
        bool,
        typer.Option("--plain/--booktabs", help="LaTeX: rules by \\hline, or by booktabs."),
    ] = False
    siunitx: Annotated[
        bool, typer.Option("--siunitx", help="LaTeX: figures in S columns, aligned at the point.")
    ] = False
    bold: Annotated[
        str | None,
        typer.Option("--bold", metavar="best", help="The best figure of each column in bold."),
    ] = None
    digits: Annotated[
        int | None,
        typer.Option(
            "--digits", metavar="N", min=1, max=15, help="Digits of counts and bytes instead of 3."
        ),
    ] = None
    prefix: Annotated[
        str | None,
        typer.Option(
            "--prefix",
            metavar="k|M|G",
            help="Prefix of all counts, or by column, the same in every table of a paper: "
            "params=k,mult_adds=M.",
        ),
    ] = None
    span: Annotated[
        int | None,
        typer.Option(
            "--span",
            metavar="1|2",
            min=1,
            max=2,
            help="Fit one or two columns of a page of two: the same columns in every format, and "
            "what does not fit is named.",
        ),
    ] = None

    def look(self) -> Look:
        """Return the look, or raise for what cannot be read."""
        if self.bold not in (None, "best"):
            raise MbcostError(f"unknown choice {self.bold!r}", place="--bold", way_out="best")
        label = self.tex_label or ""
        if not all(letter.isalnum() or letter in ":-_.+/" for letter in label):
            raise MbcostError(
                f"{label!r} is no label", place="--tex-label", way_out="like tab:cost"
            )
        if self.tabular_only and (label or self.caption):
            option = "--tex-label" if label else "--caption"
            raise MbcostError(
                "stands outside the tabular", place=option, way_out="leave out --tabular-only"
            )
        return Look(
            _pairs(self.headings or (), "--headings"),
            self.caption,
            self.title,
            label,
            self.tabular_only,
            self.plain,
            self.siunitx,
            self.bold == "best",
            self.digits,
            _prefixes(self.prefix),
            self.span,
        )


def _pairs(texts: Sequence[str], place: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        key = key.strip().replace("-", "_")
        if not equals or not key or not value.strip():
            raise MbcostError(f"{text!r} has no KEY=", place=place, way_out="like mult_adds=MAdds")
        if key in found:
            raise MbcostError(f"{key!r} is given twice", place=place, way_out="keep one")
        found[key] = value.strip()
    return found


def _prefixes(text: str | None) -> dict[str, str]:
    if text is None:
        return {}
    found = {"": text.strip()} if "=" not in text else _pairs(text.split(","), "--prefix")
    for value in found.values():
        if value not in PREFIXES:
            known = [prefix for prefix in PREFIXES if prefix]
            raise MbcostError(
                f"unknown prefix {value!r}", place="--prefix", way_out=did_you_mean(value, known)
            )
    return found


def too_wide(look: Look, width: int, last: str) -> str:
    """Return what is to be said of a table that overflows; empty where it fits."""
    room = LINE_WIDTHS[look.span] if look.span else width
    if width <= room:
        return ""
    other = " or --span 2" if look.span == 1 else ""
    columns = "one column" if look.span == 1 else "two columns"
    return f"{width} characters where {columns} of a page hold {room}: drop {last}{other}"
