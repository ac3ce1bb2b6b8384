"""The house: floors, doors and no circle, read from every import in ``mbcost/``.

All imports count: those inside functions and those for types alone too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from tests import ROOT

PACKAGE = ROOT / "mbcost"

FLOORS = {
    "errors": 1,
    "units": 2,
    "paths": 2,
    "graph": 2,
    "cost": 3,
    "output": 3,
    "networks": 4,
    "modules": 4,
    "targets": 5,
    "studies": 6,
    "cli": 7,
}
"""A room imports from lower floors only; two rooms of one floor know nothing of each other."""

DOORSTEP = ("__init__", "__main__", "_version")
"""Files that may open every room: the public names, the process."""

DOORS = {
    "PIL": ("modules",),
    "ai_edge_litert": ("modules",),
    "distributed": ("studies",),
    "flatbuffers": ("modules",),
    "fvcore": ("modules",),
    "iopath": ("modules",),
    "jinja2": ("output",),
    "markupsafe": ("output",),
    "matplotlib": ("output",),
    "numpy": ("modules", "studies"),
    "onnx": ("modules",),
    "onnxruntime": ("modules",),
    "pandas": ("cost", "studies"),
    "ptflops": ("modules",),
    "pyarrow": ("studies",),
    "rich": ("output",),
    "sklearn": ("modules",),
    "thop": ("modules",),
    "timm": ("targets",),
    "torch": ("modules", "targets"),
    "torchinfo": ("modules",),
    "torchprofile": ("modules",),
    "torchvision": ("targets",),
    "typer": ("cli",),
    "yaml": ("networks",),
}
"""Which rooms may import a package that is not Python's own."""

Imports = Mapping[str, frozenset[str]]
"""By dotted name of a file below ``mbcost``, the dotted names that it imports."""


def name_of(path: Path, package: Path) -> str:
    """Return ``graph.shapes``; a package's ``__init__`` has the package's name."""
    parts = path.relative_to(package).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def read_imports(package: Path) -> Imports:
    """Return what each file of ``package`` imports, wherever in the file it does so."""
    files = {name_of(path, package): path for path in sorted(package.rglob("*.py"))}
    return {
        name: frozenset(imported(ast.parse(path.read_text("utf-8")), files, package.name))
        for name, path in files.items()
    }


def imported(tree: ast.AST, files: Mapping[str, Path], own: str) -> Iterable[str]:
    """Yield files of the package by their name in it, and anything else by its whole name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names = [(node.module or "", alias.name) for alias in node.names]
        else:
            continue
        for module, member in names:
            if module != own and not module.startswith(f"{own}."):
                yield module
                continue
            inside = module.removeprefix(own).removeprefix(".")
            both = f"{inside}.{member}".strip(".")
            yield f".{both if both in files else inside or '__init__'}"


def faults(imports: Imports) -> set[str]:
    """Return what breaks the plan of the house, a sentence each."""
    return {*wrong_floors(imports), *wrong_doors(imports), *circles(imports)}


def room(name: str) -> str:
    """Return the package or file at the top of ``mbcost`` that a file belongs to."""
    return name.partition(".")[0]


def wrong_floors(imports: Imports) -> Iterable[str]:
    """Yield imports of a room that is not on a lower floor."""
    for name, found in imports.items():
        if name in DOORSTEP:
            continue
        if room(name) not in FLOORS:
            yield f"{name} is in no room"
            continue
        for other in sorted(found):
            target = room(other[1:])
            if not other.startswith(".") or target in (*DOORSTEP, room(name)):
                continue
            if FLOORS[target] >= FLOORS[room(name)]:
                yield f"{name} imports {other[1:]}, which is not on a lower floor"


def wrong_doors(imports: Imports) -> Iterable[str]:
    """Yield imports of packages by rooms that are not their door."""
    for name, found in imports.items():
        for other in sorted(found):
            package = other.partition(".")[0]
            if package in DOORS and room(name) not in DOORS[package]:
                yield f"{name} imports {package}, whose door is {' or '.join(DOORS[package])}"


def circles(imports: Imports) -> Iterable[str]:
    """Yield each group of files that import each other in a circle."""
    reach = {name: {o[1:] for o in found if o[0] == "."} for name, found in imports.items()}
    seen: set[str] = set()
    for name in reach:
        circle = {other for other in reachable(name, reach) if name in reachable(other, reach)}
        if circle and name not in seen:
            seen |= circle
            yield f"a circle: {', '.join(sorted(circle))}"


def reachable(name: str, edges: Mapping[str, set[str]]) -> set[str]:
    """Return every file that ``name`` imports, or that those import, and so on."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        new = edges.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found


def test_every_import_goes_down_and_through_its_door() -> None:
    assert faults(read_imports(PACKAGE)) == set()


def test_every_room_says_in_a_line_what_it_holds() -> None:
    for name in FLOORS:
        path = PACKAGE / f"{name}.py"
        text = (path if path.exists() else PACKAGE / name / "__init__.py").read_text("utf-8")
        face = ast.get_docstring(ast.parse(text))
        assert face, name
        assert face.splitlines()[0].endswith("."), name


PLANTED = {
    "errors.py": (
        "def f():\n    from mbcost.graph.b import x",
        {"errors imports graph.b, which is not on a lower floor"},
    ),
    "networks/rows.py": (
        "from mbcost import modules",
        {"networks.rows imports modules, which is not on a lower floor"},
    ),
    "cost/report.py": (
        "if TYPE_CHECKING:\n    import torch.nn",
        {"cost.report imports torch, whose door is modules or targets"},
    ),
    "graph/a.py": ("from mbcost.graph.b import x", {"a circle: graph.a, graph.b"}),
    "model.py": ("", {"model is in no room"}),
}


@pytest.mark.parametrize("file", PLANTED)
def test_a_fault_in_the_house_is_found(file: str, tmp_path: Path) -> None:
    package = tmp_path / "mbcost"
    sound = {
        "__init__.py": "from mbcost.cli import app",
        "errors.py": "import sys",
        "units.py": "from mbcost.errors import E",
        "graph/b.py": "from mbcost.graph import a",
        "graph/a.py": "import sys",
        "modules/__init__.py": "import torch",
        "cli/__init__.py": "from mbcost import modules\nimport typer",
    }
    text, expected = PLANTED[file]
    for name, content in ({k: v for k, v in sound.items() if k != file} | {file: text}).items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    assert faults(read_imports(package)) == expected
