"""The command line: parses, calls, prints. No arithmetic.

To add a command: a module beside these that defines it on ``app``, and its import below.
"""

from mbcost.cli import catalog, compare, explain, model  # noqa: F401  (each defines its commands)
from mbcost.cli.app import app, main

__all__ = ["app", "main"]
