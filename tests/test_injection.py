"""Names from files, keys and modules show as they are and do nothing, in every format.

What is written is read back by readers that are not mbcost's: ``csv``, ``html.parser``, ``json``,
markdown-it (which rich brings), an XML parser, and a small reader of TeX.
"""

from __future__ import annotations

import csv
import html.parser
import io
import json
import os
import pty
import re
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from mbcost.blocks import BLOCKS
from mbcost.config import load_specs
from mbcost.config.write import spec_yaml
from mbcost.errors import MbcostError
from mbcost.export import FORMATS
from mbcost.export.csv import plain
from mbcost.export.html import to_html
from mbcost.export.latex import to_latex
from mbcost.network import Network
from mbcost.tables import Column, Record, Table
from mbcost.visible import visible
from tests.conftest import Cli

NASTY = (
    "\x1b]0;pwned\x07\x1b[31mred",
    "\x9b31mred\x85next",
    "one\ntwo",
    "one\rtwo",
    "one\r\n\\write18{touch pwned}\n% x",
    "\\write18{touch pwned}",
    "^^M\\input{/etc/passwd}",
    "a|b`c`*d*_e_[f](http://g)<script>alert(1)</script>&lt;i&gt;$x^2$",
    "| a | b |\n|---|---|",
    "- item",
    "1. item",
    "# head #",
    "=cmd|' /C calc'!A0",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "'=1",
    "＝1",
    "[2cm] x",
    "*[2cm] x",
    " [2cm] x",
    "--''-,,?`!`",
    "a" + chr(0x202E) + "evil" + chr(0x2066),
    "a\x00b\udc80c",
    "a b\xa0c",
    "é漢🙂",
    'q"u,o;te',
    "trailing\\",
)
HARMLESS = re.compile(r"[\n\x20-\x7e\xa1-\xac\xae-\U0010ffff]*")

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
    if 0 < len(visible(name)) < 60 and visible(name).strip():
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


@pytest.mark.parametrize("name", [n for n in NASTY if "\x00" not in n])
def test_a_block_of_any_name_is_written_as_yaml_that_reads_back(name: str, tmp_path: Path) -> None:
    source = tmp_path / "blocks.yaml"
    block = {"block": "conv", "c": 8}
    source.write_text(yaml.safe_dump({"input": [3, 32, 32], "blocks": {name: block}}), "utf-8")
    (spec,) = load_specs(source).values()
    again = tmp_path / "again.yaml"
    again.write_text(spec_yaml(spec, {}, f"the winner of {name}"), "utf-8")
    assert list(load_specs(again)) == [name]
    assert "conv" in BLOCKS


def test_a_network_of_nasty_names_is_written_as_yaml_that_reads_back(tmp_path: Path) -> None:
    for name in NASTY:
        if "\x00" in name:
            continue
        rows: list[dict[str, object]] = [
            {"block": "conv", "c": 8, "name": name},
            {"block": "conv", "c": 8, "name": f"{name} 2"},
            {"block": "add", "inputs": [name, f"{name} 2"]},
        ]
        source = tmp_path / "net.yaml"
        document = {"source": name, "input": [3, 8, 8], "width": "none", "rows": rows}
        source.write_text(yaml.safe_dump(document), "utf-8")
        (spec,) = load_specs(source).values()
        again = tmp_path / "again.yaml"
        again.write_text(spec_yaml(spec, {}, name), "utf-8")
        (written,) = load_specs(again).values()
        assert isinstance(written, Network)
        assert isinstance(spec, Network)
        assert [row.name for row in written.rows] == [row.name for row in spec.rows]
        assert written.source == spec.source


def nasty_set(directory: Path) -> Path:
    """Return a set of blocks whose file and keys have nasty names."""
    path = directory / "\x1b[31mred\r.yaml"
    block = {"block": "conv", "c": 8}
    names = [name for name in NASTY if "\x00" not in name]
    data = {"input": [3, 32, 32], "blocks": dict.fromkeys(names, block)}
    path.write_text(yaml.safe_dump(data), "utf-8")
    return path


@pytest.mark.parametrize("command", ["compare", "model", "list", "diff", "baseline", "check"])
@pytest.mark.parametrize("name", FORMATS)
def test_commands_print_what_can_be_printed(
    cli: Cli, tmp_path: Path, command: str, name: str
) -> None:
    path = str(nasty_set(tmp_path))
    member = f"{path}:{NASTY[0]}"
    args = {
        "compare": ["compare", path, "--fast"],
        "model": ["model", member, "--fast"],
        "list": ["list"],
        "diff": ["diff", member, f"{path}:{NASTY[2]}"],
        "baseline": ["baseline", path],
        "check": ["check", path, "--max-params", "1"],
    }[command]
    result = cli(*args, "--format", name)
    assert result.exit_code == (command == "check"), result.stderr
    for text in (result.stdout, result.stderr):
        assert text.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    "args",
    [
        ["compare", "\x1b[31mno"],
        ["compare", "no\rsuch.yaml"],
        ["compare", "v2@\x1b=3"],
        ["compare", "v2", "--fast", "--columns", "\x1b[31m"],
        ["compare", "v2", "--fast", "-o", "no\x1b/such/x.csv"],
        ["plot", "share", "v2", "-o", "x.\x1b[31m"],
        ["sweep", "v2", "--set", "rows.\x1b=3"],
        ["show", "\x1b[31m"],
        ["check", "\x1b[31m", "--max-params", "1"],
        ["diff", "\x1b.json", "v2"],
    ],
)
def test_what_is_refused_is_named_in_one_line(cli: Cli, args: list[str]) -> None:
    result = cli(*args)
    assert result.exit_code == 2
    assert result.stderr.rstrip("\n").isprintable(), result.stderr
    assert result.stderr.startswith("mbcost: ")


def test_a_terminal_is_sent_no_escape_of_a_name(tmp_path: Path) -> None:
    path = nasty_set(tmp_path)
    pid, terminal = pty.fork()
    if pid == 0:
        args = [sys.executable, "-m", "mbcost", "compare", str(path), "--fast"]
        os.environ["COLUMNS"] = "200"
        os.execv(sys.executable, args)
    sent = b""
    try:
        while piece := os.read(terminal, 65536):
            sent += piece
    except OSError:  # the other end is gone
        pass
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0, sent
    text = sent.decode()
    assert "pwned" in text
    for raw in ("\x1b]0;", "\x1b[31m", "\x9b", "\x85", chr(0x202E)):
        assert raw not in text


def test_figures_of_nasty_names_are_whole(cli: Cli, tmp_path: Path) -> None:
    blocks = {f"_{i}$x^{name}": {"block": "conv", "c": 8} for i, name in enumerate(NASTY[:8])}
    path = tmp_path / "set.yaml"
    path.write_text(yaml.safe_dump({"input": [3, 32, 32], "blocks": blocks}), "utf-8")
    drawn = tmp_path / "x.svg"
    result = cli("plot", "share", str(path), "-o", str(drawn))
    assert result.exit_code == 0, result.stderr
    assert ElementTree.fromstring(drawn.read_text("utf-8")).tag.endswith("svg")


def test_modules_of_nasty_names_are_listed_as_text(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text(
        "from torch import nn\n"
        "def f():\n"
        "    net = nn.Sequential()\n"
        "    net.add_module('\\x1b[31mred\\r|=1', nn.Conv2d(3, 8, 1))\n"
        "    return net\n",
        "utf-8",
    )
    for name in FORMATS:
        result = cli("model", f"{path}:f", "--fast", "--format", name)
        assert result.exit_code == 0, result.stderr
        assert result.stdout.replace("\n", "").isprintable()
        assert "red" in result.stdout
