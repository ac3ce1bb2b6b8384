"""Models from elsewhere: sections of the proof ``memory``.

Models of torchvision, of timm and hand-made ones on tensors without values, against the same model
with its weights, run as it is: inference of all, then steps of training by SGD and Adam of those
that are small, and what autograd saves. All of it leaves the model as it was.
"""

from __future__ import annotations

import copy
import random
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn

from mbcost.graph.training import OPTIMIZERS, Optimizer
from mbcost.modules.memory.elsewhere import observed_inference
from mbcost.modules.memory.storages import observed_run
from mbcost.modules.memory.trained import ModelStep, observed_training, trained_step
from mbcost.modules.trace.values import with_values
from mbcost.targets.elsewhere import find_model
from tests.proofs.handmade import HANDMADE
from tests.proofs.memory import Section, first_difference
from tests.proofs.models import SMALL, changed, fingerprint

FROM_ELSEWHERE = (
    *SMALL,
    "torchvision:mobilenet_v2",
    "torchvision:resnet18",
    "torchvision:densenet121",
    "torchvision:googlenet",
    "torchvision:alexnet",
    "torchvision:efficientnet_b0",
    "torchvision:swin_t",
    "torchvision:vit_b_16",
    "torchvision:maxvit_t",
    "torchvision:lraspp_mobilenet_v3_large",
    "torchvision:ssdlite320_mobilenet_v3_large",
    "timm:levit_128s",
    "timm:mixer_s32_224",
    "timm:mobilevit_xxs",
    "timm:deit_tiny_patch16_224",
    "timm:coat_lite_tiny",
    "timm:ghostnet_050",
    "timm:mobileone_s0",
    "timm:fastvit_t8",
    "timm:xcit_nano_12_p16_224",
    "timm:poolformer_s12",
    "timm:edgenext_xx_small",
)
FIXED = ("vit", "swin", "deit", "mixer", "coat", "xcit", "ssd")
"""Parts of the names of those that take no other size than their own."""


def runs(model: nn.Module, inputs: Sequence[Tensor]) -> Any:
    """Return what a copy of a model puts out in eval mode; what it warns of is not shown."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        return copy.deepcopy(model).eval()(*inputs)


def elsewhere_problems(model: nn.Module, inputs: Sequence[Tensor], name: str) -> list[str]:
    """Return where a model with its weights keeps other bytes than on tensors without values, and
    what that changed of it."""
    before = fingerprint(model)
    found = observed_inference(model, inputs, name)
    problems = [f"changed: {path}" for path in changed(before, fingerprint(model))]
    own = copy.deepcopy(model).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        real = observed_run(lambda: own(*inputs), inputs, own)
    if found != real:
        at = first_difference(found.alive, real.alive)
        problems.append(f"a peak of {found.peak}, really {real.peak}, first other at {at}")
    return problems


def elsewhere_cases(
    draw: random.Random, names: Sequence[str] = FROM_ELSEWHERE
) -> Iterator[tuple[str, nn.Module, tuple[Tensor, ...]]]:
    """Yield models, each with inputs that have values: those of libraries, then hand-made ones."""
    for name in names:
        found = find_model(name)
        assert found is not None
        settings = {} if any(part in name for part in FIXED) else {"size": (64, 64)}
        inputs = with_values(found.inputs(settings, draw.choice((1, 2))))
        yield name, found.build(settings, real=True), inputs
    for i in count():
        for name, make in HANDMADE.items():
            torch.manual_seed(i)
            yield f"{name} {i}", *make(random.Random(f"{draw.random()}/{i}"))


def elsewhere(sample: int, seed: int, end: float) -> Section:
    """Compare so many models, or as many as the time allows."""
    section = Section("models from elsewhere")
    for name, model, inputs in elsewhere_cases(random.Random(f"{seed}/elsewhere")):
        if section.cases >= sample or time.monotonic() > end:
            break
        try:
            runs(model, inputs)
        except Exception as error:  # drawn so that its maps become too small
            section.left_out.append(f"{name}: does not run: {error!s:.100}")
            continue
        section.cases += 1
        section.figures += len(observed_inference(model, inputs, name).samples)
        found = elsewhere_problems(model, inputs, name)
        section.problems += [f"{name}: {problem}" for problem in found]
    return section


TRAINED = (*SMALL, "torchvision:mobilenet_v2", "torchvision:resnet18", "torchvision:googlenet")
"""Those that are trained."""


def training_problems(
    model: nn.Module, inputs: Sequence[Tensor], name: str, optimizer: Optimizer
) -> list[str]:
    """Return where a step of a model with its weights keeps other bytes than on tensors without
    values, and what that changed of it."""
    before = fingerprint(model)
    found = observed_training(model, inputs, name, optimizer=optimizer)
    problems = [f"changed: {path}" for path in changed(before, fingerprint(model))]
    own = copy.deepcopy(model).train()
    real = trained_step(ModelStep(own, tuple(inputs), {}, optimizer))
    if found.saved != real.saved:
        problems.append(f"saves {found.saved:,}, really {real.saved:,}")
    for phase, kept in found.phases.items():
        really = real.phases[phase]
        if kept.peak != really.peak:
            problems.append(f"{phase}: a peak of {kept.peak:,}, really {really.peak:,}")
        elif kept != really and not (phase == "backward" and found.in_place_on_view):
            at = first_difference([s.size for s in kept.samples], [s.size for s in really.samples])
            problems.append(f"{phase}: other bytes at operator {at}")
    return problems


def trained(sample: int, seed: int, end: float) -> Section:
    """Compare steps of training, each model with a random optimizer and SGD."""
    section = Section("training of models from elsewhere")
    draw = random.Random(f"{seed}/trained")
    for name, model, inputs in elsewhere_cases(draw, TRAINED):
        if ":" not in name or section.cases >= sample or time.monotonic() > end:
            break
        section.cases += 1
        for optimizer in ("sgd", draw.choice(OPTIMIZERS)):
            found = observed_training(model, inputs, name, optimizer=optimizer)
            section.figures += 1 + sum(len(phase.samples) for phase in found.phases.values())
            problems = training_problems(model, inputs, name, optimizer)
            section.problems += [f"{name}, {optimizer}: {problem}" for problem in problems]
        if found.in_place_on_view:
            section.left_out.append(
                f"{name}: {found.in_place_on_view} on a view: of backward only the peak"
            )
    return section


SECTIONS: tuple[Callable[[int, int, float], Section], ...] = (elsewhere, trained)
