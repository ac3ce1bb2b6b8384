"""The planned arena against TFLite Micro's own allocator: every built-in, then random networks.

python -m tests.proofs.arena --sample 500 --seed 0 --seconds 3600

A case is a network as a TFLite file of weights of zero, in fp32 or int8, with its activations fused
or not, in its own or in its best order; its interpreter says how large the head of its arena is.
Every built-in is run in each way; then come networks of random blocks, of random batches. Local
response norm, which TFLite Micro does not have, is a sigmoid here: it has the same two tensors.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from random import Random
from typing import NamedTuple

from mbcost.errors import LayerError, MbcostError
from mbcost.graph.arena import arena
from mbcost.graph.deployed import deployed
from mbcost.graph.graph import Graph, Node, wire
from mbcost.graph.liveness import peak
from mbcost.graph.order import best_order
from mbcost.graph.primitives import Activation, LocalResponseNorm
from mbcost.modules.exported.constants import ITEMSIZE, Dtype
from mbcost.modules.exported.micro import SPARE, NoOperatorError, allocated
from mbcost.modules.exported.tflite_refused import NotWrittenError
from mbcost.modules.exported.tflite_writer import WrittenFusion, tflite_bytes
from mbcost.networks.blocks import BLOCKS
from mbcost.networks.yaml import builtin, builtins
from tests import strategies

DTYPES: tuple[Dtype, ...] = ("int8", "fp32")
FUSED: tuple[WrittenFusion, ...] = ("tflite", "none")


class Case(NamedTuple):
    """A network, and how it is run."""

    name: str
    graph: Graph
    dtype: Dtype
    fuse: WrittenFusion
    best: bool = False
    batch: int = 1

    def __str__(self) -> str:
        order = ", best order" if self.best else ""
        return f"{self.name} {self.dtype}, fused: {self.fuse}{order}, batch {self.batch}"


class Outcome(NamedTuple):
    """Bytes of a case: ours, theirs, and what they keep besides."""

    planned: int
    head: int
    persistent: int
    lower_bound: int


def written(graph: Graph) -> Graph:
    """Return a graph with a sigmoid in place of each local response norm."""
    return graph._replace(
        nodes=tuple(
            node._replace(layer=Activation("sigmoid"))
            if isinstance(node.layer, LocalResponseNorm)
            else node
            for node in graph.nodes
        )
    )


def built_in() -> Iterator[Case]:
    """Yield every built-in in each way; in its best order where that is another."""
    for name in builtins():
        graph = written(builtin(name).graph())
        ways = [(dtype, fuse) for dtype in DTYPES for fuse in FUSED]
        yield from (Case(name, graph, dtype, fuse) for dtype, fuse in ways)
        with suppress(LayerError):
            order = best_order(deployed(graph)).order
            if order != tuple(range(len(order))):
                yield from (Case(name, graph, dtype, "tflite", best=True) for dtype in DTYPES)


def drawn(seed: int) -> Iterator[Case]:
    """Yield networks of one to six random blocks, without end."""
    number = 0
    while True:
        draw = Random(f"{seed}/{number}")
        first = draw.choice(strategies.MIDDLE)
        fields, x = strategies.fitting(draw, first)
        blocks = [(first, fields)]
        y = strategies.output(first, fields, x)
        for _ in range(draw.randint(0, 5)):
            assert y is not None
            block, fields, y = strategies.fitting_next(draw, y)
            blocks.append((block, fields))
        nodes: list[Node] = []
        source, shape = -1, x
        for i, (block, fields) in enumerate(blocks):
            steps = BLOCKS[block](**fields).steps(shape)
            source, shape = wire(nodes, steps, f"rows.{i}", block, source, shape)
        graph = written(Graph(x, tuple(nodes)))
        how = (draw.choice(DTYPES), draw.choice(FUSED), draw.random() < 0.5, draw.randint(1, 3))
        yield Case(f"--seed {seed}, network {number}", graph, *how)
        number += 1


def run(case: Case) -> Outcome:
    """Return what we plan and what TFLite Micro plans."""
    graph, fuse, batch = case.graph, case.fuse, case.batch
    itemsize = ITEMSIZE[case.dtype]
    order = None
    if case.best:
        order = best_order(deployed(graph, fuse=fuse, batch=batch, itemsize=itemsize)).order
    schedule = deployed(graph, fuse=fuse, batch=batch, itemsize=itemsize, order=order)
    planned = arena(schedule).size
    model = tflite_bytes(graph, case.dtype, fuse=fuse, batch=batch, order=order)
    found = allocated(model, planned + SPARE)
    return Outcome(planned, found.head, found.persistent, peak(schedule).size)


def attempt(case: Case) -> Outcome | None:
    """Return what came of a case, None where TFLite or TFLite Micro has no such operator."""
    try:
        return run(case)
    except (LayerError, NotWrittenError, NoOperatorError):
        return None


def cases(sample: int, seed: int) -> Iterator[Case]:
    """Yield the built-ins and so many random networks."""
    yield from built_in()
    random = drawn(seed)
    for _ in range(sample):
        yield next(random)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sample", type=int, default=500, help="random networks")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=3600)
    given = parser.parse_args()
    end = time.monotonic() + given.seconds
    count: Counter[str] = Counter()
    for case in cases(given.sample, given.seed):
        if time.monotonic() > end:
            break
        kind = "built-in" if case.name in builtins() else "random"
        try:
            found = attempt(case)
        except MbcostError as error:
            count[f"{kind}: failed"] += 1
            print(f"{case}: {error}", flush=True)
            continue
        if found is None:
            count[f"{kind}: not run, no such operator"] += 1
            continue
        count[f"{kind}: {'equal' if found.planned == found.head else 'different'}"] += 1
        count[f"{kind}: larger than the largest live set"] += found.planned > found.lower_bound
        count[f"{kind}: more kept besides than planned"] += found.persistent > found.head
        if found.planned != found.head:
            print(f"{case}: {found}", flush=True)
    for what, times in sorted(count.items()):
        print(f"{what}: {times}")
    wrong = sum(times for what, times in count.items() if "different" in what or "failed" in what)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
