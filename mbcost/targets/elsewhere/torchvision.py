"""Models that torchvision lists. The door to torchvision, imported where it is used."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mbcost.errors import MbcostError, did_you_mean
from mbcost.targets.elsewhere.source import DEFAULT_INPUT, InputShape, no_weights

if TYPE_CHECKING:
    from torch import nn


def find(name: str) -> TorchvisionModel:
    """Return the model of this name, or raise with the nearest one."""
    known = _models().list_models()
    wanted = name if name in known else name.replace("-", "_")
    if wanted not in known:
        raise MbcostError(
            f"torchvision has no model {name!r}",
            place=f"torchvision:{name}",
            way_out=_nearest(name, known),
        )
    return TorchvisionModel(wanted)


def _nearest(name: str, known: list[str]) -> str:
    answer = did_you_mean(name, known)
    return answer if answer.startswith("did") else "torchvision.models.list_models() lists them"


def _models() -> Any:
    try:
        from torchvision import models
    except ImportError as error:
        raise MbcostError(
            f"cannot be imported: {error}",
            place="torchvision",
            way_out="pip install 'mbcost[models]'",
        ) from None
    return models


@dataclass(frozen=True)
class TorchvisionModel:
    """A builder of ``torchvision.models``."""

    name: str

    @property
    def place(self) -> str:
        """Where an error in it happened."""
        return f"torchvision:{self.name}"

    def native_input(self) -> tuple[InputShape, ...]:
        """Return the smallest image, or clip, that torchvision's weights of this model are
        evaluated on."""
        weights = _models().get_model_weights(self.name)
        crops = [getattr(entry.transforms, "keywords", {}).get("crop_size") for entry in weights]
        sizes = [(crop, crop) if isinstance(crop, int) else tuple(crop) for crop in crops if crop]
        if not sizes:
            return DEFAULT_INPUT
        frames = (FRAMES,) if self.name in _models().list_models(module=_models().video) else ()
        return (InputShape((1, 3, *frames, *min(sizes))),)

    def size_options(self, size: tuple[int, int]) -> dict[str, Any]:
        """Return ``image_size``, which vision transformers need; the rest have no such argument."""
        return {"image_size": size[0]} if self.name.startswith("vit_") else {}

    def check_options(self, options: Mapping[str, Any], target: str) -> None:
        """Raise for an argument that would load weights."""
        no_weights(options, target)

    def construct(self, options: Mapping[str, Any]) -> nn.Module:
        """Call the builder without weights."""
        builder = _models().get_model_builder(self.name)
        given = {"weights": None, **options}
        if "weights_backbone" in inspect.signature(builder).parameters:
            given["weights_backbone"] = None  # segmentation and detection default to some
        module: nn.Module = builder(**given)
        return module


FRAMES = 16
"""Of a clip: torchvision states the costs of its video models at this many."""
