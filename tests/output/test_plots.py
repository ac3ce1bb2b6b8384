"""Figures: what is drawn is the data, words have room, the same data give the same bytes."""

from __future__ import annotations

import math
import os
import re
import struct
import subprocess
import sys
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
import yaml
from matplotlib import font_manager
from matplotlib.collections import PathCollection, QuadMesh
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.text import Annotation, Text

import mbcost
from mbcost.errors import MbcostError
from mbcost.networks.yaml import builtins
from mbcost.output.plots import (
    FIGURE_SUFFIXES,
    HeatMap,
    Sheet,
    render,
)
from mbcost.output.plots.fonts import families, pdf_type, short
from mbcost.output.plots.roofline import POINT_KEYS
from mbcost.output.plots.room import Box, along, box_of, nearest_free
from mbcost.output.plots.style import (
    FONT_PT,
    KIND_FILLS,
    OKABE_ITO,
    contrast,
    ink_on,
    kind_fills,
    luminance,
    pens,
    text_colour,
)
from mbcost.studies import figures
from mbcost.studies.compare.comparison import Comparison
from mbcost.studies.device.profile import load_device
from mbcost.studies.device.roofline import bound_roofline, roofline
from mbcost.targets.resolve import resolve, resolve_one
from tests import ROOT
from tests.figures import (
    ALPHAS,
    FIGURES,
    HOST,
    MEASURED,
    NETWORKS,
    SIZES,
    Word,
    bars_of,
    overlapping,
    painted,
    words_drawn,
)

DRAWN = ("accuracy", "share", "share by block", "bars of blocks", "layers of v3-small", "heat map")


def shown_words(name: str, width: float) -> tuple[list[Word], Figure]:
    with painted(FIGURES[name](), width) as figure:
        return words_drawn(figure), figure


# words: room, size, completeness


@pytest.mark.parametrize("name", FIGURES)
def test_no_two_words_of_a_figure_overlap_and_none_is_cut_off(name: str) -> None:
    words, figure = shown_words(name, 3.5)
    assert len(words) > 3
    assert overlapping(words) == []
    width, height = figure.get_size_inches() * figure.dpi
    outside = [w for w in words if min(w.x0, w.y0) < -0.5 or w.x1 > width + 0.5 or w.y1 > height]
    assert outside == []
    assert min(word.size_pt for word in words) >= FONT_PT == 7.0


@pytest.mark.parametrize(
    ("name", "width"), [*((name, 2.5) for name in DRAWN), ("accuracy", 180 / 25.4)]
)
def test_words_have_room_at_other_widths(name: str, width: float) -> None:
    words, figure = shown_words(name, width)
    assert overlapping(words) == []
    assert figure.get_figwidth() == width


@pytest.mark.parametrize("font", ["STIXGeneral", "DejaVu Serif", "cmr10"])
@pytest.mark.parametrize("name", ["accuracy", "heat map", "bars of blocks"])
def test_words_have_room_in_other_fonts_and_heights(name: str, font: str) -> None:
    with painted(FIGURES[name](), 8 / 2.54, 8 / 2.54, font) as figure:
        words = words_drawn(figure)
        assert matplotlib.rcParams["font.family"] == [font, "DejaVu Sans"]
        size = figure.get_size_inches().tolist()
    assert size == pytest.approx([8 / 2.54, 8 / 2.54], rel=1e-12)
    assert overlapping(words) == []
    right, top = (300 * side + 0.5 for side in size)
    assert [w for w in words if min(w.x0, w.y0) < -0.5 or w.x1 > right or w.y1 > top] == []


def test_a_key_above_the_axes_is_within_the_height() -> None:
    plot = figures.accuracy(())
    with painted(plot, 7.0, 6.0) as figure:
        assert len(figure.legends) == 1
        assert figure.get_figheight() == pytest.approx(6.0)
        words_drawn(figure)


def test_a_font_with_postscript_outlines_is_type_3_in_a_pdf() -> None:
    files = {e.name: e.fname for e in font_manager.fontManager.ttflist}
    name = next((name for name, file in files.items() if file.endswith(".otf")), None)
    assert pdf_type("DejaVu Sans") == 42
    if name is None:
        pytest.skip("no such font is installed")
    assert pdf_type(name) == 3
    assert b"/Type3" in render(FIGURES["bars of one"](), ".pdf", Sheet(font=name))


def test_the_check_for_overlaps_can_fail() -> None:
    one, other = Word("a", 7, 0, 0, 10, 5), Word("b", 7, 9, 4, 20, 9)
    assert overlapping([one, other]) == [("a", "b")]
    assert overlapping([one, other._replace(x0=10)]) == []


def test_words_do_not_cover_bubbles_of_the_trade_off() -> None:
    with painted(FIGURES["accuracy"]()) as figure:
        words = words_drawn(figure)
        (axes,) = figure.axes
        height = figure.get_figheight() * figure.dpi
        points = [
            axes.transData.transform(offset)
            for collection in axes.collections
            if str(collection.get_gid()).startswith("points")
            for offset in listed(collection.get_offsets())
        ]
    assert len(points) > 20
    for x, y in points:
        assert [w.text for w in words if w.x0 < x < w.x1 and w.y0 < height - y < w.y1] == []


def test_every_network_of_the_trade_off_is_named_once() -> None:
    plot = figures.accuracy(())
    with painted(plot) as figure:
        words = [word.text for word in words_drawn(figure)]
    assert [words.count(name) for name in plot.networks] == [1] * len(plot.networks)


def test_names_without_room_go_into_a_key(tmp_path: Path) -> None:
    document = yaml.safe_load(builtins()["v2"].path.read_text("utf-8"))
    paths = []
    for i in range(9):
        document["published"] = [
            {"alpha": alpha, "size": 224, "top1": round(60 + 5 * alpha + i / 10, 2)}
            for alpha in (0.5, 0.75, 1.0, 1.25)
        ]
        path = tmp_path / f"a-network-with-quite-a-long-name-{i}.yaml"
        path.write_text(yaml.safe_dump(document), "utf-8")
        paths.append(str(path))
    plot = figures.accuracy(paths)
    with painted(plot, 2.5) as figure:
        words = words_drawn(figure)
        assert len(figure.legends) == 1
    assert overlapping(words) == []
    names = [word.text for word in words]
    assert [names.count(short(path)) for path in paths] == [1] * len(paths)


# what is drawn is the data


def listed(array: object) -> Any:
    """Return an artist's array, whose stub promises little, as nested lists."""
    return np.asarray(array).tolist()


def circles(figure: Figure, network: str) -> PathCollection:
    (found,) = (
        collection
        for collection in figure.axes[0].collections
        if collection.get_gid() == f"points {network}"
    )
    assert isinstance(found, PathCollection)
    return found


@pytest.mark.parametrize("cost", ["mult_adds", "params"])
def test_bubbles_and_curves_of_the_trade_off_are_its_data(cost: str) -> None:
    plot = figures.accuracy((), cost)
    data = plot.table().data
    with painted(plot) as figure:
        lines = {line.get_gid(): line for line in figure.axes[0].lines}
        for network in plot.networks:
            own = [row for row in data if row["target"] == network]
            drawn = circles(figure, network)
            assert listed(drawn.get_offsets()) == [[row[cost], row["top1"]] for row in own]
            areas = drawn.get_sizes() / [row["params"] for row in own]
            assert areas.tolist() == pytest.approx([areas[0]] * len(own), rel=1e-12)
            curve = sorted((row[cost], row["top1"]) for row in own if row["on_curve"])
            assert listed(lines[f"curve {network}"].get_xydata()) == [list(p) for p in curve]
            filled = [to_hex(colour) != "#ffffff" for colour in drawn.get_facecolors()]  # type: ignore[attr-defined]
            assert filled == [row["on_curve"] for row in own]
        (front,) = (line for line in lines.values() if line.get_label() == "Pareto front")
        best = sorted((row[cost], row["top1"]) for row in data if row["on_front"])
        assert listed(front.get_xydata()) == [list(point) for point in best]


def test_the_trade_off_holds_exactly_the_published_points_at_counted_cost() -> None:
    printed = {}
    for name in NETWORKS:
        document = yaml.safe_load(builtins()[name].path.read_text("utf-8"))
        for point in document.get("published", []):
            if "top1" in point:
                printed[name, float(point["alpha"]), point["size"]] = point["top1"]
    rows = figures.accuracy(()).table().data
    assert {(r["target"], r["alpha"], r["size"]): r["top1"] for r in rows} == printed
    assert len(rows) == len(printed)
    for row in rows:
        scaled = {} if row["alpha"] == 1 else {"alpha": row["alpha"]}
        report = mbcost.count(row["target"], size=row["size"], **scaled)
        assert (row["params"], row["mult_adds"]) == (report.params, report.mult_adds)


@pytest.mark.parametrize("by", ["kind", "block"])
def test_segments_are_shares_that_fill_the_bar(by: str) -> None:
    subjects = resolve(("v1", "v2@alpha=0.5", "v3-small"))
    plot = figures.share(subjects, by)
    data = plot.table().data
    with painted(plot) as figure:
        for axes, key in zip(figure.axes, ("mult_adds", "params"), strict=True):
            bars = [bar for bar in axes.patches if str(bar.get_gid()).startswith(key)]
            widths = [bar.get_width() for bar in bars]  # type: ignore[attr-defined]
            shares = [row[f"{key}_share"] for row in data]
            assert widths == pytest.approx(shares, rel=1e-12)  # a bar's width is x1 - x0
    for subject in subjects:
        own = [row for row in data if row["target"] == subject.target]
        for key in ("mult_adds", "params"):
            assert sum(row[key] for row in own) == getattr(subject.report, key)
            assert sum(row[f"{key}_share"] for row in own) == pytest.approx(1)


def test_points_of_a_roofline_are_the_layers_at_their_bound_under_the_roofs() -> None:
    device, subject = load_device("raspberry-pi-5"), resolve_one("v2")
    plot = bound_roofline([subject], device, "fp32")
    data = plot.table().data
    assert sum(row["mult_adds"] for row in data) == subject.report.mult_adds
    with painted(plot) as figure:
        (axes,) = figure.axes
        drawn = {c.get_gid(): c.get_offsets() for c in axes.collections if c.get_gid()}
        lines = {line.get_gid(): line.get_xydata() for line in axes.lines if line.get_gid()}
    assert list(drawn) == list(dict.fromkeys(row["kind"] for row in data))
    for kind, points in drawn.items():
        own = [row for row in data if row["kind"] == kind]
        assert np.asarray(points, float).tolist() == [
            [row["mult_adds_per_byte"], row["mult_adds_per_second"]] for row in own
        ]
    for row in data:
        assert row["mult_adds_per_second"] == pytest.approx(row["mult_adds"] / row["seconds"])
        assert row["mult_adds_per_second"] <= 76_800_000_000
    assert set(lines) == {"peak", "roof L1", "roof memory"}
    for name, rate in (("L1", 307_200_000_000), ("memory", 17_068_000_000)):
        (x0, y0), (x1, y1) = np.asarray(lines[f"roof {name}"], float)
        assert y0 == pytest.approx(x0 * rate)
        assert y1 == pytest.approx(76_800_000_000)
        assert x1 == pytest.approx(76_800_000_000 / rate)


def test_a_measured_roofline_says_so_and_its_points_are_those_given() -> None:
    plot = roofline(MEASURED, HOST, "fp32", measured=True)
    assert plot.table().data == [{key: row[key] for key in POINT_KEYS} for row in MEASURED]
    assert plot.table().document["measured"] is True
    with painted(plot) as figure:
        assert figure.axes[0].get_ylabel() == "measured (G mult-adds/s)"
    with painted(bound_roofline([resolve_one("v2")], HOST, "fp32")) as figure:
        assert figure.axes[0].get_ylabel() == "at most (G mult-adds/s)"


def test_roofs_that_lie_near_share_a_name_which_no_line_crosses() -> None:
    plot = roofline(MEASURED, HOST, "fp32", measured=True)
    assert plot.names() == [
        ("L1 212 GB/s", 212_000_000_000),
        ("L2 92.4 GB/s, L3 97.4 GB/s", 97_400_000_000),
        ("memory 23.8 GB/s", 23_800_000_000),
    ]
    with painted(plot) as figure:
        figure.draw_without_rendering()  # sets where lines begin and end
        named = [text for text in figure.axes[0].texts if isinstance(text, Annotation)]
        texts = {text.get_text(): box_of(Text.get_window_extent(text)) for text in named}
        lines = {
            text.get_text(): np.asarray(text.arrow_patch.get_path().vertices, float).tolist()
            for text in named
            if text.arrow_patch is not None
        }
    assert set(texts) > {name for name, _ in plot.names()}
    assert lines
    for of, line in lines.items():
        for step in along(line, 1):
            assert not [name for name, box in texts.items() if name != of and step.overlap(box)]


def test_a_label_goes_where_its_line_crosses_no_other_label() -> None:
    bounds, other = Box(-100, -100, 100, 100), Box(-40, 6, 40, 20)
    around = [other, Box(-100, -25, 100, 5)]
    free = nearest_free((10, 4), [(0, 5)], around, bounds, 1)
    assert free is not None
    assert any(step.overlap(other) for step in free.leader((0, 5), 1))
    found = nearest_free((10, 4), [(0, 5)], around, bounds, 1, labels=[other])
    assert found is not None
    assert found.leader((0, 5), 1)
    assert not any(step.overlap(other) for step in found.leader((0, 5), 1))


def test_without_a_layer_that_multiplies_there_is_no_roofline() -> None:
    with pytest.raises(MbcostError, match="nothing to draw"):
        roofline([], HOST, "fp32")


@pytest.mark.parametrize("target", ["v3-large", "depthwise-separable", "v2@batch=3"])
def test_bars_of_layers_are_the_data(target: str) -> None:
    plot = figures.layers(resolve_one(target))
    data = plot.table().data
    with painted(plot) as figure:
        panels = figure.axes
        for axes, key in zip(panels, ("mult_adds", "params", "activation_elements"), strict=True):
            heights = {
                round(bar.get_x() + bar.get_width() / 2): bar.get_height()  # type: ignore[attr-defined]
                for bar in axes.patches
            }
            assert [heights[i] for i in range(len(data))] == [row[key] for row in data]


@pytest.mark.parametrize("target", [*NETWORKS, "depthwise-separable", "v2@batch=3"])
def test_bars_of_layers_add_up_to_the_total(target: str) -> None:
    subject = resolve_one(target)
    data = figures.layers(subject).table().data
    report = subject.report
    assert sum(row["mult_adds"] for row in data) == report.mult_adds
    assert sum(row["params"] for row in data) == report.params
    layers = {layer.path: layer for layer in report.layers}
    for row in data:
        y = layers[row["path"]].y
        assert row["activation_elements"] == math.prod(y) * report.batch


@pytest.mark.parametrize("key", ["mult_adds", "params", "total_bytes"])
def test_cells_of_the_heat_map_are_the_counted_values(key: str) -> None:
    plot = figures.heat_map_of_grid("v2", ALPHAS, SIZES, {"classes": "10"}, key)
    with painted(plot) as figure:
        (mesh,) = (c for c in figure.axes[0].collections if isinstance(c, QuadMesh))
        drawn = mesh.get_array()
        assert drawn is not None
        counted = [
            [getattr(mbcost.count("v2", alpha=a, size=s, classes=10), key) for s in SIZES]
            for a in ALPHAS
        ]
        assert drawn.tolist() == counted
        assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == list(SIZES)
        assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == list(ALPHAS)


def test_a_cell_that_was_not_swept_stays_empty() -> None:
    rows: list[dict[str, Any]] = [
        {"alpha": 0.5, "size": 96, "mult_adds": 10},
        {"alpha": 1, "size": 128, "mult_adds": 40},
    ]
    with painted(HeatMap(rows)) as figure:
        (mesh,) = figure.axes[0].collections
        drawn = mesh.get_array()
        assert drawn is not None
        assert drawn.tolist() == [[10, None], [None, 40]]
        assert {word.text for word in words_drawn(figure)} >= {"10", "40"}


@pytest.mark.parametrize("value", [0, -3, 5])
def test_a_heat_map_of_equal_or_negative_values_is_drawn(value: int) -> None:
    rows = [{"alpha": 1, "size": size, "mult_adds": value} for size in (96, 128)]
    assert render(HeatMap(rows), ".png").startswith(b"\x89PNG")


def test_bars_of_a_comparison_are_its_records() -> None:
    plot = bars_of("v1", "v2", "v3-large", "v3-small")
    data = plot.table().data
    with painted(plot) as figure:
        words = [word.text for word in words_drawn(figure)]
        for axes, key in zip(figure.axes, ("params", "mult_adds"), strict=True):
            assert [bar.get_width() for bar in axes.patches] == [row[key] for row in data]  # type: ignore[attr-defined]
    assert "4.23 M" in words  # of V1, without a ratio to itself


def test_bars_say_what_they_are_compared_with_and_end_at_the_data() -> None:
    plot = bars_of("v1", "v2", "v3-small")
    with painted(plot) as figure:
        (key,) = figure.legends
        assert [text.get_text() for text in key.get_texts()] == ["reference", "compared with it"]
        named = [to_hex(patch.get_facecolor()) for patch in key.get_patches()]
        for axes, figure_key in zip(figure.axes, ("params", "mult_adds"), strict=True):
            colours = [to_hex(bar.get_facecolor()) for bar in axes.patches]
            assert colours == [named[0], named[1], named[1]]
            longest = max(row[figure_key] for row in plot.rows)
            assert axes.spines["bottom"].get_bounds() == (0, longest)
            assert max(axes.get_xticks()) <= longest
    with painted(bars_of("v1")) as figure:
        assert figure.legends == []


def test_a_label_stands_in_place_of_its_target() -> None:
    subjects = resolve(("v2@alpha=0.5 as MobileNetV2 0.5×", "v1"))
    for plot in (figures.bars(Comparison(subjects)), figures.share(subjects)):
        with painted(plot) as figure:
            words = [word.text for word in words_drawn(figure)]
        assert words.count("MobileNetV2 0.5×") == 2
        assert "v2@alpha=0.5" not in words
        assert {row["target"] for row in plot.table().document} == {"v2@alpha=0.5", "v1"}


def test_a_target_named_twice_has_one_bar_and_two_of_one_name_none() -> None:
    (v1,), twice = resolve(("v1",)), figures.share(resolve(("v1", "v1 as MobileNet")))
    assert sum(row["params"] for row in twice.rows) == v1.report.params
    with pytest.raises(MbcostError, match="v1: is the name of two targets that differ"):
        figures.share([v1, replace(resolve_one("v2"), target="v1")])


def test_a_target_without_params_has_an_empty_bar() -> None:
    plot = bars_of("v1")
    plot = replace(plot, rows=[{**plot.rows[0], "params": 0, "params_ratio": None}])
    with painted(plot) as figure:
        assert [bar.get_width() for bar in figure.axes[0].patches] == [0]  # type: ignore[attr-defined]
        assert "0" in [word.text for word in words_drawn(figure)]


# colours


def test_colours_are_those_of_okabe_and_ito_in_grey_apart() -> None:
    fills = list(KIND_FILLS.values())
    assert {fill.colour for fill in fills} <= set(OKABE_ITO.values())
    for one, other in combinations(fills, 2):
        assert abs(lightness(one.colour) - lightness(other.colour)) >= 10


def test_fills_of_kinds_without_their_own_differ_in_grey_too() -> None:
    fills = list(kind_fills((*KIND_FILLS, *map(str, range(10)))).values())
    for one, other in combinations(fills, 2):
        assert one.hatch != other.hatch or abs(lightness(one.colour) - lightness(other.colour)) >= 9


def test_curves_differ_in_marker_dash_and_lightness() -> None:
    first = pens(4)
    for one, other in combinations(first, 2):
        assert abs(lightness(one.colour) - lightness(other.colour)) >= 10
    for one, other in combinations(pens(6), 2):
        assert one.marker != other.marker
        assert one.dash != other.dash
    many = [(pen.colour, pen.marker) for pen in pens(70)]
    assert len(set(many)) == len(many)


def test_the_drawn_curves_and_fills_can_be_told_apart_in_grey() -> None:
    with painted(figures.accuracy(("v1", "v2", "v3-large", "v3-small"))) as figure:
        lines = [x for x in figure.axes[0].lines if str(x.get_gid()).startswith("curve")]
        greys = sorted(lightness(str(line.get_color())) for line in lines)
    assert len(greys) == 4
    assert min(b - a for a, b in pairwise(greys)) >= 10
    with painted(figures.share(resolve(("v1", "v2")))) as figure:
        colours = {to_hex(bar.get_facecolor()) for bar in figure.axes[0].patches}
    assert len(colours) == 5
    assert min(abs(lightness(a) - lightness(b)) for a, b in combinations(colours, 2)) >= 10


def lightness(colour: str) -> float:
    """Return CIE L* of ``#RRGGBB``, what is left of a colour in grey print: 0 to 100."""
    y = luminance(colour)
    return 116 * y ** (1 / 3) - 16 if y > (6 / 29) ** 3 else y * (29 / 3) ** 3


def test_lightness_is_that_of_cielab() -> None:
    assert lightness("#000000") == 0
    assert lightness("#FFFFFF") == pytest.approx(100)
    assert lightness("#777777") == pytest.approx(50.03, abs=0.01)


@pytest.mark.parametrize("colour", OKABE_ITO.values())
def test_words_read_on_every_colour_and_in_every_colour(colour: str) -> None:
    assert contrast(ink_on(colour), colour) >= 4.5
    assert contrast(text_colour(colour), "#FFFFFF") >= 4.5


def test_values_read_in_every_cell() -> None:
    with painted(FIGURES["heat map"]()) as figure:
        (mesh,) = figure.axes[0].collections
        cells = [to_hex(colour) for colour in mesh.get_facecolors()]  # type: ignore[attr-defined]
        inks = [to_hex(str(text.get_color())) for text in figure.axes[0].texts]
    assert len(cells) == len(inks) == 25
    assert min(contrast(a, b) for a, b in zip(cells, inks, strict=True)) >= 4.5


# files


@pytest.mark.parametrize(
    ("name", "suffix"),
    [*((name, ".svg") for name in DRAWN), *(("heat map", suffix) for suffix in FIGURE_SUFFIXES)],
)
def test_the_same_figure_gives_the_same_bytes(name: str, suffix: str) -> None:
    assert render(FIGURES[name](), suffix) == render(FIGURES[name](), suffix)


def test_bytes_depend_neither_on_the_process_nor_on_the_users_style(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("font.size: 20\naxes.facecolor: red\nsvg.hashsalt: x\n")
    code = (
        "import sys; from mbcost.output.plots import render; from tests.figures import FIGURES\n"
        "for suffix in ('.svg', '.pdf'):\n"
        "    sys.stdout.buffer.write(render(FIGURES['bars of blocks'](), suffix))"
    )
    env = {**os.environ, "MATPLOTLIBRC": str(tmp_path), "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    other = subprocess.run(
        [sys.executable, "-c", code],
        env=env,
        capture_output=True,
        check=True,
        cwd=ROOT,
    )
    assert other.stdout == b"".join(
        render(FIGURES["bars of blocks"](), suffix) for suffix in (".svg", ".pdf")
    )


def test_the_users_settings_are_as_before_after_drawing() -> None:
    before = dict(matplotlib.rcParams)
    render(FIGURES["bars of one"](), ".png")
    assert dict(matplotlib.rcParams) == before


def test_a_png_has_300_dots_an_inch_of_its_width() -> None:
    for width in (3.5, 5.0):
        data = render(FIGURES["bars of blocks"](), ".png", Sheet(width))
        assert struct.unpack(">I", data[16:20]) == (round(300 * width),)


def test_a_pdf_embeds_truetype_fonts_and_no_date() -> None:
    data = render(FIGURES["accuracy"](), ".pdf")
    assert b"/FontFile2" in data
    assert b"/Type3" not in data
    assert b"CreationDate" not in data
    (box,) = re.findall(rb"/MediaBox \[ 0 0 (\S+) ", data)
    assert float(box) == 252  # 3.5 in in points


def test_an_svg_draws_its_words_as_paths_and_has_no_date() -> None:
    text = render(FIGURES["accuracy"](), ".svg").decode()
    assert "<text" not in text
    assert text.count("<use") > 50
    assert "<dc:date>" not in text


# words of any kind


@pytest.mark.parametrize("name", ["$5^2$", "a_b", "100%", "\\alpha", "{x}", "a\nb\tc", "\u2135"])
def test_a_name_is_drawn_as_it_is_written(name: str) -> None:
    plot = bars_of("v1")
    plot = replace(plot, rows=[{**plot.rows[0], "target": name}])
    with painted(plot) as figure:
        words = [word.text for word in words_drawn(figure)]
    assert words.count(" ".join(re.split(r"[\n\t]", name))) == 2
    assert render(plot, ".svg") == render(plot, ".svg")


def test_a_character_that_dejavu_lacks_comes_from_another_font() -> None:
    path = font_manager.findfont("DejaVu Sans")
    known = set(FT2Font(path).get_charmap())
    assert families("DejaVu Sans", ["plain", "ℵ × α"]) == ["DejaVu Sans"]
    (stix,) = (
        entry
        for entry in font_manager.fontManager.ttflist
        if entry.fname.endswith("STIXGeneral.ttf") and "mpl-data" in entry.fname
    )
    lacking = min(
        char
        for char in map(chr, FT2Font(stix.fname).get_charmap())
        if ord(char) not in known and char.isprintable()
    )
    assert families("DejaVu Sans", ["plain", lacking], [stix]) == ["DejaVu Sans", "STIXGeneral"]


def test_a_character_that_no_font_has_is_an_error() -> None:
    with pytest.raises(MbcostError, match=r"no installed font has 络 网 .*Noto Sans CJK"):
        families("DejaVu Sans", ["a网络b"], [])


def test_a_font_that_draws_boxes_for_missing_characters_is_none() -> None:
    boxes = [e for e in font_manager.fontManager.ttflist if "Last Resort" in e.name]
    if not boxes:
        pytest.skip("matplotlib before 3.11 ships no such font")
    with pytest.raises(MbcostError, match="no installed font"):
        families("DejaVu Sans", ["网"], boxes)


def test_a_long_name_loses_its_middle() -> None:
    path = "configs/of/somebody/with/long/paths/network.yaml"
    assert short(path) == "configs/of/so…/network.yaml"
    assert short("v2@alpha=0.5,size=160") == "v2@alpha=0.5,size=160"
