"""Networks measured side by side: how long each takes, on this machine, now.

``timing`` measures every target in every runtime and dtype, interleaved; ``shares`` takes one of
them apart. A time is never stated without how sure it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import product
from math import prod
from statistics import median
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from mbcost.cost import DTYPES, weight_bytes
from mbcost.errors import MbcostError, did_you_mean
from mbcost.modules.exported import FILE_FORMATS
from mbcost.modules.latency import BETWEEN, RUNTIMES, Call, Parts, Runnable, Runtime
from mbcost.modules.latency.machine import Machine, this_machine
from mbcost.modules.latency.rounds import LOOKS, Measured, Plan, measure
from mbcost.modules.latency.statistics import Estimate
from mbcost.studies.deploy import Storage, check_deployable, network_of
from mbcost.studies.memory.how import ITEM_BYTES
from mbcost.targets.elsewhere import Model
from mbcost.targets.subject import Subject, deployed, trained
from mbcost.units import bytes_in_words

if TYPE_CHECKING:
    from torch import nn

    from mbcost.modules.exported.deployed import Deployed

MOST_ROUNDS = LOOKS[-1]
"""So many rounds are run at most, unless as many were asked for."""

LARGEST_BYTES = 10**9
"""What a layer reads and puts out, of the batch, and what all parameters take, at most."""

SEED = 0
"""Of random weights and of the images that are run: they are nothing to the time."""


@dataclass(frozen=True)
class Asked:
    """What is measured, and how."""

    runtimes: tuple[str, ...] = ("eager",)
    dtypes: tuple[str, ...] = ("fp32",)
    threads: int = 1
    rounds: int | None = None
    """None for as many as it takes."""
    reference: str | None = None
    """A target, as typed; None for the first."""
    seed: int = 0
    """Of the order within rounds."""


@dataclass(frozen=True)
class Run:
    """A subject in a runtime with a dtype: what one call is."""

    subject: Subject
    runtime: Runtime
    dtype: str

    @property
    def name(self) -> str:
        """The target with its runtime and dtype, as messages and figures name it."""
        return f"{self.subject.target} ({self.runtime.name} {self.dtype})"

    @property
    def words(self) -> str:
        """The same, as ``--reference`` names it: a target, or with what runs it."""
        return f"{self.subject.target} {self.runtime.name} {self.dtype}"

    @cached_property
    def counted(self) -> Subject:
        """The subject as it is run: from a file, its batch-norms are folded."""
        return deployed(self.subject) if self.runtime.file else self.subject

    @property
    def mult_adds(self) -> int:
        """Multiply-adds of the batch."""
        return self.counted.report.mult_adds

    @cached_property
    def moved_bytes(self) -> tuple[int, ...]:
        """Bytes that each layer reads and writes."""
        return moved_bytes(self.counted, self.dtype)


def moved_bytes(subject: Subject, dtype: str) -> tuple[int, ...]:
    """Return the bytes that each layer reads and writes if it does so once and stands alone: its
    parameters, every map that it reads (of a model from elsewhere the first), the map it puts out.
    """
    report, item, stored = subject.report, ITEM_BYTES[dtype], DTYPES[dtype]
    if subject.traced:
        read = [row.times * prod(row.x) for row in report.layers]
    else:
        nodes, first = subject.graph.nodes, prod(subject.graph.x)
        read = [sum(nodes[i].elements if i >= 0 else first for i in n.inputs) for n in nodes]
    return tuple(
        weight_bytes(row.terms, stored) + report.scale * (elements + row.elements) * item
        for row, elements in zip(report.layers, read, strict=True)
    )


@dataclass(frozen=True)
class Timing:
    """What was measured: a run a row."""

    runs: tuple[Run, ...]
    measured: Measured
    machine: Machine

    def time(self, i: int) -> Estimate:
        """What a run takes, in seconds."""
        return self.measured.time(i)

    def ratio(self, i: int) -> Estimate | None:
        """Return a run's time ÷ the reference's; None of the reference itself."""
        return None if i == self.measured.plan.reference else self.measured.ratio(i)


def runs_of(subjects: Sequence[Subject], asked: Asked) -> tuple[Run, ...]:
    """Return what is to be measured, or raise before any work: an unknown runtime, a dtype that it
    does not have, a package that is missing, a network that it cannot run."""
    found = []
    for subject, name, dtype in product(subjects, asked.runtimes, asked.dtypes):
        if name not in RUNTIMES:
            raise MbcostError(
                f"unknown runtime {name!r}", place="--runtime", way_out=did_you_mean(name, RUNTIMES)
            )
        runtime = RUNTIMES[name]
        if dtype not in runtime.dtypes:
            raise MbcostError(
                f"the runtime {name} has no {dtype!r}",
                place="--dtype",
                way_out=f"{' or '.join(runtime.dtypes)}, or another --runtime",
            )
        runtime.require()
        if runtime.file is not None:
            check_deployable(
                _as_typed(deployed(subject), subject), Storage(dtype), [FILE_FORMATS[runtime.file]]
            )
        _check_size(subject)
        found.append(Run(subject, runtime, dtype))
    return tuple(found)


def _as_typed(subject: Subject, typed: Subject) -> Subject:
    return replace(subject, target=typed.target)


def _check_size(subject: Subject) -> None:
    """Raise where a network does not fit a machine, before it fills it."""
    report = subject.report
    maps = max((prod(row.x) * row.times + row.elements for row in report.layers), default=0)
    for what, size in (
        ("a layer's maps take", report.scale * maps * ITEM_BYTES["fp32"]),
        ("its parameters take", report.param_bytes),
    ):
        if size > LARGEST_BYTES:
            raise MbcostError(
                f"is too large to be run here: {what} {bytes_in_words(size)}, above "
                f"{bytes_in_words(LARGEST_BYTES)}",
                place=subject.target,
                way_out="a smaller --size, --batch or --alpha",
            )


def reference_of(runs: Sequence[Run], wanted: str | None) -> int:
    """Return which run ratios are to: the first whose target, or target, runtime and dtype, are
    those that were named."""
    if wanted is None:
        return 0
    words = [run.words for run in runs]
    for i, found in enumerate(words):
        if f"{found} ".startswith(f"{' '.join(wanted.split())} "):
            return i
    raise MbcostError(
        f"{wanted!r} is none of what is measured",
        place="--reference",
        way_out=did_you_mean(wanted, [run.subject.target for run in runs] + words),
    )


def timing(
    runs: Sequence[Run], asked: Asked, told: Callable[[int], None] = lambda rounds: None
) -> Timing:
    """Measure the runs, interleaved round by round.

    Ctrl-C ends it; what was finished is kept. Raises ``Interrupted`` before a first round.
    """
    plan = Plan(asked.rounds, asked.threads, reference_of(runs, asked.reference), asked.seed)
    with _ready(runs):
        calls = [_first(run, partial(_call, run, asked.threads)) for run in runs]
        measured = measure(calls, plan, told=told)
    return Timing(tuple(runs), _any(measured), this_machine())


class Interrupted(KeyboardInterrupt):
    """Ctrl-C before the first round was finished: there is nothing to show."""


def _any(measured: Measured) -> Measured:
    if not measured.rounds:
        raise Interrupted
    return measured


def _call(run: Run, threads: int) -> Call:
    return run.runtime.call(runnable(run.subject), run.dtype, threads)


def _parts(run: Run, threads: int) -> Parts:
    return run.runtime.parts(runnable(run.subject), run.dtype, threads)


Made = TypeVar("Made", bound=Call)


def _first(run: Run, make: Callable[[], Made]) -> Made:
    """Return a call that has been made and has run once, or raise for what does not run."""
    try:
        call = make()
        call()
    except MbcostError:
        raise
    except Exception as error:  # whatever a runtime, or a model from elsewhere, could not do
        first = (str(error).strip().splitlines() or [""])[0][:300]
        raise MbcostError(
            f"does not run: {type(error).__name__}: {first}",
            place=run.name,
            way_out="another --runtime or input",
        ) from error
    return call


@contextmanager
def _ready(runs: Sequence[Run]) -> Iterator[None]:
    """Keep what models from elsewhere print off stdout, and torch's threads as they were."""
    from mbcost.targets.elsewhere.build import running

    with ExitStack() as stack:
        stack.enter_context(torch_as_it_was())
        for run in runs:
            if run.subject.traced:
                stack.enter_context(running(run.subject.target))
        yield


@contextmanager
def torch_as_it_was() -> Iterator[None]:
    """Restore how many threads torch has."""
    import torch

    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Share(NamedTuple):
    """A layer, a kind or a block, or what a runtime does beside them: its part of time and work."""

    path: str
    kind: str | None
    """None of what is no layer."""
    samples: tuple[float, ...] | None
    """Seconds of each run; None of a layer that has no time of its own: it was fused into another,
    or is a function that a module calls itself."""
    mult_adds: int
    moved_bytes: int

    @property
    def seconds(self) -> float | None:
        """The median of the runs."""
        return None if self.samples is None else median(self.samples)


@dataclass(frozen=True)
class Shares:
    """One run taken apart, beside the whole measured without taking it apart, round by round."""

    timing: Timing
    """Of the whole; the call beside it is the one that was taken apart."""
    rows: tuple[Share, ...]

    @property
    def run(self) -> Run:
        """What was taken apart."""
        return self.timing.runs[0]

    @property
    def clock(self) -> str:
        """The clock of the parts: ONNX Runtime's profile has the wall clock alone."""
        return "wall" if self.run.runtime.file else self.timing.measured.clock

    @property
    def parts_seconds(self) -> float:
        """What the parts come to, without what lies between them."""
        return sum(row.seconds or 0.0 for row in self.rows if row.path != BETWEEN)

    @property
    def of_whole(self) -> float:
        """Parts ÷ whole, not scaled: below one by what lies between, above by what timing costs."""
        return self.parts_seconds / self.timing.time(0).median

    @property
    def longer(self) -> Estimate:
        """How often as long a run takes that is taken apart."""
        return self.timing.measured.ratio(1)


def check_by(runs: Sequence[Run]) -> None:
    """Raise where there is not one run, or one that does not tell where its time goes."""
    if len(runs) != 1:
        raise MbcostError(
            "takes one target apart, in one runtime and dtype", place="--by", way_out="one TARGET"
        )
    if not runs[0].runtime.by_layer:
        raise MbcostError(
            f"the runtime {runs[0].runtime.name} does not tell where its time goes",
            place="--by",
            way_out=" or ".join(f"--runtime {r.name}" for r in RUNTIMES.values() if r.by_layer),
        )


def shares(run: Run, asked: Asked, told: Callable[[int], None] = lambda rounds: None) -> Shares:
    """Return where the time of a run goes, a row per layer in the order in which they run.

    Each round runs it whole and taken apart. Ctrl-C is as in ``timing``.
    """
    plan = Plan(asked.rounds, asked.threads, 0, asked.seed)
    with _ready([run]):
        whole = _first(run, partial(_call, run, asked.threads))
        parts = _first(run, partial(_parts, run, asked.threads))
        measured = _any(measure([whole, parts], plan, told=told))
        before = 1 + measured.warm_up
        spent = parts.runs()[before : before + len(measured.rounds)]
    return Shares(Timing((run,), measured, this_machine()), tuple(_rows(run, spent)))


def _rows(run: Run, spent: Sequence[Mapping[str, float]]) -> Iterator[Share]:
    report = run.counted.report
    left = dict.fromkeys(path for each in spent for path in each)
    times = {path: tuple(each.get(path, 0.0) for each in spent) for path in left}
    for row, moved in zip(report.layers, run.moved_bytes, strict=True):
        path = row.path if row.path in times else row.module
        samples = times.pop(path, None)
        yield Share(row.path, row.kind, samples, row.mult_adds * report.scale, moved)
    between = times.pop(BETWEEN)
    for path, samples in (*times.items(), (BETWEEN, between)):
        yield Share(path, None, samples, 0, 0)


def grouped(rows: Sequence[Share], name_of: Callable[[Share], str]) -> list[Share]:
    """Return the rows of one name added up, run by run, in the order in which names appear."""
    found: dict[str, Share] = {}
    for row in rows:
        name = name_of(row)
        had = found.get(name)
        found[name] = (
            row._replace(path=name)
            if had is None
            else had._replace(
                samples=_added(had.samples, row.samples),
                mult_adds=had.mult_adds + row.mult_adds,
                moved_bytes=had.moved_bytes + row.moved_bytes,
            )
        )
    return list(found.values())


def _added(
    one: tuple[float, ...] | None, other: tuple[float, ...] | None
) -> tuple[float, ...] | None:
    if one is None or other is None:
        return other if one is None else one
    return tuple(a + b for a, b in zip(one, other, strict=True))


def blocks_of(subject: Subject) -> Mapping[str, str]:
    """Return the block of each layer, by path."""
    return {row.path: row.block or subject.name for row in subject.report.layers}


def runnable(subject: Subject) -> Runnable:
    """Return a subject as runtimes take it."""
    if isinstance(subject.spec, Model):
        return _elsewhere(subject, subject.spec)
    import torch

    draw = torch.Generator().manual_seed(SEED)
    images = torch.rand((subject.batch, *subject.graph.x), generator=draw) * 2 - 1
    networks: dict[str, Deployed] = {}

    def of_file(dtype: str) -> Deployed:
        if dtype not in networks:
            networks[dtype] = network_of(subject, Storage(dtype, seed=SEED))
        return networks[dtype]

    return Runnable(subject.target, lambda: _module(subject), (images,), deployed=of_file)


def _module(subject: Subject) -> nn.Module:
    """Return the module as the subject has it, with weights under which no map fades: numbers too
    small for float32 take many times as long."""
    from mbcost.modules.exported.deployed import deploy
    from mbcost.modules.exported.weights import with_random_weights

    if subject.folded:
        return deploy(trained(subject).graph, SEED, None)[1]
    return with_random_weights(subject.graph, SEED)


def _elsewhere(subject: Subject, spec: Model) -> Runnable:
    settings = subject.settings
    given = spec.inputs(settings, int(settings.get("batch", 1)), device="cpu")
    inputs, named = spec.by_name(settings, given)
    return Runnable(subject.target, lambda: spec.build(settings, real=True), tuple(inputs), named)
