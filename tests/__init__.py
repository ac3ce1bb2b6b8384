"""Tests mirror the packages: ``tests/PACKAGE/test_FILE.py`` for ``mbcost/PACKAGE/FILE.py``."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
