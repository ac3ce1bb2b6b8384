"""With typer, rich, pyyaml and numpy alone the closed form works; the rest says what to install.

The environment is a folder of links to these four, and to what they themselves require.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement

from tests import ROOT
from tests.conftest import Cli

FOUR = ("typer", "rich", "pyyaml", "numpy")
"""As docs/guard-in-ci.md and the Makefile install them, then mbcost with --no-deps."""

WORKS = (
    "compare --fast",
    "compare v1 v2@alpha=0.5 --fast --fold-bn --format json",
    "compare v1 v2 --fast --format csv -o side.md -o side.tex -o side.json",
    "model v3-large --fast --by kind",
    "model v2 --fast --convention torch --format latex",
    "explain v2",
    "baseline v2 v3-small --fold-bn -o cost.json",
    "check v2 --max-params 4M",
    "check v2 --fold-bn --baseline cost.json --max-growth 1%",
    "diff cost.json:v2 v2@alpha=0.5",
    "diff v1 v2 --format markdown",
    "paper v1",
    "paper v2 --fast",
    "paper v3",
    "sweep v2 --alpha 0.35:1.4:0.35 --size 96:224:32 --pivot alpha,size --verify 0",
    "sweep v2 --alpha 0.5,1 --verify 0 -o sweep.csv",
    "sweep ofa-mobilenetv3 --samples 50 --verify 0 --columns size,params",
    "search v1 --max-mult-adds 150M --verify 0 -o best.yaml",
    "search v2 --target-mult-adds 60M --verify 0",
    "search v2 --max-mult-adds 120M --accuracy predicted --verify 0",
    "roof v1 v2 --device raspberry-pi-5 --dtype int8",
    "roof v2 --device nucleo-f446re --by layer --format csv",
    "roof --device h100-sxm",
    "plot sweep v2 --alpha 0.5,1 --show-data",
    "explain v3-small --size 32",
    "table paper.yaml",
    "list",
    "list columns",
    "show v2",
    "schema",
    "completion zsh",
    "completion fish -- compare v2@al",
)

COUNTERS = (
    "torch, torchinfo and fvcore, which are not installed (pip install torch torchinfo fvcore"
)
MODELS = "which are not installed (pip install 'mbcost[models]')"
NEEDS = {
    "compare v2": f"a counter needs {COUNTERS}, or --fast)",
    "model v2": f"a counter needs {COUNTERS}, or --fast)",
    "reconcile v2": f"a counter needs {COUNTERS})",
    "compare v2 --counter thop --counter torch": "--counter: a counter needs torch and thop, which "
    "are not installed (pip install torch thop)",
    "reconcile v2 --counter torch": "--counter: a counter needs torch, which is not installed "
    "(pip install torch)",
    "sweep v2 --alpha 0.5,1 -o none.csv": f"--verify: a counter needs {COUNTERS}, or --verify 0)",
    "search v2 --max-params 2M": f"--verify: a counter needs {COUNTERS}, or --verify 0)",
    "compare torchvision:resnet18 --fast": "torchvision:resnet18: a model from elsewhere needs "
    f"torch and torchvision, {MODELS}",
    "check timm:resnet18 --max-params 1M": "timm:resnet18: a model from elsewhere needs torch and "
    f"timm, {MODELS}",
    "explain model.py:build": "model.py:build: a model from elsewhere needs torch, which is not "
    "installed (pip install torch)",
    "sweep v2 --alpha 0.5,1 --verify 0 -o none.parquet": "-o: Parquet needs pyarrow, which is not "
    "installed (pip install 'mbcost[parquet]', or write .csv)",
    "report v2 -o none.html": "a page needs jinja2, which is not installed (pip install "
    "'mbcost[report]'; the table alone: mbcost compare -o table.md)",
    "roof -o none.yaml": "a measurement needs torch, which is not installed (pip install torch)",
    "latency v2": "the runtime eager needs torch, which is not installed (pip install torch)",
    "deploy v2 -o none.onnx": "ONNX needs torch, onnx and onnxruntime, which are not installed "
    "(pip install 'mbcost[onnx]')",
    "train v2 --data digits --run none.run": "digits needs scikit-learn, which is not installed "
    "(pip install 'mbcost[digits]')",
    "deploy v2 -o none.tflite": "TFLite needs torch, ai_edge_litert and flatbuffers, which are not "
    "installed (pip install 'mbcost[tflite]')",
    "compare --fast --plot none.svg": "a figure needs matplotlib, which is not installed "
    "(pip install 'mbcost[plot]'; the values alone: --show-data)",
}

PAPER = "tables: [{command: compare, targets: [v1, v2], fast: true, prefix: M, output: paper.tex}]"

DRIVER = """
import json, sys
from typer.testing import CliRunner
import mbcost
from mbcost.cli import app
ran = []
for line in json.load(sys.stdin):
    result = CliRunner().invoke(app, line.split())
    ran.append([result.exit_code, result.stdout, result.stderr])
for frame in (mbcost.count("v2").frame, mbcost.compare("v1", "v2").frame):
    try:
        ran.append([0, frame(), ""])
    except mbcost.MbcostError as error:
        ran.append([2, "", f"mbcost: {error}\\n"])
found = {name.partition(".")[0] for name in sys.modules}
for name in ("torch", "pandas", "torchinfo", "fvcore", "matplotlib", "pytest"):
    try:
        __import__(name)
    except ImportError:
        found.add(f"no {name}")
json.dump([ran, sorted(found)], sys.stdout)
"""


class Ran(NamedTuple):
    """What a command did."""

    code: int
    stdout: str
    stderr: str


def required(names: tuple[str, ...]) -> set[str]:
    """Return the packages that ``names`` are and require, by their own metadata."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            requires = distribution(name).requires or []
        except PackageNotFoundError:  # of another system, or an extra of it
            continue
        found.add(name)
        read = map(Requirement, requires)
        waiting += [r.name for r in read if not r.marker or r.marker.evaluate({"extra": ""})]
    return found


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment variables with which ``python -S`` finds mbcost and the four packages."""
    folder = tmp_path_factory.mktemp("light")
    for name in required(FOUR):
        files = distribution(name).files or []
        for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
            (folder / top).symlink_to(Path(str(distribution(name).locate_file(top))))
    for own in ("mbcost", "configs"):
        (folder / own).symlink_to(ROOT / own)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return {**kept, "PYTHONPATH": str(folder), "COLUMNS": "140"}


@pytest.fixture(scope="module")
def ran(light: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ran]:
    """What each command did there, one after the other in one folder."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "model.py").write_text("import torch\n\ndef build():\n    return torch.nn.ReLU()\n")
    (folder / "paper.yaml").write_text(PAPER)
    lines = [*WORKS, *NEEDS]
    done = subprocess.run(
        [sys.executable, "-S", "-c", DRIVER],
        input=json.dumps(lines),
        cwd=folder,
        env=light,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found, modules = json.loads(done.stdout)
    assert {"no torch", "no pandas", "no torchinfo", "no fvcore", "no pytest"} <= set(modules)
    assert not {"torch", "pandas"} & set(modules)
    assert not list(folder.glob("none.*"))
    return {line: Ran(*each) for line, each in zip([*lines, "frame", "frames"], found, strict=True)}


def test_every_command_of_the_closed_form_says_the_same(
    ran: dict[str, Ran], cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("paper.yaml").write_text(PAPER)
    for line in WORKS:
        result = cli(*line.split())
        assert ran[line] == (0, result.stdout, result.stderr), line


@pytest.mark.parametrize("line", NEEDS)
def test_what_needs_more_says_what_to_install(line: str, ran: dict[str, Ran]) -> None:
    assert ran[line] == (2, "", f"mbcost: {NEEDS[line]}\n")


def test_a_frame_says_that_pandas_is_to_be_installed(ran: dict[str, Ran]) -> None:
    message = "a data frame needs pandas, which is not installed (pip install pandas)"
    assert ran["frame"] == ran["frames"] == (2, "", f"mbcost: {message}\n")


def test_the_process_itself_starts_there(light: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-m", "mbcost", *["sweep", "v2", "--verify", "0", "--workers", "2"]],
        cwd=tmp_path,
        env=light,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "not verified (--verify 0)" in done.stdout


def test_of_the_default_counters_those_installed_run() -> None:
    """Without fvcore torchinfo verifies and a line says the rest; asked for, it is exit 2."""
    code = (
        "import sys; sys.modules['fvcore'] = None; sys.argv[0] = 'mbcost'\n"
        "from typer.testing import CliRunner\n"
        "from mbcost.cli import app\n"
        "for more in ([], ['--counter', 'fvcore']):\n"
        "    done = CliRunner().invoke(app, ['compare', 'v2', '--size', '32', *more])\n"
        "    print(done.exit_code, 'torchinfo counts as its' in done.stdout, done.stderr, end='')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == (
        "0 True mbcost: v2: fvcore skipped: fvcore is not installed: pip install fvcore\n"
        "2 False mbcost: --counter: a counter needs fvcore, which is not installed "
        "(pip install fvcore)\n"
    )
