"""A target as typed, resolved: its spec, its settings, and what it costs under them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mbcost.cost import PAPERS, Convention, CostReport, cost_of
from mbcost.errors import MbcostError
from mbcost.graph.graph import Graph
from mbcost.modules.counters import Workbench
from mbcost.networks.spec import Spec
from mbcost.targets.elsewhere import Model
from mbcost.targets.restatement import AS_IN_PAPERS, Restatement

if TYPE_CHECKING:
    from mbcost.modules.trace import Traced


@dataclass(frozen=True)
class Subject:
    """A target as typed, resolved to a spec and its parsed settings."""

    target: str
    spec: Spec | Model
    settings: Mapping[str, Any] = field(default_factory=dict)
    restatement: Restatement = AS_IN_PAPERS
    shared: Mapping[str, Any] = field(default_factory=dict)
    """Those of the settings that were given for all targets."""
    label: str = ""
    """What people read in the place of the target: typed behind ``as``."""

    @property
    def shown_as(self) -> str:
        """How tables for people name it."""
        return self.label or self.target

    @property
    def name(self) -> str:
        """The YAML's stem, or the key of a block in its set."""
        return self.spec.name

    @property
    def batch(self) -> int:
        """Images per batch: of a model from elsewhere the first dimension of what it was given."""
        return self.report.batch if self.traced else int(self.settings.get("batch", 1))

    @property
    def folded(self) -> bool:
        """Whether batch-norms are folded into the convolutions before them."""
        if isinstance(self.spec, Model):
            return False
        return bool(self.settings.get("fold_bn", self.spec.fold_bn))

    @cached_property
    def graph(self) -> Graph:
        """The layers under these settings."""
        return self.spec.graph(self.settings)

    @property
    def traced(self) -> bool:
        """Whether the target is a model from elsewhere, whose costs a trace finds."""
        return isinstance(self.spec, Model)

    @cached_property
    def trace(self) -> Traced | None:
        """The costs and the operators they cover, of a model from elsewhere."""
        if not isinstance(self.spec, Model):
            return None
        from mbcost.modules.trace import trace
        from mbcost.targets.elsewhere.build import running

        spec, settings = self.spec, self.settings
        module = spec.build(settings)
        given = spec.inputs(settings, int(settings.get("batch", 1)))
        inputs, named = spec.by_name(settings, given)
        with running(self.target):
            found = trace(
                module,
                inputs,
                self.target,
                named=named,
                built=lambda: spec.build(settings, real=True),
            )
        found.coverage.warn(self.target)
        return found

    @cached_property
    def report(self) -> CostReport:
        """The costs: by closed form, or traced."""
        if self.trace is not None:
            return replace(self.trace.report, name=self.name)
        return cost_of(self.graph, self.name, self.batch)

    @cached_property
    def counted(self) -> tuple[Any, ...]:
        """What is counted, equal for settings that come to the same."""
        batch = self.settings.get("batch", 1)
        if isinstance(self.spec, Model):
            return self.spec.input_shapes(self.settings), batch, self.settings.get("options")
        return self.graph, batch

    def under(self, settings: Mapping[str, Any]) -> Subject:
        """Return the same target under other settings."""
        return replace(self, settings=settings)

    def changed_by(self, name: str) -> bool:
        """Whether one of its settings makes it another network, input or batch than its own."""
        without = {key: value for key, value in self.settings.items() if key != name}
        try:
            return self.under(without).counted != self.counted
        except MbcostError:  # of itself it does not fit
            return True

    @property
    def convention(self) -> str:
        """The name of the convention in which ``shown`` states its mult-adds."""
        return self.restatement.name

    @cached_property
    def shown(self) -> CostReport:
        """The costs as tables show them: restated where another convention was asked for.

        Its ``mult_adds`` are the convention's own figure, flops where that counts two per
        multiply-add; ``restatement`` tells both.
        """
        convention = self.restatement.convention
        if convention is PAPERS:
            return self.report
        self.check_states(convention)
        return self.report.restated(convention)

    def check_states(self, convention: Convention) -> None:
        """Raise where the costs cannot be stated in ``convention``."""
        if not convention.closed_form_only:
            return
        if self.traced:
            raise MbcostError(
                f"{convention.name} counts operations that a trace does not see",
                place=self.target,
                way_out="one of mbcost's own networks or a YAML file, or another --convention",
            )
        if self.batch != 1:
            raise MbcostError(
                f"{convention.name} is of a graph of one image, not of {self.batch}",
                place=self.target,
                way_out="leave out batch, or another --convention",
            )
        if convention.weights.weights and any(layer.times > 1 for layer in self.report.layers):
            raise MbcostError(
                f"{convention.name} counts each weight once, and layers here run more than once",
                place=self.target,
                way_out="--convention tensorflow-exporter",
            )

    def workbench(self) -> Workbench:
        """Return what counters work on."""
        if isinstance(self.spec, Model):
            from mbcost.targets.elsewhere.bench import ModelWorkbench

            real = bool(self.trace and self.trace.coverage.real)
            return ModelWorkbench(self.spec, self.settings, self.report, real=real)
        return Workbench(self.graph, self.batch)


def deployed(subject: Subject) -> Subject:
    """Return the subject with its batch-norms folded."""
    joint = "," if "@" in subject.target else "@"
    target = f"{subject.target}{joint}fold_bn=true"
    return replace(subject, target=target, settings={**subject.settings, "fold_bn": True})


def trained(subject: Subject) -> Subject:
    """Return the subject as it is trained, its batch-norms not folded."""
    return replace(subject, settings={**subject.settings, "fold_bn": False})


def uncounted_lines(subjects: Sequence[Subject]) -> list[str]:
    """Return a line for each subject whose totals miss the cost of operators without a formula."""
    traced = {s.target: s.trace.coverage.problem() for s in subjects if s.trace is not None}
    return [f"{target}: {problem}" for target, problem in traced.items() if problem]


def labels_of(subjects: Sequence[Subject]) -> dict[str, str]:
    """Return the labels that were typed behind ``as``, by target."""
    found: dict[str, str] = {}
    for subject in subjects:
        if subject.label and found.setdefault(subject.target, subject.label) != subject.label:
            raise MbcostError(
                f"is called {found[subject.target]!r} and {subject.label!r}",
                place=subject.target,
                way_out="one label for one target",
            )
    return found


def named(row: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, Any]:
    """Return a record as people read it: its target by its label."""
    label = labels.get(row["target"])
    return {**row, "target": label, "name": label} if label else dict(row)
