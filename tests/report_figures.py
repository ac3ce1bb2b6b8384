"""The figures of ``reports/figures``, each with the command that makes it.

``python -m tests.report_figures`` writes them anew, and the page that lists them.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from matplotlib import __version__ as matplotlib_version
from typer.testing import CliRunner

from mbcost.cli import app

FOLDER = Path(__file__).parent.parent / "reports" / "figures"
PAGE = "README.md"

FIGURES = {
    "accuracy": (
        "mbcost plot accuracy v1 v2 v3-large v3-small",
        "Counted mult-adds against published top-1. Areas are params; the number at a point is α, "
        "or the size where it is not 224.",
    ),
    "accuracy-params": (
        "mbcost plot accuracy v1 v2 v3-large v3-small --x params",
        "The same points against their params.",
    ),
    "share": (
        "mbcost plot share v1 v2 v3-large v3-small",
        "Where mult-adds and params sit, by kind of layer.",
    ),
    "share-blocks": (
        "mbcost plot share v1 v2 v3-large --by block",
        "The same by block, from input to output.",
    ),
    "layers-v2": (
        "mbcost plot layers v2",
        "Each layer of V2 that has weights; a batch-norm's params stand with its convolution.",
    ),
    "sweep-v2": (
        "mbcost plot sweep v2 --alpha 0.35,0.5,0.75,1,1.4 --size 96,128,160,192,224",
        "V2's mult-adds over α and size.",
    ),
    "blocks": ("mbcost compare --fast", "The three blocks side by side, 64 to 128 channels."),
}
"""Command without its outputs, and what the figure shows."""


def outputs(name: str) -> str:
    """Return the options that write the figure and its values."""
    figure = "--plot" if name == "blocks" else "-o"
    return f"{figure} {name}.svg -o {name}.csv"


def regenerate(folder: Path) -> None:
    """Write every figure with its values, and the page, into ``folder``."""
    for name, (command, _) in FIGURES.items():
        line = f"{command} {outputs(name)}"
        for file in (f"{name}.svg", f"{name}.csv"):
            line = line.replace(file, str(folder / file))
        result = CliRunner().invoke(app, shlex.split(line)[1:])
        if result.exit_code:
            sys.exit(f"{line}\n{result.stderr}")
    (folder / PAGE).write_text(page(), "utf-8")


def page() -> str:
    """Return the page: each figure, what it shows, and its command."""
    parts = [
        "# Figures\n\nEach with the command that made it; the CSV beside it holds the plotted "
        f"values. Drawn by matplotlib {matplotlib_version}, for a column of 3.5 in.\n"
    ]
    for name, (command, shows) in FIGURES.items():
        parts.append(
            f"## {name}\n\n{shows}\n\n    {command} {outputs(name)}\n\n![{shows}]({name}.svg)\n"
        )
    return "\n".join(parts)


if __name__ == "__main__":
    regenerate(FOLDER)
