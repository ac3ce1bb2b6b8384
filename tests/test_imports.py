"""What makes a start fast is what is not imported: the cause, not the clock."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "distributed",
    "sklearn",
    "PIL",
    "torch",
    "pandas",
    "numpy",
    "matplotlib",
    "torchvision",
    "timm",
    "pyarrow",
    "onnx",
)
DISPATCH = ("torch._dynamo", "torch.utils.flop_counter")


def modules_after(code: str, further: tuple[str, ...] = ()) -> set[str]:
    """Return the heavy modules, and those of ``further``, that are imported by ``code`` in a fresh
    interpreter."""
    probe = (
        "import sys\n"
        "try:\n"
        f"    {code}\n"
        "except SystemExit as e:\n"
        "    assert e.code in (0, None), e.code\n"
        "print('MODULES', *sys.modules)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True
    )
    line = next(n for n in result.stdout.splitlines() if n.startswith("MODULES"))
    return set(line.split()) & {*HEAVY, *further}


def mbcost(*args: str) -> str:
    return f"sys.argv = {['mbcost', *args]!r}; import mbcost.__main__ as m; m.main()"


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["compare", "--help"],
        ["deploy", "--help"],
        ["train", "--help"],
        ["predict", "--help"],
        ["compare", "--runs", "reports/training", "--fast"],
        ["compare", "--fast"],
        ["compare", "v1", "v2", "--fast", "--format", "csv"],
        ["model", "v3-large", "--fast", "--format", "latex"],
        ["explain", "v2"],
        ["roof", "--help"],
        ["roof", "v2", "--device", "h100-sxm"],
        ["list"],
        ["show", "v2"],
        ["schema"],
        ["paper", "v1", "--fast"],
        ["--version"],
    ],
)
def test_commands_without_counters_import_nothing_heavy(args: list[str]) -> None:
    assert modules_after(mbcost(*args)) == set()


def test_the_default_run_imports_torch_but_no_pandas_and_enters_no_dispatch_mode() -> None:
    """The first use of the meta device or a dispatch mode costs two seconds of imports."""
    found = modules_after(mbcost("compare", "--size", "8"), DISPATCH)
    assert "torch" in found, "the probe can fail"
    assert {"pandas", *DISPATCH} & found == set()


def test_the_package_and_the_closed_form_import_nothing_heavy() -> None:
    assert modules_after("import mbcost; mbcost.count('v2', alpha=0.5).mult_adds") == set()
    assert "pandas" in modules_after("import mbcost; mbcost.count('v2').frame()")
