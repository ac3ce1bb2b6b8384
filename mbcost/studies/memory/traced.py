"""The memory of models from elsewhere: one forward of a copy, on tensors without values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mbcost.errors import MbcostError
from mbcost.output.table import Record
from mbcost.studies.memory.how import How
from mbcost.targets.elsewhere import Model
from mbcost.targets.subject import Subject

if TYPE_CHECKING:
    from mbcost.modules.memory.observed import Observed


def traced_figures(subject: Subject, how: How) -> Record:
    """Return the peak of eager inference; what asks for a graph in closed form is refused."""
    _refuse(subject, how)
    found = traced(subject)
    return {
        "weight_bytes": subject.report.param_bytes,
        "largest_activation_bytes": found.largest,
        "peak_activation_bytes": found.peak.size,
        "peak_at": found.peak.path or found.peak.operator,
    }


def traced(subject: Subject, *, real: bool = False) -> Observed:
    """Return what a forward of a copy keeps, on tensors without values, or ``real`` ones."""
    from mbcost.modules.memory.elsewhere import observed_inference
    from mbcost.targets.elsewhere.build import running

    assert isinstance(subject.spec, Model)
    spec, settings = subject.spec, subject.settings
    given = spec.inputs(settings, int(settings.get("batch", 1)))
    inputs, named = spec.by_name(settings, given)
    with running(subject.target):
        return observed_inference(
            spec.build(settings),
            inputs,
            subject.target,
            named=named,
            built=lambda: spec.build(settings, real=True),
            real=real,
        )


def _refuse(subject: Subject, how: How) -> None:
    """Raise for choices that need a network of rows."""
    asked = {
        "--train": how.train,
        "--fit": how.fit is not None,
        "--dtype": how.dtype != "fp32",
        "--image": how.image not in (None, "held"),
    }
    for option, given in asked.items():
        if given:
            raise MbcostError(
                "is a model from elsewhere, of which eager inference in float32 alone is known",
                place=f"{subject.target}: {option}",
                way_out=f"leave out {option}, or name a network or YAML file",
            )
