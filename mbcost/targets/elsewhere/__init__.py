"""Models from elsewhere: ``torchvision:NAME``, ``timm:NAME``, ``path/to/file.py:factory``.

``torchvision``, ``timm`` and ``file`` each know how their models are found and built; ``build``
builds them without weights and turns what goes wrong into messages. To add a source: a module
beside these with ``find(name) -> Source``, and its line in ``SOURCES``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mbcost.errors import MbcostError, missing, not_installed, require_directory
from mbcost.graph.graph import Graph
from mbcost.networks.rules import SettingRule
from mbcost.networks.settings import SETTINGS, Settings, parse_all
from mbcost.targets.elsewhere.source import DEFAULT_INPUT, InputShape, Source

if TYPE_CHECKING:
    from torch import Tensor, nn


def _find_torchvision(name: str) -> Source:
    from mbcost.targets.elsewhere.torchvision import find

    return find(name)


def _find_timm(name: str) -> Source:
    from mbcost.targets.elsewhere.timm import find

    return find(name)


SOURCES: dict[str, Callable[[str], Source]] = {
    "torchvision": _find_torchvision,
    "timm": _find_timm,
}
"""Libraries by the prefix of their targets."""


def find_model(name: str) -> Model | None:
    """Return the model that ``name`` names, or None if it names something else."""
    prefix, colon, rest = name.partition(":")
    if colon and prefix in SOURCES:
        require_directory()
        _require(name, "torch", prefix)
        return Model(SOURCES[prefix](rest))
    path, _, factory = name.rpartition(":")
    if runs_code(name):
        from mbcost.targets.elsewhere.file import find

        found = find(path, factory)
        _require(name, "torch")
        return Model(found)
    if name.endswith(".py"):
        raise MbcostError(
            "a Python file needs the name of a function or class in it",
            place=name,
            way_out=f"like {name}:build (this runs the file's code)",
        )
    return None


def _require(name: str, *packages: str) -> None:
    lacking = missing(packages)
    if lacking:
        extra = "'mbcost[models]'" if len(packages) > 1 else ""  # torch and torchvision must fit
        raise not_installed("a model from elsewhere", lacking, place=name, install=extra)


def runs_code(name: str) -> bool:
    """Return whether to count ``name`` is to run code of a file: ``path/to/file.py:factory``."""
    path, colon, _ = name.rpartition(":")
    return bool(colon) and path.endswith(".py")


@dataclass(frozen=True)
class Model:
    """A model from elsewhere as a target's spec: it is traced, where a network is computed."""

    source: Source

    @property
    def name(self) -> str:
        """What stands after the source's prefix."""
        return self.source.name

    @property
    def accepts(self) -> Mapping[str, SettingRule]:
        """The settings that every such model takes; any other is an argument of its builder."""
        return {name: SETTINGS[name] for name in ("size", "batch", "input")}

    def parse_inline(self, inline: Mapping[str, str], target: str) -> dict[str, Any]:
        """Return the settings typed behind ``@``: those of ``accepts``, and builder arguments."""
        own = {key: value for key, value in inline.items() if key in self.accepts}
        options = {key: _literal(value) for key, value in inline.items() if key not in own}
        self.source.check_options(options, target)
        parsed = parse_all(self.accepts, own, target)
        return {**parsed, "options": options} if options else parsed

    def graph(self, settings: Settings) -> Graph:
        """Raise: such a model has no rows to lower."""
        raise MbcostError(
            "is a model from elsewhere, whose layers are known only by tracing it",
            place=self.name,
            way_out="this works on built-in networks and YAML files",
        )

    def facts(self, settings: Settings) -> dict[str, Any]:
        """Return size as the records show it; alpha, rho and classes mean nothing here."""
        shape = self.input_shapes(settings)[0].shape
        size = shape[-2:] if len(shape) > 2 else None
        return {"alpha": None, "rho": None, "size": size, "classes": None}

    def input_shapes(self, settings: Settings) -> tuple[InputShape, ...]:
        """Return the inputs of one image, or exactly those of ``--input``."""
        if "input" in settings:
            for name in ("size", "batch"):
                if name in settings:
                    raise MbcostError(
                        f"input and {name} both set the input", place=self.name, way_out="give one"
                    )
            return tuple(InputShape(*given) for given in settings["input"])
        native = self.source.native_input()
        if "size" in settings:
            first = native[0].shape
            return (InputShape((*first[:-2], *settings["size"])), *native[1:])
        return native

    def build(self, settings: Settings, *, real: bool = False) -> nn.Module:
        """Return the model in eval mode, parameters on the meta device, or with values, the same
        ones every time, if ``real``."""
        from mbcost.targets.elsewhere.build import build

        return build(self.source, settings.get("options", {}), settings.get("size"), real=real)

    def inputs(
        self, settings: Settings, batch: int = 1, device: str = "meta"
    ) -> tuple[Tensor, ...]:
        """Return zeros of the input shapes; ``batch`` of them along the first dimension."""
        import torch

        found = []
        for given in self.input_shapes(settings):
            shape = given.shape
            if "input" not in settings:
                shape = (batch * shape[0], *shape[1:])
            found.append(torch.zeros(shape, dtype=getattr(torch, given.dtype), device=device))
        return tuple(found)

    def by_name(
        self, settings: Settings, inputs: Sequence[Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        """Return which of the inputs are given by position, and which by name."""
        names = [given.name for given in self.input_shapes(settings)]
        pairs = list(zip(names, inputs, strict=True))
        return [x for name, x in pairs if not name], {name: x for name, x in pairs if name}


def _literal(text: str) -> Any:
    """Return a builder's argument: true, false, none, a number, or else the text itself."""
    words = {"true": True, "false": False, "none": None, "null": None}
    if text.lower() in words:
        return words[text.lower()]
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


__all__ = ["DEFAULT_INPUT", "InputShape", "Model", "Source", "find_model", "runs_code"]
