"""Tables as text for files: the suffix of ``-o`` picks the format.

To add a format: a module beside these with one ``Table -> str`` function, and its line in
``FORMATS``.
"""

from collections.abc import Callable
from dataclasses import dataclass

from mbcost.export.csv import to_csv
from mbcost.export.files import write_whole
from mbcost.export.html import to_html
from mbcost.export.json import to_json
from mbcost.export.latex import to_latex
from mbcost.export.markdown import to_markdown
from mbcost.export.text import to_text
from mbcost.tables import Table


@dataclass(frozen=True, slots=True)
class Format:
    """A way of writing a table; ``exact`` asks for every digit where figures are rounded."""

    name: str
    suffixes: tuple[str, ...]
    write: Callable[[Table, bool], str]


FORMATS: dict[str, Format] = {
    "table": Format("table", (".txt",), to_text),
    "markdown": Format("markdown", (".md", ".markdown"), to_markdown),
    "csv": Format("csv", (".csv",), lambda table, exact: to_csv(table)),
    "latex": Format("latex", (".tex",), to_latex),
    "json": Format("json", (".json",), lambda table, exact: to_json(table)),
}

__all__ = ["FORMATS", "Format", "to_html", "write_whole"]
