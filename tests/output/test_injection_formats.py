"""Names from files, keys and modules show as they are and do nothing, in every format.

What is written is read back by readers that are not mbcost's: ``csv``, ``html.parser``, ``json``,
markdown-it (which rich brings), an XML parser, and a small reader of TeX.
"""

from __future__ import annotations

import csv
import html.parser
import io
import json
import re
from collections.abc import Callable
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from mbcost.errors import MbcostError, visible
from mbcost.output.formats import FORMATS
from mbcost.output.formats.csv import plain
from mbcost.output.formats.html import to_html
from mbcost.output.formats.latex import to_latex
from mbcost.output.table import Column, Record, Table
from tests.nasty import NASTY

names = st.text(
    st.one_of(st.characters(), st.sampled_from("\\|`*_[]<>#$%&{}^~\"'=+-@\r\n\t\x1b,;"))
)


def every_name(test: Callable[[str], None]) -> Callable[[], None]:
    """Run a test on every nasty name and on some that hypothesis thinks of."""
    found = settings(max_examples=60, deadline=None)(given(name=names)(test))
    for name in NASTY:
        found = example(name=name)(found)
    return found


def table_of(name: str) -> Table:
    """Return a table with the name wherever a table has room for one."""
    columns = (
        Column("name", name or "name"),
        Column("more", f"more vs {name}", rank=1),
        Column("params", "params", "count"),
    )
    rows: list[Record] = [
        {"name": name, "more": f"{name} x", "params": 9_152},
        {"name": name, "more": [1, 2], "params": -3},
    ]
    total = {"name": name, "more": "", "params": 9_149}
    fields = ("name", "more", "params")
    return Table(columns, rows, fields, rows, rows, name, name, total, (name,))


@every_name
def test_a_terminal_sees_only_what_can_be_printed(name: str) -> None:
    plain_lines = len(FORMATS["table"].write(table_of("plain")).splitlines())
    text = FORMATS["table"].write(table_of(name))
    assert text.replace("\n", "").isprintable()
    if 0 < len(visible(name)) < 16 and visible(name).strip():
        assert len(text.split("\n")) - 1 in (plain_lines, plain_lines + 1), "a long title wraps"


@every_name
def test_a_csv_reads_back_and_holds_no_formula(name: str) -> None:
    text = FORMATS["csv"].write(table_of(name))
    assert text.replace("\n", "").isprintable()
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    assert header == ["name", "more", "params"]
    assert [plain(row[0]) for row in rows] == [visible(name)] * 2
    assert [row[1:] for row in rows] == [[rows[0][1], "9152"], ["1x2", "-3"]]
    assert plain(rows[0][1]) == visible(f"{name} x")
    for row in rows:
        assert not re.match(r"\s*[=+\-@＝＋－＠]", row[0])
        assert not re.match(r"\s*[=+\-@＝＋－＠]", row[1])


@every_name
def test_json_reads_back_equal(name: str) -> None:
    text = FORMATS["json"].write(table_of(name))
    assert json.loads(text.encode()) == table_of(name).document
    assert text.replace("\n", "").isprintable()


class Page(html.parser.HTMLParser):
    """The tags of a page, and the texts by the tag around them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.open.append(tag)
        self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts[self.open[-1]][-1] += data


@every_name
def test_html_shows_the_name_and_no_tag_of_its_own(name: str) -> None:
    page = Page(to_html(table_of(name)))
    assert page.tags <= {"table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td", "p"}
    assert page.texts["td"][0] == page.texts["td"][3] == visible(name)
    assert page.texts["td"][2] == "9.15"
    assert not page.open


def inline_text(token: Token) -> str:
    """Return what a reader of Markdown shows; raise where it shows anything but text."""
    found = ""
    for child in token.children or ():
        assert child.type in ("text", "text_special", "strong_open", "strong_close"), child
        found += child.content
    return found


@every_name
def test_markdown_shows_the_name_as_text(name: str) -> None:
    tokens = (
        MarkdownIt("commonmark").enable("table").parse(FORMATS["markdown"].write(table_of(name)))
    )
    allowed = {"heading", "table", "thead", "tbody", "tr", "th", "td", "bullet_list", "list_item"}
    kinds = {re.sub(r"_(open|close)$", "", token.type) for token in tokens}
    assert kinds <= allowed | {"inline", "paragraph"}
    assert sum(token.type == "bullet_list_open" for token in tokens) == 1
    assert sum(token.type == "tr_open" for token in tokens) == 4
    shown = visible(name).strip(" ")
    cells = [inline_text(inner) for outer, inner in pairwise(tokens) if outer.type == "td_open"]
    assert cells[0] == cells[3] == shown
    assert cells[2] == "9.15"
    if shown:
        blocks = [token for token in tokens if token.type == "inline"]
        heading = inline_text(blocks[0])
        assert heading == shown
        assert inline_text(blocks[-1]) == inline_text(blocks[-2]) == shown


COMMANDS = {
    "textbackslash", "textasciitilde", "textasciicircum", "textless", "textgreater", "textbar",
    "times", "cdot", "div", "alpha", "beta", "gamma", "rho", "dots", "to", "par", "begin", "end",
    "centering", "small", "footnotesize", "raggedright", "setlength", "tabcolsep", "caption",
    "toprule", "midrule", "bottomrule",
}  # fmt: skip
SHOWN = {
    r"\textbackslash{}": "\\", r"\textasciitilde{}": "~", r"\textasciicircum{}": "^",
    r"\textless{}": "<", r"\textgreater{}": ">", r"\textbar{}": "|", "''": '"', r"\`{}": "`",
    r"\&": "&", r"\%": "%", r"\$": "$", r"\#": "#", r"\_": "_", r"\{": "{", r"\}": "}", "{}": "",
}  # fmt: skip


def tex_text(cell: str) -> str:
    """Return what TeX prints of a cell."""
    words = "|".join(map(re.escape, SHOWN))
    return re.sub(words, lambda found: SHOWN[found[0]], cell)


@every_name
def test_latex_prints_the_name_and_runs_nothing_of_it(name: str) -> None:
    text = to_latex(table_of(name))
    assert text.isascii()
    comments = [line for line in text.splitlines() if line.startswith("%")]
    code = [line for line in text.splitlines() if not line.startswith("%")]
    assert len(comments) <= 2
    assert text.splitlines()[: len(comments)] == comments
    assert code[0] == r"\begin{table}"
    assert not any(re.search(r"(?<!\\)%|\^\^", line) for line in code), "a comment hides the rest"
    known = set(re.findall(r"\\([A-Za-z@]+)", "\n".join(code)))
    assert known <= COMMANDS
    bare = re.sub(r"\\.", "", "\n".join(code))
    depth = 0
    for char in bare:
        depth += (char == "{") - (char == "}")
        assert depth >= 0
    assert depth == 0
    rows = [line for line in code if line.endswith(r"\\") and not line.startswith(r"\caption")]
    assert len({len(re.findall(r"(?<!\\)&", row)) for row in rows}) == 1, "columns"
    for row in rows:
        assert not row.lstrip().startswith(("[", "*")), "the rule above takes it for its option"
    first = rows[-3].removesuffix(r" \\").split(" & ")[0] if len(rows) > 2 else ""
    if visible(name).isascii() and first:
        assert tex_text(first) == visible(name)


@every_name
def test_a_message_is_one_line_that_can_be_printed(name: str) -> None:
    error = MbcostError(f"unknown {name}", place=name, way_out=f"not {name}")
    assert str(error).isprintable()
    assert str(error) == visible(f"{name}: unknown {name} (not {name})" if name else str(error))
