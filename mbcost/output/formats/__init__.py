"""Tables as text for files: the suffix of ``-o`` picks the format.

To add a format: a module beside these with one ``Table -> str`` function, and its line in
``FORMATS``. A format's module is imported when it first writes.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import NamedTuple

from mbcost.output.table import Table


class Format(NamedTuple):
    """A way of writing a table: its suffixes, and the ``module:function`` that does it."""

    suffixes: tuple[str, ...]
    writer: str

    def write(self, table: Table, *, exact: bool = False) -> str:
        """Return the table as text; ``exact`` asks for every digit where figures are rounded."""
        module, _, function = self.writer.partition(":")
        to_text: Callable[..., str] = getattr(import_module(module), function)
        return to_text(table, exact=exact)


def format_named(name: str, formats: Mapping[str, Format]) -> str | None:
    """Return the key in ``formats`` of a format's name or suffix: ``latex``, ``tex``."""
    known = formats.items()
    return next((k for k, form in known if name == k or f".{name}" in form.suffixes), None)


FORMATS: dict[str, Format] = {
    "table": Format((".txt",), "mbcost.output.formats.text:to_text"),
    "markdown": Format((".md", ".markdown"), "mbcost.output.formats.markdown:to_markdown"),
    "csv": Format((".csv",), "mbcost.output.formats.csv:to_csv"),
    "latex": Format((".tex",), "mbcost.output.formats.latex:to_latex"),
    "html": Format((".html", ".htm"), "mbcost.output.formats.html:to_page"),
    "json": Format((".json",), "mbcost.output.formats.json:to_json"),
}
GITHUB = {"github": Format((), "mbcost.output.formats.github:to_github")}
"""For commands whose tables have findings."""
CI = {**GITHUB, "junit": Format((".xml",), "mbcost.output.formats.junit:to_junit")}
"""For those whose findings are checks."""
ALL = {**FORMATS, **CI}
