"""Networks measured side by side: how long each takes, on this machine, now.

``timing`` measures every target in every runtime and dtype, interleaved. A time is never stated
without how sure it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import product
from math import prod
from typing import TYPE_CHECKING, TypeVar

from mbcost.cost import DTYPES, weight_bytes
from mbcost.errors import MbcostError, did_you_mean
from mbcost.modules.exported import FILE_FORMATS
from mbcost.modules.latency import RUNTIMES, Call, Runnable, Runtime
from mbcost.modules.latency.machine import Machine, this_machine
from mbcost.modules.latency.rounds import LOOKS, Measured, Plan, measure
from mbcost.modules.latency.statistics import Estimate
from mbcost.studies.deploy import Storage, check_deployable, network_of
from mbcost.studies.memory.how import ITEM_BYTES
from mbcost.targets.elsewhere import Model
from mbcost.targets.subject import Subject, deployed, trained
from mbcost.units import bytes_in_words

if TYPE_CHECKING:
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
    weights: str | None = None
    """A file of weights, which every target has to fit; None for random ones."""


@dataclass(frozen=True)
class Run:
    """A subject in a runtime with a dtype: what one call is."""

    subject: Subject
    runtime: Runtime
    dtype: str
    weights: str | None = None
    """A file of weights; None for random ones."""

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
        if asked.weights is not None and subject.traced:
            raise MbcostError(
                "--weights are of a network that mbcost builds; a model from elsewhere brings its "
                "own",
                place=subject.target,
                way_out="without --weights",
            )
        found.append(Run(subject, runtime, dtype, asked.weights))
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
    with ready(runs):
        calls = [first_run(run, partial(call_of, run, asked.threads)) for run in runs]
        measured = measure(calls, plan, told=told)
    return Timing(tuple(runs), finished(measured), this_machine())


class Interrupted(KeyboardInterrupt):
    """Ctrl-C before the first round was finished: there is nothing to show."""


def finished(measured: Measured) -> Measured:
    """Return it if a round was finished."""
    if not measured.rounds:
        raise Interrupted
    return measured


def call_of(run: Run, threads: int) -> Call:
    """Return what runs it once."""
    return run.runtime.call(runnable(run.subject, run.weights), run.dtype, threads)


Made = TypeVar("Made", bound=Call)


def first_run(run: Run, make: Callable[[], Made]) -> Made:
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
def ready(runs: Sequence[Run]) -> Iterator[None]:
    """Keep what models from elsewhere print off stdout, and torch's threads as they were."""
    from mbcost.modules.latency.runtimes import torch_as_it_was
    from mbcost.targets.elsewhere.build import running

    with ExitStack() as stack:
        stack.enter_context(torch_as_it_was())
        for run in runs:
            if run.subject.traced:
                stack.enter_context(running(run.subject.target))
        yield


def runnable(subject: Subject, weights: str | None = None) -> Runnable:
    """Return a subject as runtimes take it, with the weights of a file or random ones."""
    if isinstance(subject.spec, Model):
        return _elsewhere(subject, subject.spec)
    from mbcost.modules.latency.runtimes import module_of, random_images

    networks: dict[str, Deployed] = {}

    def of_file(dtype: str) -> Deployed:
        if dtype not in networks:
            networks[dtype] = network_of(subject, Storage(dtype, weights=weights, seed=SEED))
        return networks[dtype]

    graph, folded = trained(subject).graph, subject.folded
    return Runnable(
        subject.target,
        lambda: module_of(graph, SEED, weights, folded=folded),
        (random_images((subject.batch, *graph.x), SEED),),
        deployed=of_file,
    )


def _elsewhere(subject: Subject, spec: Model) -> Runnable:
    settings = subject.settings
    given = spec.inputs(settings, int(settings.get("batch", 1)), device="cpu")
    inputs, named = spec.by_name(settings, given)
    return Runnable(subject.target, lambda: spec.build(settings, real=True), tuple(inputs), named)
