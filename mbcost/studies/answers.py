"""What the commands do as functions: ``mbcost.explain``, ``.diff``, ``.check`` and their like.

Each takes what its command takes, in the same words, and a target may be an ``nn.Module`` too. To
add one: a function here that returns an ``Answer``, and its line in ``mbcost/__init__.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mbcost.errors import MbcostError
from mbcost.networks.settings import as_text
from mbcost.studies.answer import Answer, Figure
from mbcost.targets.count import is_module, subject_of, subjects_of, target_name, warn_uncounted
from mbcost.targets.subject import uncounted_lines

if TYPE_CHECKING:
    from mbcost.output.plots import Plot
    from mbcost.studies.guard.snapshots import Snapshot
    from mbcost.targets.count import Target


def explain(target: Target, input: object = None, **settings: object) -> Answer:
    """Return the formula of every layer with the numbers filled in, and what a block saves.

    >>> import mbcost
    >>> answer = mbcost.explain("depthwise-separable", in_=512, out=512, size=14, stride=1)
    >>> answer.records()[0]["mult_adds_formula"]
    '3²·512/512·512·14·14'
    """
    from mbcost.studies.explain import explain_table

    subject = subject_of(target, input, settings)
    table = explain_table(subject)
    warn_uncounted(uncounted_lines([subject]))
    return Answer(table)


def reconcile(
    target: Target,
    input: object = None,
    *,
    counters: Sequence[str] | None = None,
    convention: str | None = None,
    **settings: object,
) -> Answer:
    """Return every counter's total taken apart, down to a residue of 0; all that are installed run.

    Raises ``CheckFailedError`` where one differs from the closed form.

    >>> import mbcost
    >>> answer = mbcost.reconcile("standard", size=8, counters=["torch"])
    >>> [row["torch"] for row in answer.records() if row["part"] == "residue"]
    [0]
    """
    from mbcost.modules.counters import COUNTERS
    from mbcost.studies.compare.comparison import counters_named
    from mbcost.studies.reconcile import reconciliation
    from mbcost.targets.restatement import restatement

    subject = subject_of(target, input, settings)
    chosen = counters_named(counters, COUNTERS)
    apart = restatement(convention, None).convention
    *_, found = reconciliation(subject, chosen, apart).verify()
    warn_uncounted(found.comparison.check())
    return Answer(found.table())


def diff(
    before: Target, after: Target, input: object = None, *, by: str = "layer", **settings: object
) -> Answer:
    """Return what changed between two targets, modules or saved JSON reports, layer by layer.

    >>> import mbcost
    >>> [row["path"] for row in mbcost.diff("v2", "v2@classes=10").records()]
    ['rows.10.linear']
    """
    from mbcost.studies.guard.diff import Diff, diff_of, diff_table, view_named

    view = view_named(by)
    given = {name.rstrip("_"): value for name, value in settings.items()}
    if not (is_module(before) or is_module(after)):
        return Answer(diff_table(diff_of(target_name(before), target_name(after), given), view))
    sides = [_snapshot(side, input, settings) for side in (before, after)]
    return Answer(diff_table(Diff(sides[0].target, sides[1].target, [(sides[0], sides[1])]), view))


def _snapshot(side: Target, input: object, settings: Mapping[str, object]) -> Snapshot:
    from mbcost.studies.guard.snapshots import is_report, named, read_report, snapshot_of

    if not is_module(side) and is_report(name := target_name(side)):
        found = read_report(name)
        return found[0] if len(found) == 1 else named(found, "a module")
    return snapshot_of(subject_of(side, input, {} if is_module(side) else settings))


def check(
    *targets: str | PathLike[str],
    budget: str | PathLike[str] | None = None,
    baseline: str | PathLike[str] | None = None,
    max_growth: str | None = None,
    allow_uncounted: bool = False,
    device: str | None = None,
    **given: object,
) -> Answer:
    """Return the checks of targets against limits, a budget file or a baseline.

    ``given`` are limits as the command line has them, and settings; a ``device`` sets those that
    nothing else does. Raises ``CheckFailedError``
    where a figure is over.

    >>> import mbcost
    >>> mbcost.check("v2", max_params="3.6M").document["passed"]
    True
    >>> mbcost.check("v2", max_mult_adds=300_000_000)
    Traceback (most recent call last):
    mbcost.errors.CheckFailedError: over budget: v2: 300,774,272 mult-adds, limit ...
    """
    from mbcost.networks.rules import fields_of, parse
    from mbcost.studies.device.budget import device_limits
    from mbcost.studies.guard.budget import Budget
    from mbcost.studies.guard.budget_file import load_budgets
    from mbcost.studies.guard.check import checks_of, chosen_budgets, raise_if_over
    from mbcost.studies.guard.check_table import check_table
    from mbcost.studies.guard.snapshots import read_snapshots

    limits, stated, settings = limits_of(given)
    growth = None
    if max_growth is not None:
        growth = parse(fields_of(Budget)["max_growth"].rule, as_text(max_growth), "max_growth")
    file = load_budgets(Path(budget)) if budget is not None else None
    if file is None and not targets:
        raise MbcostError("no target", way_out='check("v2", max_params="3.5M"), or budget=')
    asked = Budget(limits, **stated, max_growth=growth)
    filled = device_limits(device) if device is not None else None
    names = [target_name(target) for target in targets]
    chosen = chosen_budgets(names, asked, file, stated, filled=filled)
    known = baseline if baseline is not None else file.baseline if file else None
    snapshots = read_snapshots(Path(known)) if known is not None else None
    found = checks_of(chosen, settings, snapshots, allow_uncounted=allow_uncounted)
    table = check_table(found, None, None)
    raise_if_over(found)
    return Answer(table)


def limits_of(
    given: Mapping[str, object],
) -> tuple[dict[str, int], dict[str, Any], dict[str, object]]:
    """Return the limits, what bytes are stated in, and the settings among what was given."""
    from mbcost.networks.rules import fields_of, parse
    from mbcost.studies.guard.budget import LIMITS, Budget
    from mbcost.studies.memory.stated import Stated

    rules: dict[str, Any] = {key: limit.rule for key, limit in LIMITS.items()}
    rules |= {name: fields_of(Budget)[name].rule for name in Stated._fields}
    parsed = {
        key: parse(rule, as_text(given[key]), key) for key, rule in rules.items() if key in given
    }
    limits = {key: value for key, value in parsed.items() if key in LIMITS}
    stated = {key: value for key, value in parsed.items() if key not in LIMITS}
    settings = {key.rstrip("_"): value for key, value in given.items() if key not in rules}
    return limits, stated, settings


def paper(name: str, tables: Sequence[str] | None = None) -> Answer:
    """Return the cost figures that a MobileNet paper prints, ours, and a verdict on each.

    >>> import mbcost
    >>> answer = mbcost.paper("v1", tables=["6"])
    >>> {row["verdict"] for row in answer.records()} >= {"reproduced"}
    True
    """
    from mbcost.studies.papers import load_paper, paper_table

    return Answer(paper_table(load_paper(name), list(tables) if tables else None))


def plot(
    figure: str, *targets: Target, input: object = None, by: str | None = None, **settings: object
) -> Figure:
    """Return a figure of targets: accuracy, share, layers, memory or bars.

    ``by`` is what a segment of ``share`` is (kind or block), a part of ``memory`` (layer or
    tensor), or the cost that ``accuracy`` has across (mult_adds or params).

    >>> import mbcost
    >>> mbcost.plot("share", "v1", "v2").records()[0]["kind"]
    'linear'
    """
    from mbcost.studies import figures
    from mbcost.studies.compare.comparison import Comparison
    from mbcost.studies.memory.how import How

    known = ("accuracy", "share", "layers", "memory", "bars")
    if figure not in known:
        problem = f"unknown figure {as_text(figure)!r}"
        raise MbcostError(problem, way_out=f"one of {', '.join(known)}")
    if figure == "accuracy":
        drawn: Plot = figures.accuracy([target_name(t) for t in targets], by or "mult_adds")
        return Figure(drawn.table(), drawn)
    subjects = subjects_of(targets, input, settings)
    if not subjects or (figure in ("layers", "memory") and len(subjects) != 1):
        raise MbcostError(
            f"{figure} draws {len(subjects)} targets", way_out=f'plot("{figure}", "v2")'
        )
    if figure == "share":
        drawn = figures.share(subjects, by or "kind")
    elif figure == "bars":
        drawn = figures.bars(Comparison(subjects))
    elif figure == "memory":
        draw = figures.arena_map if by == "tensor" else figures.memory
        drawn = draw(subjects[0], How())
    else:
        drawn = figures.layers(subjects[0])
    warn_uncounted(uncounted_lines(subjects))
    return Figure(drawn.table(), drawn)
