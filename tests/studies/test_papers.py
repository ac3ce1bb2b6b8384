"""The papers' printed figures: each verdict by rule, and the rules themselves."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from mbcost.errors import MbcostError
from mbcost.networks.yaml import builtins
from mbcost.networks.yaml.catalog import configs_dir
from mbcost.networks.yaml.document import parse_document
from mbcost.output.cells import fitted, reasons_below
from mbcost.output.formats.markdown import to_markdown
from mbcost.studies.papers import load_paper, paper_names, paper_table
from mbcost.studies.papers.cells import Cell, cells_of
from mbcost.studies.papers.document import Column, Net, Paper, read_paper
from mbcost.studies.papers.letters import formula_value
from mbcost.studies.papers.measures import Case, mult_adds
from mbcost.studies.papers.printed import parse_printed
from mbcost.studies.papers.verdicts import (
    CONVENTION,
    FITTED,
    MISPRINT,
    NOT_BUILT,
    NOT_REPRODUCED,
    REPRODUCED,
    SUMMARY,
    verdict_on,
)
from mbcost.targets.resolve import resolve_one
from tests import ROOT
from tests.conftest import Cli

PAPERS = ("v1", "v2", "v3")


def cells(paper: Paper) -> Iterator[Cell]:
    for table in paper.tables.values():
        yield from cells_of(paper, table)


def cell(paper: Paper, table: str, label: str, figure: str, version: str = "latest") -> Cell:
    rows = paper.tables[table].rows
    row = next(r for r in rows if (r.label, r.version) == (label, version))
    return Cell(paper, paper.tables[table], row, figure)


def word(paper: Paper | str, *where: str) -> str:
    found = load_paper(paper) if isinstance(paper, str) else paper
    return verdict_on(cell(found, *where)).word


def test_the_three_papers_ship() -> None:
    assert paper_names() == PAPERS


# Recounted by hand, without mbcost, from the papers' own tables.
JUDGED = [
    ("v1", "1", "17: Conv / s1", "architecture", "latest", REPRODUCED),
    ("v1", "1", "18: Conv dw / s2", "architecture", "latest", MISPRINT),
    ("v1", "2", "Conv 1x1", "mult_adds_share", "latest", REPRODUCED),
    ("v1", "2", "Conv 3x3", "mult_adds_share", "latest", MISPRINT),
    ("v1", "3", "rho = 0.714", "mult_adds", "latest", REPRODUCED),
    ("v1", "6", "0.5 MobileNet-224", "mult_adds", "latest", REPRODUCED),
    ("v1", "10", "1.0 MobileNet-224", "mult_adds", "latest", CONVENTION),
    ("v1", "10", "1.0 MobileNet-224", "params", "latest", REPRODUCED),
    ("v1", "12", "1.0 MobileNet-224", "params", "latest", CONVENTION),
    ("v1", "4", "Conv MobileNet", "mult_adds", "latest", CONVENTION),
    ("v1", "8", "VGG 16", "mult_adds", "latest", CONVENTION),
    ("v1", "8", "GoogleNet", "mult_adds", "latest", NOT_REPRODUCED),
    ("v1", "12", "0.25 MobileNet-224", "mult_adds", "latest", CONVENTION),
    ("v1", "14", "0.75 MobileNet-128 (first)", "mult_adds", "latest", MISPRINT),
    ("v1", "14", "1.0 MobileNet-160", "mult_adds", "latest", NOT_REPRODUCED),
    ("v1", "text 4.2", "0.50-160 times smaller than AlexNet", "params_ratio", "latest",
     CONVENTION),
    ("v1", "text 4.2", "0.50-160 times less compute than Squeezenet", "mult_adds_ratio", "latest",
     CONVENTION),
    ("v1", "text 4.4", "PlaNet MobileNet", "mult_adds", "latest", MISPRINT),
    ("v1", "12", "Baseline", "params", "latest", NOT_BUILT),
    ("v1", "text 3.2", "layers, depthwise and pointwise counted apart", "layers", "latest",
     REPRODUCED),
    ("v2", "1", "2: 3x3 dwise s=s, ReLU6", "output", "latest", REPRODUCED),
    ("v2", "2", "7: bottleneck", "architecture", "latest", REPRODUCED),
    ("v2", "3", "112x112 v1", "memory", "latest", REPRODUCED),
    ("v2", "3", "112x112 v2", "channels", "latest", REPRODUCED),
    ("v2", "3", "56x56 v2", "channels", "latest", MISPRINT),
    ("v2", "3", "28x28 shufflenet-2x-g3", "channels", "latest", MISPRINT),
    ("v2", "3", "112x112 shufflenet-2x-g3", "channels", "latest", NOT_REPRODUCED),
    ("v2", "3", "7x7 v2", "memory", "latest", MISPRINT),
    ("v2", "7", "MNet V2* OS16", "mult_adds", "latest", CONVENTION),
    ("v2", "7", "MNet V2* OS8 MF", "mult_adds", "latest", CONVENTION),
    ("v2", "7", "MNet V1 OS8 ASPP MF", "mult_adds", "latest", NOT_REPRODUCED),
    ("v2", "7", "ResNet-101 OS8 ASPP MF", "mult_adds", "latest", CONVENTION),
    ("v2", "3", "7x7 v1", "memory", "latest", MISPRINT),
    ("v2", "3", "max v1", "memory", "earlier", REPRODUCED),
    ("v2", "4", "MobileNetV1", "mult_adds", "latest", MISPRINT),
    ("v2", "4", "MobileNetV2", "params", "latest", REPRODUCED),
    ("v2", "4", "MobileNetV2 (1.4)", "params", "latest", MISPRINT),
    ("v2", "text 4", "residual bottleneck layers", "bottlenecks", "latest", MISPRINT),
    ("v3", "1", "14: bneck", "architecture", "latest", REPRODUCED),
    ("v3", "1", "14: bneck", "architecture", "early", MISPRINT),
    ("v3", "2", "13: conv2d 1x1", "architecture", "latest", MISPRINT),
    ("v3", "3", "V3-Large 1.0", "mult_adds", "latest", MISPRINT),
    ("v3", "3", "V3-Small 0.75", "mult_adds", "latest", CONVENTION),
    ("v3", "3", "MnasNet-A1", "mult_adds", "latest", NOT_REPRODUCED),
    ("v3", "3", "V2 0.35", "mult_adds", "latest", REPRODUCED),
    ("v3", "6", "V3", "mult_adds", "latest", CONVENTION),
    ("v3", "7", "1: V2 R-ASPP F=256", "mult_adds", "latest", FITTED),
    ("v3", "7", "5: V3 R-ASPP F=256", "mult_adds", "latest", NOT_REPRODUCED),
    ("v3", "8", "V3-Small OS32, 1024x2048", "mult_adds", "latest", FITTED),
    ("v3", "9", "large 224/1.0", "mult_adds", "latest", CONVENTION),
    ("v3", "9", "large 224/1.25", "mult_adds", "latest", CONVENTION),
    ("v3", "9", "small 256/1.0", "mult_adds", "latest", CONVENTION),
    ("v3", "9", "small 224/0.5", "mult_adds", "early", MISPRINT),
    ("v3", "text 5.1", "efficient last stage", "mult_adds_saved", "latest", CONVENTION),
    ("v3", "9", "small 224/1.25", "params", "latest", MISPRINT),
    ("v3", "9", "small 224/1.25", "params", "early", REPRODUCED),
    ("v3", "9", "small 224/1.0", "mult_adds", "early", MISPRINT),
]  # fmt: skip


@pytest.mark.parametrize(("paper", "table", "row", "figure", "version", "expected"), JUDGED)
def test_verdicts_are_those_of_a_recount(
    paper: str, table: str, row: str, figure: str, version: str, expected: str
) -> None:
    assert word(paper, table, row, figure, version) == expected


@pytest.mark.parametrize("name", PAPERS)
def test_every_figure_has_a_verdict_and_every_doubt_a_reason(name: str) -> None:
    for found in cells(load_paper(name)):
        verdict = verdict_on(found)
        assert verdict.word in SUMMARY
        assert (verdict.word == REPRODUCED) == (verdict.reason == ""), found.row
        assert (verdict.answer is None) == (verdict.word == NOT_BUILT)


@pytest.mark.parametrize("name", PAPERS)
def test_no_explanation_is_stale_and_every_witness_holds(name: str) -> None:
    for found in cells(load_paper(name)):
        if found.explained is None or not found.is_built:
            continue
        assert not found.answer.agrees, found.row
        expected = MISPRINT if found.explained.witness else NOT_REPRODUCED
        assert verdict_on(found).word == expected, found.row


def test_v1_is_recounted_by_a_loop_over_the_paper_s_table() -> None:
    """Table 1's channels and strides, counted here without mbcost."""

    def recount(alpha: float, size: int) -> tuple[int, int]:
        side, c_in = -(-size // 2), int(32 * alpha)
        weights = 27 * c_in
        total = weights * side * side
        pairs = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)]
        for c, s in (*pairs, *[(512, 1)] * 5, (1024, 2), (1024, 1)):
            side, c_out = -(-side // s), int(c * alpha)
            here = 9 * c_in + c_in * c_out
            weights, total, c_in = weights + here, total + here * side * side, c_out
        return total + 1000 * c_in, weights + 1000 * c_in

    table = paper_table(load_paper("v1"), ["6", "7"])
    by_row: dict[tuple[str, str], dict[str, int]] = {}
    for row in table.data:
        by_row.setdefault((row["table"], row["row"]), {})[row["figure"]] = row["value"]
    assert len(by_row) == 8
    for (_, label), figures in by_row.items():
        alpha, size = label.replace("MobileNet-", "").split()
        assert (figures["mult_adds"], figures["params"]) == recount(float(alpha), int(size))


def changed(tmp_path: Path, old: str, new: str) -> Paper:
    """Return V1's paper with one line of its network changed."""
    text = (configs_dir() / "networks" / "v1.yaml").read_text("utf-8")
    assert text.count(old) == 1
    path = tmp_path / "v1.yaml"
    path.write_text(text.replace(old, new), "utf-8")
    paper = load_paper("v1")
    return replace(paper, nets={**paper.nets, "v1": Net(str(path))})


def with_changed(tmp_path: Path, paper: str, net: str, old: str, new: str) -> Paper:
    """Return a paper with one line of a network changed, its settings and its way as they are."""
    found = load_paper(paper)
    target, at, inline = found.nets[net].target.partition("@")
    text = builtins()[target].path.read_text("utf-8")
    assert text.count(old) == 1
    path = tmp_path / f"{target}.yaml"
    path.write_text(text.replace(old, new), "utf-8")
    other = replace(found.nets[net], target=f"{path}{at}{inline}")
    return replace(found, nets={**found.nets, net: other})


def test_one_changed_channel_turns_its_rows_into_not_reproduced(tmp_path: Path) -> None:
    paper = changed(tmp_path, "c: 64}", "c: 65}")
    assert word(paper, "1", "3: Conv / s1", "architecture") == NOT_REPRODUCED
    assert word(paper, "1", "4: Conv dw / s2", "architecture") == NOT_REPRODUCED
    assert word(paper, "1", "2: Conv dw / s1", "architecture") == REPRODUCED


def test_a_changed_width_turns_every_total_into_not_reproduced(tmp_path: Path) -> None:
    paper = changed(tmp_path, "c: 64}", "c: 96}")
    for row in paper.tables["6"].rows:
        assert word(paper, "6", row.label, "mult_adds") == NOT_REPRODUCED
    before = [verdict_on(c).word for c in cells(load_paper("v1"))]
    after = [verdict_on(c).word for c in cells(paper)]
    assert after.count(NOT_REPRODUCED) > before.count(NOT_REPRODUCED) + 25
    turned = {now for was, now in zip(before, after, strict=True) if was != now}
    assert turned == {NOT_REPRODUCED}


CHANGED = [
    ("v2", "v2-deeplabv3-os16-no-aspp", "t: 6, c: 96,", "t: 6, c: 104,", "7", CONVENTION),
    ("v2", "v2-deeplabv3-os8-no-aspp", "t: 6, c: 96,", "t: 6, c: 104,", "7", CONVENTION),
    ("v2", "resnet101-deeplabv3", "c: 128, k: 3}", "c: 192, k: 3}", "7", CONVENTION),
    ("v3", "v3-large-ssdlite", "exp: 64, c: 24,", "exp: 96, c: 24,", "6", CONVENTION),
    ("v3", "v2-lr-aspp-128-rf2", "conv, c: 32, s: 2", "conv, c: 64, s: 2", "7", FITTED),
    ("v3", "v3-large-os32", "exp: 480, c: 112,", "exp: 560, c: 112,", "8", FITTED),
    ("v3", "v3-large", "exp: 64, c: 24,", "exp: 128, c: 24,", "9", CONVENTION),
    ("v1", "v1-faces", "conv, c: 32, s: 2}", "conv, c: 96, s: 2}", "12", CONVENTION),
    ("v1", "v1-faster-rcnn", "boxes: 300", "boxes: 310", "13", CONVENTION),
    ("v1", "inceptionv2", "c3: 320, reduce5: 160", "c3: 352, reduce5: 160", "13", CONVENTION),
    ("v1", "vgg", "size: 14", "size: 16", "13", CONVENTION),
    ("v1", "facenet", "conv, c: 64, k: 7", "conv, c: 128, k: 7", "14", CONVENTION),
    ("v2", "nasnet-a", "conv, c: 32, s: 2", "conv, c: 48, s: 2", "4", REPRODUCED),
    ("v3", "mnasnet-ssdlite", "t: 6, k: 3, c: 80,", "t: 6, k: 3, c: 128,", "6", CONVENTION),
]  # fmt: skip


@pytest.mark.parametrize(("paper", "net", "old", "new", "table", "was"), CHANGED)
def test_one_changed_line_turns_what_a_convention_explains_into_not_reproduced(
    tmp_path: Path, paper: str, net: str, old: str, new: str, table: str, was: str
) -> None:
    other = with_changed(tmp_path, paper, net, old, new)
    words = [
        (word(load_paper(paper), table, row.label, "mult_adds", row.version),
         word(other, table, row.label, "mult_adds", row.version))
        for row in other.tables[table].rows
        if row.net == net
    ]  # fmt: skip
    held = [pair for pair in words if pair[0] == was]
    assert held
    assert all(now == NOT_REPRODUCED for _, now in held)


ZOO = [
    ("deeplabv3-v2-no-aspp@size=513", {}, "2.75B"),
    ("deeplabv3-v2-no-aspp@size=513,output_stride=8",
     {"scales": [0.5, 0.75, 1, 1.25, 1.5, 1.75], "flips": True}, "152.59B"),
    ("raspp-v2@size=1025x2049", {}, "21.27B"),
    ("raspp-v2@size=1025x2049,output_stride=8",
     {"scales": [0.75, 1, 1.25], "flips": True}, "433.24B"),
]  # fmt: skip
"""Multiply-adds of DeepLab's own model zoo (tensorflow/models, research/deeplab/g3doc), which the
papers do not print: witnesses of the convention of V2's Table 7."""


@pytest.mark.parametrize(("target", "facts", "printed"), ZOO)
def test_the_zoo_of_deeplab_agrees_under_the_same_convention(
    target: str, facts: dict[str, Any], printed: str
) -> None:
    column = Column(counted_as="tensorflow-profile")
    case = Case(resolve_one(target), column, Net(target), facts)
    assert parse_printed(printed).agrees(mult_adds(case))
    plain = replace(case, column=Column())
    assert not parse_printed(printed).agrees(mult_adds(plain))


def test_the_fitted_constant_is_one_and_no_other_fits_as_many_rows() -> None:
    paper = load_paper("v3")
    columns = [paper.tables[name].columns["mult_adds"] for name in ("7", "8")]
    assert len({column.fitted for column in columns}) == 1
    rows = [c for name in ("7", "8") for c in cells_of(paper, paper.tables[name])]
    built = [c for c in rows if c.figure == "mult_adds" and c.is_built]

    def fitting(constant: int) -> int:
        return sum(c.under(fitted=constant).agrees for c in built)

    best = {constant: fitting(constant) for constant in range(60)}
    assert [c for c, n in best.items() if n == max(best.values())] == [columns[0].fitted]
    assert (max(best.values()), len(built)) == (17, 19)
    assert best[0] < 10


def test_a_misprint_needs_a_witness_that_holds(tmp_path: Path) -> None:
    """A stride of 2 built as printed leaves 4 x 4 behind it: the next row is then wrong instead."""
    paper = changed(tmp_path, "c: 1024}", "c: 1024, s: 2}")
    assert word(paper, "1", "18: Conv dw / s2", "architecture") == REPRODUCED
    assert word(paper, "1", "19: Conv / s1", "architecture") == NOT_REPRODUCED
    v2 = load_paper("v2")
    other = replace(v2, nets={**v2.nets, "v1": Net("v1-cifar10")})
    found = cell(other, "4", "MobileNetV1", "mult_adds")
    assert verdict_on(found).word == NOT_REPRODUCED
    assert "Tried: without the classifier" in verdict_on(found).reason


def test_witnesses_vouch_for_the_network_they_name_alone() -> None:
    v3 = load_paper("v3")
    swapped = replace(v3, nets={**v3.nets, "v3-large": Net("v3-small")})
    assert word(swapped, "3", "V3-Large 1.0", "mult_adds") == NOT_REPRODUCED
    assert word(swapped, "1", "14: bneck", "architecture", "early") == NOT_REPRODUCED
    assert word(replace(v3, nets={**v3.nets, "v3-small-1280": Net("v3-small")}),
                "9", "small 224/1.25", "params", "early") == NOT_REPRODUCED  # fmt: skip


WITNESSED = [
    ("v2", "3", "56x56 v2", "channels", "latest",
     {"input": {"table": "2"}}, {"input": {"table": "2", "row": "5: bottleneck"}}),
    ("v2", "3", "7x7 v2", "memory", "latest",
     {"input": {"table": "2", "row": "9: conv2d 1x1"}}, {"input": {"table": "2"}}),
    ("v3", "9", "small 224/1.25", "params", "latest",
     {"kept": {"version": "early"}}, {"kept": {"version": "early", "row": "small 224/1.0"}}),
    ("v3", "9", "small 224/1.0", "mult_adds", "early",
     {"between": {"version": "early", "rows": ["small 192/1.0", "small 256/1.0"]}},
     {"between": {"version": "early", "rows": ["small 128/1.0", "small 192/1.0"]}}),
    ("v3", "9", "small 224/1.0", "mult_adds", "early",
     {"between": {"version": "early", "rows": ["small 192/1.0", "small 256/1.0"]}},
     {"between": {"version": "latest", "rows": ["small 128/1.0", "small 256/1.0"]}}),
    ("v3", "9", "small 224/1.0", "mult_adds", "early",
     {"between": {"version": "early", "rows": ["small 96/1.0", "small 256/1.0"]}},
     {"between": {"version": "early", "rows": ["small 224/0.35", "small 256/1.0"]}}),
    ("v3", "9", "small 224/0.5", "mult_adds", "early",
     {"apart": {"version": "latest"}}, {"apart": {"version": "early"}}),
    ("v1", "text 4.4", "PlaNet MobileNet", "mult_adds", "latest", {"unit": "B"}, {"unit": "k"}),
    ("v1", "14", "0.75 MobileNet-128 (first)", "mult_adds", "latest",
     {"build": "v1@alpha=0.75,size=160"}, {"build": "v1@alpha=0.75,size=192"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "table", "row", "figure", "version", "good", "bad"), WITNESSED)
def test_a_witness_holds_where_it_does_and_nowhere_else(
    name: str, table: str, row: str, figure: str, version: str, good: Any, bad: Any
) -> None:
    paper = load_paper(name)

    def judged(witness: Any) -> str:
        key = (version, row, figure)
        why = replace(paper.tables[table].explained[key], witness=witness)
        other = replace(paper.tables[table], explained={key: why})
        found = cell(replace(paper, tables={**paper.tables, table: other}), table, row, figure,
                     version)  # fmt: skip
        return verdict_on(found).word

    assert (judged(good), judged(bad)) == (MISPRINT, NOT_REPRODUCED)


def test_a_network_that_is_added_later_changes_the_verdict_without_code() -> None:
    paper = load_paper("v1")
    without = replace(paper, nets={**paper.nets, "v1": Net("no-such-network")})
    where = ("6", "1.0 MobileNet-224", "mult_adds")
    verdict = verdict_on(cell(without, *where))
    assert (verdict.word, verdict.answer) == (NOT_BUILT, None)
    assert verdict.reason == "mbcost has no network called no-such-network"
    assert word(paper, *where) == REPRODUCED


def test_the_convention_belongs_to_a_column_and_says_why() -> None:
    text = """
paper: P
source: S
counts: weights
nets: {v1: v1}
tables:
  - table: "1"
    title: T
    columns: {params: {classifier: false}}
    rows: [{id: v1-t1-01, row: a, net: v1, params: 4.2M}]
"""
    with pytest.raises(MbcostError, match=r"tables\[0\].columns.params: .* and only there"):
        read_paper(parse_document(text, "p.yaml"), "p")
    cell_of_its_own = text.replace("params: 4.2M", "params: 4.2M, classifier: false")
    document = parse_document(cell_of_its_own, "p.yaml")
    with pytest.raises(MbcostError, match="unknown key 'classifier'"):
        read_paper(document, "p")


ONE_ROW = """
paper: P
source: S
counts: weights
nets:
{nets}
tables:
  - table: "1"
    title: T
    rows: [{{id: p-1, row: a, net: first, mult_adds: 569M}}]
"""


@pytest.mark.parametrize(
    ("nets", "problem"),
    [
        (
            "  first: v1\n  second: {target: v1, counted: convolutions, convention: so}",
            "nets.second: is the network of 'first', counted otherwise",
        ),
        ("  first: {target: v1, counted: convolutions}", "nets.first: a reason stands at"),
        ("  first: {target: v1, convention: so}", "nets.first: a reason stands at"),
    ],
)
def test_a_network_counts_one_way_in_every_row_and_says_why(nets: str, problem: str) -> None:
    """Else a row could choose its way of counting by the name it gives a network."""
    with pytest.raises(MbcostError, match=problem):
        read_paper(parse_document(ONE_ROW.format(nets=nets), "p.yaml"), "p")


@pytest.mark.parametrize("key", ["classifier", "counted", "counted_as", "fitted", "of_printed"])
def test_no_row_and_no_explanation_chooses_how_it_counts(key: str) -> None:
    text = ONE_ROW.format(nets="  first: v1")
    for place, chosen in (
        ("mult_adds: 569M}", f"mult_adds: 569M, {key}: true}}"),
        ("569M}]", f"569M}}]\n    explained: [{{row: a, figure: mult_adds, reason: r, {key}: 1}}]"),
    ):
        with pytest.raises(MbcostError, match=f"unknown key '{key}'"):
            read_paper(parse_document(text.replace(place, chosen), "p.yaml"), "p")


@pytest.mark.parametrize("name", PAPERS)
def test_every_figure_has_the_id_of_its_printed_row(name: str) -> None:
    rows = [row for table in load_paper(name).tables.values() for row in table.rows]
    assert all(re.fullmatch(rf"{name}-(t\d+|text)-\d\d", row.id) for row in rows)
    figures = [(row.id, row.label, figure) for row in rows for figure in (*row.figures, "")]
    assert len(set(figures)) == len(figures)
    by_table: dict[str, set[str]] = {}
    for table in load_paper(name).tables.values():
        for row in table.rows:
            by_table.setdefault(row.id, set()).add(table.name)
    assert all(len(tables) == 1 for tables in by_table.values())


def test_formulas_multiply_letters_that_stand_side_by_side() -> None:
    letters = {"Dk": 3, "M": 512, "a": 0.75, "k'": 2, "k": 5}
    assert formula_value("Dk*Dk*aM + 1/Dk^2", letters) == 9 * 384 + Fraction(1, 9)
    assert formula_value("k'(k + 1)", letters) == 12
    with pytest.raises(MbcostError, match="is not a letter"):
        formula_value("Dk*N", letters)


@pytest.mark.parametrize("name", PAPERS)
def test_reports_are_what_the_command_writes(name: str, request: pytest.FixtureRequest) -> None:
    """Rewritten by ``mbcost paper NAME -o reports/papers/NAME.md``, or under --update-golden."""
    path = ROOT / "reports" / "papers" / f"{name}.md"
    text = to_markdown(paper_table(load_paper(name)))
    if request.config.getoption("--update-golden"):
        path.write_text(text, "utf-8")
    assert path.read_text("utf-8") == text


def test_the_summary_counts_every_figure_once() -> None:
    table = paper_table(load_paper("v2"))
    first = table.title.split(": ")[1]
    counts = [int(part.split()[0]) for part in first.split(", ")]
    assert sum(counts) == len(table.rows)
    assert len(counts) == len(SUMMARY)


def test_the_command_prints_a_table_with_reasons(cli: Cli) -> None:
    result = cli("paper", "v1", "--table", "2", "--fast")
    assert result.exit_code == 0
    text = " ".join(result.stdout.split())
    assert "7 reproduced, 0 by a convention named, 0 with one constant fitted, 1 misprint" in text
    assert "the column adds up to" in text


def test_reasons_stand_below_where_they_do_not_fit(cli: Cli) -> None:
    table = paper_table(load_paper("v1"), ["2"])
    narrow, hidden = fitted(table, 80)
    assert hidden == ["reason"]
    (line,) = reasons_below(table, narrow)
    assert line.startswith("2, Conv 3x3, mult-adds share: The digits of 1.91 are swapped.")
    assert reasons_below(table, fitted(table, 140)[0]) == []
    assert "The digits of 1.91 are swapped" in cli("paper", "v1", "--format", "latex").stdout


def test_json_and_csv_hold_all_digits(cli: Cli, cli_json: Callable[..., Any]) -> None:
    rows = cli_json("paper", "v2", "--table", "4")
    row = next(r for r in rows if (r["row"], r["figure"]) == ("MobileNetV2", "mult_adds"))
    assert (row["printed"], row["value"], row["verdict"]) == ("300M", 300_774_272, REPRODUCED)
    assert list(row) == ["paper", "id", "version", "table", "row", "figure", "target", "printed",
                         "ours", "value", "verdict", "reason"]  # fmt: skip
    text = cli("paper", "v2", "--table", "4", "--format", "csv").stdout
    assert [r["value"] for r in csv.DictReader(io.StringIO(text))] == [
        "" if r["value"] is None else str(r["value"]) for r in rows
    ]


@pytest.mark.parametrize("format_name", ["table", "markdown", "csv", "latex", "json"])
def test_every_format_holds_every_row(cli: Cli, format_name: str) -> None:
    result = cli("paper", "v3", "--table", "1", "--format", format_name)
    assert result.exit_code == 0
    assert result.stdout.count("bneck") >= 18


def test_columns_choose_what_is_shown(cli: Cli, cli_json: Callable[..., Any]) -> None:
    rows = cli_json("paper", "v1", "--table", "6", "--columns", "row,verdict")
    assert rows[0] == {"row": "1.0 MobileNet-224", "verdict": REPRODUCED}
    assert cli("paper", "v1", "--columns", "nothing").exit_code == 2


def test_tables_are_chosen_by_number_or_section(cli_json: Callable[..., Any]) -> None:
    rows = cli_json("paper", "v1", "--table", "Table 7", "--table", "text 3.1")
    assert {row["table"] for row in rows} == {"7", "text 3.1"}


def test_an_unknown_paper_or_table_lists_those_there_are(cli: Cli) -> None:
    result = cli("paper", "v4")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "one of: v1, v2, v3" in result.stderr
    result = cli("paper", "v2", "--table", "12")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "one of: 1, 2, 3, 4, 5, 6, 7, text 3.3, text 4" in result.stderr


def test_strict_fails_where_a_figure_is_not_reproduced(cli: Cli) -> None:
    assert cli("paper", "v1", "--table", "7", "--strict").exit_code == 0
    assert cli("paper", "v1", "--table", "2", "--strict").exit_code == 0  # a misprint is named
    result = cli("paper", "v1", "--table", "8", "--strict")
    assert result.exit_code == 1
    assert "2 figures are not reproduced: Table 8, GoogleNet: mult_adds" in result.stderr
    assert "not reproduced" in result.stdout
    assert cli("paper", "v1", "--table", "8").exit_code == 0


def test_what_is_no_cost_is_left_out_and_said(cli: Cli) -> None:
    result = cli("paper", "v3", "--table", "4", "--table", "9")
    assert "left out, since they are not costs of a network: accuracy (47 figures)" in result.stdout
    assert "Table 4 (Quantized performance) has no verdicts" in result.stdout
    rows = json.loads(cli("paper", "v3", "--table", "4", "--format", "json").stdout)
    assert rows == []


@pytest.mark.parametrize(
    ("target", "top1"),
    [
        ("v1", 70.6),
        ("v1@size=160", 67.2),
        ("v1@rho=0.5714", 64.4),
        ("v2@alpha=0.35", 60.8),
        ("v2@alpha=0.5", 65.4),
        ("v2@size=176", None),
        ("v1@classes=10", None),
        ("v1@classes=1000", 70.6),
        ("v1@in=1", None),
        ("v1@batch=8", 70.6),
        ("v3-large", 75.2),
        ("v3-large@reduced_tail=true", None),
        ("v3-large@round_nearest=4", None),
        ("v3-large@round_nearest=8", 75.2),
        ("v1@fold_bn=true", 70.6),
        ("standard", None),
    ],
)
def test_top1_is_shown_for_exactly_what_it_was_published_for(
    cli_json: Callable[..., Any], target: str, top1: float | None
) -> None:
    rows = cli_json("compare", target, "--fast", "--columns", "target,top1,top1_source")
    assert rows[0]["top1"] == top1
    assert (rows[0]["top1_source"] is None) == (top1 is None)


def test_top1_stands_in_no_record_unless_asked_for(cli: Cli, cli_json: Callable[..., Any]) -> None:
    assert "top1" not in cli_json("compare", "v1", "--fast")[0]
    result = cli("compare", "v1", "v2", "--fast", "--columns", "params,mult_adds,top1")
    assert "70.6" in result.stdout
    assert "top-1 of v1: arXiv:1704.04861, Tables 6, 7 and 9" in result.stdout
