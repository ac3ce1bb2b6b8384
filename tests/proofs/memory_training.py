"""Training in closed form against what torch keeps: sections of the proof ``memory``.

What autograd saves, by ``saved_tensors_hooks``: every built-in network at its own size. Steps of
training, operator by operator: every built-in network at a random size, then random chains, with
random optimizers, half of them under autocast; with storages under a dispatch mode, and with the
events of the CPU's allocator.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from itertools import count

from mbcost.errors import MbcostError
from mbcost.graph.graph import Graph
from mbcost.graph.liveness import alive_bytes
from mbcost.graph.training import (
    OPTIMIZERS,
    Optimizer,
    saved_bytes,
    smallest_batch,
    training,
)
from mbcost.networks.yaml import builtins
from tests.proofs.memory import LARGEST, Section, drawn_chain, graph_at


def saved_problems(graph: Graph, batch: int, amp: bool, fake: bool = False) -> list[str]:
    """Return what is wrong with the bytes that autograd saves."""
    from mbcost.modules.memory.saved import saved_storages

    expected = saved_bytes(graph, batch=batch, amp=amp)
    seen = sum(saved_storages(graph, batch, amp, fake=fake).values())
    return [f"saves {seen:,}, closed form {expected:,}"] if seen != expected else []


def step_problems(
    graph: Graph, batch: int, optimizer: Optimizer, amp: bool, profiled: bool
) -> list[str]:
    """Return where a step of training keeps other bytes than the closed form says."""
    from mbcost.modules.memory.steps import PHASES, profiled_step, watched_step

    found = training(graph, batch=batch, optimizer=optimizer, amp=amp, observed=not profiled)
    seen = (profiled_step if profiled else watched_step)(graph, batch, optimizer, amp)
    alive = alive_bytes(found.schedule)
    operators = found.schedule.operators
    ends = (0, found.forward_end, found.backward_end, len(operators))
    peaks = (found.peak_forward_bytes, found.peak_backward_bytes, found.peak_step_bytes)
    problems = []
    for i, name in enumerate(PHASES):
        steps = range(ends[i], ends[i + 1])
        expected = [(operators[at].path, alive[at]) for at in steps if operators[at].writes]
        samples = [(sample.operator, sample.size) for sample in seen[name].samples]
        if seen[name].peak != peaks[i]:
            problems.append(f"{name}: a peak of {seen[name].peak:,}, closed form {peaks[i]:,}")
        if [size for _, size in expected] != [size for _, size in samples]:
            pairs = zip(expected, samples, strict=False)
            first = next((pair for pair in pairs if pair[0][1] != pair[1][1]), "the end")
            problems.append(f"{name}: other bytes at {first}")
    return problems


def untrained(graph: Graph, batch: int) -> str:
    """Return why a graph is not trained; empty where it is."""
    try:
        training(graph, batch=batch)
    except MbcostError as error:
        return str(error)
    return ""


def saved(sample: int, seed: int, end: float) -> Section:
    """Compare what autograd saves; where that is much, on tensors without values."""
    section = Section("saved for backward")
    draw = random.Random(f"{seed}/saved")
    for name in builtins():
        for amp in (False, True):
            if section.cases >= sample or time.monotonic() > end:
                return section
            graph = drawn_graph(draw, name) if amp else graph_at(name, None)
            batch = max(2 if amp else 4, smallest_batch(graph))
            if reason := untrained(graph, batch):
                section.left_out.append(f"{name}: {reason}")
                continue
            fake = not amp and 3 * saved_bytes(graph, batch=batch) > LARGEST
            section.cases += 1
            section.figures += 1
            found = saved_problems(graph, batch, amp, fake)
            section.problems += [f"{name}, batch {batch}, amp {amp}: {text}" for text in found]
    return section


def step_cases(draw: random.Random) -> Iterator[tuple[str, Graph]]:
    """Yield graphs without end."""
    for name in builtins():
        yield name, drawn_graph(draw, name)
    for i in count():
        yield f"chain {i}", drawn_chain(draw)


def drawn_graph(draw: random.Random, name: str) -> Graph:
    """Return a built-in near a random size."""
    return graph_at(name, draw.randrange(33, 128))


def steps(sample: int, seed: int, end: float) -> Section:
    """Compare steps of training: each graph with both observers."""
    section = Section("steps of training")
    draw = random.Random(f"{seed}/steps")
    for name, graph in step_cases(draw):
        if section.cases >= sample or time.monotonic() > end:
            break
        batch = max(draw.randint(1, 4), smallest_batch(graph))
        reason = untrained(graph, batch)
        if not reason and training(graph, batch=batch).train_peak_bytes > LARGEST:
            reason = "takes more than the proof may"
        if reason:
            section.left_out.append(f"{name}: {reason}")
            continue
        section.cases += 1
        for profiled in (False, True):
            optimizer, amp = draw.choice(OPTIMIZERS), draw.random() < 0.5
            step = training(graph, batch=batch, optimizer=optimizer, amp=amp)
            section.figures += len(step.schedule.operators)
            found = step_problems(graph, batch, optimizer, amp, profiled)
            how = f"batch {batch}, {optimizer}, amp {amp}, profiled {profiled}"
            section.problems += [f"{name}, {how}: {text}" for text in found]
    return section


SECTIONS: tuple[Callable[[int, int, float], Section], ...] = (saved, steps)
