"""Every classification model of torchvision, against the figures torchvision publishes of it."""

from __future__ import annotations

import pytest
from torchvision import models

from mbcost.targets.resolve import resolve_one

NAMES = models.list_models(module=models)


def test_the_zoo_is_as_large_as_it_was() -> None:
    assert len(NAMES) >= 80


@pytest.mark.parametrize("name", NAMES)
def test_params_and_gflops_are_those_of_torchvisions_metadata(name: str) -> None:
    # the metadata of GoogLeNet is of the network without its auxiliary heads
    subject = resolve_one(
        f"torchvision:{name}@aux_logits=false" if name == "googlenet" else f"torchvision:{name}"
    )
    side = subject.report.x[-1]
    entries = [
        w for w in models.get_model_weights(name) if w.transforms.keywords["crop_size"] == side
    ]
    assert entries
    for entry in entries:
        assert subject.report.params == entry.meta["num_params"]
        assert round(subject.report.mult_adds / 10**9, 3) == entry.meta["_ops"]
    assert subject.trace is not None
    assert subject.trace.coverage.unknown == {}
