"""Sizes that a reader can hold: functions, their arguments and branches, files; and no ignore
without its code.

Lines are those that hold anything; a function's docstring is not its code. A ``match`` that ends in
``assert_never`` is one branch, since mypy knows its cases; an open one is as many as it has.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import ROOT

LINES, ARGUMENTS, BRANCHES, FILE_LINES = 60, 10, 15, 320

BARE_IGNORE = re.compile(r"#\s*(type:\s*ignore(?!\[)|noqa(?!:))")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def too_large(path: Path) -> Iterator[str]:
    """Yield what is too large in a file of ours, or hides what it ignores, a sentence each."""
    text = path.read_text("utf-8")
    lines = text.splitlines()
    for i, line in enumerate(lines, 1):
        if BARE_IGNORE.search(line):
            yield f"{path.name}:{i} ignores without a code"
    if path.is_relative_to(ROOT / "tests"):
        return  # a test's table of cases may be long
    if (n := filled(lines)) > FILE_LINES:
        yield f"{path.name} has {n} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, Function):
            yield from too_large_function(node, lines)


def too_large_function(node: Function, lines: list[str]) -> Iterator[str]:
    """Yield what a function has too many of."""
    docstring = ast.get_docstring(node, clean=False) or ""
    own = filled(lines[node.lineno - 1 : node.end_lineno]) - filled(docstring.splitlines())
    if own > LINES:
        yield f"{node.name} has {own} lines"
    given = node.args
    n = len([*given.posonlyargs, *given.args, *given.kwonlyargs])
    if n > ARGUMENTS:
        yield f"{node.name} has {n} arguments"
    if (found := sum(map(branches, ast.walk(node)))) > BRANCHES:
        yield f"{node.name} has {found} branches"


def branches(node: ast.AST) -> int:
    """Return in how many ways a statement goes on, beside straight on."""
    match node:
        case ast.If() | ast.For() | ast.AsyncFor() | ast.While() | ast.ExceptHandler():
            return 1
        case ast.Match():
            closed = "assert_never" in ast.unparse(node.cases[-1])
            return 1 if closed else len(node.cases)
        case _:
            return 0


def filled(lines: list[str]) -> int:
    """Return how many lines hold anything."""
    return sum(bool(line.strip()) for line in lines)


def test_everything_is_of_a_size_that_a_reader_can_hold() -> None:
    files = [*(ROOT / "mbcost").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    assert len(files) > 100
    assert [fault for path in files for fault in too_large(path)] == []


def body(line: str, times: int) -> str:
    return "".join(f"    {line.format(i)}\n" for i in range(times))


PLANTED = {
    "long": ("def f():\n" + body("x = 1", 60), ["f has 61 lines"]),
    "long enough": ('def f():\n    """Says\n    much."""\n\n' + body("x = 1", 59), []),
    "arguments": (
        "async def f(a, b, c, d, e, /, f, g, *h, i, j, k, l, **m): ...",
        ["f has 11 arguments"],
    ),
    "branches": ("def f(x):\n" + body("if x: x = {}", 16), ["f has 16 branches"]),
    "open match": (
        "def f(x):\n    match x:\n" + body("    case {}: return", 16),
        ["f has 16 branches"],
    ),
    "closed match": (
        "def f(x):\n    match x:\n" + body("    case {}: return", 16) + "        case _:\n"
        "            assert_never(x)\n",
        [],
    ),
    "file": ("x = 1\n\n" * 321, ["planted.py has 321 lines"]),
    "ignores": (
        "import a  # "
        "type: ignore\nimport b  # "
        "noqa\nimport c  # noqa: E501\n"
        "import d  # type: ignore[x] - why\n",
        ["planted.py:1 ignores without a code", "planted.py:2 ignores without a code"],
    ),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_size_that_is_too_large_is_found(planted: str, tmp_path: Path) -> None:
    text, expected = PLANTED[planted]
    path = tmp_path / "planted.py"
    path.write_text(text, "utf-8")
    assert list(too_large(path)) == expected
