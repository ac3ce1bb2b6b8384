"""What a user names: a built-in, a YAML file, with settings inline or for all targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from mbcost.config import builtin, find_builtin, load_specs
from mbcost.cost import CostReport, cost_of
from mbcost.errors import MbcostError, did_you_mean
from mbcost.layers import Graph
from mbcost.network import Network, Spec
from mbcost.settings import SETTINGS, YAML_SUFFIXES, parse_all, split_inline

_EXCLUDES = {"size": "rho", "rho": "size"}
"""Two ways to say one thing: the inline one wins over the one for all targets."""


@dataclass(frozen=True)
class Subject:
    """A target as typed, resolved to a spec and its parsed settings."""

    target: str
    spec: Spec
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The YAML's stem, or the key of a block in its set."""
        return self.spec.name

    @property
    def batch(self) -> int:
        """Images per batch."""
        return int(self.settings.get("batch", 1))

    @property
    def is_network(self) -> bool:
        """Whether the target is a network rather than a block."""
        return isinstance(self.spec, Network)

    @property
    def folded(self) -> bool:
        """Whether batch-norms are folded into the convolutions before them."""
        return bool(self.settings.get("fold_bn"))

    @cached_property
    def graph(self) -> Graph:
        """The layers under these settings."""
        return self.spec.graph(self.settings)

    @cached_property
    def report(self) -> CostReport:
        """The closed-form costs."""
        return cost_of(self.graph, self.name, self.batch)


def find(name: str) -> dict[str, Spec]:
    """Return what ``name`` names: a built-in, a YAML file, or one member ``file.yaml:name`` of it.

    Raises ``MbcostError`` with the nearest known name.
    """
    if not name.strip():
        raise MbcostError("a target is empty", way_out="`mbcost list` shows what can be named")
    if find_builtin(name):
        return {name: builtin(name)}
    path, _, member = name.rpartition(":")
    if path.endswith(YAML_SUFFIXES):
        specs = load_specs(Path(path))
        if member not in specs:
            raise MbcostError(
                f"no {member!r} in it", place=path, way_out=did_you_mean(member, specs)
            )
        return {name: specs[member]}
    if name.endswith(YAML_SUFFIXES) or "/" in name or Path(name).is_dir():
        specs = load_specs(Path(name))
        return {name if len(specs) == 1 else f"{name}:{key}": s for key, s in specs.items()}
    return {name: builtin(name)}  # raises with the nearest name


def resolve(targets: Sequence[str], common: Mapping[str, object] | None = None) -> list[Subject]:
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
                if key in spec.accepts and key not in inline and _EXCLUDES.get(key) not in inline
            }
            used |= set(common) & set(spec.accepts)
            accepted |= set(spec.accepts)
            settings = {
                **parse_all(spec.accepts, fitting, "--"),
                **parse_all(spec.accepts, inline, target),
            }
            shown = target if label == name else target.replace(name, label, 1)
            subjects.append(Subject(shown, spec, settings))
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
        if "fold_bn" in subject.spec.accepts and "fold_bn" not in subject.settings:
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
    return Subject(target, subject.spec, {**subject.settings, "fold_bn": True})


def trained(subject: Subject) -> Subject:
    """Return the subject as it is trained, its batch-norms not folded."""
    kept = {name: value for name, value in subject.settings.items() if name != "fold_bn"}
    return Subject(subject.target, subject.spec, kept)
