"""The configs that ship with mbcost: found by the stem of their file, with no list to keep."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

from mbcost.errors import MbcostError, did_you_mean
from mbcost.networks.spec import Spec
from mbcost.networks.yaml.specs import load_specs

KINDS = {
    "networks": "network",
    "detection": "detection",
    "segmentation": "segmentation",
    "blocks": "block",
}


class Entry(NamedTuple):
    """A built-in config: its name, its kind (a network, a block, …) and its file."""

    name: str
    kind: str
    path: Path


def configs_dir() -> Path:
    """Return the directory of the built-in configs: in the wheel, or in the source tree."""
    package = Path(__file__).resolve().parent.parent.parent
    shipped = package / "configs"
    return shipped if shipped.is_dir() else package.parent / "configs"


@cache
def builtins() -> dict[str, Entry]:
    """Return every built-in network and block by name."""
    return {
        path.stem: Entry(path.stem, kind, path)
        for folder, kind in KINDS.items()
        for path in sorted((configs_dir() / folder).glob("*.yaml"), key=lambda path: path.stem)
    }


def find_builtin(name: str) -> Entry | None:
    """Return the built-in of that name; kebab and snake case are the same."""
    return builtins().get(name.replace("_", "-").lower())


@cache
def builtin(name: str) -> Spec:
    """Return the built-in network or block of that name, or raise with the nearest."""
    entry = find_builtin(name)
    if entry is None:
        raise MbcostError(
            f"no network or block is called {name!r}",
            way_out=f"{did_you_mean(name.replace('_', '-'), builtins())}; `mbcost list` shows all",
        )
    specs = load_specs(entry.path, f"configs/{entry.path.parent.name}/{entry.path.name}")
    return specs[entry.name]
