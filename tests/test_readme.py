"""README.md and docs/ show what the commands in them really print, and lead somewhere."""

from __future__ import annotations

import doctest
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mbcost.cli.app import COMMANDS
from mbcost.cli.app import PAGES as COMMAND_PAGES
from mbcost.studies.meanings import IN_PLACE, MEANINGS
from tests import ROOT
from tests.conftest import Cli
from tests.output.test_formats import unversioned
from tests.pages import (
    PAGES,
    PYTHON,
    generated,
    measured,
    run_block,
    runnable,
    text_of,
    without_figures,
)
from tests.reference import (
    CONVENTIONS_MARK,
    FLOORS_MARK,
    FURTHER,
    columns_page,
    conventions_table,
    floors_table,
)

README, *DOCS = PAGES
LINKING = [*PAGES, ROOT / "CHANGELOG.md", ROOT / "reports" / "README.md"]
BLOCKS = [
    pytest.param(page, block, id=f"{page.stem}: {block.splitlines()[0][2:60]}")
    for page in PAGES
    for block in runnable(page)
]


@pytest.mark.parametrize(("page", "block"), BLOCKS)
def test_pages_show_real_output(page: Path, block: str, tmp_path: Path) -> None:
    assert unversioned(run_block(block, page, tmp_path)) == unversioned(block)


@pytest.mark.parametrize(
    ("page", "block"), [(page, block) for page in PAGES for block in measured(page)]
)
def test_measured_blocks_are_run_and_differ_in_figures_alone(
    page: Path, block: str, tmp_path: Path
) -> None:
    assert without_figures(run_block(block, page, tmp_path)) == without_figures(block)


def test_a_column_more_is_seen_without_figures() -> None:
    block = "$ x\ntarget  (ms)  ± 95 %\n───\nv2  1.07 ████  ± 2.0%\n"
    same = "$ x\ntarget  (µs)  ± 95 %\n─────\nv2   11.7 █▍  ± 10.0%\nnot reached: x\n"
    assert without_figures(block) == without_figures(same)
    assert without_figures(block) != without_figures(block.replace("v2", "v1 x"))
    assert without_figures(block) != without_figures(block.replace("± 95 %", "wall"))


def test_a_command_that_needs_a_shell_gets_one(tmp_path: Path) -> None:
    shown = run_block("$ mbcost show standard > mine.yaml && head -1 mine.yaml\n", README, tmp_path)
    assert shown.splitlines()[1:] == (tmp_path / "mine.yaml").read_text("utf-8").splitlines()[:1]


@pytest.mark.parametrize("page", [page for page in PAGES if PYTHON.search(text_of(page))])
def test_python_on_pages_runs(page: Path) -> None:
    examples = "\n".join(PYTHON.findall(text_of(page)))
    parsed = doctest.DocTestParser().get_doctest(examples, {}, page.stem, str(page), 0)
    assert len(parsed.examples) > 3
    results = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(parsed)
    assert results.failed == 0


def test_readme_is_short_and_links_every_page(cli: Cli) -> None:
    text = text_of(README)
    assert text.count("\n") <= 200
    linked = {(ROOT / target.partition("#")[0]).resolve() for target in links(text)}
    assert linked >= {page.resolve() for page in DOCS}
    assert linked >= {ROOT / "CHANGELOG.md", ROOT / "LICENSE"}
    for command in ("make demo", "make test", *(f"mbcost {name}" for name in COMMANDS)):
        assert command in text, command


def test_the_help_of_every_command_names_the_page_that_shows_it(cli: Cli) -> None:
    assert list(COMMAND_PAGES) == list(COMMANDS)
    for command, page in COMMAND_PAGES.items():
        assert cli(command, "--help").stdout.endswith(f"\n\n  Docs: docs/{page}\n"), command
        assert f"mbcost {command}" in text_of(ROOT / "docs" / page)
    assert "Docs: docs/figures.md" in cli("plot", "share", "--help").stdout


def links(text: str) -> Iterator[str]:
    """Yield what a page links to within the project: links, images and sources of images."""
    prose = re.sub(r"^```.*?^```\n", "", text, flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)|\bsrc=\"([^\"]+)\"", prose):
        address = "".join(target)
        if not address.startswith(("https:", "http:")):
            yield address


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    prose = re.sub(r"^```.*?^```\n", "", text, flags=re.M | re.S)
    titles = re.findall(r"^#+ (.+)$", prose, re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def dead_links(page: Path, text: str) -> list[str]:
    """Return the links of a page that lead nowhere."""
    dead = []
    for address in links(text):
        name, _, anchor = address.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors(text_of(target))):
            dead.append(address)
    return dead


@pytest.mark.parametrize("page", LINKING, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert dead_links(page, text_of(page)) == []


def test_a_dead_link_or_anchor_is_found() -> None:
    text = "[a](docs/nowhere.md) [b](#tasks) [c](#bottom) [d](docs/compare.md#setting)\n"
    text += '[e](docs/compare.md#settings) <img src="x.svg"> [f](https://example.org)\n'
    dead = ["docs/nowhere.md", "#bottom", "docs/compare.md#setting", "x.svg"]
    assert dead_links(README, text) == dead


@pytest.mark.parametrize("page", LINKING, ids=lambda page: page.name)
def test_every_path_that_is_named_is_there(page: Path) -> None:
    text = text_of(page)
    paths = re.findall(r"`((?:mbcost|tests|configs|docs|reports)/[\w/.-]*)`", text)
    modules = re.findall(r"python -m (tests\.[\w.]+)", text)
    places = [module.replace(".", "/") for module in modules]
    paths += [f"{place}.py" if (ROOT / f"{place}.py").exists() else place for place in places]
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_page_of_columns_is_generated_from_the_keys() -> None:
    kept, further = text_of(ROOT / "docs" / "columns.md").split(FURTHER)
    fresh, counters = columns_page().split(FURTHER)
    assert kept == fresh, "make reports writes it"
    # a new counter has its line when the page is next written
    assert set(further.splitlines()) <= set(counters.splitlines())


def test_no_key_is_explained_that_is_not_there() -> None:
    page = columns_page()
    for key, (unit, meaning) in MEANINGS.items():
        places = {place for place, other in IN_PLACE if other == key}
        assert f"| `{key}` | {unit} | {meaning} |" in page or places, key
    for (_, key), (unit, meaning) in IN_PLACE.items():
        assert f"| `{key}` | {unit} | {meaning} |" in page


def test_the_conventions_are_generated() -> None:
    kept = generated(ROOT / "docs" / "conventions.md", CONVENTIONS_MARK)
    fresh = conventions_table().splitlines()
    assert len(kept.splitlines()) > 8
    assert set(kept.splitlines()) - {""} <= set(fresh)


def test_the_floors_are_those_that_are_enforced() -> None:
    kept = generated(ROOT / "docs" / "architecture.md", FLOORS_MARK)
    assert kept == floors_table(), "make reports writes it"


def test_what_is_counted_stands_alike_in_readme_and_on_its_page() -> None:
    tables = [
        re.findall(r"^\| `\w+` \|.*\| [\d,]+ \|$", text_of(page), re.M)
        for page in (README, ROOT / "docs" / "conventions.md")
    ]
    assert len(tables[0]) == 7
    assert tables[0] == tables[1][:7]
