"""Runs the proofs, and keeps what each of them found in ``reports/proofs/``.

python -m tests.proofs [NAME ...] [--sample N] [--seconds S]

A proof is a script beside this file; it takes ``--sample`` and ``--seconds``,
prints what it finds, and exits with 1 where something is wrong. The suite runs a small sample of
the same code. What is written says where, when and with which versions it was run.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from tests import ROOT

FOUND = ROOT / "reports" / "proofs"
VERSIONS = (
    "torch",
    "torchvision",
    "timm",
    "torchinfo",
    "fvcore",
    "numpy",
    "pyarrow",
    "ai-edge-litert",
    "tflite-micro",
    "onnx",
    "onnxruntime",
)


def proofs() -> list[str]:
    """Return the names of the proofs: the scripts here that run."""
    return sorted(
        path.stem
        for path in Path(__file__).parent.glob("[a-z]*.py")
        if "\nif __name__ ==" in path.read_text("utf-8")
    )


def machine() -> str:
    """Return what the proofs run on, in a line."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = models[0] if models else platform.processor() or platform.machine()
    return f"{platform.system()} on {os.cpu_count()} × {name}"


def versions() -> str:
    """Return the versions of Python and of what is counted with."""
    found = [f"Python {platform.python_version()}"]
    return ", ".join(found + [f"{name} {metadata.version(name)}" for name in VERSIONS])


def prove(name: str, options: Sequence[str]) -> bool:
    """Run a proof, show what it prints, keep it; return whether nothing was wrong."""
    command = ["-m", f"tests.proofs.{name}", *options]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    environment = {"OMP_NUM_THREADS": "1", **os.environ}
    lines = []
    with subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    FOUND.mkdir(exist_ok=True)
    (FOUND / f"{name}.txt").write_text(
        f"$ python {' '.join(command)}\n{''.join(lines)}\n"
        f"exit code {process.returncode}, after {time.monotonic() - start:.0f} s, "
        f"{spent:.0f} s of CPU time\n"
        f"{time.strftime('%Y-%m-%d')}, {machine()}\n{versions()}\n",
        "utf-8",
    )
    return process.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[[], *proofs()], metavar="NAME")
    parser.add_argument("--sample", type=int, help="cases of each; by default, each its own")
    parser.add_argument("--seconds", type=float, help="stop each after this long")
    given = parser.parse_args()
    options = [
        word
        for name in ("sample", "seconds")
        if (value := getattr(given, name)) is not None
        for word in (f"--{name}", str(value))
    ]
    failed = [name for name in given.names or proofs() if not prove(name, options)]
    print(f"failed: {', '.join(failed)}" if failed else "every proof holds")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
