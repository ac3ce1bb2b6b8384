"""A sample of ``python -m tests.proofs.models``, which counts hundreds of models in every mode."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from tests.proofs.models import changed, fingerprint, run


def test_forty_models_cost_the_same_in_every_mode_and_stay_as_they_were() -> None:
    found = run(sample=40, seed=1, seconds=300, small=True)
    assert [each for each in found if each.problems or each.skipped] == []
    assert len(found) == 40
    assert sum(each.mult_adds > 0 for each in found) == 40


def test_the_fingerprint_notices_what_a_count_could_change() -> None:
    layer, norm = nn.Linear(2, 3), nn.BatchNorm1d(3)
    module = nn.Sequential(layer, norm)
    before = fingerprint(module)
    assert list(changed(before, fingerprint(module))) == []
    torch.rand(1)
    assert "rng" in "".join(changed(before, fingerprint(module)))
    harms: tuple[Callable[[], object], ...] = (
        lambda: layer.weight.data.add_(1),
        lambda: norm.get_buffer("running_mean").add_(1),
        module.eval,
        lambda: setattr(layer, "seen", 1),
        lambda: module.register_forward_hook(lambda *_: None),
        lambda: layer.requires_grad_(False),
    )
    for harm in harms:
        before = fingerprint(module)
        harm()
        assert list(changed(before, fingerprint(module)))
