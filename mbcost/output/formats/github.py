"""Workflow commands of GitHub Actions: an annotation for each finding, then the table for the log.

The log is read for commands; around the table they are stopped, so that no name can be one.
"""

from __future__ import annotations

import os
from secrets import token_hex

from mbcost.errors import visible
from mbcost.output.formats.text import to_text
from mbcost.output.table import Finding, Table


def to_github(table: Table, *, exact: bool = False) -> str:
    """Return ``::error file=…,line=…,title=…::message`` lines, and the table as text."""
    lines = [annotation(finding) for finding in table.findings if not finding.passed]
    token = token_hex(16)
    stopped = f"::stop-commands::{token}\n{to_text(table, exact=exact)}::{token}::\n"
    return "".join(f"{line}\n" for line in lines) + stopped


def annotation(finding: Finding) -> str:
    """Return the workflow command of a finding."""
    file = finding.file and in_repository(finding.file, os.environ.get("GITHUB_WORKSPACE"))
    given = {
        "file": file,
        "line": None if finding.line is None or finding.file is None else str(finding.line),
        "title": f"{finding.target}: {finding.name}",
    }
    properties = ",".join(f"{key}={_property(value)}" for key, value in given.items() if value)
    return f"::{finding.level} {properties}::{_data(finding.message)}"


def in_repository(file: str, top: str | None) -> str:
    """Return a file as annotations name it: from the top of the repository, if it is in there."""
    if not top or "\0" in file:
        return file
    found = os.path.relpath(os.path.realpath(file), os.path.realpath(top))
    outside = found.split(os.sep)[0] == os.pardir
    return file if outside else found.replace(os.sep, "/")


def _data(text: str) -> str:
    """Return a message in one line, as the runner reads it back."""
    shown = "\n".join(map(visible, text.split("\n")))
    return shown.replace("%", "%25").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
