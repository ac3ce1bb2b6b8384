"""A value given as nothing is what an unset shell variable makes: never taken for one left out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import mbcost
from mbcost.cli import app
from mbcost.cli.app import MAY_BE_EMPTY
from mbcost.errors import MbcostError
from tests.conftest import Cli


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield (words, command) of every command, those of ``plot`` too."""
    group: Any = typer.main.get_command(app)
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if hasattr(command, "commands"):
            for inner, each in command.commands.items():
                yield (name, inner), each
        else:
            yield (name,), command


COMMANDS = {" ".join(words): (words, command) for words, command in commands()}


def takes_text(parameter: Any) -> bool:
    return bool(parameter.type.name == "str")


def _required(command: Any, but: Any) -> list[str]:
    """Return the options that a command cannot do without, but for one of them."""
    options = [p for p in command.params if p.param_type_name == "option" and p.required]
    return [word for p in options if p is not but for word in (p.opts[0], "x")]


@pytest.mark.parametrize(
    ("name", "nothing"), [*((name, "") for name in COMMANDS), ("explain", "  ")]
)
def test_every_option_and_argument_refuses_nothing(cli: Cli, name: str, nothing: str) -> None:
    words, command = COMMANDS[name]
    texts = [p for p in command.params if takes_text(p) and p.name not in MAY_BE_EMPTY]
    arguments = [p for p in texts if p.param_type_name == "argument"]
    needed = ["x"] * sum(p.required for p in arguments)
    for parameter in texts:
        given = [*needed, *_required(command, but=parameter)]
        if parameter.param_type_name == "option":
            given += [parameter.opts[0], nothing]
        else:
            given[arguments.index(parameter) : arguments.index(parameter) + 1] = [nothing]
        result = cli(*words, *given)
        assert (result.exit_code, result.stdout) == (2, ""), (name, parameter.name)
        assert ": is empty (leave it out, or give it a value" in result.stderr
        if parameter.param_type_name == "option":
            assert f"mbcost: {parameter.opts[0]}: is empty" in result.stderr


def test_all_options_were_tried() -> None:
    tried = {p.opts[0] for _, command in COMMANDS.values() for p in command.params if takes_text(p)}
    assert {"--in", "--size", "--columns", "-o", "--budget", "--input", "--set", "--key"} <= tried
    assert len(COMMANDS) > 15


@pytest.mark.parametrize("target", ["v2@", "v2@,", "v2@alpha=0.5,", "v2@alpha=", "v2@=1", "v2@ "])
@pytest.mark.parametrize("command", ["compare", "model", "check", "baseline", "sweep", "search"])
def test_an_inline_setting_refuses_nothing(cli: Cli, command: str, target: str) -> None:
    result = cli(command, target)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is not a setting (like v2@alpha=0.5,size=160)" in result.stderr


@pytest.mark.parametrize("columns", ["params,", ",params", "params,,alpha"])
def test_a_list_of_columns_has_no_empty_item(cli: Cli, columns: str) -> None:
    result = cli("compare", "v2", "--fast", "--columns", columns)
    assert result.exit_code == 2
    assert f"--columns: {columns!r} has an empty item" in result.stderr


@pytest.mark.parametrize("values", [",", "0.5,", "0.5,,1"])
@pytest.mark.parametrize("words", [("sweep", "v2"), ("plot", "sweep", "v2", "--show-data")])
def test_a_list_of_values_has_no_empty_item(cli: Cli, words: tuple[str, ...], values: str) -> None:
    result = cli(*words, "--alpha", values)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"--alpha: {values!r} has an empty item" in result.stderr


def test_a_heat_map_takes_the_ranges_of_a_sweep(cli: Cli) -> None:
    words = ("plot", "sweep", "v2", "--show-data")
    ranges = cli(*words, "--alpha", "0.35:1.4:0.35", "--size", "96:160:64")
    lists = cli(*words, "--alpha", "0.35,0.7,1.05,1.4", "--size", "96,160")
    assert ranges.exit_code == 0
    assert ranges.stdout == lists.stdout
    assert ranges.stdout.count("\n") == 9
    wide = cli(*words, "--alpha", "0.1:1.4:0.001", "--size", "96:224")
    assert (wide.exit_code, wide.stdout) == (2, "")
    assert "cannot be told apart" in wide.stderr


def test_a_budget_of_an_empty_target_is_a_mistake(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "budgets.yaml"
    for target in ('""', '"v2@"'):
        path.write_text(f"budgets: {{{target}: {{max_params: 1M}}}}\n")
        assert cli("check", "--budget", str(path)).exit_code == 2
    path.write_text('baseline: ""\nbudgets: {v2: {max_params: 4M}}\n')
    assert cli("check", "--budget", str(path)).exit_code == 2


@pytest.mark.parametrize("setting", [{"alpha": ""}, {"size": ""}, {"in_": ""}, {"fold_bn": ""}])
def test_python_refuses_nothing_too(setting: dict[str, Any]) -> None:
    with pytest.raises(MbcostError):
        mbcost.count("v2", **setting)
    with pytest.raises(MbcostError):
        mbcost.compare("v2", **setting)


@pytest.mark.parametrize("no", ["false", False, "no", 0, "0"])
def test_fold_bn_is_read_as_every_setting_is(no: Any) -> None:
    assert len(mbcost.compare("v2", fold_bn=no).records()) == 1
    assert mbcost.count("v2", fold_bn=no).params == mbcost.count("v2").params


@pytest.mark.parametrize("yes", ["true", True, "yes", 1, "1"])
def test_fold_bn_given_in_words_folds(yes: Any) -> None:
    records = mbcost.compare("v2", fold_bn=yes).records()
    assert [record["target"] for record in records] == ["v2", "v2@fold_bn=true"]
    assert records[1]["params"] == mbcost.count("v2", fold_bn=yes).params


def test_fold_bn_that_is_neither_is_a_mistake() -> None:
    with pytest.raises(MbcostError, match="fold_bn"):
        mbcost.compare("v2", fold_bn="perhaps")


def test_what_is_not_empty_is_read_as_before(cli: Cli) -> None:
    args = ("compare", "standard", "--in", "8", "--out", "16", "--size", "8", "--fast")
    assert json.loads(cli(*args, "--format", "json").stdout)[0]["input"] == [8, 8, 8]
