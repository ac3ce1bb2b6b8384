"""Every classification model of torchvision, against the figures torchvision publishes of it."""

from __future__ import annotations

import pytest

from mbcost.targets.resolve import resolve_one

PARTS = 16
"""Tests that the models are dealt out to: torchvision, which names them, is imported when they
run."""


def names() -> list[str]:
    from torchvision import models

    found: list[str] = models.list_models(module=models)
    return found


def test_the_zoo_is_as_large_as_it_was() -> None:
    assert len(names()) >= 80


@pytest.mark.parametrize("part", range(PARTS))
def test_params_and_gflops_are_those_of_torchvisions_metadata(part: int) -> None:
    from torchvision import models

    for name in names()[part::PARTS]:
        # the metadata of GoogLeNet is of the network without its auxiliary heads
        further = "@aux_logits=false" if name == "googlenet" else ""
        subject = resolve_one(f"torchvision:{name}{further}")
        side = subject.report.x[-1]
        entries = [
            w for w in models.get_model_weights(name) if w.transforms.keywords["crop_size"] == side
        ]
        assert entries
        for entry in entries:
            assert subject.report.params == entry.meta["num_params"], name
            assert round(subject.report.mult_adds / 10**9, 3) == entry.meta["_ops"], name
        assert subject.trace is not None
        assert subject.trace.coverage.unknown == {}, name
