"""Tests mirror the package: ``tests/test_X.py`` for ``mbcost/X.py``."""
