"""``reports/figures``: every file is what its command makes today."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib import __version__ as matplotlib_version

from tests.report_figures import FIGURES, FOLDER, PAGE, page, regenerate


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("figures")
    regenerate(folder)
    return folder


def drawn_by_this_matplotlib() -> bool:
    return f"matplotlib {matplotlib_version}," in (FOLDER / PAGE).read_text("utf-8")


def test_the_folder_holds_what_is_listed() -> None:
    files = {f"{name}{suffix}" for name in FIGURES for suffix in (".svg", ".csv")}
    assert {path.name for path in FOLDER.iterdir()} == files | {PAGE}


@pytest.mark.parametrize("name", FIGURES)
def test_the_plotted_values_are_reproduced(fresh: Path, name: str) -> None:
    written = (FOLDER / f"{name}.csv").read_text("utf-8")
    assert (fresh / f"{name}.csv").read_text("utf-8") == written
    assert written.count("\n") > 3


@pytest.mark.parametrize("name", FIGURES)
def test_the_figure_is_reproduced_to_the_byte(fresh: Path, name: str) -> None:
    if not drawn_by_this_matplotlib():
        pytest.skip("another version of matplotlib drew it; its values are compared all the same")
    assert (fresh / f"{name}.svg").read_bytes() == (FOLDER / f"{name}.svg").read_bytes()


def test_the_page_lists_every_figure_with_its_command(fresh: Path) -> None:
    written = (FOLDER / PAGE).read_text("utf-8")
    assert all(command in written for command, _ in FIGURES.values())
    if drawn_by_this_matplotlib():
        assert written == page() == (fresh / PAGE).read_text("utf-8")
