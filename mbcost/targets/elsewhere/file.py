"""A model built by a function or class in a Python file: naming one runs the file's code."""

from __future__ import annotations

import importlib.util
import inspect
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mbcost.errors import MbcostError, did_you_mean
from mbcost.paths import mode_of
from mbcost.targets.elsewhere.source import DEFAULT_INPUT, InputShape

if TYPE_CHECKING:
    from torch import nn


def find(path: str, factory: str) -> FileModel:
    """Return the model that ``factory`` of the file builds; the file is run when that is asked."""
    if not stat.S_ISREG(mode_of(Path(path), path)):
        raise MbcostError("no such file", place=path, way_out="a path to a Python file")
    if not factory:
        raise MbcostError("no function or class is named", place=path, way_out=f"like {path}:build")
    return FileModel(path, factory)


@dataclass(frozen=True)
class FileModel:
    """A function or class in a Python file that returns a module."""

    path: str
    factory: str

    @property
    def name(self) -> str:
        """The name of the function or class."""
        return self.factory

    @property
    def place(self) -> str:
        """Where an error in it happened."""
        return f"{self.path}:{self.factory}"

    @cached_property
    def builder(self) -> Any:
        """The function or class itself; running the file is the first thing this does."""
        file = Path(self.path).resolve()
        directory = str(file.parent)
        if directory not in sys.path:
            sys.path.insert(0, directory)  # as `python file.py` would have it
        name = f"mbcost_target_{file.stem}"
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise MbcostError(
                "is not a Python module", place=self.path, way_out="a file that ends with .py"
            )
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses look themselves up there
        spec.loader.exec_module(module)
        found = getattr(module, self.factory, None)
        if not callable(found):
            names = [key for key, value in vars(module).items() if callable(value)]
            raise MbcostError(
                f"has no function or class {self.factory!r}",
                place=self.path,
                way_out=did_you_mean(self.factory, names) if names else "define one",
            )
        return found

    def native_input(self) -> tuple[InputShape, ...]:
        """Return 1×3×224×224: a file does not say what its input is."""
        return DEFAULT_INPUT

    def size_options(self, size: tuple[int, int]) -> dict[str, Any]:
        """Return ``image_size`` or ``img_size`` where the builder's signature has it."""
        try:
            parameters = inspect.signature(self.builder).parameters
        except (TypeError, ValueError):
            return {}
        side: Any = size[0] if size[0] == size[1] else size
        return {name: side for name in ("image_size", "img_size") if name in parameters}

    def check_options(self, options: Mapping[str, Any], target: str) -> None:
        """Accept any: the builder itself knows its arguments."""

    def construct(self, options: Mapping[str, Any]) -> nn.Module:
        """Call the function or class."""
        built: nn.Module = self.builder(**options)
        return built
