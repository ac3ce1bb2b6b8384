"""This machine as a device: what ``mbcost roof`` measures, as YAML that ``profile`` reads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mbcost.errors import missing
from mbcost.modules.latency.machine import Machine, this_machine
from mbcost.modules.roof import PASSES, Timed, measure
from mbcost.modules.roof.bandwidth import Level, levels
from mbcost.modules.roof.case import Case
from mbcost.networks.yaml.document import parse_document
from mbcost.studies.compare.versions import versions_of, versions_text
from mbcost.studies.device.profile import DTYPES, Device, read_device
from mbcost.units import decimals, number, percent, thousands

PACKAGES = ("torch", "onnxruntime")
SECONDS = 20.0


@dataclass(frozen=True)
class Roof:
    """What was timed, and on what."""

    timed: Mapping[str, Timed]
    """The best case of each ceiling: of a dtype, or of a level."""
    levels: tuple[Level, ...]
    threads: int
    seconds: float
    machine: Machine
    versions: Mapping[str, str]

    def text(self) -> str:
        """Return it as a device's YAML."""
        clock = "CPU" if self.threads == 1 else "wall"
        threads = f"{self.threads} thread{'s' * (self.threads > 1)}"
        lines = [
            f"# Written by mbcost roof --threads {self.threads}: the best of what was timed.",
            f"title: {_quoted(f'{self.machine.cpu}, {threads}')}",
            f"source: {_quoted(f'measured by mbcost roof at {threads} by the {clock} clock')}",
            f"cores: {self.threads}",
            "peaks:",
            *(f"  {d}: {self._rate(d, 'mult_adds_per_s')}" for d in DTYPES if d in self.timed),
            "bandwidths:",
            *(f"  - {self._level(level)}" for level in self.levels),
            "measured:",
            *(f"  {key}: {_quoted(value)}" for key, value in self._conditions().items()),
        ]
        return "\n".join(lines) + "\n"

    def device(self, name: str = "host") -> Device:
        """Return it as its file is read."""
        return read_device(parse_document(self.text(), f"{name}.yaml"), name)

    def _rate(self, of: str, key: str) -> str:
        best = self.timed[of]
        said = f"{best.case.name}: best of {thousands(len(best.rates))} samples"
        if len(best.rates) > 1:
            said += f", whose median is {percent(best.spread)} below"
        return f"{{{key}: {round(best.best)}, source: {_quoted(said)}}}"

    def _level(self, level: Level) -> str:
        parts = [f"level: {level.name}"]
        parts += [f"bytes: {level.bytes}"] if level.bytes is not None else []
        if level.name in self.timed:
            parts.append(self._rate(level.name, "bytes_per_s")[1:-1])
        return f"{{{', '.join(parts)}}}"

    def _conditions(self) -> dict[str, str]:
        machine = self.machine
        return {
            "cpu": machine.cpu,
            "cores of the machine": str(machine.cores),
            "threads": str(self.threads),
            "seconds": number(self.seconds),
            **({} if machine.load is None else {"load": decimals(machine.load, 2)}),
            "date": machine.date,
            "versions": versions_text(self.versions),
        }


def _quoted(text: str) -> str:
    """Return a text as YAML; JSON's quotes are YAML's."""
    return json.dumps(text, ensure_ascii=False)


def best_of(timed: Iterable[Timed]) -> dict[str, Timed]:
    """Return the fastest case of each ceiling."""
    found: dict[str, Timed] = {}
    for each in timed:
        known = found.get(each.case.of)
        if known is None or each.best > known.best:
            found[each.case.of] = each
    return found


def turns(cases: Sequence[Case]) -> int:
    """Return how many turns a measurement of the cases has."""
    return PASSES * len(cases)


def roof_steps(
    cases: Sequence[Case], threads: int, seconds: float
) -> Iterator[tuple[int, Mapping[str, Timed]]]:
    """Measure; yield how many turns are over, and the best of each ceiling so far."""
    for done, timed in measure(cases, threads, seconds):
        yield done, best_of(timed)


def roof_of(timed: Mapping[str, Timed], threads: int, seconds: float) -> Roof:
    """Return what was measured, with the machine as it is now."""
    installed = [package for package in PACKAGES if not missing([package])]
    return Roof(
        timed, tuple(levels(threads)), threads, seconds, this_machine(), versions_of(installed)
    )
