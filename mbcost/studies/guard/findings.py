"""What checks and changes tell CI, and where: a line of a network's YAML or of a budget file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from mbcost.errors import MbcostError
from mbcost.networks.settings import YAML_SUFFIXES, split_inline
from mbcost.networks.yaml import find_builtin
from mbcost.networks.yaml.document import read_document
from mbcost.networks.yaml.events import Key
from mbcost.output.table import Finding
from mbcost.studies.guard.check import UNCOUNTED, Check
from mbcost.targets.elsewhere import runs_code
from mbcost.targets.subject import uncounted_lines

_Place = tuple[str | None, int | None]
_NOWHERE: _Place = (None, None)


def of_checks(checks: Sequence[Check]) -> tuple[Finding, ...]:
    """Return a finding per check."""
    return tuple(map(_of_check, checks))


def _of_check(check: Check) -> Finding:
    """Return a check as CI is told of it; one that failed at its place, with what costs most."""
    target = check.subject.target
    if check.passed:
        file, line = place_of(target) if check.written is None else check.written
        return Finding(target, check.figure, True, check.against(), file=file, line=line)
    layers = [path for path, _ in check.layers]
    file, line = place_of(target, layers[:1])
    if file is None and check.written is not None:
        file, line = check.written
    if check.kind is UNCOUNTED:
        said = uncounted_lines([check.subject])
    else:
        said = [f"over budget: {check.against()}", *([check.sentence()] if layers else [])]
        if check.written is not None and check.written[0] != file:
            said.append(f"the limit stands in {check.written[0]}:{check.written[1]}")
    return Finding(target, check.figure, False, "\n".join(said), "error", file, line)


def place_of(target: str, layers: Sequence[str] = ()) -> _Place:
    """Return the file that a target is written in, and the line of the first layer that has one.

    A built-in network or a library's model has none.
    """
    with suppress(MbcostError):  # what it was read from has gone or changed meanwhile
        name, _ = split_inline(target)
        if runs_code(name):
            return name.rpartition(":")[0], None
        if find_builtin(name):
            return _NOWHERE
        path, _, member = name.rpartition(":")
        path, member = (path, member) if path.endswith(YAML_SUFFIXES) else (name, "")
        if path.endswith(YAML_SUFFIXES) and os.path.isfile(path):
            return path, _line(path, member, layers)
    return _NOWHERE


def _line(path: str, member: str, layers: Sequence[str]) -> int | None:
    """Return the line of a row of the network, or of a block of the set."""
    rows = (layer.split(".") for layer in layers)
    indices = [parts[1] for parts in rows if len(parts) > 1 and parts[0] == "rows"]
    places: list[tuple[Key, ...]] = [("rows", int(i)) for i in indices if i.isdecimal()]
    if member:
        places = [("blocks", member)]
    if not places:  # nothing to look up: the file is not read again
        return None
    lines: Mapping[tuple[Key, ...], int] = read_document(Path(path)).lines
    return next((lines[place] for place in places if place in lines), None)
