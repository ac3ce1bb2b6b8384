"""A command with groups of options is what Typer would have had with each option written out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from mbcost.cli.app import App
from mbcost.cli.groups import Group


@dataclass(frozen=True)
class Point:
    x: Annotated[int, typer.Option("--x", help="Across.")] = 1
    y: Annotated[int, typer.Option("--why", help="Up.")] = 2


def doubled(times: Annotated[int, typer.Option("--times", help="How often.")] = 2) -> str:
    return "ab" * times


def named(**given: Any) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


Thrice = Annotated[str, Group(partial(doubled, times=3))]
NAMED = {name: (Annotated[str | None, typer.Option(f"--{name}")], None) for name in ("one", "two")}


def run(command: Any, *args: str) -> Any:
    app = App(add_completion=False, rich_markup_mode=None)
    app.command()(command)
    return CliRunner().invoke(app, args)


def grouped(
    *,
    point: Point,
    rest: str = "r",
    text: Annotated[str, Group(doubled)],
    more: Annotated[dict[str, Any], Group(named, NAMED)],
) -> None:
    """Do it."""
    print(point, rest, text, more)


def spelt_out(
    *,
    x: Annotated[int, typer.Option("--x", help="Across.")] = 1,
    y: Annotated[int, typer.Option("--why", help="Up.")] = 2,
    rest: str = "r",
    times: Annotated[int, typer.Option("--times", help="How often.")] = 2,
    one: Annotated[str | None, typer.Option("--one")] = None,
    two: Annotated[str | None, typer.Option("--two")] = None,
) -> None:
    """Do it."""


def test_the_help_is_that_of_the_options_written_out() -> None:
    shown = [run(command, "--help").output for command in (grouped, spelt_out)]
    assert shown[0].replace("grouped", "") == shown[1].replace("spelt-out", "")
    assert "Up.  [default: 2]" in shown[0]


def test_a_command_gets_the_objects() -> None:
    assert run(grouped).output == "Point(x=1, y=2) r abab {}\n"
    found = run(grouped, "--why", "5", "--rest", "s", "--times", "1", "--two", "2")
    assert found.output == "Point(x=1, y=5) s ab {'two': '2'}\n"


def test_a_group_may_have_another_default() -> None:
    def command(*, text: Thrice) -> None:
        print(text)

    assert run(command).output == "ababab\n"
    assert run(command, "--times", "1").output == "ab\n"


def test_an_option_that_would_stand_twice_is_refused() -> None:
    def command(*, x: int = 1, point: Point) -> None: ...

    with pytest.raises(AssertionError, match="twice"):
        run(command)


def test_the_command_itself_stays_a_function() -> None:
    app = App()
    assert app.command()(grouped) is grouped
