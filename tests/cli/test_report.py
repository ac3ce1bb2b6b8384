"""``mbcost report``: one file, and what it does in a browser."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import mbcost
from mbcost.errors import visible
from mbcost.units import percent
from tests.browser import browser, complaints, visit
from tests.conftest import Cli
from tests.nasty import NASTY

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytest.importorskip("jinja2")
pytest.importorskip("selenium")

__all__ = ["browser"]

Page = Callable[..., Path]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Write the page of some arguments, once each."""
    known: dict[tuple[str, ...], Path] = {}

    def written(*args: str) -> Path:
        from typer.testing import CliRunner

        from mbcost.cli import app

        if args not in known:
            path = known[args] = tmp_path_factory.mktemp("page") / "page.html"
            result = CliRunner().invoke(app, ["report", *args, "-o", str(path)])
            assert result.exit_code == 0, result.stderr
        return known[args]

    return written


def elements(driver: Chrome, selector: str) -> list[Any]:
    return list(driver.find_elements("css selector", selector))


def section_of(driver: Chrome, title: str) -> Any:
    heading = next(h for h in elements(driver, "h2, h3") if h.text == title)
    return heading.find_element("xpath", "..")


def column(section: Any, head: str) -> list[str]:
    """Return the cells of the rows that are shown, in order, of the first column of that head."""
    heads = [button.text for button in section.find_elements("css selector", "thead th")]
    i = heads.index(head)
    rows = section.find_elements("css selector", "tbody tr:not([hidden])")
    return [row.find_elements("css selector", "th, td")[i].text for row in rows]


def press(section: Any, head: str, key: str = "") -> None:
    """Press the head of a column: by mouse, or with a key."""
    buttons = section.find_elements("css selector", "thead button")
    (button,) = [b for b in buttons if b.text == head]
    button.send_keys(key) if key else button.click()


def test_the_layers_sort_by_any_column_with_mouse_and_keyboard(browser: Chrome, page: Page) -> None:
    from selenium.webdriver.common.keys import Keys

    visit(browser, page("resnet50", "--fast"))
    report = mbcost.count("resnet50")
    costly = [layer for layer in report.layers if layer.params or layer.mult_adds]
    layers = section_of(browser, "Layers")
    as_written = column(layers, "layer")
    assert as_written == [layer.path for layer in costly]

    def state() -> dict[str, str]:
        heads = layers.find_elements("css selector", "thead th")
        return {h.text: s for h in heads if (s := h.get_attribute("aria-sort")) != "none"}

    falling = sorted(costly, key=lambda layer: -layer.params)
    press(layers, "params (M)")
    assert column(layers, "layer") == [layer.path for layer in falling]
    assert state() == {"params (M)": "descending"}
    press(layers, "params (M)", Keys.ENTER)
    rising = sorted(costly, key=lambda layer: layer.params)
    assert column(layers, "layer") == [layer.path for layer in rising]
    assert state() == {"params (M)": "ascending"}
    press(layers, "params (M)", Keys.SPACE)
    assert column(layers, "layer") == as_written
    assert state() == {}

    press(layers, "layer")  # rows.10 after rows.9, as people count
    numbers = [int(path.split(".")[1]) for path in column(layers, "layer")]
    assert numbers == sorted(numbers)
    assert state() == {"layer": "ascending"}
    press(layers, "k")
    kernels = column(layers, "k")
    assert kernels.index("") == len(kernels) - kernels.count(""), "nothing is last"
    press(layers, "k")
    kernels = column(layers, "k")
    assert kernels[0] == "7"
    assert kernels.index("") == len(kernels) - kernels.count(""), "nothing is last"
    assert complaints(browser) == []


def test_the_layers_are_filtered_and_their_share_is_said(browser: Chrome, page: Page) -> None:
    visit(browser, page("v2", "--fast"))
    layers = section_of(browser, "Layers")
    (field,) = layers.find_elements("css selector", "input")
    (label,) = layers.find_elements("css selector", "label")
    assert label.get_attribute("for") == field.get_attribute("id")
    status = layers.find_element("css selector", "[role=status]")
    report = mbcost.count("v2")
    costly = [layer for layer in report.layers if layer.params or layer.mult_adds]
    n = len(costly)
    assert status.text == f"{n} of {n} layers, 100.0% of params, 100.0% of mult-adds"
    field.send_keys("DEPTH rows.3")
    found = [x for x in costly if x.path.startswith("rows.3.") and "depthwise" in x.path]
    assert column(layers, "layer") == [layer.path for layer in found]
    shares = [
        f"{percent(sum(getattr(x, key) for x in found) / getattr(report, key))} of {word}"
        for key, word in (("params", "params"), ("mult_adds", "mult-adds"))
    ]
    assert status.text == ", ".join([f"{len(found)} of {n} layers", *shares])
    press(layers, "mult-adds (M)")
    found.sort(key=lambda layer: -layer.mult_adds)
    assert column(layers, "layer") == [layer.path for layer in found]
    field.send_keys(" nothing of that name\n")
    assert column(layers, "layer") == []
    assert status.text.startswith(f"0 of {n} layers, 0.0%")
    field.clear()
    field.send_keys(" ")
    assert len(column(layers, "layer")) == n
    assert complaints(browser) == []


def test_blocks_fold_one_by_one_and_all_at_once(browser: Chrome, page: Page) -> None:
    from selenium.webdriver.common.keys import Keys

    visit(browser, page("v2", "--fast"))
    tree = section_of(browser, "Where the cost sits")

    def seen() -> list[str]:
        names = tree.find_elements("css selector", "ul .name")
        return [name.text.split()[0] for name in names if name.is_displayed()]

    report = mbcost.count("v2")
    costly = [layer.path for layer in report.layers if layer.params or layer.mult_adds]
    rows = list(dict.fromkeys(".".join(path.split(".")[:2]) for path in costly))
    assert seen() == rows
    summaries = tree.find_elements("css selector", "summary")
    summaries[0].send_keys(Keys.ENTER)
    inside = [path for path in costly if path.startswith(f"{rows[0]}.")]
    assert seen() == [rows[0], *inside, *rows[1:]]
    summaries[0].click()
    assert seen() == rows
    unfold, fold = tree.find_elements("css selector", "button")
    unfold.click()
    assert set(costly) <= set(seen())
    fold.click()
    assert seen() == rows
    assert complaints(browser) == []


def test_it_prints_whole_and_in_black_on_white(browser: Chrome, page: Page, tmp_path: Path) -> None:
    visit(browser, page("v1", "v2", "--fast"))
    browser.find_element("id", "theme").click()
    assert browser.find_element("tag name", "html").get_attribute("data-theme") == "dark"
    pdf = base64.b64decode(browser.print_page())
    assert pdf.startswith(b"%PDF-")
    path = tmp_path / "page.pdf"
    path.write_bytes(pdf)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        shown = "return getComputedStyle(document.body).backgroundColor"
        assert browser.execute_script(shown) == "rgb(255, 255, 255)"
        assert not any(field.is_displayed() for field in elements(browser, ".controls, nav"))
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert complaints(browser) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_as_light_as_the_system_until_one_asks(
    browser: Chrome, page: Page, theme: str
) -> None:
    asked = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", asked)
    visit(browser, page("v2", "--fast"))

    def ground() -> str:
        return str(browser.execute_script("return getComputedStyle(document.body).backgroundColor"))

    grounds = {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 24, 28)"}
    assert ground() == grounds[theme]
    browser.find_element("id", "theme").click()
    assert ground() == next(g for name, g in grounds.items() if name != theme)
    browser.find_element("id", "theme").click()
    assert ground() == grounds[theme]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_no_table_is_wider_than_a_screen_and_everything_has_a_name(
    browser: Chrome, page: Page
) -> None:
    visit(browser, page("v1", "v2", "--fast"))
    wide = "return document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    assert browser.execute_script(wide)
    for table in elements(browser, "table"):
        assert all(
            h.get_attribute("scope") == "col"
            for h in table.find_elements("css selector", "thead th")
        )
    for control in elements(browser, "button, input, a, [role=region], [role=img], nav"):
        assert control.accessible_name, control.get_attribute("outerHTML")
    levels = [int(h.tag_name[1]) for h in elements(browser, "h1, h2, h3")]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


INJECTED = (
    "</script><script>pwned=1</script>",
    '"><img src=x onerror=pwned=1>',
    "' onmouseover='pwned=1",
    "</title></style><!--",
    "{{ 7*7 }}{% raw %}",
)


def hostile(folder: Path) -> Path:
    """Return blocks that have something nasty wherever a YAML has room for words."""
    names = [*(name for name in NASTY if "\x00" not in name), *INJECTED]
    path = folder / "<img src=x onerror=pwned=1>'\".yaml"
    blocks = {name: {"block": "conv", "c": 8} for name in names}
    document = {"source": INJECTED[0], "input": [3, 8, 8], "blocks": blocks}
    path.write_text(yaml.safe_dump(document), "utf-8")
    return path


def test_whatever_a_yaml_holds_is_text(browser: Chrome, page: Page, tmp_path: Path) -> None:
    source = hostile(tmp_path)
    visit(browser, page(str(source), "--fast"))
    assert complaints(browser) == []
    assert browser.execute_script("return window.pwned ?? null") is None
    assert len(elements(browser, "script")) == 1
    assert elements(browser, "img, iframe, object, link:not([rel=icon])") == []
    targets = [f"{source}:{name}" for name in (*NASTY, *INJECTED) if "\x00" not in name]
    table = elements(browser, "table")[0]
    cells = table.find_elements("css selector", "tbody th")
    assert [cell.get_attribute("textContent") for cell in cells] == [*map(visible, sorted(targets))]
    summary = section_of(browser, "Summary")
    assert summary.find_element("tag name", "p").text == f"Source: {INJECTED[0]}"


def test_a_page_that_could_not_run_its_script_would_be_seen(
    browser: Chrome, page: Page, tmp_path: Path
) -> None:
    text = page("v2", "--fast").read_text("utf-8")
    broken = tmp_path / "broken.html"
    broken.write_text(text.replace('"use strict";', '"use strict"; nothing.here();'), "utf-8")
    visit(browser, broken)
    assert any("Content Security Policy" in line for line in complaints(browser))


def test_the_same_command_writes_the_same_bytes(cli: Cli, tmp_path: Path) -> None:
    for name in ("a.html", "b.HTM"):
        assert cli("report", "standard", "--fast", "-o", str(tmp_path / name)).exit_code == 0
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.HTM").read_bytes()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("v2",), "mbcost: -o: no file for the page (-o page.html)"),
        (("v2", "-o", "page.pdf"), "mbcost: -o page.pdf: unknown suffix '.pdf'"),
        (("v2", "-o", "no/page.html"), "its directory does not exist"),
        (("v9", "-o", "page.html"), "no network or block is called 'v9'"),
        (("v2", "-o", "page.html", "--reference", "v1"), "--reference: 'v1' is not compared here"),
        (("v2", "-o", "page.html", "--fast", "--counter", "fvcore"), "--fast"),
    ],
)
def test_a_mistake_is_one_message_and_no_file(
    cli: Cli, args: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = cli("report", *args)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def run_without(package: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Run mbcost where a package is not installed."""
    code = (
        "import sys, importlib.abc\n"
        "class Gone(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        f"        if name.partition('.')[0] == {package!r}:\n"
        "            raise ModuleNotFoundError(name)\n"
        "import importlib.util as util\n"
        "known = util.find_spec\n"
        f"util.find_spec = lambda name, *a: None if name == {package!r} else known(name, *a)\n"
        "sys.meta_path.insert(0, Gone())\n"
        f"sys.argv = ['mbcost', *{args!r}]\n"
        "import mbcost.__main__ as m; m.main()\n"
    )
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_without_jinja2_it_says_what_to_install(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    run = run_without("jinja2", "report", "v2", "--fast", "-o", str(path))
    assert run.returncode == 2
    assert "a page needs jinja2, which is not installed (pip install 'mbcost[report]'" in run.stderr
    assert not path.exists()


def test_without_matplotlib_it_goes_without_figures_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    run = run_without("matplotlib", "report", "v1", "v2", "--fast", "-o", str(path))
    assert run.returncode == 0, run.stderr
    assert "mbcost: no figures: matplotlib is not installed" in run.stderr
    text = path.read_text("utf-8")
    assert "no figures: matplotlib is not installed" in text
    assert "<figure" not in text


def test_a_counter_that_disagrees_is_on_the_page_and_exit_one_under_strict(
    cli: Cli, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    path = tmp_path / "net.py"
    path.write_text(
        "import torch\n"
        "class Net(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        return torch.fft.rfft(x).real\n"
    )
    page = tmp_path / "page.html"
    args = ("report", f"{path}:Net@size=16", "--fast", "-o", str(page))
    assert cli(*args).exit_code == 0
    assert "NOT COUNTED" in page.read_text("utf-8")
    strict = cli(*args, "--strict")
    assert strict.exit_code == 1
    assert "without a formula" in strict.stderr
