"""What makes a start fast is what is not imported: the cause, not the clock."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "pandas", "numpy", "matplotlib", "torchvision", "timm", "pyarrow")


def modules_after(code: str) -> set[str]:
    """Return the heavy top-level modules imported by ``code`` in a fresh interpreter."""
    probe = (
        "import sys\n"
        "try:\n"
        f"    {code}\n"
        "except SystemExit as e:\n"
        "    assert e.code in (0, None), e.code\n"
        "print('MODULES', *{m.partition('.')[0] for m in sys.modules})\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True
    )
    line = next(n for n in result.stdout.splitlines() if n.startswith("MODULES"))
    return set(line.split()) & set(HEAVY)


def mbcost(*args: str) -> str:
    return f"sys.argv = {['mbcost', *args]!r}; import mbcost.__main__ as m; m.main()"


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["compare", "--help"],
        ["compare", "--fast"],
        ["compare", "v1", "v2", "--fast", "--format", "csv"],
        ["model", "v3-large", "--fast", "--format", "latex"],
        ["explain", "v2"],
        ["list"],
        ["show", "v2"],
        ["schema"],
        ["paper", "v1", "--fast"],
        ["--version"],
    ],
)
def test_commands_without_counters_import_nothing_heavy(args: list[str]) -> None:
    assert modules_after(mbcost(*args)) == set()


def test_the_probe_can_fail() -> None:
    assert modules_after(mbcost("compare", "--counter", "torchinfo")) >= {"torch"}


def test_the_default_run_does_not_import_pandas() -> None:
    assert "pandas" not in modules_after(mbcost("compare", "--size", "8"))


def test_the_package_and_the_closed_form_import_nothing_heavy() -> None:
    assert modules_after("import mbcost; mbcost.count('v2', alpha=0.5).mult_adds") == set()
    assert "pandas" in modules_after("import mbcost; mbcost.count('v2').frame()")


def test_the_default_run_enters_no_dispatch_mode() -> None:
    """The first use of the meta device or a dispatch mode costs two seconds of imports."""
    code = mbcost("compare", "--size", "8") + "\n"
    probe = (
        "import sys\n"
        "try:\n"
        f"    {code}"
        "except SystemExit:\n"
        "    pass\n"
        "print('torch._dynamo' in sys.modules, 'torch.utils.flop_counter' in sys.modules)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "False False"
