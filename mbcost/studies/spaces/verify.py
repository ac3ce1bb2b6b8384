"""Some configs of a sweep really built and counted: the arrays against the closed form against
torchinfo and fvcore."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mbcost.errors import CheckFailedError
from mbcost.modules.counters import COUNTERS, DEFAULT_COUNTERS, verify
from mbcost.studies.compare.agreement import raise_if_different
from mbcost.studies.spaces.parts import scalar_figures
from mbcost.studies.spaces.plan import Plan
from mbcost.studies.spaces.reader import Reader
from mbcost.targets.resolve import Subject


@dataclass(frozen=True)
class Verified:
    """How many configs were built, and how often each counter ran on one."""

    configs: int
    ran: dict[str, int]

    def line(self) -> str:
        """Return what was verified, in words."""
        built = f"{self.configs} config{'s' if self.configs > 1 else ''} built"
        who = " and ".join(f"{name} on {n}" for name, n in self.ran.items() if n)
        return (
            f"verified to the unit: {built}, {who}" if who else f"not verified: {built}, too large"
        )


def verified_line(plan: Plan, k: int, first: Sequence[tuple[int, ...]] = ()) -> str:
    """Build and count ``k`` configs, those in ``first`` first, and say what was verified."""
    if not k:
        return "not verified (--verify 0)"
    return spot_verify(plan, k, first).line()


def spot_verify(
    plan: Plan, k: int, first: Sequence[tuple[int, ...]] = (), reader: Reader | None = None
) -> Verified:
    """Build ``k`` configs and count them; raise ``CheckFailedError`` where a figure differs.

    They are drawn with the plan's seed, after those in ``first``; the figures in question are
    those of ``reader``, or of a fresh one.
    """
    space = plan.space
    random = np.random.default_rng([plan.seed, plan.units, 1])
    sizes = [len(axis.values) for axis in space.axes]
    k = min(k, plan.total)
    shape = len(sizes), k
    drawn = np.array([random.integers(0, n, k) for n in sizes], np.int32).reshape(shape)
    given = np.array(first, np.int32).reshape(len(first), len(sizes)).T
    choices = np.hstack([given, drawn])[:, :k]
    counted = (reader or Reader(space)).count(choices).figures
    ran = dict.fromkeys(DEFAULT_COUNTERS, 0)
    for i in range(k):
        choice = choices[:, i].tolist()
        spec, settings = space.at(choice)
        subject = Subject(f"{space.target}: {space.describe(choice)}", spec, settings)
        expected, _ = scalar_figures(spec, settings)
        for name, value in expected._asdict().items():
            if int(counted[name][i]) != value:
                raise CheckFailedError(
                    f"the arrays say {counted[name][i]:,} {name}, the closed form {value:,}",
                    place=subject.target,
                    way_out="a bug in mbcost: please report it with --version",
                )
        bench = subject.workbench()
        for name in DEFAULT_COUNTERS:
            verification = verify(COUNTERS[name], bench, subject.report)
            raise_if_different(subject, verification)
            ran[name] += verification.agrees is True
    return Verified(k, ran)
