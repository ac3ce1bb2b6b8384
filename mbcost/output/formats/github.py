"""Annotations of a GitHub workflow: a command a finding, and the table below them in the log.

The runner obeys lines that begin with ``::``. The table stands between ``::stop-commands::`` and
its end, so that no name in it is obeyed.
"""

from __future__ import annotations

from hashlib import sha256

from mbcost.errors import visible
from mbcost.output.formats.text import to_text
from mbcost.output.table import Finding, Table


def to_github(table: Table, *, exact: bool = False) -> str:
    """Return an annotation of each finding that did not pass, then the table."""
    text = to_text(table, exact=exact)
    # no table can hold the digest of itself
    mark = sha256(text.encode("utf-8", "replace")).hexdigest()[:32]
    lines = [annotation(finding) for finding in table.findings if not finding.passed]
    return "\n".join([*lines, f"::stop-commands::{mark}", f"{text}::{mark}::", ""])


def annotation(finding: Finding) -> str:
    """Return ``::error file=budgets.yaml,line=4,title=v2%3A params::over budget: …``."""
    properties: dict[str, str] = {}
    if finding.file:
        properties["file"] = finding.file
        if finding.line:
            properties["line"] = str(finding.line)
    properties["title"] = f"{finding.target}: {finding.name}"
    shown = ",".join(f"{key}={escape_property(visible(v))}" for key, v in properties.items())
    message = "\n".join(visible(line) for line in finding.message.split("\n"))
    return f"::{finding.level} {shown}::{escape(message)}"


def escape(text: str) -> str:
    """Return a message as a workflow command holds it."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escape_property(text: str) -> str:
    """Return the value of a property as a workflow command holds it."""
    return escape(text).replace(":", "%3A").replace(",", "%2C")
