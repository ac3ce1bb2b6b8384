"""Models that timm lists. The door to timm, imported where it is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mbcost.errors import MbcostError, did_you_mean
from mbcost.targets.elsewhere.source import DEFAULT_INPUT, InputShape, no_weights

if TYPE_CHECKING:
    from torch import nn


def find(name: str) -> TimmModel:
    """Return the model of this name (a tag such as ``.ra_in1k`` may follow), or raise."""
    timm = _timm()
    for wanted in (name, name.replace("-", "_")):
        if timm.is_model(wanted):
            return TimmModel(wanted)
    answer = did_you_mean(name, timm.list_models())
    raise MbcostError(
        f"timm has no model {name!r}",
        place=f"timm:{name}",
        way_out=answer if answer.startswith("did") else "timm.list_models() lists them",
    )


def _timm() -> Any:
    try:
        import timm
    except ImportError as error:
        raise MbcostError(
            f"cannot be imported: {error}",
            place="timm",
            way_out="pip install 'mbcost[models]'",
        ) from None
    return timm


@dataclass(frozen=True)
class TimmModel:
    """A model of timm's registry."""

    name: str

    @property
    def place(self) -> str:
        """Where an error in it happened."""
        return f"timm:{self.name}"

    def _config(self) -> Any:
        return _timm().models.get_pretrained_cfg(self.name, allow_unregistered=True)

    def native_input(self) -> tuple[InputShape, ...]:
        """Return the input that timm's configuration of the model names."""
        config = self._config()
        return (InputShape((1, *config.input_size)),) if config else DEFAULT_INPUT

    def size_options(self, size: tuple[int, int]) -> dict[str, Any]:
        """Return ``img_size`` where the model's input size is fixed when it is built."""
        config = self._config()
        return {"img_size": size} if config and config.fixed_input_size else {}

    def check_options(self, options: Mapping[str, Any], target: str) -> None:
        """Raise for an argument that would load weights."""
        no_weights(options, target)

    def construct(self, options: Mapping[str, Any]) -> nn.Module:
        """Call timm's factory without weights."""
        module: nn.Module = _timm().create_model(self.name, pretrained=False, **options)
        return module
