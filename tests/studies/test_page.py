"""What the page of ``mbcost report`` says is what the other commands say."""

from __future__ import annotations

from pathlib import Path

import pytest

import mbcost
from mbcost.output.page import Section
from mbcost.output.page.sheet import sheet
from mbcost.studies.compare.comparison import Comparison, counters_named
from mbcost.studies.page import page_of
from mbcost.targets.resolve import resolve
from mbcost.units import bytes_in_words, thousands

pytest.importorskip("matplotlib")


def sections(
    *targets: str, counters: tuple[str, ...] = (), reference: str | None = None
) -> list[Section]:
    comparison = Comparison(resolve(targets), counters_named(counters, ()), reference)
    *_, found = comparison.verify()
    return list(page_of(found).sections)


def titled(found: list[Section], title: str) -> list[Section]:
    return [section for section in found if section.title == title]


def cards(section: Section) -> dict[str, str]:
    return {card.title: card.value for card in section.cards}


def test_one_target_has_its_figures_layers_blocks_and_formulas() -> None:
    found = sections("v2@alpha=0.5,batch=2")
    report = mbcost.count("v2", alpha=0.5, batch=2)
    (summary,), (tree,), (layers,), (formulas,) = (
        titled(found, title) for title in ("Summary", "Where the cost sits", "Layers", "Formulas")
    )
    assert cards(summary)["params"] == thousands(report.params)
    assert cards(summary)["mult-adds"] == thousands(report.mult_adds)
    assert cards(summary)["verified"] == "no counter ran"
    (memory,) = mbcost.memory("v2", alpha=0.5, batch=2)
    peak, arena = memory["peak_activation_bytes"], memory["arena_bytes"]
    assert cards(summary)["peak of maps, eager"] == bytes_in_words(peak)
    assert cards(summary)["arena, deployed"] == bytes_in_words(arena)
    assert layers.table is not None
    assert formulas.table is not None
    for table in (layers.table, formulas.table):
        for key in ("params", "mult_adds"):
            assert sum(row[key] or 0 for row in table.rows) == getattr(report, key)
    assert tree.tree is not None
    top = [branch for branch in tree.tree.branches if branch.depth == 0]
    sums = [sum(int(b.shares[i].text.replace(",", "")) for b in top) for i in (0, 1)]
    assert sums == [report.mult_adds, report.params]
    assert sum(b.shares[0].share or 0 for b in top) == pytest.approx(1)
    assert {f"{branch.before}{branch.name}" for branch in tree.tree.branches if branch.leaf} == {
        row["path"] for row in layers.table.rows
    }


def test_counters_that_ran_stand_on_it() -> None:
    found = sections("standard@size=8", counters=("torchinfo", "fvcore"))
    assert cards(titled(found, "Summary")[0])["verified"] == "yes"
    lines = " ".join(titled(found, "Conventions and versions")[0].lines)
    for word in ("mbcost", "torchinfo", "fvcore", "torch"):
        assert word in lines


def differences(found: list[Section]) -> list[str]:
    titles = [section.title for section in found]
    return [t.removesuffix(", layer by layer") for t in titles if t.endswith("layer by layer")]


def test_several_targets_stand_side_by_side_with_what_differs_by_layer() -> None:
    found = sections("v1", "v2", "v1@classes=10")
    (beside,) = titled(found, "Side by side")
    assert beside.table is not None
    assert [row["target"] for row in beside.table.rows] == ["v1", "v2", "v1@classes=10"]
    (changes,) = titled(found, "v1 → v1@classes=10, layer by layer")
    assert changes.table is not None
    (row,) = changes.table.rows
    assert row["path"] == mbcost.count("v1").layers[-1].path
    assert row["params_delta"] == mbcost.count("v1", classes=10).params - mbcost.count("v1").params
    assert differences(found) == ["v1 → v2", "v1 → v1@classes=10"]
    assert differences(sections("v1", "v2", "standard", reference="v2")) == [
        "v2 → v1",
        "v2 → standard",
    ]
    assert [section.level for section in titled(found, "Layers")] == [3, 3, 3]
    assert [s.title for s in found if s.level == 2][-4:] == [
        "v1",
        "v2",
        "v1@classes=10",
        "Conventions and versions",
    ]


def test_each_target_of_several_has_its_own_verdict() -> None:
    comparison = Comparison(
        resolve(["standard@size=8", "inverted-residual@size=8"]), counters_named(["torch"], ())
    )
    *_, found = comparison.verify()
    for i in (0, 1):
        alone = found.alone(i)
        assert [s.target for s in alone.subjects] == [found.subjects[i].target]
        assert alone.verifications(0) == found.verifications(i)
        assert alone.records()[0]["torch_flops"] == found.records()[i]["torch_flops"]


def test_networks_with_a_published_top1_have_the_figure_of_it_and_others_do_not() -> None:
    def words(*targets: str) -> str:
        return " ".join(d.words for s in sections(*targets) for d in s.drawings)

    assert "published top-1: v2" in words("v2")
    assert "published top-1" not in words("v2@alpha=0.5")
    assert "published top-1: v1, v3-small" in words("v1", "v2@alpha=0.5", "v3-small")


def test_a_block_without_weights_has_a_page_without_figures_of_it(tmp_path: Path) -> None:
    path = tmp_path / "pool.yaml"
    path.write_text("input: [3, 8, 8]\nwidth: none\nrows:\n  - {block: pool, k: 2, s: 2}\n")
    found = sections(str(path))
    assert not titled(found, "Figures")
    (layers,) = titled(found, "Layers")
    assert layers.table is not None
    assert sheet(layers.table).rows == []


def test_what_a_trace_does_not_count_stands_on_the_page(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    path = tmp_path / "net.py"
    path.write_text(
        "import torch\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.conv = torch.nn.Conv2d(3, 4, 3)\n"
        "    def forward(self, x):\n"
        "        return torch.fft.fft2(self.conv(x)).abs()\n"
    )
    found = sections(f"{path}:Net@size=16")
    assert cards(titled(found, "Summary")[0])["NOT COUNTED"]
    lines = [line for section in found for line in section.lines]
    assert any("without a formula" in line and "fft" in line for line in lines)
