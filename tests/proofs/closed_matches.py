"""Closed matches: with any one case removed, mypy fails.

python -m tests.proofs.closed_matches --sample 1000 --seconds 600

A ``match`` over a closed set hands what no case takes to ``assert_never``, or to a function that
takes the rest of the set. Each of its cases is removed once, in a copy of its file beside it; all
copies are checked in one run. Whatever mypy says of a copy with every case does not count.
"""

from __future__ import annotations

import argparse
import ast
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests import ROOT

OPEN = {
    "modules/data/pickles.py": "what a foreign pickle can hold: all but one form is refused",
    "networks/settings.py": "any setting can be asked for; most are records as they are",
    "output/page/sheet.py": "any value can stand in a cell",
    "output/formats/csv.py": "any value can stand in a cell",
    "studies/papers/cells.py": "figures that are a number have a function each, in a table",
    "studies/papers/letters.py": "a formula as typed: all other syntax is refused",
}
"""Files with a ``match`` over what has no end, and why."""

_ERROR = re.compile(r"^\S*?(\w+)\.py:\d+: error: (.*)", re.M)


class Removed(NamedTuple):
    """A case of a ``match``, and its file without it."""

    file: str
    line: int
    case: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: case {self.case}"


def matches(text: str) -> Iterator[tuple[ast.Match, bool]]:
    """Yield each ``match`` of a file, and whether it says that its set is closed."""
    tree = ast.parse(text)
    own = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Match):
            continue
        subject = ast.unparse(node.subject)
        yield (
            node,
            any(
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Name)
                and call.func.id in {"assert_never", *own}
                and subject in map(ast.unparse, call.args)
                for statement in node.cases[-1].body
                for call in ast.walk(statement)
            ),
        )


def open_files(package: Path) -> set[str]:
    """Return the files with a ``match`` that takes whatever comes."""
    return {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if not all(closed for _, closed in matches(path.read_text("utf-8")))
    }


def removals(package: Path, only: str = "") -> list[Removed]:
    """Return every case of every closed ``match``, in files whose name holds ``only``."""
    found = []
    for path in sorted(package.rglob("*.py")):
        file, text = path.relative_to(package).as_posix(), path.read_text("utf-8")
        lines = text.splitlines(keepends=True)
        for node in (node for node, closed in matches(text) if closed and only in file):
            starts = [_start(case, lines) for case in node.cases]
            for i, case in enumerate(node.cases[:-1]):
                without = lines[: starts[i] - 1] + lines[starts[i + 1] - 1 :]
                pattern = ast.unparse(case.pattern)
                found.append(Removed(file, starts[i], pattern, "".join(without)))
    return found


def _start(case: ast.match_case, lines: list[str]) -> int:
    """Return the line of a case's keyword; its pattern may begin on a further one."""
    start = case.pattern.lineno
    while not lines[start - 1].lstrip().startswith("case"):
        start -= 1
    return start


def unnoticed(removed: list[Removed], seconds: float | None = None) -> list[Removed]:
    """Return those after which mypy says no more of the file than before; it fails where mypy
    takes longer than ``seconds``."""
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "mbcost"
        shutil.copytree(ROOT / "mbcost", package, ignore=shutil.ignore_patterns("__pycache__"))
        (package / "__init__.py").write_text("", "utf-8")  # the public names import every room
        whole = {file: f"whole_{i}" for i, file in enumerate({each.file for each in removed})}
        names = {f"without_{i}": each for i, each in enumerate(removed)}
        texts = {name: (package / file).read_text("utf-8") for file, name in whole.items()}
        texts |= {name: each.text for name, each in names.items()}
        homes = {name: file for file, name in whole.items()}
        homes |= {name: each.file for name, each in names.items()}
        for name, text in texts.items():
            (package / homes[name]).with_name(f"{name}.py").write_text(text, "utf-8")
        files = [Path("mbcost", homes[name]).with_name(f"{name}.py") for name in homes]
        said = _said(Path(folder), files, seconds)
    return [each for name, each in names.items() if said[name] <= said[whole[each.file]]]


def _said(folder: Path, files: list[Path], seconds: float | None) -> Mapping[str, set[str]]:
    """Return mypy's errors by name of the file."""
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml")]
    done = subprocess.run(
        [*command, "--cache-dir", str(folder / "cache"), *map(str, files)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if done.returncode not in (0, 1) or "[syntax]" in done.stdout:
        raise RuntimeError(done.stdout + done.stderr)
    said: dict[str, set[str]] = {file.stem: set() for file in files}
    for name, message in _ERROR.findall(done.stdout):
        said.setdefault(name, set()).add(message)
    return said


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="files whose name holds this")
    parser.add_argument("--sample", type=int, default=10_000, help="only every k-th, so many")
    parser.add_argument("--seconds", type=float, help="for mypy, which checks all at once")
    given = parser.parse_args()
    removed = removals(ROOT / "mbcost", given.only)
    every = max(1, len(removed) // given.sample)
    removed = removed[::every][: given.sample]
    passed = unnoticed(removed, given.seconds)
    for each in passed:
        print(f"UNNOTICED {each}")
    for file in sorted({each.file for each in removed}):
        print(f"{sum(each.file == file for each in removed):4} cases of {file}")
    print(f"{len(removed)} cases removed, one at a time; mypy passes without {len(passed)} of them")
    return 1 if passed else 0


if __name__ == "__main__":
    sys.exit(main())
