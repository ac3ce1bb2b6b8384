"""Annotations of a GitHub workflow: a command a finding, and the table below them in the log.

The runner obeys lines that begin with ``::``. The table stands between ``::stop-commands::`` and its
end, so that no name in it is obeyed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from hashlib import sha256

from mbcost.errors import visible
from mbcost.output.findings import Finding
from mbcost.output.formats.text import to_text
from mbcost.output.table import Table


def to_github(table: Table, *, exact: bool = False) -> str:
    """Return the commands of all findings but those that passed, then the table."""
    text = to_text(table, exact=exact)
    mark = f"mbcost-{sha256(text.encode('utf-8', 'replace')).hexdigest()[:32]}"
    lines = [_command(finding) for finding in table.findings if finding.level != "pass"]
    return "\n".join([*lines, f"::stop-commands::{mark}", f"{text}::{mark}::", ""])


def _command(finding: Finding) -> str:
    """Return ``::error title=v2%3A over budget,file=budgets.yaml,line=4::what%0Adetails``."""
    title = f"{finding.about}: {finding.title}"
    properties: dict[str, str] = {"title": visible(title)}
    if finding.place is not None:
        properties["file"] = visible(in_repository(finding.place.file, os.environ))
        if finding.place.line is not None:
            properties["line"] = str(finding.place.line)
    shown = ",".join(f"{key}={escape_property(value)}" for key, value in properties.items())
    message = "\n".join(map(visible, (finding.message, *finding.details)))
    return f"::{finding.level} {shown}::{escape(message)}"


def in_repository(file: str, environment: Mapping[str, str]) -> str:
    """Return a file as annotations name it: from the top of the repository, where it is in it."""
    top = environment.get("GITHUB_WORKSPACE")
    if not top:
        return file
    found = os.path.relpath(os.path.realpath(file), os.path.realpath(top))
    return file if found.startswith(os.pardir) else found.replace(os.sep, "/")


def escape(text: str) -> str:
    """Return a message as a workflow command holds it."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escape_property(text: str) -> str:
    """Return the value of a property as a workflow command holds it."""
    return escape(text).replace(":", "%3A").replace(",", "%2C")
