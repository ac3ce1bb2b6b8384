"""The command line: parses, calls, prints. No arithmetic.

To add a command: a module beside these that defines it on ``app``, and its import below.
"""

from mbcost.cli import (  # noqa: F401  (each defines its commands)
    baseline,
    catalog,
    check,
    compare,
    diff,
    explain,
    model,
    paper,
    plot,
    reconcile,
    search,
    sweep,
)
from mbcost.cli.app import app, main

__all__ = ["app", "main"]
