"""Hostile input of every kind, as ``tests.fuzz`` makes it: a result or one message, never more.

python -m tests.proofs.fuzz --sample 20000 --seed 0 --seconds 3600
"""

from __future__ import annotations

import sys

from tests.fuzz import main

if __name__ == "__main__":
    sys.exit(main(20_000))
