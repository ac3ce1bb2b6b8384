"""What a person sees: a table at once on a terminal, filled in while the counters run."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest


def on_a_terminal(
    args: list[str], cwd: Path, columns: int = 120, lines: int = 50, encoding: str = "utf-8"
) -> list[str]:
    """Return what ``mbcost`` writes to a terminal, in the chunks in which it arrives."""
    leader, follower = pty.openpty()
    environment = {
        **os.environ,
        "COLUMNS": str(columns),
        "LINES": str(lines),
        "TERM": "xterm-256color",
        "PYTHONIOENCODING": encoding,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "mbcost", *args],
        stdout=follower,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=cwd,
    )
    os.close(follower)
    chunks = []
    while True:
        try:
            chunk = os.read(leader, 1 << 16)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        chunks.append(chunk)
    _, stderr = process.communicate()
    os.close(leader)
    assert (process.returncode, stderr) == (0, b"")
    return b"".join(chunks).decode(encoding).split("\x1b[2K")


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)


def test_figures_stand_before_the_counters_have_run(tmp_path: Path) -> None:
    text = plain("".join(on_a_terminal(["compare", "--size", "16"], tmp_path)))
    first, last = text.index("verifying: the counters are running"), text.rindex("verified: ")
    assert "8.4× fewer" in text[:first]
    assert "…" in text[:first]
    assert "torchinfo and fvcore, each" in text[last:]
    final = text[text.rindex("standard ", 0, last) :]
    assert "…" not in final


@pytest.mark.parametrize("lines", [12, 60])
def test_a_table_taller_than_the_screen_is_printed_once_and_whole(
    tmp_path: Path, lines: int
) -> None:
    args = ["model", "v1", "--size", "32", "--counter", "torchinfo"]
    text = plain("".join(on_a_terminal(args, tmp_path, lines=lines)))
    assert "rows.11.linear" in text
    assert "rows.0.conv" in text
    assert "verified: torchinfo counts as its convention" in text
    if lines == 12:
        assert text.count("rows.0.conv ") == 1


def test_a_narrow_terminal_hides_columns_and_says_which(tmp_path: Path) -> None:
    text = plain("".join(on_a_terminal(["compare", "--fast"], tmp_path, columns=60)))
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 60
    assert "hidden at 60 columns: " in text


def test_columns_asked_for_are_never_hidden(tmp_path: Path) -> None:
    args = ["compare", "--fast", "--columns", "target,output,params,total_bytes,params_all"]
    text = plain("".join(on_a_terminal(args, tmp_path, columns=60)))
    assert "hidden at" not in text
