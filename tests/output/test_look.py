"""Tables as an author wants them, compiled without an overfull box in one and two columns."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mbcost.output.cells import cells
from mbcost.output.look import LINE_WIDTHS, Look, direction
from mbcost.output.table import Column, Record, Table
from mbcost.studies.keys import groups
from tests.conftest import Cli

NETS = ("v1 as MobileNet", "v2 as MobileNetV2", "v2@alpha=0.5 as MobileNetV2 0.5×", "v3-small")
COLUMNS = ("--columns", "target,params,mult_adds,top1")
COST = ("--columns", "target,params,mult_adds,fp32_bytes,int8_bytes")

TABLES: dict[str, tuple[str, ...]] = {
    "one column": ("compare", *NETS, "--fast", "--span", "1"),
    "two columns": ("compare", *NETS, "--fast", "--span", "2"),
    "chosen columns": ("compare", *NETS, "--fast", *COLUMNS, "--span", "1", "--bold", "best"),
    "plain rules": ("compare", *NETS, "--fast", "--span", "1", "--plain"),
    "tabular only": ("compare", *NETS, "--fast", *COLUMNS, "--tabular-only", "--plain"),
    "label and caption": (
        *("compare", *NETS, "--fast", *COLUMNS, "--span", "1"),
        *("--caption", "Cost of 100% of {our} networks_", "--tex-label", "tab:cost"),
    ),
    "digits and prefix": (
        *("compare", *NETS, "--fast", *COST, "--span", "1"),
        *("--digits", "2", "--prefix", "params=k,mult_adds=M"),
    ),
    "headings": (
        *("compare", *NETS, "--fast", *COLUMNS, "--headings", "params=Par.", "--span", "1"),
        *("--headings", "mult_adds=MAdds & more"),
    ),
    "every digit": ("compare", *NETS, "--fast", "--exact", "--span", "2"),
    "kinds": ("model", "v2", "--by", "kind", "--fast", "--span", "1", "--bold", "best"),
    "memory": ("memory", "v1", "v2 as MobileNetV2", "--span", "1", "--digits", "4"),
    "layers": ("model", "v3-small", "--fast", "--columns", "path,params,mult_adds"),
}
CLASSES = {
    1: r"\documentclass{article}",
    2: r"\documentclass[twocolumn]{article}",
}


def compiled(tables: list[str], document_class: str, folder: Path, packages: str = "") -> str:
    """Compile tables in a document; return the log, or skip where there is no TeX."""
    if not shutil.which("pdflatex"):
        if os.environ.get("MBCOST_REQUIRE_LATEX"):
            pytest.fail("pdflatex is required here and not installed")
        pytest.skip("pdflatex is not installed")
    needed = f"\\usepackage{{booktabs,longtable{packages}}}"
    body = "\n\\clearpage\n".join(tables)
    (folder / "t.tex").write_text(
        f"{document_class}\n\\usepackage[utf8]{{inputenc}}\n{needed}\n"
        f"\\begin{{document}}\n{body}\n\\end{{document}}\n",
        "utf-8",
    )
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "t.tex"]
    run = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    log = (folder / "t.log").read_text("latin-1")
    assert run.returncode == 0, log[-2000:]
    return log


def for_class(columns: int, name: str) -> bool:
    """Return whether a table is of that class: two columns wide in two, longtable in one."""
    return name != "layers" if columns == 2 else TABLES[name][-2:] != ("--span", "2")


@pytest.mark.parametrize("columns", CLASSES)
def test_tables_compile_and_are_overfull_only_where_that_was_said(
    cli: Cli, columns: int, tmp_path: Path
) -> None:
    """Some are too wide for a column, whatever is left out, and say so."""
    fitting: list[str] = []
    told: list[str] = []
    for name, args in TABLES.items():
        if not for_class(columns, name):
            continue
        result = cli(*args, "--format", "latex")
        assert result.exit_code == 0, result.stderr
        said = columns == 2 and "characters where" in result.stderr
        (told if said else fitting).append(f"{{\\small {result.stdout}}}\n")
    log = compiled(fitting, CLASSES[columns], tmp_path)
    assert re.findall(r"Overfull \\hbox.*", log) == []
    assert len(fitting) >= 8
    for table in told:
        assert "Overfull" in compiled([table], CLASSES[columns], tmp_path)
    assert bool(told) is (columns == 2)


def test_siunitx_columns_compile(cli: Cli, tmp_path: Path) -> None:
    args = ("compare", *NETS, "--fast", *COLUMNS, "--siunitx", "--bold", "best", "--format", "tex")
    text = cli(*args).stdout
    assert r"\usepackage{booktabs,siunitx}" in text
    assert r"\begin{tabular}{lS[table-format=1.2]S[table-format=3.1]S[table-format=2.1]}" in text
    found = shutil.which("kpsewhich") and subprocess.run(
        ["kpsewhich", "siunitx.sty"], capture_output=True, check=False
    )
    if not found or not found.stdout:
        pytest.skip("siunitx is not installed")
    assert "Overfull" not in compiled([text], CLASSES[1], tmp_path, ",siunitx")


def test_formats_of_one_command_have_the_same_columns(cli: Cli) -> None:
    args = ("compare", *NETS, "--fast", "--span", "1")
    markdown, latex = (cli(*args, "--format", name) for name in ("md", "tex"))
    assert markdown.stderr == latex.stderr
    assert "mbcost: --span 1 leaves out " in markdown.stderr
    heads = markdown.stdout.splitlines()[2].count("|") - 1
    spec = re.search(r"begin\{tabular\}\{(\w+)\}", latex.stdout)
    assert spec
    assert len(spec[1]) == heads
    assert "fwd/bwd" not in cli(*args).stdout


def test_a_table_of_chosen_columns_that_overflows_says_which_to_drop(cli: Cli) -> None:
    keys = "target,params,params_all,mult_adds,mult_adds_ratio,total_bytes"
    result = cli("compare", *NETS, "--fast", "--columns", keys, "--span", "1")
    told = re.fullmatch(
        r"mbcost: --span 1: (\d+) characters where one column of a page hold 50: "
        r"drop total \(MB\) or --span 2\n",
        result.stderr,
    )
    assert told
    assert int(told[1]) > LINE_WIDTHS[1]
    assert "total" in result.stdout


def test_a_caption_calls_a_column_as_its_heading_does(cli: Cli) -> None:
    args = ("compare", "v1", "v2", "--fast", "--headings", "mult_adds=MAdds", "--format", "md")
    said = cli(*args, "--columns", "params,mult_adds").stdout.splitlines()[-1]
    assert "γ and β. MAdds: multiply-adds of convolution" in said
    assert "mult-adds:" not in said


def test_a_sweep_has_the_look_too(cli: Cli) -> None:
    args = ("sweep", "v2", "--alpha", "0.5,1", "--verify", "0", "--columns", "alpha,mult_adds")
    shown = cli(*args, "--bold", "best", "--prefix", "mult_adds=G", "--format", "md").stdout
    assert "| 0.5 | **0.0971** |" in shown


def test_the_best_of_a_column_is_bold_in_every_row_that_has_it() -> None:
    rows: list[Record] = [
        {"params": 3, "top1": 70.0},
        {"params": 2, "top1": 71.0},
        {"params": 2, "top1": None},
    ]
    columns = (Column("params", "p", "count"), Column("top1", "t", "percent"))
    table = Table(columns, rows, (), rows, rows, look=Look(bold=True))
    assert cells(table).best == {(1, 0), (2, 0), (1, 1)}
    assert cells(table._replace(look=Look())).best == frozenset()


def test_the_best_is_bold_in_each_format(cli: Cli) -> None:
    args = ("compare", "v1", "v2", "--fast", *COLUMNS, "--bold", "best", "--format")
    assert "| v2 | **3.50** | **301** | **72.0** |" in cli(*args, "md").stdout
    assert r"v2 & \textbf{3.50} & \textbf{301} & \textbf{72.0}" in cli(*args, "tex").stdout
    assert "<strong>301</strong>" in cli(*args, "html").stdout


def test_the_direction_of_every_figure_is_known() -> None:
    keys = {key for group in groups().values() for key in group.keys}
    assert {key for key in keys if direction(key) > 0} == {"top1", "trained_top1"}
    less = {key for key in keys if direction(key) < 0}
    assert {"params", "mult_adds", "flops", "arena_bytes", "mult_adds_ratio"} <= less
    assert not less & {"alpha", "size", "classes", "batch", "settings", "verified"}


@pytest.mark.parametrize(
    ("option", "texts"),
    [
        (("--prefix", "k"), ["4,232", "568,740"]),  # digits before the point stay
        (("--prefix", "params=G,mult_adds=G"), ["0.00423", "0.569"]),
        (("--digits", "5"), ["4.2320", "568.74"]),
        (("--digits", "2", "--prefix", "mult_adds=M"), ["4.2", "569"]),
    ],
)
def test_digits_and_prefixes_are_those_asked_for(
    cli: Cli, option: tuple[str, ...], texts: list[str]
) -> None:
    args = ("compare", "v1", "--fast", "--columns", "params,mult_adds", "--format", "md")
    line = next(x for x in cli(*args, *option).stdout.splitlines() if x.startswith("| v1"))
    assert line == f"| v1 | {' | '.join(texts)} |"
    exact = cli("compare", "v1", "--fast", "--format", "csv", *option).stdout
    assert exact == cli("compare", "v1", "--fast", "--format", "csv").stdout


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--bold", "worst"), "--bold: unknown choice 'worst' (best)"),
        (("--prefix", "m"), "--prefix: unknown prefix 'm' (one of: k, M, G, T)"),
        (("--prefix", "prams=k"), "--prefix: no column 'prams' here (did you mean 'params'?)"),
        (("--headings", "params"), "--headings: 'params' has no KEY= (like mult_adds=MAdds)"),
        (("--headings", "x=y"), "--headings: no column 'x' here (one of: "),
        (("--tex-label", "a}b"), "--tex-label: 'a}b' is no label (like tab:cost)"),
        (
            ("--tabular-only", "--caption", "x"),
            "--caption: stands outside the tabular (leave out --tabular-only)",
        ),
    ],
)
def test_a_look_that_cannot_be_read_is_one_message(
    cli: Cli, option: tuple[str, ...], message: str
) -> None:
    result = cli("compare", "v1", "v2", "--fast", *option)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"mbcost: {message}")


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]


def test_an_html_file_is_a_page_of_its_own_and_escaped(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "table.html"
    label = "v2 as <script>alert(1)</script> & {x}"
    result = cli("compare", "v1", label, "--fast", "-o", str(path), "--title", "<b>T</b>")
    assert result.exit_code == 0, result.stderr
    text = path.read_text("utf-8")
    page = _Page()
    page.feed(text)
    assert page.links == []
    assert "script" not in page.tags
    assert "b" not in page.tags
    assert page.tags.count("tr") == 3
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; {x}" in text
    assert "<title>&lt;b&gt;T&lt;/b&gt;</title>" in text
