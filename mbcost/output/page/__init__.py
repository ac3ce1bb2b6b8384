"""One HTML page that needs nothing else: no network, no build step; the door to jinja2.

A page is sections of cards, tables, a tree, drawings and lines; it knows no network. Everything a
user named is escaped by the template, and the page's policy lets no script run but its own. To add
a part: a field of ``Section`` and its place in ``page.html``.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from mbcost.errors import not_installed, visible
from mbcost.output.page.sheet import sheet
from mbcost.output.page.svg import inline
from mbcost.output.table import Table
from mbcost.units import percent

SUFFIXES = (".html", ".htm")


class Card(NamedTuple):
    """One figure of a summary, with its unit and what else is to be known of it."""

    title: str
    value: str
    more: str = ""


class Share(NamedTuple):
    """A figure of a branch, and which share of the whole it is; None of nothing."""

    text: str
    share: float | None

    @property
    def percent(self) -> str:
        """Return the share as people read it."""
        return "" if self.share is None else percent(self.share)


class Branch(NamedTuple):
    """A line of a tree; those in it follow, the last of which ``closes`` it."""

    before: str
    """The part of its name that the line it is in has shown."""
    name: str
    kind: str
    shares: tuple[Share, ...]
    depth: int
    leaf: bool
    closes: int


class Tree(NamedTuple):
    """Branches, each before those in it, and what their shares are of."""

    figures: tuple[str, ...]
    branches: Sequence[Branch]


class Drawing(NamedTuple):
    """A figure as SVG, and in words for those who cannot see it; empty where it is not drawn."""

    svg: bytes
    words: str


@dataclass(frozen=True)
class Section:
    """A part of the page under a heading of ``level`` 2, or 3 within such a one."""

    title: str
    level: int = 2
    lead: str = ""
    cards: tuple[Card, ...] = ()
    tree: Tree | None = None
    table: Table | None = None
    rows: str = "rows"
    """What the rows of the table are called."""
    filters: bool = False
    drawings: tuple[Drawing, ...] = ()
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Page:
    """A title, a line below it, and the sections."""

    title: str
    lead: str
    sections: Sequence[Section]


def require() -> None:
    """Raise if jinja2 is not installed."""
    try:
        import jinja2  # noqa: F401
    except ImportError:
        raise not_installed(
            "a page",
            ["jinja2"],
            install="'mbcost[report]'",
            instead="; the table alone: mbcost compare -o table.md",
        ) from None


def render(page: Page) -> str:
    """Return the page as HTML, all that it needs in it."""
    require()
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_plain,
    )
    environment.filters |= {"sheet": sheet, "inline": lambda svg, key: Markup(inline(svg, key))}
    script, style = _own("page.js"), _own("page.css")
    template = environment.from_string(_own("page.html"))
    digest = b64encode(sha256(script.encode()).digest()).decode()
    return template.render(page=page, script=Markup(script), style=Markup(style), digest=digest)


def _plain(value: Any) -> Any:
    """Return what the template puts out: text of users without control characters."""
    return visible(value) if type(value) is str else value


def _own(name: str) -> str:
    return Path(__file__).with_name(name).read_text("utf-8")
