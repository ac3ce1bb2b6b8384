"""The page of ``mbcost report resnet50``: until it is written, until its layers are on a screen.

python -m tests.benchmarks.page
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.browser import chromium, missing

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

_SHOWN = """
const done = arguments[0];
const ready = () => requestAnimationFrame(() => setTimeout(() => {
  const rows = document.querySelectorAll('table.sheet tbody tr').length;
  done([performance.now(), rows]);
}));
document.readyState === 'complete' ? ready() : addEventListener('load', ready);
"""


def shown(driver: Chrome, page: Path) -> tuple[float, int]:
    """Return milliseconds from navigation to the frame that shows all tables, and their rows."""
    driver.get("about:blank")
    driver.get(page.as_uri())
    at, rows = driver.execute_async_script(_SHOWN)
    return at, rows


def main() -> None:
    if reason := missing():
        sys.exit(reason)
    with TemporaryDirectory() as folder, chromium() as driver:
        page = Path(folder) / "page.html"
        command = [sys.executable, "-m", "mbcost", "report", "resnet50", "--fast", "-o", str(page)]
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        print(f"written in {time.perf_counter() - start:.2f} s, {page.stat().st_size:,} bytes")
        shown(driver, page)  # a warm browser, as a reader has
        found = [shown(driver, page) for _ in range(7)]
        seconds = statistics.median(at for at, _ in found) / 1000
        print(f"{found[0][1]} rows on the screen in {seconds:.3f} s (at most 1)")


if __name__ == "__main__":
    main()
