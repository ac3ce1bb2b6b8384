"""Files: golden per format, read back with pandas, compiled with pdflatex."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

import mbcost
from mbcost.output.cells import cells
from mbcost.output.files import write_whole
from mbcost.output.formats import FORMATS
from mbcost.output.formats.html import to_html
from mbcost.output.formats.latex import PAGE_ROWS, to_latex
from mbcost.output.formats.markdown import escape
from mbcost.output.formats.text import to_text
from mbcost.output.table import Column, Record, Table
from mbcost.studies.compare.comparison import Comparison
from mbcost.studies.compare.records import COLUMNS, RECORD_KEYS
from tests.conftest import Cli, Golden

NASTY = r"a|b_c*d`e<f>&%$#{}~^\ [x](y) × α é 漢"


def nasty_table(rows: int = 2) -> Table:
    """Return a table with every character that some format treats as its own."""
    columns = (Column("name", NASTY), Column("params", "params", "count"))
    pair: list[Record] = [
        {"name": NASTY, "params": 9_152},
        {"name": "line\nbreak", "params": None},
    ]
    found = (pair * rows)[:rows]
    return Table(
        columns, found, ("name", "params"), found, found, title=NASTY, caption=NASTY, notes=(NASTY,)
    )


def unversioned(text: str) -> str:
    """Return ``text`` with the installed versions taken out, and how far two runtimes are apart:
    that depends on the processor."""
    text = re.sub(r"\b\d\.\de-0[2-9]\b", "d.de-0d", text)
    packages = "mbcost|torch|torchinfo|fvcore|onnx|onnxruntime"
    text = re.sub(rf"\b({packages}) \d[\w.+]*\d", r"\1 VERSION", text)
    return re.sub(rf'"({packages})": "[^"]+"', r'"\1": "VERSION"', text)


@pytest.mark.parametrize(
    ("short", "name"), [("md", "markdown"), ("tex", "latex"), ("txt", "table")]
)
def test_a_format_has_the_name_of_its_suffix_too(cli: Cli, short: str, name: str) -> None:
    args = ("compare", "v1", "v2", "--fast", "--format")
    assert cli(*args, short).stdout == cli(*args, name).stdout
    assert cli("plot", "sweep", "v2", "--show-data", "--format", ".md").exit_code == 2


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    ("command", "args"),
    [
        ("compare", ["compare", "--batch", "3"]),
        ("networks", ["compare", "v1", "v2@alpha=0.5", "v3-small", "standard", "--fast"]),
        ("layers", ["model", "v3-small", "--size", "64"]),
        ("kinds", ["model", "v2", "--by", "kind", "--fast"]),
        ("explain", ["explain", "depthwise-separable"]),
    ],
)
def test_golden_files(cli: Cli, golden: Golden, name: str, command: str, args: list[str]) -> None:
    result = cli(*args, "--format", name)
    assert result.exit_code == 0, result.stderr
    golden(f"{command}{FORMATS[name].suffixes[0]}", unversioned(result.stdout))


def test_csv_and_json_read_back_with_pandas_to_equal_values(cli: Cli) -> None:
    args = ("compare", "v1@alpha=0.5", "standard", "--size", "64", "--counter", "torchinfo")
    records = json.loads(cli(*args, "--format", "json").stdout)
    frame = pd.read_csv(io.StringIO(cli(*args, "--format", "csv").stdout))
    assert list(frame.columns) == list(RECORD_KEYS)
    for i, record in enumerate(records):
        for key in RECORD_KEYS:
            value, read = record[key], frame[key].iloc[i]
            if value is None:
                assert pd.isna(read), key
            elif isinstance(value, list):
                assert str(read) == "x".join(map(str, value))
            elif isinstance(value, dict):
                assert read == ", ".join(f"{k} {v}" for k, v in value.items())
            else:
                assert read == value, key
    again = pd.read_json(io.StringIO(cli(*args, "--format", "json").stdout))
    assert list(again["mult_adds"]) == [record["mult_adds"] for record in records]


def test_a_missing_value_is_empty_and_never_zero(cli: Cli) -> None:
    line = cli("compare", "standard", "--fast", "--format", "csv").stdout.splitlines()[1]
    row = dict(zip(RECORD_KEYS, line.split(","), strict=True))
    assert row["torchinfo_mult_adds"] == row["alpha"] == row["verified"] == ""
    assert cells(nasty_table()).rows[1][1] == ""


def test_markdown_cells_stay_in_their_cell() -> None:
    text = FORMATS["markdown"].write(nasty_table())
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 4
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {3}
    assert escape("a\nb") == "a b"


def test_html_is_escaped() -> None:
    html = to_html(nasty_table())
    assert "<f>" not in html
    assert "&lt;f&gt;&amp;%$" in html
    assert 'style="text-align:right">9.15' in html


@pytest.mark.parametrize("rows", [2, PAGE_ROWS + 40])
def test_latex_compiles(rows: int, tmp_path: Path) -> None:
    compile_latex(to_latex(nasty_table(rows)), tmp_path)


@pytest.mark.parametrize(
    "args",
    [
        ["compare", "--size", "32"],
        ["compare", "v1", "v2@alpha=0.5", "v3-large@reduced_tail=true", "--fast"],
        ["model", "v3-large", "--fast"],
        ["explain", "inverted-residual"],
        ["list"],
    ],
)
def test_every_commands_latex_compiles(cli: Cli, args: list[str], tmp_path: Path) -> None:
    compile_latex(cli(*args, "--format", "latex").stdout, tmp_path)


def compile_latex(table: str, folder: Path) -> None:
    """Compile a table in the smallest document, or skip where there is no TeX."""
    if not shutil.which("pdflatex"):
        if os.environ.get("MBCOST_REQUIRE_LATEX"):
            pytest.fail("pdflatex is required here and not installed")
        pytest.skip("pdflatex is not installed")
    document = (
        "\\documentclass{article}\n\\usepackage[utf8]{inputenc}\n"
        "\\usepackage[landscape,margin=1cm]{geometry}\n"
        "\\usepackage{booktabs,longtable}\n\\begin{document}\n"
        f"{table}\\end{{document}}\n"
    )
    (folder / "table.tex").write_text(document, "utf-8")
    run = subprocess.run(
        ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "table.tex"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-2000:]
    assert (folder / "table.pdf").stat().st_size > 1000


def test_latex_says_convention_and_versions(cli: Cli) -> None:
    text = cli("compare", "--size", "32", "--format", "latex").stdout
    assert r"\toprule" in text
    assert r"\begin{tabular}{lrrrrrl}" in text
    caption = next(line for line in text.splitlines() if line.startswith(r"\caption"))
    assert "multiply-adds of convolution and linear weights" in caption
    assert f"mbcost {mbcost.__version__}" in caption
    assert "torchinfo 1" in caption


def test_three_digits_and_one_prefix_per_column() -> None:
    table = Comparison(mbcost.compare("v1", "v3-small").subjects).table("name,params,mult_adds")
    found = cells(table)
    assert found.headers == ["name", "params (M)", "mult-adds (M)"]
    assert found.rows == [["v1", "4.23", "569"], ["v3-small", "2.54", "56.5"]]
    assert cells(table, exact=True).rows[0] == ["v1", "4,231,976", "568,740,352"]


def test_every_record_key_can_be_shown() -> None:
    comparison = mbcost.compare("v1", "standard")
    for key in COLUMNS:
        assert len(cells(comparison.table(key)).rows) == 2


@pytest.mark.parametrize("width", [80, 140])
def test_a_table_fits_the_terminal(width: int) -> None:
    from mbcost.output.layout import laid_out, text_of

    comparison = mbcost.compare("standard", "depthwise-separable", "inverted-residual")
    shown = text_of(laid_out(comparison.table(), width))
    lines = shown.splitlines()
    assert max(map(len, lines)) <= width
    assert all("8.1× fewer" not in line or "depthwise-separable" in line for line in lines)
    assert ("hidden at 80 columns: " in shown) is (width == 80)
    assert "8.4× fewer" in shown


def test_a_pipe_gets_the_columns_that_fit_a_hundred_characters() -> None:
    text = to_text(mbcost.compare("standard", "inverted-residual").table())
    assert "hidden at" not in text
    assert "total" in text
    wide = mbcost.compare("v2", "v1").table("target,output,params,mult_adds,total_bytes,versions")
    assert max(map(len, to_text(wide).splitlines())) <= 100


def test_write_whole_keeps_the_old_file_and_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_whole(path, "one")
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask()
    path.chmod(0o640)
    write_whole(path, "two")
    assert path.read_text() == "two"
    assert path.stat().st_mode & 0o777 == 0o640
    link = tmp_path / "link.csv"
    link.symlink_to(path)
    write_whole(link, "three")
    assert link.is_symlink()
    assert path.read_text() == "three"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link.csv", "table.csv"]


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_wide_letter_takes_two_columns_in_plain_text() -> None:
    rows = [{"name": "網", "n": 1}, {"name": "abc", "n": 22}]
    columns = (Column("name", "name"), Column("n", "n", "whole"))
    lines = to_text(Table(columns, rows, ("name", "n"), rows, rows)).splitlines()
    assert lines[2:] == ["網     1", "abc   22"]
