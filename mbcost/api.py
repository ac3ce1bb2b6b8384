"""The Python API: what the command line does, as functions."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike, fspath

from mbcost.comparison import Comparison, counters_named
from mbcost.cost import CostReport
from mbcost.errors import MbcostError
from mbcost.network import Spec, report
from mbcost.settings import parse_all
from mbcost.targets import beside_deployed, resolve, resolve_one


def load(target: str | PathLike[str]) -> Spec:
    """Return the ``Network`` or ``SingleBlock`` of a name or a YAML path.

    Raises ``MbcostError`` naming the place, the problem and the way out.
    """
    subject = resolve_one(fspath(target))
    if subject.settings:
        raise MbcostError(
            "settings belong to count and compare", place=subject.target, way_out="load the name"
        )
    return subject.spec


def count(target: str | PathLike[str] | Spec, **settings: object) -> CostReport:
    """Return the closed-form costs of a target; torch is not imported.

    ``settings`` are those of the command line: ``count("v2", alpha=0.5, size=160, batch=8)``,
    ``count("standard", in_=64, out=128)``.
    """
    if isinstance(target, str | PathLike):
        given = {name.rstrip("_"): value for name, value in settings.items()}
        return resolve_one(fspath(target), given).report
    return report(target, parse_all(target.accepts, settings, target.name))


def compare(
    *targets: str | PathLike[str],
    counters: Sequence[str] = (),
    reference: str | None = None,
    **settings: object,
) -> Comparison:
    """Return targets side by side, verified by ``counters`` (torchinfo, fvcore, torch) if named.

    Has ``records()``, ``frame()`` and a table in notebooks. A counter that disagrees with the
    closed form raises ``CheckFailedError``. ``fold_bn=True`` puts each target's deployed twin
    after it.
    """
    given = {name.rstrip("_"): value for name, value in settings.items()}
    fold_bn = bool(given.pop("fold_bn", False))
    subjects = resolve([fspath(target) for target in targets], given)
    if not subjects:
        raise MbcostError("nothing to compare", way_out='compare("v1", "v2")')
    if fold_bn:
        subjects = beside_deployed(subjects)
    comparison = Comparison(subjects, counters_named(counters, ()), reference)
    for _ in comparison.verify():
        pass
    comparison.check()
    return comparison
