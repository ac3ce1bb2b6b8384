"""The Python API: what the command line does, as functions."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, cast

from mbcost.cost import CostReport, UncountedWarning
from mbcost.errors import MbcostError
from mbcost.networks.network import Network
from mbcost.networks.settings import as_text, parse_all
from mbcost.networks.single_block import SingleBlock
from mbcost.networks.spec import Spec, report
from mbcost.targets.elsewhere import Model
from mbcost.targets.elsewhere.given import GivenModel
from mbcost.targets.resolve import only, resolve, resolve_one
from mbcost.targets.subject import Subject
from mbcost.units import parse_inputs

if TYPE_CHECKING:
    from typing import TypeAlias

    from torch import nn

    Target: TypeAlias = str | PathLike[str] | Spec | nn.Module
    """What a function takes as a target."""


Specs = (Network, SingleBlock)
"""What ``load`` returns, and every function takes too."""


def load(target: str | PathLike[str]) -> Spec:
    """Return the ``Network`` or ``SingleBlock`` of a name or a YAML path.

    Raises ``MbcostError`` naming the place, the problem and the way out.

    >>> import mbcost
    >>> mbcost.load("v2").name
    'v2'
    """
    subject = resolve_one(target_name(target, "a name or a path"))
    if subject.settings:
        raise MbcostError(
            "settings belong to count and compare", place=subject.target, way_out="load the name"
        )
    if isinstance(subject.spec, Model):
        raise MbcostError(
            "is not a network of rows", place=subject.target, way_out="count and compare take it"
        )
    return subject.spec


def count(
    target: str | PathLike[str] | Spec | nn.Module, input: object = None, **settings: object
) -> CostReport:
    """Return the costs of a target: by closed form (torch is not imported), or of a model traced.

    >>> import mbcost
    >>> mbcost.count("v2", alpha=0.5)
    CostReport('v2': 1,968,680 params, 97,131,840 mult-adds, input 3×224×224, batch 1)

    ``settings`` are those of the command line: ``count("v2", alpha=0.5, size=160, batch=8)``,
    ``count("standard", in_=64, out=128)``. A module takes ``input``, a tensor, a shape with its
    batch such as ``(1, 3, 224, 224)``, a list of these, or a dict of them by the names of its
    forward's arguments; the module is left as it was.

    Where a traced model runs an operator without a formula, an ``UncountedWarning`` names it, as
    does the report's ``coverage``.
    """
    found = _counted(target, input, settings)
    if found.coverage is not None and found.uncounted:
        warn_uncounted([f"{found.name}: {found.coverage.problem()}"])
    return found


def warn_uncounted(lines: Sequence[str]) -> None:
    """Warn of each line, at the caller of the public function that calls this."""
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
    if isinstance(target, Specs):
        return report(target, parse_all(target.accepts, settings, target.name))
    given = {name.rstrip("_"): value for name, value in settings.items()}
    return resolve_one(target_name(target), given).report


def subject_of(target: Target, input: object, settings: Mapping[str, object]) -> Subject:
    """Return the one subject that a target given in Python is."""
    found = subjects_of([target], input, settings)
    return only(found, found[0].target)


def subjects_of(
    targets: Sequence[Target], input: object, settings: Mapping[str, object]
) -> list[Subject]:
    """Return the subjects of targets given in Python, networks and modules among them.

    ``input`` is that of the modules and of other models from elsewhere; a module takes nothing
    else. Settings go to every other target that accepts them, and fit at least one.
    """
    given = {name.rstrip("_"): value for name, value in settings.items()}
    own = {} if input is None else {"input": input}
    names = [target_name(t) for t in targets if not (is_module(t) or isinstance(t, Specs))]
    takers = any("input" in subject.spec.accepts for subject in resolve(names))
    of_names = resolve(names, {**given, **(own if takers else {})}) if names else []
    found: list[Subject] = []
    for target in targets:
        if is_module(target):
            model = Model(GivenModel(cast("nn.Module", target)))
            model.source.check_options({} if len(targets) > 1 else given, model.name)
            found.append(Subject(model.name, model, parse_all(model.accepts, own, model.name)))
        elif isinstance(target, Specs):
            fitting = {k: v for k, v in given.items() if k in target.accepts or len(targets) == 1}
            found.append(
                Subject(target.name, target, parse_all(target.accepts, fitting, target.name))
            )
        else:
            n = len(resolve([target_name(target)]))  # a file may hold several blocks
            found, of_names = found + of_names[:n], of_names[n:]
    return found


def target_name(target: object, one_of: str = "a name, a path or a module") -> str:
    """Return the name or path that ``target`` is, or raise for what names nothing."""
    name = fspath(target) if isinstance(target, str | PathLike) else None
    if not isinstance(name, str):
        raise MbcostError(
            f"a target is {one_of}, not {type(target).__name__}",
            way_out="like 'v2'",
        )
    return name


def is_module(target: object) -> bool:
    """Return whether ``target`` is an ``nn.Module``, without importing torch to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(target, torch.nn.Module)


def count_module(module: nn.Module, given: object) -> CostReport:
    """Return the costs of one forward of ``module`` on tensors or shapes, 1×3×224×224 if None."""
    from mbcost.modules.trace import trace
    from mbcost.targets.elsewhere import DEFAULT_INPUT

    arguments = _argument(DEFAULT_INPUT[0].shape if given is None else given)
    named = arguments if isinstance(arguments, dict) else {}
    inputs = arguments if isinstance(arguments, list | tuple) else [arguments]
    name = type(module).__name__
    found = trace(module, [] if named else inputs, name, named=named)
    found.coverage.warn(name, stacklevel=4)
    return found.report


def _argument(given: object) -> Any:
    """Return an argument of a forward: a shape is a tensor, lists and dicts may hold several."""
    import torch

    if isinstance(given, Mapping):
        return {str(name): _argument(value) for name, value in given.items()}
    shape = isinstance(given, list | tuple) and given and all(type(n) is int for n in given)
    if isinstance(given, str) or shape:
        return _argument_of_text(as_text(given))
    if isinstance(given, list | tuple):
        return [_argument(value) for value in given]
    if given is None or isinstance(given, torch.Tensor | bool | int | float):
        return given
    raise MbcostError(
        f"{type(given).__name__} is not an input",
        place="count",
        way_out="a tensor, a shape with its batch such as (1, 3, 224, 224), or a list or dict",
    )


def _argument_of_text(text: str) -> Any:
    import torch

    found = [
        (name, torch.zeros(shape, dtype=getattr(torch, dtype), device="meta"))
        for shape, dtype, name in parse_inputs(text)
    ]
    if any(name for name, _ in found):
        return dict(found)
    return [x for _, x in found] if len(found) > 1 else found[0][1]
