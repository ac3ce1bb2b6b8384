"""``mbcost compare --fast`` against ``import torch`` and against a bare Typer program.

python -m tests.benchmarks.startup
"""

from __future__ import annotations

import sys

from tests.benchmarks.measure import MBCOST, cpu_medians

TYPER_PROGRAM = """
import typer
app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
@app.command()
def compare(in_: int = typer.Option(64, "--in"), out: int = 128, size: int = 224):
    from rich.console import Console
    from rich.table import Table
    table = Table("target", "params", "mult-adds")
    for row in (("standard", "74.0", "925"), ("depthwise-separable", "9.15", "110"),
                ("inverted-residual", "26.5", "631")):
        table.add_row(*row)
    Console().print(table)
for name in ("model", "explain", "list", "show", "schema"):
    @app.command(name)
    def other(target: str, size: int = 224):
        pass
app()
"""


def main() -> None:
    python = sys.executable
    block = ("--in", "64", "--out", "128", "--size", "224")
    found = cpu_medians(
        {
            "import torch": (python, "-c", "import torch"),
            "mbcost compare --fast": (*MBCOST, "compare", *block, "--fast"),
            "typer program": (python, "-c", TYPER_PROGRAM, "compare", *block),
            "mbcost --help": (*MBCOST, "--help"),
        }
    )
    for name, seconds in found.items():
        print(f"{name:24} {seconds:.3f} s CPU")
    fast = found["mbcost compare --fast"]
    print(f"fast / import torch:  {fast / found['import torch']:.3f} (at most 0.10)")
    print(f"fast / typer program: {fast / found['typer program']:.2f} (at most 1.5)")


if __name__ == "__main__":
    main()
