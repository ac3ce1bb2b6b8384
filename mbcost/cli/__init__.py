"""The command line: parses, calls, prints. No arithmetic.

To add a command: a module beside these that defines it on ``app``, and its line in
``app.COMMANDS``. Options that several commands share are in ``options``, and come in groups: a
command takes the object that a group makes (see ``groups``).
"""

from mbcost.cli.app import app, main

__all__ = ["app", "main"]
