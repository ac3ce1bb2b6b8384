"""``mbcost plot`` and ``mbcost compare --plot``: files, data, messages, exit codes."""

from __future__ import annotations

import csv
import io
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

import mbcost
from mbcost.output.plots import FIGURE_SUFFIXES
from tests import ROOT
from tests.conftest import Cli

MAGIC = {".png": b"\x89PNG\r\n", ".svg": b"<?xml ", ".pdf": b"%PDF-1."}
COMMANDS = {
    "accuracy": ("plot", "accuracy", "v1", "v2"),
    "share": ("plot", "share", "v1", "--by", "kind"),
    "layers": ("plot", "layers", "v1", "--alpha", "0.25"),
    "roofline": ("plot", "roofline", "v1", "v2", "--device", "raspberry-pi-5"),
    "sweep": ("plot", "sweep", "v1", "--alpha", "0.5,1", "--size", "128,224"),
}
GRID = "name,target,alpha,size,params,mult_adds\n"


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("suffix", FIGURE_SUFFIXES)
def test_the_suffix_decides_the_format(cli: Cli, suffix: str) -> None:
    result = cli(*COMMANDS["sweep"], "-o", f"figure{suffix}")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"wrote figure{suffix}\n"
    assert Path(f"figure{suffix}").read_bytes().startswith(MAGIC[suffix])
    assert os.listdir() == [f"figure{suffix}"]


@pytest.mark.parametrize("name", COMMANDS)
def test_show_data_prints_the_values_that_o_writes(cli: Cli, name: str) -> None:
    shown = cli(*COMMANDS[name], "--show-data")
    assert (shown.exit_code, shown.stderr) == (0, "")
    written = cli(*COMMANDS[name], "-o", "values.csv")
    assert (written.exit_code, written.stdout) == (0, "")
    assert Path("values.csv").read_text("utf-8") == shown.stdout
    assert len(rows_of(shown.stdout)) > 1


def test_values_and_figure_come_together(cli: Cli) -> None:
    result = cli(*COMMANDS["layers"], "-o", "a.svg", "-o", "a.json", "--show-data")
    assert result.exit_code == 0
    assert sorted(os.listdir()) == ["a.json", "a.svg"]


def test_shares_are_those_of_the_report(cli: Cli) -> None:
    rows = rows_of(cli("plot", "share", "v2", "--alpha", "0.5", "--show-data").stdout)
    report = mbcost.count("v2", alpha=0.5)
    assert {r["kind"]: int(r["params"]) for r in rows} == report.by_kind("params") | {
        kind: 0 for kind in report.by_kind("mult_adds") if kind not in report.by_kind("params")
    }
    assert [float(r["mult_adds_share"]) for r in rows] == [
        int(r["mult_adds"]) / report.mult_adds for r in rows
    ]


def test_a_sweep_of_a_network_is_the_heat_map_of_its_csv(cli: Cli) -> None:
    direct = cli(*COMMANDS["sweep"], "-o", "direct.svg", "-o", "values.csv")
    again = cli("plot", "sweep", "values.csv", "-o", "again.svg")
    assert (direct.exit_code, again.exit_code) == (0, 0)
    assert Path("direct.svg").read_bytes() == Path("again.svg").read_bytes()


def test_a_heat_map_takes_any_columns_of_a_csv_and_some_of_its_rows(cli: Cli) -> None:
    Path("grid.csv").write_text(
        "name,kernel,width,latency_s\na,3,thin,0.5\na,5,thin,0.75\na,3,wide,1.5\nb,3,thin,9\n"
    )
    result = cli(
        *("plot", "sweep", "grid.csv", "--x", "kernel", "--y", "width", "--key", "latency-s"),
        *("--only", "name=a", "--show-data"),
    )
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "width,kernel,latency_s\nthin,3,0.5\nthin,5,0.75\nwide,3,1.5\n"


@pytest.mark.parametrize("byte_order_mark", ["", "\ufeff"])
def test_one_cell_is_a_heat_map(cli: Cli, byte_order_mark: str) -> None:
    Path("one.csv").write_text(f"{byte_order_mark}{GRID}v1,v1,0.5,224,1331592,149480704\n", "utf-8")
    result = cli("plot", "sweep", "one.csv", "-o", "one.png")
    assert (result.exit_code, result.stderr) == (0, "wrote one.png\n")


def test_one_published_point_is_a_figure(cli: Cli) -> None:
    shown = cli("show", "v2").stdout
    head, _, tail = shown.partition("published:\n")
    rows = tail[tail.index("input:") :]
    Path("one_100%_$x.yaml").write_text(
        f"{head}published:\n  - {{alpha: 0.75, size: 96, top1: 58.8}}\n{rows}", "utf-8"
    )
    result = cli("plot", "accuracy", "./one_100%_$x.yaml", "-o", "one.png", "--show-data")
    assert (result.exit_code, result.stderr) == (0, "wrote one.png\n")
    (row,) = rows_of(result.stdout)
    assert (row["target"], row["top1"], row["on_front"]) == ("./one_100%_$x.yaml", "58.8", "True")
    assert int(row["mult_adds"]) == mbcost.count("v2", alpha=0.75, size=96).mult_adds


def test_the_width_is_taken_in_inches_or_millimetres(cli: Cli) -> None:
    widths = ("4", "4in", "101.6mm", "89mm", "10.16cm", "289.08pt")
    for name, width in zip("abcdef", widths, strict=True):
        assert cli(*COMMANDS["sweep"], "-o", f"{name}.svg", "--width", width).exit_code == 0
    a, b, c, d, e, f = (Path(f"{name}.svg").read_bytes() for name in "abcdef")
    assert a == b == c == e == f
    assert b'width="288pt"' in a
    assert b'width="252.28' in d


def test_the_height_is_taken_as_the_width_is(cli: Cli) -> None:
    for name, height in zip("abc", ("5cm", "50mm", "142.2638pt"), strict=True):
        args = (*COMMANDS["sweep"], "-o", f"{name}.png", "--width", "18cm", "--height", height)
        assert cli(*args).exit_code == 0
    a, b, c = (Path(f"{name}.png").read_bytes() for name in "abc")
    assert a == b == c
    assert struct.unpack(">II", a[16:24]) == (2125, 590)  # 300 dots an inch


def test_a_figure_beside_a_table_takes_height_and_font(cli: Cli) -> None:
    drawn = ("--plot", "bars.svg", "--height", "6cm", "--font", "dejavu  serif")
    result = cli("compare", "v1", "v2", "--fast", *drawn)
    assert (result.exit_code, result.stderr) == (0, "wrote bars.svg\n")
    text = Path("bars.svg").read_text("utf-8")
    assert 'height="170.07' in text
    assert "DejaVuSerif-" in text
    assert "DejaVuSans-" not in text


def test_compare_draws_beside_its_table(cli: Cli) -> None:
    plain = cli("compare", "v1", "v2", "--fast")
    result = cli("compare", "v1", "v2", "--fast", "--plot", "bars.pdf", "--plot", "bars.svg")
    assert (result.exit_code, result.stdout) == (0, plain.stdout)
    assert result.stderr == "wrote bars.pdf\nwrote bars.svg\n"
    assert Path("bars.pdf").read_bytes().startswith(MAGIC[".pdf"])


def test_the_bars_of_compare_follow_the_reference(cli: Cli) -> None:
    assert cli("compare", "v1", "v2", "--fast", "--plot", "one.svg").exit_code == 0
    args = ("compare", "v1", "v2", "--fast", "--reference", "v2", "--plot", "other.svg")
    assert cli(*args).exit_code == 0
    assert Path("one.svg").read_bytes() != Path("other.svg").read_bytes()


MISTAKES = {
    "no file": (("plot", "accuracy"), "-o: nowhere to draw to (-o figure.pdf"),
    "unknown suffix": (
        (*COMMANDS["accuracy"], "-o", "a.pgn"),
        "-o a.pgn: unknown suffix '.pgn' (did you mean '.png'?)",
    ),
    "no suffix": ((*COMMANDS["accuracy"], "-o", "figure"), "-o figure: unknown suffix ''"),
    "no directory": (
        (*COMMANDS["accuracy"], "-o", "no/a.png"),
        "no/a.png: its directory does not exist (mkdir -p no)",
    ),
    "a directory": ((*COMMANDS["accuracy"], "-o", "dir.png"), "dir.png: is a directory"),
    "unwritable": ((*COMMANDS["sweep"], "-o", "/proc/a.png"), "/proc/a.png: cannot be written"),
    "full disk": ((*COMMANDS["sweep"], "-o", "full.png"), "full.png: cannot be written: No space"),
    "no published point": (
        ("plot", "accuracy", "v1", "standard", "-o", "a.png"),
        "standard: has no published top-1 to plot",
    ),
    "a setting": (
        ("plot", "accuracy", "v2@alpha=0.5", "-o", "a.png"),
        "v2@alpha=0.5: a setting would change the cost but not the published top-1",
    ),
    "unknown cost": (
        (*COMMANDS["accuracy"], "--x", "prams", "-o", "a.png"),
        "--x: unknown cost 'prams' (did you mean 'params'?)",
    ),
    "unknown target": (("plot", "layers", "v9", "-o", "a.png"), "no network or block is called"),
    "width": (
        (*COMMANDS["sweep"], "-o", "a.png", "--width", "9km"),
        "--width: '9km' is not a width (like 3.5in, 89mm, 8.9cm or 252pt)",
    ),
    "narrow": (
        (*COMMANDS["sweep"], "-o", "a.png", "--width", "20mm"),
        "--width: 20mm is out of range (2.5 to 24 in)",
    ),
    "height": (
        (*COMMANDS["sweep"], "-o", "a.png", "--height", "tall"),
        "--height: 'tall' is not a height (like 3.5in, 89mm, 8.9cm or 252pt)",
    ),
    "low": (
        (*COMMANDS["sweep"], "-o", "a.png", "--height", "1mm"),
        "--height: 1mm is out of range (0.5 to 24 in)",
    ),
    "no room": (
        (*COMMANDS["layers"], "-o", "a.png", "--height", "1in"),
        "--height: '0' would lie on '1' (without it the height is 3.4 in)",
    ),
    "misspelt font": (
        (*COMMANDS["sweep"], "-o", "a.png", "--font", "DejaVu Sanz"),
        "--font: no font is called 'DejaVu Sanz' (did you mean 'DejaVu Sans'",
    ),
    "font that looks like another": (
        ("compare", "--fast", "--plot", "a.png", "--font", "Times Ancient"),
        "--font: no font is called 'Times Ancient' (did you mean ",
    ),
    "font like none": (
        (*COMMANDS["sweep"], "-o", "a.png", "--font", "q9"),
        "--font: no font is called 'q9' (one of: ",
    ),
    "font of boxes": (
        (*COMMANDS["sweep"], "-o", "a.png", "--font", "Last Resort High-Efficiency"),
        "--font: no font is called 'Last Resort High-Efficiency' (one of: ",
    ),
    "unknown grouping": (
        ("plot", "share", "v2", "--by", "layer", "-o", "a.png"),
        "--by: no shares by 'layer' (one of: kind, block)",
    ),
    "unknown device": (
        ("plot", "roofline", "v2", "--device", "pi-5", "-o", "a.png"),
        "no device is called 'pi-5' (",
    ),
    "no peak": (
        (*COMMANDS["roofline"], "--dtype", "bf16", "-o", "a.png"),
        "configs/devices/raspberry-pi-5.yaml: has no peak in bf16 (--dtype fp32 or fp16 or int8)",
    ),
    "unknown type": (
        (*COMMANDS["roofline"], "--dtype", "int9", "-o", "a.png"),
        "--dtype: unknown value 'int9' (did you mean 'int8'?)",
    ),
    "no column": (
        ("plot", "sweep", "no-column.csv", "-o", "a.png"),
        "no-column.csv: has no column 'mult_adds' (one of: alpha, size, params)",
    ),
    "NaN": (
        ("plot", "sweep", "nan.csv", "-o", "a.png"),
        "nan.csv:3: mult_adds: 'NaN' is not a number",
    ),
    "missing value": (
        ("plot", "sweep", "short.csv", "-o", "a.png"),
        "short.csv:2: mult_adds: is empty",
    ),
    "no row": (("plot", "sweep", "header.csv", "-o", "a.png"), "header.csv: no row to draw"),
    "no header": (("plot", "sweep", "empty.csv", "-o", "a.png"), "empty.csv: has no column"),
    "binary": (("plot", "sweep", "binary.csv", "-o", "a.png"), "binary.csv: is not UTF-8 text"),
    "no file to read": (("plot", "sweep", "no.csv", "-o", "a.png"), "no.csv: cannot be read"),
    "two values": (
        ("plot", "sweep", "two.csv", "-o", "a.png"),
        "two.csv: two values of mult_adds for alpha 0.5 and size 224 (one network",
    ),
    "a condition": (
        ("plot", "sweep", "two.csv", "--only", "v1", "-o", "a.png"),
        "--only: 'v1' is not a condition (like target=v2)",
    ),
    "settings of a CSV": (
        ("plot", "sweep", "two.csv", "--alpha", "1", "-o", "a.png"),
        "--alpha: a CSV is counted already",
    ),
    "a condition on a network": (
        (*COMMANDS["sweep"], "--only", "alpha=1", "-o", "a.png"),
        "v1: --only, --x and --y choose from a CSV",
    ),
    "value of a list": (
        ("plot", "sweep", "v2", "--alpha", "0.5,x", "-o", "a.png"),
        "--alpha: 'x' is not a number",
    ),
    "key": (
        ("plot", "sweep", "v2", "--key", "mult_ads", "-o", "a.png"),
        "--key: cannot draw 'mult_ads' (did you mean 'mult_adds'?)",
    ),
    "compare": (("compare", "--fast", "--plot", "a.gif"), "a.gif: unknown suffix '.gif'"),
    "compare width": (
        ("compare", "--fast", "--plot", "a.png", "--width", "0"),
        "--width: 0 is out of range",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_message_and_exit_code_two(cli: Cli, mistake: str) -> None:
    Path("dir.png").mkdir()
    Path("full.png").symlink_to("/dev/full")
    Path("no-column.csv").write_text("alpha,size,params\n0.5,224,3\n")
    Path("nan.csv").write_text("alpha,size,mult_adds\n0.5,224,7\n1,224,NaN\n")
    Path("short.csv").write_text("alpha,size,mult_adds\n0.5,224\n")
    Path("header.csv").write_text("alpha,size,mult_adds\n")
    Path("empty.csv").write_text("")
    Path("binary.csv").write_bytes(bytes(range(256)))
    Path("two.csv").write_text(f"{GRID}a,a,0.5,224,1,1\nb,b,0.5,224,2,2\n")
    before = sorted(os.listdir())
    args, message = MISTAKES[mistake]
    result = cli(*args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"mbcost: {message}"), result.stderr
    assert result.stderr.count("\n") == 1
    assert sorted(os.listdir()) == before


def run_without_matplotlib(*args: str) -> subprocess.CompletedProcess[str]:
    """Run mbcost where ``import matplotlib`` fails as it does when it is not installed."""
    code = (
        "import sys; sys.modules['matplotlib'] = None; sys.argv[0] = 'mbcost'\n"
        "from mbcost.cli import main; main()"
    )
    root = str(ROOT)
    return subprocess.run(
        [sys.executable, "-c", code, *args],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": root},
    )


def test_without_matplotlib_the_message_says_what_to_install() -> None:
    for args in (COMMANDS["accuracy"], ("compare", "--fast")):
        option = "--plot" if args[0] == "compare" else "-o"
        result = run_without_matplotlib(*args, option, "a.png")
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr == (
            "mbcost: a figure needs matplotlib, which is not installed "
            "(pip install 'mbcost[plot]'; the values alone: --show-data)\n"
        )


def test_values_need_no_matplotlib(cli: Cli) -> None:
    for name in COMMANDS:
        result = run_without_matplotlib(*COMMANDS[name], "--show-data")
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout == cli(*COMMANDS[name], "--show-data").stdout


def test_help_of_plot_imports_no_heavy_package() -> None:
    code = (
        "import sys\nfrom mbcost.cli import app\n"
        "try:\n    app(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "heavy = {'matplotlib', 'numpy', 'torch', 'pandas'} & set(sys.modules)\n"
        "print('heavy:', *sorted(heavy))"
    )
    root = str(ROOT)
    found = {
        args: subprocess.run(
            [sys.executable, "-c", code, *args],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": root},
        ).stdout.splitlines()[-1]
        for args in (
            ("plot", "--help"),
            ("plot", "sweep", "--help"),
            (*COMMANDS["sweep"], "-o-"),
            (*COMMANDS["sweep"], "-oa.svg"),
        )
    }
    *light, drawn = found.values()
    assert set(light) == {"heavy:"}
    assert drawn == "heavy: matplotlib numpy"  # so that the check can fail
