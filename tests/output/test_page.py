"""A page holds all that it needs, runs its own script alone, and shows names as they are."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import re
from xml.etree import ElementTree

import pytest

from mbcost.errors import visible
from mbcost.output.page import Branch, Card, Drawing, Page, Section, Share, Tree, _own, render
from mbcost.output.page.sheet import sheet
from mbcost.output.page.svg import inline
from mbcost.output.plots.style import contrast
from mbcost.output.table import Column, Table
from tests.output.test_injection_formats import every_name

SVG = b"""<?xml version="1.0"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="2pt">
 <metadata>who</metadata><!-- a name -->
 <defs><path id="glyph"/><clipPath id="clip"/><pattern id="hatch"/></defs>
 <g id="&lt;b&gt;"><use xlink:href="#glyph" style="fill: url(#hatch); stroke: url(#hatch)"/>
 <path clip-path="url(#clip)"/></g>
</svg>"""


class Reader(html.parser.HTMLParser):
    """The tags of a page in order, with their attributes, and the texts by tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), "an attribute stands twice"
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and data.strip():
            self.texts.append((self.tags[-1][0], data.strip("\n")))

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [found for name, found in self.tags if name == tag]


def page_of(name: str) -> Page:
    """Return a page with the name wherever a page has room for one."""
    columns = (Column("name", name or "name"), Column("params", "params", "count"))
    rows = [{"name": name, "params": 9152}]
    table = Table(columns, rows, ("name",), rows, rows, name, name, {"name": name, "params": 1})
    branches = (
        Branch("", name, "", (Share(name, 0.5),), 0, False, 0),
        Branch(name, name, name, (Share(name, None),), 1, True, 1),
    )
    section = Section(
        name,
        lead=name,
        cards=(Card(name, name, name),),
        tree=Tree((name,), branches),
        table=table,
        rows=name,
        filters=True,
        drawings=(Drawing(SVG, name),),
        lines=(name,),
    )
    return Page(name, name, (section, Section(name, 3)))


@every_name
def test_any_name_is_text_and_nothing_else(name: str) -> None:
    found, sound = Reader(render(page_of(name or "0"))), Reader(render(page_of("plain")))
    assert [(tag, set(attributes)) for tag, attributes in found.tags] == [
        (tag, set(attributes)) for tag, attributes in sound.tags
    ]
    if visible(name).strip():
        assert ("h2", visible(name)) in found.texts
        assert ("dt", visible(name)) in found.texts
        assert found.attributes("table")[0]["data-rows"] == visible(name)
        assert found.attributes("figure")[0]["aria-label"] == visible(name)


def test_the_page_loads_nothing_and_lets_its_own_script_run_alone() -> None:
    text = render(page_of("v2"))
    reader = Reader(text)
    for _, attributes in reader.tags:
        for key in ("src", "href", "action", "data"):
            assert (attributes.get(key) or "#").startswith(("#", "data:")), attributes
        assert not any(key.startswith("on") for key in attributes)
    assert "@import" not in text
    assert "http" not in re.sub(r"http-equiv", "", text)
    (policy,) = [m["content"] for m in reader.attributes("meta") if "http-equiv" in m]
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy is not None
    assert f"script-src 'sha256-{digest}';" in policy
    assert "default-src 'none'" in policy
    assert "eval" not in script


def test_ids_are_those_that_are_referred_to_and_none_stands_twice() -> None:
    page = page_of("v2")
    twice = Page("v2", "", (*page.sections[:1], *page.sections))
    reader = Reader(render(twice))
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(ids) == len(set(ids)) > 10
    for _, attributes in reader.tags:
        for key in ("for", "aria-labelledby", "data-filters", "data-folds"):
            assert attributes.get(key, ids[0]) in ids
        assert (attributes.get("href") or "#")[1:] in {*ids, "", "ata:,"}


def test_a_drawing_keeps_what_it_refers_to_under_a_name_of_its_own() -> None:
    text = inline(SVG, "one")
    root = ElementTree.fromstring(text)
    assert {part.get("id") for part in root.iter()} - {None} == {
        "one-glyph",
        "one-clip",
        "one-hatch",
    }
    (use,) = root.iter("use")
    assert use.get("href") == "#one-glyph"
    assert use.get("style") == "fill: url(#one-hatch); stroke: url(#one-hatch)"
    assert [p.get("clip-path") for p in root.iter("path")] == [None, "url(#one-clip)"]
    assert "who" not in text
    assert "a name" not in text


def test_cells_sort_by_their_values_and_show_every_digit() -> None:
    columns = (
        Column("path", "layer"),
        Column("kernel", "k", "size"),
        Column("output", "output", "shape"),
        Column("params", "params", "count"),
        Column("share", "share", "share"),
        Column("bar", "bar", "bar"),
    )
    row = {
        "path": "a",
        "kernel": "1x7",
        "output": [64, 7, 7],
        "params": 1_234_567,
        "share": 0.25,
        "bar": 0.5,
    }
    empty = dict.fromkeys(row) | {"path": "b", "output": [[1, 2], [3, 4]]}
    found = sheet(Table(columns, [row, empty], (), [], [], total={"path": "total", "params": 5}))
    assert [head.text for head in found.heads] == ["layer", "k", "output", "params (M)", "share"]
    assert [head.number for head in found.heads] == [False, False, True, True, True]
    assert [head.sums for head in found.heads] == [False, False, False, True, False]
    assert [cell.value for cell in found.rows[0]] == ["a", "1x7", "3136", "1234567", "0.25"]
    assert [cell.exact for cell in found.rows[0]] == ["", "", "", "1,234,567", ""]
    assert found.rows[0][4].share == 0.25
    assert [cell.value for cell in found.rows[1]] == ["b", "", "2", "", ""]
    assert found.total == ["total", "", "", "0.00000500", ""]


def themes() -> list[dict[str, str]]:
    """Return the colours of each theme by name."""
    blocks = re.findall(r"\{([^{}]*--paper:[^{}]*)\}", _own("page.css"))
    return [dict(re.findall(r"--(\w+): (#\w{6});", block)) for block in blocks]


def test_text_has_contrast_in_every_theme() -> None:
    found = themes()
    assert len(found) == 4
    assert found[1] == found[2], "dark by choice is dark by the system"
    for colours in found:
        for ground in ("paper", "raised"):
            for ink in ("ink", "quiet", "link"):
                assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
        assert contrast(colours["bar"], colours["track"]) >= 3


@pytest.mark.parametrize("name", ["page.html", "page.css", "page.js"])
def test_its_parts_end_no_element_early(name: str) -> None:
    text = _own(name)
    assert text.count("</script>") == text.count("</style>") == (name == "page.html")
