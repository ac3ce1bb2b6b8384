"""Writes ``reports/`` and the output in README.md anew: ``python -m tests.regenerate``.

The commands stand in ``reports/README.md`` and in README.md; nothing else knows them.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
CONSOLE = re.compile(r"^```console\n(.*?)^```\n", re.M | re.S)


def report_commands() -> list[list[str]]:
    """Return the commands of ``reports/README.md``, without the program."""
    text = (ROOT / "reports" / "README.md").read_text("utf-8")
    lines = [line for block in CONSOLE.findall(text) for line in block.splitlines()]
    return [shlex.split(line.removeprefix("$ mbcost ")) for line in lines if line]


def readme_blocks() -> list[str]:
    """Return README's console blocks: commands after ``$``, each with its output."""
    return CONSOLE.findall((ROOT / "README.md").read_text("utf-8"))


def run_block(block: str, cwd: Path) -> str:
    """Return a console block as it reads when its commands are run in ``cwd``."""
    environment = {**os.environ, "COLUMNS": "100", "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    shown = ""
    for line in block.splitlines():
        if line.startswith("$ "):
            run = subprocess.run(
                ["bash", "-c", line.removeprefix("$ ")],
                cwd=cwd,
                env={**environment, "PATH": path},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            shown += f"{line}\n{run.stdout}"
    return shown


def main() -> None:
    for args in report_commands():
        subprocess.run([sys.executable, "-m", "mbcost", *args], cwd=ROOT, check=True)
    readme = ROOT / "README.md"
    text = readme.read_text("utf-8")
    for block in readme_blocks():
        if block.startswith("$ mbcost"):
            text = text.replace(block, run_block(block, ROOT))
    readme.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
