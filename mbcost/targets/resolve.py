"""What a user names: a built-in, a YAML file, with settings inline or for all targets."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from mbcost.cost import CONVENTIONS, PAPERS, Convention, CostReport, Terms, cost_of
from mbcost.errors import MbcostError, did_you_mean
from mbcost.graph.graph import Graph
from mbcost.modules.counters import Workbench
from mbcost.modules.trace import Traced
from mbcost.networks.network import Network, Spec
from mbcost.networks.settings import SETTINGS, YAML_SUFFIXES, parse_all, split_inline
from mbcost.networks.yaml import builtin, find_builtin, load_specs
from mbcost.targets.elsewhere import Model, find_model

_EXCLUDES = {"size": ("rho", "input"), "rho": ("size",), "batch": ("input",)}
"""Two ways to say one thing: the inline one wins over the one for all targets."""


class Restatement(NamedTuple):
    """How ``mult_adds`` are shown: by which convention, and whether each counts as two flops."""

    convention: Convention = PAPERS
    flops: bool = False

    @property
    def name(self) -> str:
        """Return the record's ``convention``."""
        return self.convention.name

    @property
    def in_flops(self) -> bool:
        """Return whether the figure asked for is in flops, two per mult-add."""
        return self.flops or self.convention.weights.mult_adds == 2

    @property
    def unit(self) -> str:
        """Return the record's ``unit``, by the name that ``--unit`` takes."""
        return "flop" if self.in_flops else "mult-add"

    @property
    def figure(self) -> str:
        """Return the key of the figure asked for; ``mult_adds`` are never flops."""
        return "flops" if self.in_flops else "mult_adds"

    @property
    def in_mult_adds(self) -> Convention:
        """Return the convention, with one per multiply-add where it counts two."""
        if self.convention.weights.mult_adds != 2:
            return self.convention
        halved = Terms(*(weight // 2 for weight in self.convention.weights))
        return self.convention._replace(weights=halved)

    @property
    def title(self) -> str:
        """Return the header of the figure's column."""
        return self._title("flops" if self.in_flops else "mult-adds")

    @property
    def mult_adds_title(self) -> str:
        """Return the header of the column of ``mult_adds``, whatever was asked for."""
        return self._title("mult-adds")

    def _title(self, unit: str) -> str:
        return unit if self.convention is PAPERS else f"{unit} as {self.convention.name}"

    @property
    def counts(self) -> str:
        """Return the caption's sentence: what is counted."""
        twice = ", each as two flops" if self.flops else ""
        return f"{self.title}: {self.convention.counts}{twice}."


AS_IN_PAPERS = Restatement()


@dataclass(frozen=True)
class Subject:
    """A target as typed, resolved to a spec and its parsed settings."""

    target: str
    spec: Spec | Model
    settings: Mapping[str, Any] = field(default_factory=dict)
    restatement: Restatement = AS_IN_PAPERS
    shared: Mapping[str, Any] = field(default_factory=dict)
    """Those of the settings that were given for all targets."""

    @property
    def name(self) -> str:
        """The YAML's stem, or the key of a block in its set."""
        return self.spec.name

    @property
    def batch(self) -> int:
        """Images per batch: of a model from elsewhere the first dimension of what it was given."""
        return self.report.batch if self.traced else int(self.settings.get("batch", 1))

    @property
    def is_network(self) -> bool:
        """Whether the target is a network rather than a block."""
        return isinstance(self.spec, Network)

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

        In mult-adds always; flops are twice as many.
        """
        if self.restatement.convention is PAPERS:
            return self.report
        return self.report.restated(self.restatement.in_mult_adds)

    def workbench(self) -> Workbench:
        """Return what counters work on."""
        if isinstance(self.spec, Model):
            from mbcost.targets.elsewhere.bench import ModelWorkbench

            real = bool(self.trace and self.trace.coverage.real)
            return ModelWorkbench(self.spec, self.settings, self.report, real=real)
        return Workbench(self.graph, self.batch)


def uncounted_lines(subjects: Sequence[Subject]) -> list[str]:
    """Return a line for each subject whose totals miss the cost of operators without a formula."""
    traced = {s.target: s.trace.coverage.problem() for s in subjects if s.trace is not None}
    return [f"{target}: {problem}" for target, problem in traced.items() if problem]


def restatement(convention: str | None, unit: str | None) -> Restatement:
    """Return how to show mult-adds by the names of a convention and of a unit."""
    name = (convention or PAPERS.name).replace("_", "-")
    if name not in CONVENTIONS:
        raise MbcostError(
            f"unknown convention {convention!r}",
            place="--convention",
            way_out=did_you_mean(name, CONVENTIONS),
        )
    unit = (unit or "mult-add").replace("_", "-").removesuffix("s")
    if unit not in ("mult-add", "flop"):
        raise MbcostError(
            f"unknown unit {unit!r}", place="--unit", way_out="mult-add, or flop: two of them"
        )
    chosen = CONVENTIONS[name]
    if unit == "flop" and chosen.weights.mult_adds == 2:
        raise MbcostError(
            f"{name} counts two per multiply-add already",
            place="--unit",
            way_out="leave out --unit flop",
        )
    return Restatement(chosen, unit == "flop")


def find(name: str) -> Mapping[str, Spec | Model]:
    """Return what ``name`` names: a built-in, a YAML file, one member ``file.yaml:name`` of
    it, or a model from elsewhere.

    Raises ``MbcostError`` with the nearest known name.
    """
    if not name.strip():
        raise MbcostError("a target is empty", way_out="`mbcost list` shows what can be named")
    if find_builtin(name):
        return {name: builtin(name)}
    model = find_model(name)
    if model is not None:
        return {name: model}
    path, _, member = name.rpartition(":")
    if path.endswith(YAML_SUFFIXES):
        specs = load_specs(Path(path))
        if member not in specs:
            raise MbcostError(
                f"no {member!r} in it", place=path, way_out=did_you_mean(member, specs)
            )
        return {name: specs[member]}
    if name.endswith(YAML_SUFFIXES) or "/" in name or os.path.isdir(name):
        specs = load_specs(Path(name))
        return {name if len(specs) == 1 else f"{name}:{key}": s for key, s in specs.items()}
    return {name: builtin(name)}  # raises with the nearest name


def resolve(
    targets: Sequence[str],
    common: Mapping[str, object] | None = None,
    restatement: Restatement = AS_IN_PAPERS,
) -> list[Subject]:
    """Return the subjects that ``targets`` name, in order.

    ``common`` settings go to every target that accepts them; one that fits no target is an error,
    as is an inline setting that its target does not accept.
    """
    common = dict(common or {})
    used: set[str] = set()
    subjects = []
    accepted: set[str] = set()
    for target in targets:
        name, inline = split_inline(target)
        for label, spec in find(name).items():
            fitting = {
                key: value
                for key, value in common.items()
                if key in spec.accepts
                and key not in inline
                and not any(other in inline for other in _EXCLUDES.get(key, ()))
            }
            used |= set(common) & set(spec.accepts)
            accepted |= set(spec.accepts)
            shared = parse_all(spec.accepts, fitting, "--")
            settings = {**shared, **parse_inline(spec, inline, target)}
            shown = target if label == name else target.replace(name, label, 1)
            subjects.append(Subject(shown, spec, settings, restatement, shared))
    for key in common:
        if key not in SETTINGS and key not in accepted:
            raise MbcostError(f"no setting {key!r}", way_out=did_you_mean(key, SETTINGS))
        if key not in used:
            raise MbcostError(
                f"fits none of the targets {', '.join(targets)}",
                place=f"--{key.replace('_', '-')}",
                way_out=f"they take: {', '.join(s for s in SETTINGS if s in accepted)}",
            )
    return subjects


def parse_inline(spec: Spec | Model, inline: Mapping[str, str], target: str) -> dict[str, Any]:
    """Return the parsed settings typed behind ``@``."""
    if isinstance(spec, Model):
        return spec.parse_inline(inline, target)
    return parse_all(spec.accepts, inline, target)


def resolve_one(target: str, common: Mapping[str, object] | None = None) -> Subject:
    """Return the one subject that ``target`` names; a set of several blocks is an error."""
    subjects = resolve([target], common)
    if len(subjects) > 1:
        raise MbcostError(
            f"holds {len(subjects)} blocks",
            place=target,
            way_out=f"name one, like {subjects[0].target}",
        )
    return subjects[0]


def beside_deployed(subjects: Sequence[Subject]) -> list[Subject]:
    """Return each subject followed by its twin with batch-norms folded, where it has one.

    A twin's target can be typed: ``v2@alpha=0.5,fold_bn=true``.
    """
    found = []
    for subject in subjects:
        found.append(subject)
        foldable = "fold_bn" in subject.spec.accepts and "fold_bn" not in subject.settings
        if foldable and not subject.folded:
            found.append(deployed(subject))
    if len(found) == len(subjects):
        raise MbcostError(
            f"fits none of the targets {', '.join(s.target for s in subjects)}",
            place="--fold-bn",
            way_out="a block or network whose batch-norms are not folded yet",
        )
    return found


def deployed(subject: Subject) -> Subject:
    """Return the subject with its batch-norms folded."""
    joint = "," if "@" in subject.target else "@"
    target = f"{subject.target}{joint}fold_bn=true"
    return replace(subject, target=target, settings={**subject.settings, "fold_bn": True})


def trained(subject: Subject) -> Subject:
    """Return the subject as it is trained, its batch-norms not folded."""
    return replace(subject, settings={**subject.settings, "fold_bn": False})
