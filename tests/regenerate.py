"""Writes ``reports/``, and the output in README.md and docs/, anew: ``python -m tests.regenerate``.

With ``pages`` behind it, the output in README.md and docs/ alone.
The commands stand in ``reports/README.md`` and in the pages; nothing else knows them.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from mbcost.studies.prediction import fitted
from tests import ROOT
from tests.pages import CONSOLE, PAGES, measured, run_block, runnable, text_of, write_generated
from tests.paper_ways import WAYS_MARK, ways_table
from tests.prediction_report import REPORT, report
from tests.reference import (
    CONVENTIONS_MARK,
    FLOORS_MARK,
    columns_page,
    conventions_table,
    floors_table,
)


def report_commands() -> list[list[str]]:
    """Return the commands of ``reports/README.md``, without the program."""
    text = text_of(ROOT / "reports" / "README.md")
    lines = [line for block in CONSOLE.findall(text) for line in block.splitlines()]
    return [shlex.split(line.removeprefix("$ mbcost ")) for line in lines if line]


def write_pages() -> None:
    """Write what is generated in docs/, and what commands print below them there and in README."""
    (ROOT / "docs" / "columns.md").write_text(columns_page(), "utf-8")
    write_generated(ROOT / "docs" / "conventions.md", CONVENTIONS_MARK, conventions_table())
    write_generated(ROOT / "docs" / "architecture.md", FLOORS_MARK, floors_table())
    write_generated(ROOT / "reports" / "papers" / "README.md", WAYS_MARK, ways_table())
    REPORT.write_text(report(fitted()), "utf-8")
    for page in PAGES:
        text = text_of(page)
        for block in runnable(page):
            with TemporaryDirectory() as folder:
                text = text.replace(block, run_block(block, page, Path(folder)))
        page.write_text(text, "utf-8")


def write_measured() -> None:
    """Run the blocks that show measurements and write what this machine says."""
    for page in PAGES:
        text = text_of(page)
        for block in measured(page):
            with TemporaryDirectory() as folder:
                text = text.replace(block, run_block(block, page, Path(folder)))
        page.write_text(text, "utf-8")


def main() -> None:
    if sys.argv[1:] == ["measured"]:
        write_measured()
        return
    for args in report_commands() if sys.argv[1:] != ["pages"] else ():
        subprocess.run([sys.executable, "-m", "mbcost", *args], cwd=ROOT, check=True)
    write_pages()


if __name__ == "__main__":
    main()
