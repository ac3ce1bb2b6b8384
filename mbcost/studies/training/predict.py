"""``mbcost predict``: what a trained network takes an image for."""

from __future__ import annotations

from pathlib import Path

from mbcost.errors import MbcostError
from mbcost.studies.training.run import Run


def predict(run: Run, image: str) -> list[float]:
    """Return the probability of each class of the run for an image file, scaled to the network's
    input and cut in the middle."""
    from mbcost.modules.data.folders import pixels, require

    require()
    if not Path(image).is_file():
        raise MbcostError("no such file", place=image, way_out="an image: PNG, JPEG, …")
    graph = run.subject().graph
    channels, h, w = graph.x
    found = pixels(Path(image), (h, w), channels)

    from mbcost.modules.training.answer import answers
    from mbcost.modules.training.batches import Scale

    scale = Scale(tuple(run.record["mean"]), tuple(run.record["std"]))
    return answers(graph, str(run.weights), run.record["weights_sha256"], scale, found[None])[0]
