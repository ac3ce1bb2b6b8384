"""What a line can go on with, by the function that says so and by shells that really run."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import typer

from mbcost.cli import app
from mbcost.cli.app import COMMANDS
from mbcost.cli.candidates import candidates
from mbcost.cli.completion import SHELLS
from mbcost.networks.yaml import builtin, builtins
from mbcost.output.formats import FORMATS
from mbcost.studies.compare.records import RECORD_KEYS
from mbcost.targets.names import TORCHVISION
from tests import ROOT
from tests.conftest import Cli

REQUIRED = "MBCOST_REQUIRE_SHELLS" in os.environ


def of(line: str) -> list[str]:
    """Return the candidates for the end of ``line``, without the word itself where it is whole."""
    return [each.text for each in candidates(typer.main.get_command(app), line.split(" "))]


def test_commands_are_those_of_the_help() -> None:
    assert of("") == list(COMMANDS)
    assert of("co") == ["compare", "completion"]
    assert set(of("plot ")) >= {"accuracy", "share", "layers", "memory", "roofline", "sweep"}
    assert of("nix ") == []


def test_every_option_of_every_command_is_completed_and_no_other() -> None:
    root: Any = typer.main.get_command(app)
    for name in COMMANDS:
        command = root.get_command(None, name)
        inner = [f"{name} {each}" for each in getattr(command, "commands", {})] or [name]
        for line in inner:
            one = command.commands[line.split()[-1]] if " " in line else command
            options = {o for p in one.params for o in p.opts if o.startswith("--")}
            assert set(of(f"{line} --")) >= options
            assert {each for each in of(f"{line} --") if each not in options} <= (
                {"--help"} | {o for p in one.params for o in p.secondary_opts}
            )
    assert of("compare --fo") == ["--format", "--font", "--fold-bn"]


def test_targets_are_the_built_in_ones_and_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("mine.yaml", "net.py", "table.csv", ".hidden.yaml"):
        (tmp_path / name).write_text("")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "inner.yml").write_text("")
    expected = [*builtins(), "torchvision:", "timm:", "mine.yaml", "more/", "net.py"]
    assert of("compare ") == expected
    assert of("compare v1 v2 mi") == ["mine.yaml"]
    assert of("compare more/") == ["more/inner.yml"]
    assert of("compare .h") == [".hidden.yaml"]
    assert of("compare torchvision:resnet15") == ["torchvision:resnet152"]
    assert of("compare torchvision:") == [f"torchvision:{each}" for each in TORCHVISION]
    assert of("sweep ofa") == ["ofa-mobilenetv3"]
    assert of("compare ofa") == []
    assert of("compare no/such/") == []
    assert of("compare -o ") == ["mine.yaml", "more/", "net.py", "table.csv"]
    assert of("model v2 v") == [], "one target is all that model takes"


def test_settings_behind_an_at_are_those_the_target_takes() -> None:
    assert of("compare v2@") == [f"v2@{key}=" for key in builtin("v2").accepts]
    assert of("compare MobileNetV2@al") == ["MobileNetV2@alpha="]
    assert of("compare v2@alpha=0.5,al") == []
    assert of("compare v2@alpha=0.5,si") == ["v2@alpha=0.5,size="]
    published = {row.alpha for row in builtin("v2").published}  # type: ignore[union-attr]  # a network
    assert {float(each.partition("=")[2]) for each in of("compare v2@alpha=")} == published
    assert "v2@size=192" in of("compare v2@size=")
    assert of("compare v3-large@reduced_tail=") == [
        "v3-large@reduced_tail=true",
        "v3-large@reduced_tail=false",
    ]
    assert "mine.yaml@kernel=" in of("compare mine.yaml@")


def test_values_of_options() -> None:
    assert of("compare --format ") == list(FORMATS)
    assert of("check --format ") == [*FORMATS, "github", "junit"]
    assert of("diff --format ") == [*FORMATS, "github"]
    assert of("compare --format=ma") == ["--format=markdown"]
    assert set(of("compare --columns ")) > set(RECORD_KEYS)
    assert of("compare --columns params,mult_adds_r") == ["params,mult_adds_ratio"]
    assert "params,params" not in of("compare --columns params,p")
    assert of("compare --sort -mult_adds_r") == ["-mult_adds_ratio"]
    assert of("memory v2 --fuse ") == ["none", "tflite", "all"]
    assert of("latency v2 --runtime onnx,l") == ["onnx,litert"]
    assert of("latency v2 --rounds ") == ["auto"]
    assert of("latency v2 --dtype fp32,i") == ["fp32,int8"]
    assert of("roof v2 --device h") == ["h100-sxm"]
    assert of("compare v2 --prefix ") == ["k", "M", "G"]
    assert of("compare v2 --act relu") == ["relu", "relu6"]
    assert of("compare v2 --alpha ") == []
    assert of("train v2 --data fas") == ["fashion-mnist:"]
    assert of("reconcile v2 --counter torchi") == ["torchinfo"]
    assert of("search v2 --accuracy ") == ["predicted"]
    assert of("list sp") == ["spaces"]
    assert of("show h") == ["h100-sxm"]
    assert of("paper ") == ["v1", "v2", "v3"]
    assert of("completion ") == list(SHELLS)
    assert of("compare -- --fa") == []


def test_every_option_with_a_list_of_words_offers_these() -> None:
    root: Any = typer.main.get_command(app)
    seen = 0
    for name in COMMANDS:
        for parameter in getattr(root.get_command(None, name), "params", ()):
            metavar = parameter.metavar or ""
            if parameter.param_type_name == "option" and metavar.replace("|", "").islower():
                seen += "|" in metavar
                if "|" in metavar:
                    assert of(f"{name} {parameter.opts[0]} ") == metavar.split("|")
    assert seen > 10


def test_an_unknown_shell_is_one_message(cli: Cli) -> None:
    result = cli("completion", "csh")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "SHELL: there is no script for 'csh' (one of: bash, zsh, fish)" in result.stderr


def test_help_of_a_candidate_stands_behind_a_tab_but_for_bash(cli: Cli) -> None:
    assert cli("completion", "fish", "--", "show", "h1").stdout == "h100-sxm\tdevice\n"
    assert cli("completion", "bash", "--", "show", "h1").stdout == "h100-sxm\n"
    assert cli("completion", "zsh", "--", "paper", "").stdout == "v1\nv2\nv3\n"


def test_completing_imports_neither_torch_nor_numpy() -> None:
    from tests.test_imports import mbcost as command
    from tests.test_imports import modules_after

    for line in ("c", "compare v", "compare v2@al", "compare --columns p"):
        assert modules_after(command("completion", "bash", "--", *line.split(" "))) <= {"numpy"}


# what shells do: typed, and how the line then reads
TYPED = {
    "mbcost rec": "mbcost reconcile ",
    "mbcost compare mobilenetv4-conv-s": "mbcost compare mobilenetv4-conv-small ",
    "mbcost compare v1 v2@al": "mbcost compare v1 v2@alpha=",
    "mbcost compare v2@alpha=0.7": "mbcost compare v2@alpha=0.75 ",
    "mbcost compare torchvision:resnet15": "mbcost compare torchvision:resnet152 ",
    "mbcost model v2 --columns params,flop": "mbcost model v2 --columns params,flops ",
    "mbcost deploy v2 -o my\\ n": "mbcost deploy v2 -o my\\ net.onnx ",
}


@pytest.fixture
def shell_env(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which ``mbcost`` is this one, and nobody's settings are read."""
    command = tmp_path / "bin" / "mbcost"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m mbcost "$@"\n')
    command.chmod(0o755)
    (tmp_path / "my net.onnx").write_text("")
    path = f"{command.parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "HOME": str(tmp_path), "TERM": "dumb", "PS1": "> ",
            "PYTHONPATH": str(ROOT)}  # fmt: skip


class Terminal:
    """A shell in a terminal of its own, typed to as a person does."""

    def __init__(self, argv: list[str], env: dict[str, str], cwd: Path) -> None:
        self.seen = ""
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.chdir(cwd)
            os.execvpe(argv[0], argv, env)

    def type(self, text: str, until: str) -> bool:
        """Type, and return whether ``until`` comes to be seen."""
        self.seen = ""
        os.write(self.fd, text.encode())
        end = time.monotonic() + 20
        while time.monotonic() < end and until not in self.line:
            if select.select([self.fd], [], [], 0.1)[0]:
                self.seen += os.read(self.fd, 65536).decode(errors="replace")
        return until in self.line

    @property
    def line(self) -> str:
        """What is seen, each backspace and bell done."""
        found = ""
        for letter in self.seen.replace("\x07", ""):
            found = found[:-1] if letter == "\b" else found + letter
        return found

    def close(self) -> None:
        """End the shell."""
        os.close(self.fd)
        os.waitpid(self.pid, 0)


INTERACTIVE = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], 'eval "$(mbcost completion bash)"'),
    "zsh": (
        ["zsh", "-f", "-i"],
        'autoload -Uz compinit; compinit -u -D; eval "$(mbcost completion zsh)"',
    ),
}


@pytest.mark.parametrize("shell", INTERACTIVE)
def test_a_tab_in_a_real_shell_ends_the_word(
    shell: str, shell_env: dict[str, str], tmp_path: Path
) -> None:
    if not shutil.which(shell) and not REQUIRED:
        pytest.skip(f"{shell} is not installed")
    argv, setup = INTERACTIVE[shell]
    terminal = Terminal(argv, shell_env, tmp_path)
    try:
        assert terminal.type(f"{setup}; echo ready${{x}}y\n", "readyy"), terminal.seen
        for typed, expected in TYPED.items():
            assert terminal.type(f"{typed}\t", expected), (typed, terminal.seen)
            assert terminal.type("\x15echo d${x}one\n", "done"), terminal.seen
    finally:
        terminal.close()


def test_fish_completes_the_same(shell_env: dict[str, str], tmp_path: Path) -> None:
    if not shutil.which("fish") and not REQUIRED:
        pytest.skip("fish is not installed")
    script = "mbcost completion fish | source; for line in $argv; complete -C $line; end"
    lines = [line for line in TYPED if "\\" not in line]
    found = subprocess.run(
        ["fish", "--no-config", "-c", script, *lines],
        cwd=tmp_path,
        env=shell_env,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    words = [line.partition("\t")[0] for line in found]
    assert words == [
        TYPED[line].split(" ")[-2 if TYPED[line].endswith(" ") else -1] for line in lines
    ]
