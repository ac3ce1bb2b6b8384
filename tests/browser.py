"""A headless Chromium, for what a page does in the hands of a reader."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

_QUIET = (
    "--headless",
    "--no-sandbox",  # root may not have one
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,1600",
)


def missing() -> str:
    """Return why there is no Chromium here; empty where there is one."""
    programs = [name for name in ("chromium", "chromedriver") if not shutil.which(name)]
    return f"{' and '.join(programs)} not installed" if programs else ""


@contextmanager
def chromium() -> Iterator[Chrome]:
    """Run one with a profile of its own, its console kept."""
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    with TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = Options()
        options.binary_location = str(shutil.which("chromium"))
        for argument in (*_QUIET, f"--user-data-dir={profile}"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
        try:
            yield driver
        finally:
            driver.quit()


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    """A browser, or a skip where there is none; under MBCOST_REQUIRE_CHROMIUM a failure."""
    reason = missing()
    if reason:
        if os.environ.get("MBCOST_REQUIRE_CHROMIUM"):
            pytest.fail(f"{reason}, and required here")
        pytest.skip(reason)
    with chromium() as driver:
        yield driver


def visit(driver: Chrome, path: Path) -> None:
    """Open a file; what the console said before is forgotten."""
    driver.get_log("browser")  # type: ignore[no-untyped-call]  # selenium leaves it untyped
    driver.get(path.as_uri())


def complaints(driver: Chrome) -> list[str]:
    """Return what the console has said since the last visit, or since it was asked."""
    entries: list[dict[str, Any]] = driver.get_log("browser")  # type: ignore[no-untyped-call]  # as above
    return [str(entry["message"]) for entry in entries]
