"""What a user names: a built-in, a YAML file, with settings inline or for all targets."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mbcost.errors import MbcostError, did_you_mean
from mbcost.networks.settings import SETTINGS, YAML_SUFFIXES, parse_all, split_inline, split_label
from mbcost.networks.spec import Spec
from mbcost.networks.yaml import builtin, find_builtin, load_specs
from mbcost.targets.elsewhere import Model, find_model
from mbcost.targets.restatement import AS_IN_PAPERS, Restatement
from mbcost.targets.subject import Subject, deployed

_EXCLUDES = {"size": ("rho", "input"), "rho": ("size",), "batch": ("input",)}
"""Two ways to say one thing: the inline one wins over the one for all targets."""


def find(name: str) -> Mapping[str, Spec | Model]:
    """Return what ``name`` names: a built-in, a YAML file, one member ``file.yaml:name`` of
    it, or a model from elsewhere. ``MobileNetV2`` is ``v2``.

    Raises ``MbcostError`` with what may be meant.
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
    from mbcost.targets.names import builtin_name  # seldom: most names are as in the list

    return {name: builtin(builtin_name(name))}


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
    for typed in targets:
        target, shown_as = split_label(typed)
        name, inline = split_inline(target)
        found = find(name)
        if shown_as and len(found) > 1:
            raise MbcostError(
                f"holds {len(found)} blocks, which one label cannot name",
                place=target,
                way_out=f"name one, like '{next(iter(found))} as {shown_as}'",
            )
        for label, spec in found.items():
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
            subjects.append(Subject(shown, spec, settings, restatement, shared, shown_as))
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
    return only(resolve([target], common), target)


def only(subjects: Sequence[Subject], target: str) -> Subject:
    """Return the subject that ``target`` named, or raise where it named several."""
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
