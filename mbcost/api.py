"""The Python API: what the command line does, as functions."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from os import PathLike, fspath
from typing import TYPE_CHECKING, cast

from mbcost.comparison import Comparison, counters_named
from mbcost.cost import CostReport, UncountedWarning
from mbcost.errors import MbcostError
from mbcost.models import Model
from mbcost.network import Spec, report
from mbcost.settings import SETTINGS, as_text, parse_all
from mbcost.targets import beside_deployed, resolve, resolve_one
from mbcost.units import parse_inputs

if TYPE_CHECKING:
    from torch import nn


def load(target: str | PathLike[str]) -> Spec:
    """Return the ``Network`` or ``SingleBlock`` of a name or a YAML path.

    Raises ``MbcostError`` naming the place, the problem and the way out.
    """
    subject = resolve_one(fspath(target))
    if subject.settings:
        raise MbcostError(
            "settings belong to count and compare", place=subject.target, way_out="load the name"
        )
    if isinstance(subject.spec, Model):
        raise MbcostError(
            "is no network of rows", place=subject.target, way_out="count and compare take it"
        )
    return subject.spec


def count(
    target: str | PathLike[str] | Spec | nn.Module, *, input: object = None, **settings: object
) -> CostReport:
    """Return the costs of a target: by closed form (torch is not imported), or of a model traced.

    ``settings`` are those of the command line: ``count("v2", alpha=0.5, size=160, batch=8)``,
    ``count("standard", in_=64, out=128)``. A module takes ``input``, a tensor, a shape with its
    batch such as ``(1, 3, 224, 224)``, or a list of these; the module is left as it was.

    Where a traced model runs an operator without a formula, an ``UncountedWarning`` names it, as
    does the report's ``coverage``.
    """
    found = _counted(target, input, settings)
    if found.coverage is not None and found.uncounted:
        _warn([f"{found.name}: {found.coverage.problem()}"])
    return found


def _warn(lines: Sequence[str]) -> None:
    for line in lines:
        warnings.warn(line, UncountedWarning, stacklevel=3)


def _counted(
    target: str | PathLike[str] | Spec | nn.Module, input: object, settings: dict[str, object]
) -> CostReport:
    if is_module(target):
        if settings:
            raise MbcostError(
                f"a module takes no setting {next(iter(settings))!r}",
                place="count",
                way_out="its input alone: count(module, input=(1, 3, 224, 224))",
            )
        return count_module(cast("nn.Module", target), input)
    if input is not None:
        settings["input"] = input
    if isinstance(target, str | PathLike):
        given = {name.rstrip("_"): value for name, value in settings.items()}
        return resolve_one(fspath(target), given).report
    spec = cast("Spec", target)
    return report(spec, parse_all(spec.accepts, settings, spec.name))


def is_module(target: object) -> bool:
    """Return whether ``target`` is an ``nn.Module``, without importing torch to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(target, torch.nn.Module)


def count_module(module: nn.Module, given: object) -> CostReport:
    """Return the costs of one forward of ``module`` on tensors or shapes, 1×3×224×224 if None."""
    import torch

    from mbcost.models import DEFAULT_INPUT
    from mbcost.trace import trace

    if given is None:
        given = DEFAULT_INPUT[0].shape
    several = isinstance(given, list) or (
        isinstance(given, tuple) and not all(isinstance(side, int) for side in given)
    )
    inputs = []
    for each in given if several else [given]:  # type: ignore[attr-defined]
        if isinstance(each, torch.Tensor):
            inputs.append(each)
            continue
        for shape, dtype in parse_inputs(as_text(each)):
            inputs.append(torch.zeros(shape, dtype=getattr(torch, dtype), device="meta"))
    return trace(module, inputs, type(module).__name__).report


def compare(
    *targets: str | PathLike[str],
    counters: Sequence[str] = (),
    reference: str | None = None,
    **settings: object,
) -> Comparison:
    """Return targets side by side, verified by ``counters`` (torchinfo, fvcore, torch) if named.

    Has ``records()``, ``frame()`` and a table in notebooks. A counter that disagrees with the
    closed form raises ``CheckFailedError``; one that disagrees with a trace, and operators without
    a formula, are an ``UncountedWarning``. ``fold_bn=True`` puts each target's deployed twin after
    it.
    """
    given = {name.rstrip("_"): value for name, value in settings.items()}
    folding = {"fold_bn": given.pop("fold_bn")} if "fold_bn" in given else {}
    fold_bn = parse_all(SETTINGS, folding, "compare").get("fold_bn", False)
    subjects = resolve([fspath(target) for target in targets], given)
    if not subjects:
        raise MbcostError("nothing to compare", way_out='compare("v1", "v2")')
    if fold_bn:
        subjects = beside_deployed(subjects)
    comparison = Comparison(subjects, counters_named(counters, ()), reference)
    for _ in comparison.verify():
        pass
    _warn(comparison.check())
    return comparison
