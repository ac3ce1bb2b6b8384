"""The command line: parses, calls, prints. No arithmetic.

To add a command: a module beside these that defines it on ``app``, and its line in
``app.COMMANDS``.
"""

from mbcost.cli.app import app, main

__all__ = ["app", "main"]
