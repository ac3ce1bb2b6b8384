"""Whatever stdout and stderr are connected to: the verdict stands, and nothing traces back."""

from __future__ import annotations

import codecs
import io
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from mbcost.cli.app import COMMANDS
from mbcost.cli.streams import ASCII, PLAINER, SUPERSCRIPTS, Descriptor, plainer
from tests import ROOT
from tests.output.test_console import on_a_terminal, plain

MBCOST = (sys.executable, "-m", "mbcost")
FULL = Path("/dev/full")

NETWORK = str(Path(tempfile.mkdtemp()) / "net.onnx")
PAGE = str(Path(tempfile.mkdtemp()) / "page.html")

PAPER = Path(tempfile.mkdtemp()) / "paper.yaml"
PAPER.write_text("tables: [{command: compare, fast: true, output: a.md}]")

TRAINED = Path(tempfile.mkdtemp())
TRAIN = (
    *("train", "v1-cifar10@alpha=0.1", "--data", "digits", "--run", str(TRAINED / "run")),
    *("--images", "64", "--epochs", "1"),
)


@pytest.fixture(autouse=True, scope="module")
def trained() -> None:
    """A training and an image, for the commands that read them."""
    from PIL import Image

    run(*TRAIN)
    Image.new("L", (32, 32), 90).save(TRAINED / "six.png")


EXAMPLES: dict[str, tuple[str, ...]] = {
    "compare": ("compare", "--fast"),
    "model": ("model", "v2", "--fast"),
    "memory": ("memory", "v2"),
    "roof": ("roof", "v2", "--device", "h100-sxm"),
    "deploy": ("deploy", "standard", "--size", "8", "-o", NETWORK),
    "latency": ("latency", "standard", "--size", "8", "--rounds", "1"),
    "train": (*TRAIN, "--resume"),
    "predict": ("predict", str(TRAINED / "run"), str(TRAINED / "six.png")),
    "explain": ("explain", "standard"),
    "reconcile": ("reconcile", "standard", "--size", "8", "--counter", "torch"),
    "sweep": ("sweep", "v2", "--alpha", "0.5,1", "--verify", "0", "--format", "csv"),
    "search": ("search", "v2", "--max-params", "3M", "--verify", "0"),
    "check": ("check", "v2", "--max-params", "4M"),
    "baseline": ("baseline", "standard"),
    "diff": ("diff", "v1", "v2"),
    "paper": ("paper", "v1", "--table", "1"),
    "plot": ("plot", "share", "v2", "--show-data"),
    "report": ("report", "standard", "--fast", "-o", PAGE),
    "table": ("table", str(PAPER)),
    "list": ("list",),
    "show": ("show", "v2"),
    "schema": ("schema",),
    "completion": ("completion", "zsh"),
    "help": ("--help",),
    "help of a command": ("compare", "--help"),
    "version": ("--version",),
}
CHECK_THAT_FAILS = ("check", "v2", "--max-params", "1")
UNBUFFERED = {"PYTHONUNBUFFERED": "1"}


def run(
    *args: str, stdout: Any = subprocess.PIPE, env: dict[str, str] | None = None, **how: Any
) -> subprocess.CompletedProcess[bytes]:
    how.setdefault("stderr", subprocess.PIPE)
    return subprocess.run(
        [*MBCOST, *args], stdout=stdout, env={**os.environ, **(env or {})}, check=False, **how
    )


def run_with_nobody_reading(*args: str, **how: Any) -> subprocess.CompletedProcess[bytes]:
    read, write = os.pipe()
    os.close(read)
    try:
        return run(*args, stdout=write, **how)
    finally:
        os.close(write)


def test_every_command_has_an_example_here() -> None:
    assert set(COMMANDS) <= set(EXAMPLES)


IMPORT_TORCH = ("reconcile", "deploy", "latency", "train", "predict")
SILENT = ("report", "table")
"""What prints nothing on stdout, which a full one cannot stop."""
QUICK = [example for example in EXAMPLES if example not in (*IMPORT_TORCH, *SILENT)]


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_reader_that_left_changes_nothing(example: str) -> None:
    process = run_with_nobody_reading(*EXAMPLES[example], env=UNBUFFERED)
    assert process.returncode == 0
    assert b"Traceback" not in process.stderr
    assert b"stdout" not in process.stderr


@pytest.mark.parametrize("env", [{}, UNBUFFERED], ids=["buffered", "unbuffered"])
def test_a_failed_check_exits_with_one_though_nobody_reads(env: dict[str, str]) -> None:
    process = run_with_nobody_reading(*CHECK_THAT_FAILS, env=env)
    assert process.returncode == 1
    assert b"over budget" in process.stderr
    assert run_with_nobody_reading("check", "nix", env=env).returncode == 2


def test_a_failed_check_exits_with_one_though_nobody_reads_stderr_either() -> None:
    read, write = os.pipe()
    os.close(read)
    process = run(*CHECK_THAT_FAILS, stdout=write, stderr=write, env=UNBUFFERED)
    os.close(write)
    assert process.returncode == 1


def test_a_failed_check_larger_than_a_pipe_exits_with_one(tmp_path: Path) -> None:
    budgets = tmp_path / "budgets.yaml"
    lines = [f"  v2@alpha={1 + i / 1000}: {{max_params: 1}}" for i in range(400)]
    budgets.write_text("\n".join(["budgets:", *lines]))
    command = [*MBCOST, "check", "--budget", str(budgets)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read().startswith(b"mbcost: over budget")
        assert process.wait() == 1


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("example", QUICK)
def test_a_full_stdout_is_one_message_and_exit_two(example: str) -> None:
    with FULL.open("wb") as full:
        process = run(*EXAMPLES[example], stdout=full)
    assert process.returncode == 2
    message = process.stderr.decode()
    assert "mbcost: stdout: cannot be written: No space left on device (-o FILE" in message
    assert "Traceback" not in message


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here")
def test_a_full_stdout_loses_neither_the_verdict_nor_the_files(tmp_path: Path) -> None:
    path = tmp_path / "check.json"
    with FULL.open("wb") as full:
        process = run(*CHECK_THAT_FAILS, "-o", str(path), "-o", "-", stdout=full, env=UNBUFFERED)
    assert process.returncode == 2
    assert b"over budget" in process.stderr
    assert b"No space left" in process.stderr
    assert json.loads(path.read_text())["passed"] is False


@pytest.mark.parametrize("example", ["compare", "show", "sweep", "help", "version"])
def test_a_closed_stdout_is_one_message_and_exit_two(example: str) -> None:
    process = run(*EXAMPLES[example], stdout=None, preexec_fn=lambda: os.close(1))
    assert process.returncode == 2
    assert b"mbcost: stdout: is closed" in process.stderr
    assert b"Traceback" not in process.stderr


def test_a_closed_stdout_that_is_not_written_to_is_fine(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"

    def close_all() -> None:
        for descriptor in range(3):
            os.close(descriptor)

    how: dict[str, Any] = {"stdout": None, "stderr": None, "preexec_fn": close_all}
    assert run("compare", "--fast", "-o", str(path), **how).returncode == 0
    assert path.read_text().startswith("name,target,")  # nothing else was written into it
    assert run(*CHECK_THAT_FAILS, "-o", str(path), **how).returncode == 1
    assert run("compare", "nix", **how).returncode == 2


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here")
def test_a_full_stderr_does_not_change_the_exit_code() -> None:
    with FULL.open("wb") as full:
        assert run(*CHECK_THAT_FAILS, stderr=full).returncode == 1
        assert run("compare", "nix", stderr=full).returncode == 2


@pytest.mark.parametrize("example", QUICK)
def test_an_encoding_that_lacks_letters_gets_others(example: str) -> None:
    # click writes help and the version in UTF-8 where the encoding is ASCII
    encoding = "latin-1" if example in ("help", "help of a command", "version") else "ascii"
    process = run(*EXAMPLES[example], env={"PYTHONIOENCODING": encoding})
    assert process.returncode == 0
    assert b"Traceback" not in process.stderr
    text = process.stdout.decode(encoding)
    assert len(text) > 50
    if example == "schema":
        json.loads(text)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "ascii"])
def test_a_table_in_another_encoding_keeps_its_columns(encoding: str) -> None:
    args = ("compare", "--fast", "--columns", "target,input,params_ratio,mult_adds")
    table = run(*args, env={"PYTHONIOENCODING": encoding}).stdout.decode(encoding)
    lines = table.splitlines()
    rule = next(line for line in lines if set(line) == {"-"})
    rows = lines[lines.index(rule) + 1 :][:3]
    assert {len(row) for row in rows} == {len(rule)}
    assert "64x224x224" in rows[0].replace("×", "x")
    assert "8.1x fewer" in rows[1].replace("×", "x")
    process = run(*CHECK_THAT_FAILS, env={"PYTHONIOENCODING": encoding})
    assert process.returncode == 1


def test_without_a_locale_a_table_is_ascii() -> None:
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
    process = run("compare", "--fast", env=env)
    assert process.returncode == 0
    assert "8.4x fewer" in process.stdout.decode("ascii")


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_terminal_without_unicode_gets_a_table_too(tmp_path: Path, encoding: str) -> None:
    args = ["model", "v2", "--fast", "--by", "kind"]
    text = "".join(on_a_terminal(args, tmp_path, encoding=encoding))
    assert "89.1% ########" in plain(text)
    assert "?" not in plain(text)


def test_json_in_ascii_is_the_same_json(tmp_path: Path) -> None:
    name = tmp_path / "größe×2 𝛼.yaml"
    name.write_text((ROOT / "configs/networks/v2.yaml").read_text("utf-8"), "utf-8")
    args = ("compare", str(name), "--fast", "--format", "json")
    found = [run(*args, env={"PYTHONIOENCODING": e}).stdout.decode(e) for e in ("utf-8", "ascii")]
    assert found[0] != found[1]
    assert json.loads(found[0]) == json.loads(found[1])
    assert json.loads(found[1])[0]["target"] == str(name)


def test_a_name_that_is_no_unicode_is_written_nevertheless(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff.yaml"
    Path(os.fsdecode(path)).write_text((ROOT / "configs/networks/v2.yaml").read_text("utf-8"))
    process = run("compare", os.fsdecode(path), "--fast")
    assert process.returncode == 0
    assert rb"\udcff.yaml" in process.stdout
    assert b"Traceback" not in process.stderr


def in_ascii(text: str, encoding: str = "ascii") -> str:
    codecs.register_error(PLAINER, plainer)
    return text.encode(encoding, PLAINER).decode(encoding)


def test_a_power_stays_a_power() -> None:
    assert in_ascii("10⁶ bytes, 3²·512, 2⁶³ − 1, 1/k²") == "10^6 bytes, 3^2*512, 2^63 - 1, 1/k^2"
    assert in_ascii("2⁶³, 10⁻⁶", "latin-1") == "2^63, 10^-6"


def test_letters_lose_accents_and_what_would_mean_something_else_is_a_question_mark() -> None:
    assert in_ascii("größe café ½ 日") == "gro?e cafe ? ?"


def test_every_letter_that_mbcost_writes_has_one_in_ascii() -> None:
    sources = [*ROOT.glob("mbcost/**/*.py"), *ROOT.glob("configs/**/*.yaml")]
    written = {letter for path in sources for letter in path.read_text("utf-8")}
    special = {letter for letter in written if not letter.isascii()} - set("＝＋－＠")  # read only
    assert len(special) > 20
    assert special <= {*ASCII, *SUPERSCRIPTS}
    assert all(value.isascii() for value in (*ASCII.values(), *SUPERSCRIPTS.values()))


def test_a_pipe_that_another_process_made_non_blocking_gets_everything() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    command = [*MBCOST, "schema"]
    with subprocess.Popen(command, stdout=write, stderr=subprocess.PIPE) as process:
        os.close(write)
        with open(read, "rb") as pipe:
            text = pipe.read()
        assert process.wait() == 0
    json.loads(text)


def test_a_descriptor_writes_all_of_it_through_a_small_pipe() -> None:
    import threading

    read, write = os.pipe()
    got = io.BytesIO()

    def drain() -> None:
        while part := os.read(read, 1000):
            got.write(part)

    reader = threading.Thread(target=drain)
    reader.start()
    data = bytes(range(256)) * 2000
    with Descriptor(write, "w") as raw:
        assert raw.write(data) == len(data)
        assert raw.failure is None
    reader.join()
    os.close(read)
    assert got.getvalue() == data


ENVIRONMENT = {
    "backend": ({"MPLBACKEND": "nope"}, "MPLBACKEND: matplotlib cannot start: Key backend: 'nope'"),
    "date": ({"SOURCE_DATE_EPOCH": "abc"}, "SOURCE_DATE_EPOCH: 'abc' is not a time in seconds"),
    "far date": ({"SOURCE_DATE_EPOCH": "9" * 30}, "is not a time in seconds (unset it)"),
}


@pytest.mark.parametrize("case", ENVIRONMENT)
def test_a_figure_in_a_strange_environment_is_a_message(tmp_path: Path, case: str) -> None:
    pytest.importorskip("matplotlib")
    env, message = ENVIRONMENT[case]
    path = tmp_path / "share.pdf"
    process = run("plot", "share", "v2", "-o", str(path), env=env)
    assert process.returncode == 2
    assert message in process.stderr.decode()
    assert len(process.stderr.splitlines()) == 1
    assert not path.exists()


TWO_UNITS = ("--alpha", "0.5:1:0.01", "--size", "96:1500:1", "--verify", "0")


def test_workers_without_descriptors_to_open_are_a_message(tmp_path: Path) -> None:
    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))

    output = ("-o", str(tmp_path / "grid.csv"))
    process = run("sweep", "v2", *TWO_UNITS, "--workers", "2", *output, preexec_fn=few)
    assert process.returncode == 2
    assert b"Too many open files (allow more: ulimit -n 1024)" in process.stderr
    assert b"Traceback" not in process.stderr


@pytest.mark.parametrize(
    "args",
    [
        ("sweep", "v2", *TWO_UNITS, "--workers", "2", "--format", "csv"),
        ("compare", "standard", "--size", "8"),
        ("model", "torchvision:resnet18", "--size", "32", "--fast"),
    ],
    ids=["workers", "counters", "a trace"],
)
def test_a_deleted_working_directory_is_a_message(tmp_path: Path, args: tuple[str, ...]) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    command = f"cd {gone} && rmdir {gone} && exec {sys.executable} -m mbcost {' '.join(args)}"
    process = subprocess.run(
        ["/bin/sh", "-c", command],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert process.returncode == 2
    messages = process.stderr.decode()
    assert re.fullmatch(r"(mbcost: .*\n)+", messages)
    assert "the working directory was deleted (cd to one that exists)" in messages
