"""The memory of models from elsewhere: a copy is run on tensors without values, and watched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mbcost.errors import MbcostError
from mbcost.output.table import Record
from mbcost.studies.memory.how import How
from mbcost.targets.elsewhere import Model
from mbcost.targets.subject import Subject

if TYPE_CHECKING:
    from mbcost.modules.memory.observed import Observed


def traced_figures(subject: Subject, how: How) -> Record:
    """Return the peak of eager inference, and with ``train`` of a step; what asks for a graph in
    closed form is refused."""
    _refuse(subject, how)
    found = traced(subject)
    figures = {
        "weight_bytes": subject.report.param_bytes,
        "largest_activation_bytes": found.largest,
        "peak_activation_bytes": found.peak.size,
        "peak_at": found.peak.path or found.peak.operator,
    }
    return figures | _trained(subject, how) if how.train else figures


def _trained(subject: Subject, how: How) -> Record:
    from mbcost.modules.memory.trained import observed_training

    with _model(subject) as (module, inputs, further):
        step = observed_training(module, inputs, subject.target, optimizer=how.optimizer, **further)
    peaks = {f"peak_{name}_bytes": phase.peak for name, phase in step.phases.items()}
    return {"saved_bytes": step.saved, **peaks, "train_peak_bytes": step.peak}


def traced(subject: Subject, *, real: bool = False) -> Observed:
    """Return what a forward of a copy keeps, on tensors without values, or ``real`` ones."""
    from mbcost.modules.memory.elsewhere import observed_inference

    with _model(subject) as (module, inputs, further):
        return observed_inference(module, inputs, subject.target, real=real, **further)


@contextmanager
def _model(subject: Subject) -> Iterator[tuple[Any, list[Any], dict[str, Any]]]:
    """Build a subject's model; yield it, its inputs, those by name and how to build it anew."""
    from mbcost.targets.elsewhere.build import running

    assert isinstance(subject.spec, Model)
    spec, settings = subject.spec, subject.settings
    given = spec.inputs(settings, int(settings.get("batch", 1)))
    inputs, named = spec.by_name(settings, given)
    with running(subject.target):
        module = spec.build(settings)
        yield module, inputs, {"named": named, "built": lambda: spec.build(settings, real=True)}


def _refuse(subject: Subject, how: How) -> None:
    """Raise for choices that need a network of rows."""
    asked = {
        "--amp": how.amp,
        "--fit": how.fit is not None,
        "--dtype": how.dtype != "fp32",
        "--image": how.image not in (None, "held"),
    }
    for option, given in asked.items():
        if given:
            raise MbcostError(
                "is a model from elsewhere: eager inference and training in float32 are known",
                place=f"{subject.target}: {option}",
                way_out=f"leave out {option}, or name a network or YAML file",
            )
