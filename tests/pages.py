"""README.md and the pages of ``docs/``: what they show, and how it is run again.

A console block is a command after each ``$`` with its output. A ``yaml`` block that begins with
``# NAME.yaml`` is a file that the commands of its page may name.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from tests import ROOT

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
CONSOLE = re.compile(r"^```console\n(.*?)^```\n", re.M | re.S)
PYTHON = re.compile(r"^```python\n(.*?)^```\n", re.M | re.S)
_FILE = re.compile(r"^```yaml\n(# (\S+\.yml|\S+\.yaml)\b.*?)^```\n", re.M | re.S)
_SHELL = set("();<>|&")


def text_of(page: Path) -> str:
    return page.read_text("utf-8")


def runnable(page: Path) -> list[str]:
    """Return the console blocks of a page that run mbcost, and not make or pip."""
    return [block for block in CONSOLE.findall(text_of(page)) if block.startswith("$ mbcost")]


def files_of(page: Path) -> dict[str, str]:
    """Return the files that a page shows, by name."""
    return {name: text for text, name in _FILE.findall(text_of(page))}


def generated(page: Path, name: str) -> str:
    """Return the generated part of a page: from ``<!-- NAME: … -->`` to ``<!-- end -->``."""
    return _split(page, name)[1]


def write_generated(page: Path, name: str, part: str) -> None:
    """Put ``part`` into a page in place of the part of that name."""
    before, _, after = _split(page, name)
    page.write_text(f"{before}{part}{after}", "utf-8")


def _split(page: Path, name: str) -> list[str]:
    parts = re.split(rf"(?<=<!-- {name} -->\n)(.*?)(?=<!-- end -->)", text_of(page), flags=re.S)
    assert len(parts) == 3, f"{page}: {name}"
    return parts


def run_block(block: str, page: Path, cwd: Path) -> str:
    """Return a console block as it reads when its commands are run in the empty folder ``cwd``."""
    for name, text in files_of(page).items():
        (cwd / name).parent.mkdir(parents=True, exist_ok=True)
        (cwd / name).write_text(text, "utf-8")
    if "reports/" in block:
        shutil.copytree(ROOT / "reports", cwd / "reports")
    commands = [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]
    return "".join(f"$ {command}\n{run(command, cwd)}" for command in commands)


def run(command: str, cwd: Path) -> str:
    """Return what a command prints: in this process, or by a shell where it needs one."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    if any(set(word) <= _SHELL for word in lexer):
        return _run_in_shell(command, cwd)
    from typer.testing import CliRunner

    from mbcost.cli import app

    with contextlib.chdir(cwd):
        seen = {"COLUMNS": "100", "NO_COLOR": "1"}
        return CliRunner(env=seen).invoke(app, shlex.split(command)[1:], prog_name="mbcost").output


def _run_in_shell(command: str, cwd: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    seen = {"COLUMNS": "100", "NO_COLOR": "1", "PYTHONPATH": str(ROOT), "PATH": path}
    return subprocess.run(
        ["bash", "-c", command],
        cwd=cwd,
        env={**os.environ, **seen},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    ).stdout


MEASURED = re.compile(r"^```console measured\n(.*?)^```\n", re.M | re.S)
"""Blocks whose figures no second run has: they are run, and their words and columns compared."""
_PASSING = ("not reached", "still drifting")
"""Lines that depend on how busy a machine is."""


def measured(page: Path) -> list[str]:
    """Return the console blocks of a page that show measurements."""
    return MEASURED.findall(text_of(page))


def without_figures(block: str) -> str:
    """Return a block without what differs from run to run: figures, bars, widths, the machine."""
    lines = []
    for line in block.splitlines():
        if line.startswith(_PASSING):
            continue
        kept = re.sub(r"^.*; median of", "; median of", line)
        kept = kept if line.startswith("$") else re.sub(r"\d[\d.,]*", "0", kept)
        kept = re.sub(r"[█▉▊▋▌▍▎▏]+|\([nµm]s\)", "", kept)
        lines.append(" ".join(re.sub("─+", "─", kept).split()))
    return " ".join(lines)  # figures of other lengths break lines elsewhere
