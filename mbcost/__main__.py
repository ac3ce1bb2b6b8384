"""The process: ``mbcost`` and ``python -m mbcost``."""

from __future__ import annotations

import gc
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line."""
    # imports make objects that stay: collecting them again and again is a tenth of a short run
    gc.set_threshold(100_000)
    from mbcost import cli

    cli.main()


if __name__ == "__main__":
    main()
