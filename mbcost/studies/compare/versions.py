"""Versions of mbcost and of the counters, as records, captions and ``--version`` state them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mbcost._version import __version__
from mbcost.modules.counters import COUNTERS


def versions(counters: Iterable[str] = ()) -> dict[str, str]:
    """Return the versions of mbcost and of the named counters' packages."""
    packages = [COUNTERS[name].package for name in counters]
    return versions_of(("torch", *packages) if packages else ())


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of mbcost and of packages that are installed."""
    found = {"mbcost": __version__}
    for package in packages:
        from importlib.metadata import version  # 80 ms: only where something was run

        found[package] = version(package)
    return found


def versions_text(found: Mapping[str, str]) -> str:
    """Return versions as a sentence's end: ``mbcost 0.1.0, torch 2.14.1``."""
    return ", ".join(f"{name} {version}" for name, version in found.items())


def version_text() -> str:
    """Return the versions of mbcost, the counters and torch, one a line."""
    from importlib.metadata import PackageNotFoundError, version

    lines = [f"mbcost {__version__}"]
    for package in ("torch", "torchinfo", "fvcore"):
        try:
            lines.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            lines.append(f"{package} is not installed")
    return "\n".join(lines)
