"""What a trained network answers on an image. Importing this imports torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from mbcost.errors import MbcostError
from mbcost.graph.graph import Graph
from mbcost.modules.exported.weights import with_weights_of
from mbcost.modules.training.batches import Examples, Scale
from mbcost.modules.training.checkpoint import digest_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def answers(
    graph: Graph, weights: str, sha256: str, scale: Scale, images: NDArray[np.uint8]
) -> list[list[float]]:
    """Return the probability of each class for images, N×C×H×W of bytes.

    Raises where ``weights`` are not those with the digest ``sha256``.
    """
    module = with_weights_of(graph, weights)
    if digest_of(module.state_dict()) != sha256:
        raise MbcostError(
            "holds other weights than those that were trained",
            place=weights,
            way_out="train again, in another --run",
        )
    given, (_, h, w) = torch.tensor(images), graph.x
    seen = Examples(given, torch.zeros(len(given)), scale, (h, w)).seen(given)
    with torch.no_grad():
        found = module(seen).flatten(1).double().softmax(1)
    probabilities: list[list[float]] = found.tolist()
    return probabilities
