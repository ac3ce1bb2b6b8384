"""The process: ``mbcost`` and ``python -m mbcost``."""

from __future__ import annotations

import gc
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line."""
    # imports make objects that stay: collecting them again and again is a tenth of a short run
    gc.set_threshold(100_000)
    try:
        from mbcost import cli

        cli.main()
    except KeyboardInterrupt:  # before a command has begun
        sys.exit(130)


if __name__ == "__main__":
    main()
