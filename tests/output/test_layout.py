"""Tables laid out in a width: pages at four widths, and what holds of any table in any width."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mbcost
from mbcost.output.cells import cells
from mbcost.output.layout import laid_out, text_of
from mbcost.output.table import Column, Record, Table
from mbcost.studies.compare.breakdown import model_table
from mbcost.studies.compare.comparison import Comparison
from mbcost.studies.guard.check_table import check_table
from mbcost.studies.guard.diff import diff_of, diff_table, view_named
from mbcost.studies.papers import load_paper, paper_table
from tests.conftest import Golden
from tests.output.test_console import on_a_terminal, plain
from tests.output.test_formats import unversioned

WIDTHS = (60, 80, 100, 140)


def compared(*targets: str, columns: str | None = None) -> Table:
    return Comparison(mbcost.compare(*targets).subjects).table(columns)


def checked() -> Table:
    from mbcost.studies.guard.budget import Budget
    from mbcost.studies.guard.check import checks_of, chosen_budgets

    asked = Budget({"max_params": 3_000_000, "max_mult_adds": 301_000_000})
    return check_table(checks_of(chosen_budgets(["v2@alpha=1.0,size=224"], asked, None, {}), {}))


TABLES: dict[str, Callable[[], Table]] = {
    "blocks": lambda: compared("standard", "depthwise-separable", "inverted-residual"),
    "networks": lambda: compared("v1", "v2@alpha=0.5", "v3-large@reduced-tail=true"),
    "asked-for": lambda: compared(
        *("v2@alpha=0.35,size=96,classes=10", "v1@alpha=0.25,size=160"),
        columns="target,params,mult_adds,fp32_bytes,int8_bytes,params_ratio,total_bytes",
    ),
    "layers": lambda: model_table(Comparison(mbcost.compare("v3-small").subjects)),
    "check": checked,
    "diff": lambda: diff_table(diff_of("v2", "v2@alpha=0.75,classes=10", {}), view_named("kind")),
    "paper": lambda: paper_table(load_paper("v1"), ["8", "9"]),
}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", TABLES)
def test_pages_at_four_widths(golden: Golden, name: str, width: int) -> None:
    text = text_of(laid_out(TABLES[name](), width))
    assert max(map(len, text.splitlines())) <= width
    golden(f"terminal/{name}-{width}.txt", unversioned(text))


def test_a_terminal_shows_the_same_page(tmp_path: Path) -> None:
    shown = plain("".join(on_a_terminal(["compare", "v1", "v2", "--fast"], tmp_path, columns=80)))
    lines = [line.rstrip() for line in shown.splitlines() if line.strip()]
    expected = [line for line in text_of(laid_out(compared("v1", "v2"), 80)).splitlines() if line]
    assert lines[-len(expected) :] == expected


def styles(table: Table) -> dict[str, str]:
    """Return the style of each text that has one."""
    lines = laid_out(table, 140)
    return {span.text.strip(): span.style for line in lines for span in line if span.style}


def test_colour_is_where_it_means_something() -> None:
    found = styles(checked())
    assert found["FAIL"] == "bold red"
    assert "pass" not in found
    assert {k: v for k, v in found.items() if k[0] in "+−"} == {
        "−16.8%": "red",
        "+0.0750%": "green",
    }
    grown = styles(diff_table(diff_of("v2@alpha=0.75", "v2", {}), view_named("kind")))
    assert {style for text, style in grown.items() if text[0] == "+"} == {"red"}
    shrunk = styles(diff_table(diff_of("v2", "v2@alpha=0.75", {}), view_named("kind")))
    assert {style for text, style in shrunk.items() if text[0] == "−"} == {"green"}
    row: Record = {"ok": False, "n": 1}
    columns = (Column("ok", "ok", "truth"), Column("n", "n", "whole"))
    noted = Table(columns, [row], (), [row], [row], notes=("NOT VERIFIED: they differ", "fine"))
    assert styles(noted) == {"NO": "bold red", "NOT VERIFIED: they differ": "bold red"}


def test_no_color_is_respected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    args = ["diff", "v2@alpha=0.75", "v2", "--by", "kind"]
    coloured = "".join(on_a_terminal(args, tmp_path))
    assert "\x1b[31m" in coloured
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[0-9;]*3\d", "".join(on_a_terminal(args, tmp_path)))


texts = st.text(st.sampled_from("abc.@,-_ 漢"), max_size=50)
kinds = st.lists(st.sampled_from(["text", "prose", "whole", "share", "shape"]), max_size=7)


@settings(max_examples=150, deadline=None)
@given(
    kinds,
    st.lists(st.tuples(texts, st.integers(0, 10**9)), min_size=1, max_size=4),
    st.integers(40, 120),
    st.booleans(),
)
def test_no_figure_is_cut_and_no_letter_lost(
    kinds: list[str], drawn: list[tuple[str, int]], width: int, whole: bool
) -> None:
    columns = [Column("name", "name")]
    columns += [Column(f"c{i}", f"c{i}", kind, rank=i % 3) for i, kind in enumerate(kinds)]
    rows: list[Record] = []
    for text, n in drawn:
        value = {"text": text, "prose": text, "whole": n, "share": n / 10**9, "shape": [n % 999, 7]}
        row = {f"c{i}": value[kind] for i, kind in enumerate(kinds)}
        rows.append({"name": text, **row})
    table = Table(tuple(columns), rows, (), rows, rows)
    lines = laid_out(table, width, whole=whole)
    shown = text_of(lines)
    hidden = re.findall(r"c\d", shown.rpartition("hidden at")[2]) if "hidden at" in shown else []
    assert not (whole and hidden)
    kept = table._replace(columns=tuple(c for c in columns if c.title not in hidden))
    body = shown.partition("hidden at")[0]
    for texts_ in cells(kept).rows:
        for text, column in zip(texts_, kept.columns, strict=True):
            if column.kind in ("whole", "share", "shape"):
                assert text in body
            assert all(word in body for word in re.split(r"[\s@,._-]+", text))
    assert all(len(line.rstrip()) <= width for line in shown.splitlines())
