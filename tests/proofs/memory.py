"""Memory in closed form against what torch keeps in a real run, byte by byte.

python -m tests.proofs.memory --sample 400 --seed 0 --seconds 3600

Eager inference: every built-in network and block set at its own size and at a random one, then
random chains of blocks; a batch of 1 and 4, the image held and released. What is alive after every
operator that allocates is compared with the storages under a dispatch mode, and of some with the
events of the CPU's allocator.

Models from elsewhere: see ``memory_elsewhere``. Case ``i`` of a seed is always the same.
Training: see ``memory_training``.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

from mbcost.errors import MbcostError
from mbcost.graph.eager import Image, eager
from mbcost.graph.graph import Graph, Node, wire
from mbcost.graph.liveness import alive_bytes, peak
from mbcost.modules.memory import verify_inference
from mbcost.networks.blocks import BLOCKS
from mbcost.networks.network import Network
from mbcost.networks.yaml import builtin, builtins
from tests import strategies

LARGEST = 4_000_000_000
"""Bytes of a peak at most that is run."""
IMAGES: tuple[Image, ...] = ("held", "released")
BYTES = {"fp32": 4, "fp16": 2, "bf16": 2}


@dataclass
class Section:
    """What one part of the proof found."""

    name: str
    cases: int = 0
    figures: int = 0
    """Figures that were compared."""
    problems: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """Cases that did not run, and why."""

    def __str__(self) -> str:
        left = f", {len(self.left_out)} left out" if self.left_out else ""
        return (
            f"{self.name}: {self.cases} cases, {self.figures:,} figures compared with ==, "
            f"{len(self.problems)} wrong{left}"
        )


def graph_at(name: str, side: int | None) -> Graph:
    """Return a built-in at so large an input, at the next larger where it does not take that: it
    is too small, or a map at stride 16 must be even, which 16 pixels more make it."""
    spec = builtin(name)
    if isinstance(spec, Network):
        spec = strategies.with_few_boxes(spec)
    if side is None or "size" not in spec.accepts:
        return spec.graph({})
    while True:
        try:
            return spec.graph({"size": (side, side)})
        except MbcostError:
            side += 16
            if side > 512:
                raise


def inference_problems(
    graph: Graph,
    batch: int,
    image: Image,
    *,
    dtype: str = "fp32",
    profiled: bool = False,
    against: Image | None = None,
) -> list[str]:
    """Return where torch keeps other bytes than the closed form says; ``against`` compares with a
    run in which the image is held or released otherwise, to see that it differs."""
    schedule = eager(graph, batch=batch, itemsize=BYTES[dtype], image=image)
    expected = alive_bytes(schedule)
    most = peak(schedule)
    found = []
    for how in (False, True) if profiled else (False,):
        seen = verify_inference(graph, batch, against or image, dtype=dtype, profiled=how)
        by = "allocator" if how else "storages"
        if seen.alive != expected:
            at = first_difference(expected, seen.alive)
            path = schedule.operators[at].path if at < len(expected) else "the end"
            found.append(f"{by}: other bytes at operator {at}, {path}")
        if seen.peak.size != most.size:
            found.append(f"{by}: a peak of {seen.peak.size:,}, closed form {most.size:,}")
        if seen.samples and seen.alive.index(seen.peak.size) != most.at:
            found.append(f"{by}: the peak is elsewhere")
    return found


def first_difference(one: list[int], other: list[int]) -> int:
    """Return where two series differ first."""
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def drawn_chain(draw: random.Random) -> Graph:
    """Return random blocks after each other."""
    first = draw.choice(strategies.MIDDLE)
    fields, x = strategies.fitting(draw, first)
    y = strategies.output(first, fields, x)
    assert y is not None
    chain = [(first, fields)]
    for _ in range(draw.randint(1, 4)):
        block, fields, y = strategies.fitting_next(draw, y)
        chain.append((block, fields))
    nodes: list[Node] = []
    last, shape = -1, x
    for i, (block, fields) in enumerate(chain):
        steps = BLOCKS[block](**fields).steps(shape)
        last, shape = wire(nodes, steps, f"rows.{i}", block, last, shape)
    outputs = (draw.randrange(len(nodes) - 1), len(nodes) - 1) if draw.random() < 0.2 else ()
    return Graph(x, tuple(nodes), outputs)


def inference_cases(draw: random.Random) -> Iterator[tuple[str, Graph, int, Image, bool]]:
    """Yield cases without end: a name, a graph, a batch, what is done with the image, and whether
    the allocator is asked too."""
    for name in builtins():
        for batch in (1, 4):
            for image in IMAGES:
                asked = batch == 1
                yield f"{name}, batch {batch}, {image}", graph_at(name, None), batch, image, asked
    for name in builtins():
        side, batch = draw.randrange(33, 160), draw.choice((2, 3))
        yield f"{name} near {side}", graph_at(name, side), batch, draw.choice(IMAGES), True
    for i in count():
        batch, image = draw.randint(1, 3), draw.choice(IMAGES)
        yield f"chain {i}", drawn_chain(draw), batch, image, i % 4 == 0


def inference(sample: int, seed: int, end: float) -> Section:
    """Compare so many cases, or as many as the time allows."""
    section = Section("eager inference")
    draw = random.Random(f"{seed}/inference")
    for name, graph, batch, image, profiled in inference_cases(draw):
        if section.cases >= sample or time.monotonic() > end:
            break
        size = peak(eager(graph, batch=batch, image=image)).size
        if size > LARGEST:
            section.left_out.append(f"{name}: {size:,} bytes")
            continue
        section.cases += 1
        section.figures += (1 + profiled) * len(eager(graph).operators)
        found = inference_problems(graph, batch, image, profiled=profiled)
        section.problems += [f"{name}: {problem}" for problem in found]
    return section


def sections() -> tuple[Callable[[int, int, float], Section], ...]:
    """Return the sections. Each takes how many cases at most, a seed, and when to stop; they share
    the time evenly."""
    from tests.proofs import memory_elsewhere, memory_training  # which read this file

    return (inference, *memory_elsewhere.SECTIONS, *memory_training.SECTIONS)


def run(sample: int, seed: int, seconds: float) -> list[Section]:
    """Run every section, and say what each found."""
    found = []
    start = time.monotonic()
    all_of_them = sections()
    for i, section in enumerate(all_of_them):
        end = start + seconds * (i + 1) / len(all_of_them)
        found.append(section(sample, seed, end))
        for line in (*found[-1].left_out, *found[-1].problems, str(found[-1])):
            print(line, flush=True)
    return found


def main() -> int:
    """Run and print; return 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sample", type=int, default=800, help="cases of each section")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=3600)
    given = parser.parse_args()
    found = run(given.sample, given.seed, given.seconds)
    return int(any(section.problems for section in found))


if __name__ == "__main__":
    sys.exit(main())
