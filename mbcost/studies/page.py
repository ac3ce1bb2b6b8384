"""Everything about one target, or several side by side, as one page: ``mbcost report``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mbcost.cost.tree import Branch as CostBranch
from mbcost.cost.tree import tree
from mbcost.errors import MbcostError, missing
from mbcost.output.page import Branch, Card, Drawing, Page, Section, Share, Tree
from mbcost.output.plots import Plot, render
from mbcost.studies import figures
from mbcost.studies.compare.breakdown import coverage_lines, model_table
from mbcost.studies.compare.comparison import Comparison
from mbcost.studies.explain import explain_table
from mbcost.studies.guard.diff import Diff, diff_table
from mbcost.studies.guard.snapshots import snapshot_of
from mbcost.studies.memory import figures as memory
from mbcost.studies.memory.how import How
from mbcost.targets.subject import Subject
from mbcost.units import bytes_in_words, thousands

NO_FIGURES = "no figures: matplotlib is not installed (pip install 'mbcost[plot]')"

MOST_DRAWN = 2000
"""Bars of a figure; more of them take minutes and cannot be told apart."""


def page_of(comparison: Comparison) -> Page:
    """Return the page of a comparison whose counters have run."""
    subjects = comparison.subjects
    several = len(subjects) > 1
    sections: list[Section] = []
    if several:
        sections += _side_by_side(comparison)
    for i, subject in enumerate(subjects):
        if several:
            sections.append(Section(subject.target))
        sections += _target(comparison.alone(i), 3 if several else 2)
    sections.append(_conventions(comparison))
    title = " · ".join(subject.target for subject in subjects)
    return Page(title, comparison.title(), sections)


def _side_by_side(comparison: Comparison) -> Iterator[Section]:
    """Yield the table of all targets, its figures, and what differs from the reference by layer."""
    table = comparison.table()
    drawings = (
        _drawn(figures.bars(comparison), "Params and mult-adds of each target as bars"),
        _shares(comparison.subjects),
        _accuracy(comparison.subjects),
    )
    yield Section(
        "Side by side",
        table=table._replace(title=""),
        rows="targets",
        drawings=tuple(filter(None, drawings)),
        lines=table.notes,
    )
    reference = comparison.reference_index
    before = snapshot_of(comparison.subjects[reference])
    for i, subject in enumerate(comparison.subjects):
        if i == reference:
            continue
        after = snapshot_of(subject)
        changes = diff_table(Diff(before.target, after.target, [(before, after)]))
        yield Section(
            f"{before.target} → {after.target}, layer by layer",
            table=changes._replace(title=""),
            rows="layers that differ",
            filters=True,
            lines=changes.notes,
        )


def _target(comparison: Comparison, level: int) -> Iterator[Section]:
    """Yield what there is to know of the comparison's one target."""
    subject = comparison.subjects[0]
    layers = model_table(comparison)
    yield Section(
        "Summary",
        level,
        lead=_origin(subject),
        cards=_cards(comparison),
        lines=layers.notes,
    )
    yield Section("Where the cost sits", level, tree=_tree(subject))
    yield Section("Layers", level, table=layers._replace(title=""), rows="layers", filters=True)
    if drawings := _own_figures(subject, alone=level == 2):
        yield Section("Figures", level, drawings=drawings)
    formulas = explain_table(subject)
    yield Section(
        "Formulas",
        level,
        table=formulas._replace(title=""),
        rows="formulas",
        filters=True,
        lines=formulas.notes,
    )


def _origin(subject: Subject) -> str:
    source = getattr(subject.spec, "source", "")
    return f"Source: {source}" if source else ""


def _cards(comparison: Comparison) -> tuple[Card, ...]:
    """Return the figures of a summary, every digit of them."""
    subject = comparison.subjects[0]
    report = subject.report
    found = memory.record(subject, How())
    cards = [
        Card("params", thousands(report.params), "weights, biases, batch-norm γ and β"),
        Card("mult-adds", thousands(report.mult_adds), f"for a batch of {subject.batch}"),
        Card("weights in float32", bytes_in_words(report.param_bytes)),
    ]
    if found["peak_activation_bytes"] is not None:
        peak = bytes_in_words(found["peak_activation_bytes"])
        cards.append(Card("peak of maps, eager", peak, f"at {found['peak_at']}"))
    if found["arena_bytes"] is not None:
        arena = bytes_in_words(found["arena_bytes"])
        cards.append(Card("arena, deployed", arena, "float32, an interpreter takes at least that"))
    cards.append(
        Card("torchinfo's total", bytes_in_words(report.total_bytes), "input, maps, params")
    )
    verified = comparison.records()[0]["verified"]
    words = {True: "yes", False: "NO", None: "no counter ran"}
    names = ", ".join(counter.name for counter in comparison.counters)
    cards.append(Card("verified", words[verified], names))
    if report.uncounted:
        cards.append(Card("NOT COUNTED", f"{len(report.uncounted)} operators", "see below"))
    return tuple(cards)


def _tree(subject: Subject) -> Tree:
    report = subject.report
    open_: list[CostBranch] = []
    lines = []
    for branch in tree(report.layers, report.scale):
        del open_[branch.depth :]
        parent = open_[-1].path if open_ else ""
        name = branch.within(parent)
        shares = (
            _share(branch.mult_adds, report.mult_adds),
            _share(branch.params, report.params),
        )
        before = branch.path.removesuffix(name)
        lines.append(
            Branch(before, name, branch.kind, shares, branch.depth, branch.leaf, branch.closes)
        )
        if not branch.leaf:
            open_.append(branch)
    return Tree(("mult-adds", "params"), lines)


def _share(value: int, whole: int) -> Share:
    return Share(thousands(value), value / whole if whole else None)


def _own_figures(subject: Subject, *, alone: bool) -> tuple[Drawing, ...]:
    """Return the figures of one target; what stands beside others' is drawn there."""
    if missing(["matplotlib"]) or not (subject.report.params or subject.report.mult_adds):
        return ()
    found: list[Drawing | None] = []
    if subject.report.mult_adds:
        words = f"{subject.target}: mult-adds, params and activation of each layer with weights"
        found.append(_drawn(figures.layers(subject), words))
    words = f"{subject.target}: shares of mult-adds and params by block"
    found.append(_drawn(figures.share([subject], "block"), words))
    if alone:
        found += [_shares([subject]), _accuracy([subject])]
    return tuple(drawing for drawing in found if drawing)


def _shares(subjects: Sequence[Subject]) -> Drawing | None:
    costly = [s for s in subjects if s.report.params or s.report.mult_adds]
    words = "Shares of mult-adds and params by kind of layer"
    return _drawn(figures.share(costly), words) if costly else None


def _accuracy(subjects: Sequence[Subject]) -> Drawing | None:
    """Return cost against published top-1, of those networks that have one as they are."""
    named = [s.target for s in subjects if not s.settings and figures.published_points(s)]
    words = f"Counted mult-adds against published top-1: {', '.join(named)}"
    return _drawn(figures.accuracy(named), words) if named else None


def _drawn(plot: Plot, words: str) -> Drawing | None:
    """Return a figure; where a name in it cannot be drawn, or its bars not be told apart, why."""
    if missing(["matplotlib"]):
        return None
    if (n := len(plot.table().rows)) > MOST_DRAWN:
        return Drawing(b"", f"{words}: not drawn, {thousands(n)} bars cannot be told apart")
    try:
        return Drawing(render(plot, ".svg"), words)
    except MbcostError as error:
        return Drawing(b"", f"{words}: not drawn, {error}")


def _conventions(comparison: Comparison) -> Section:
    """Return what the figures mean, and which versions counted them."""
    said = " ".join(each.text for each in comparison.said())
    lines = [f"{line.strip().removesuffix('.')}." for line in said.split(". ") if line.strip()]
    traced = [line for subject in comparison.subjects for line in coverage_lines(subject)]
    unseen = [NO_FIGURES] if missing(["matplotlib"]) else []
    return Section("Conventions and versions", lines=(*lines, *dict.fromkeys(traced), *unseen))
