"""``mbcost memory`` by closed form against the lowering and against ``compare --fast``.

python -m tests.benchmarks.memory_closed
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from mbcost.graph.arena import arena
from mbcost.graph.deployed import deployed
from mbcost.graph.eager import eager
from mbcost.graph.graph import Graph
from mbcost.graph.liveness import peak
from mbcost.graph.training import training
from mbcost.networks.blocks.conv import conv_bn
from mbcost.networks.lowering import placed
from mbcost.networks.spec import Spec
from mbcost.networks.yaml import builtin, builtins
from tests.benchmarks.measure import MBCOST, cpu_medians

ROUNDS = 15


def run(graph: Graph) -> None:
    """Compute what ``mbcost memory`` shows of a network without ``--train``."""
    peak(eager(graph))
    schedule = deployed(graph)
    peak(schedule)
    arena(schedule)


def spent(work: Callable[[], object]) -> float:
    """Return the CPU seconds of a call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def lowered(spec: Spec) -> Graph:
    """Lower a network as a process does that has lowered none before."""
    conv_bn.cache_clear()
    placed.cache_clear()
    return spec.graph()


def ratios(name: str) -> tuple[float, float, float]:
    """Return the median ratios, round by round, of memory and of training to the lowering, and of
    memory to a lowering whose blocks are all known."""
    spec = builtin(name)
    graph = spec.graph()
    found = []
    for _ in range(ROUNDS):
        first, again = spent(lambda: lowered(spec)), spent(spec.graph)
        memory, step = spent(lambda: run(graph)), spent(lambda: training(graph, batch=2))
        found.append((memory / first, step / first, memory / again))
    one, two, three = zip(*found, strict=True)
    return median(one), median(two), median(three)


def main() -> None:
    found = {name: ratios(name) for name in builtins() if not name.startswith("faster-rcnn")}
    worst = max(found, key=lambda name: found[name][0])
    for name in ("v1", "v2", "v3-large", "resnet50", worst):
        inference, step, again = found[name]
        print(
            f"{name:24} memory / lowering {inference:.2f} (known blocks {again:.1f}), "
            f"training / lowering {step:.2f}"
        )
    print(f"largest of {len(found)} networks: {found[worst][0]:.2f}, {worst} (at most 5)")
    seconds = cpu_medians(
        {
            "compare v2 --fast": (*MBCOST, "compare", "v2", "--fast"),
            "memory v2": (*MBCOST, "memory", "v2"),
        }
    )
    ratio = seconds["memory v2"] / seconds["compare v2 --fast"]
    print(f"mbcost memory v2 / mbcost compare v2 --fast: {ratio:.2f} (at most 1.15)")


if __name__ == "__main__":
    main()
