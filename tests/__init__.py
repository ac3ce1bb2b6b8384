"""Tests mirror the packages: ``tests/<package>/test_<file>.py``."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
