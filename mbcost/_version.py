"""The version of this release, alone in its file, so that nothing else is read to know it."""

__version__ = "0.1.0"
