"""How long the memory of a network takes in closed form, beside lowering it.

    python -m tests.benchmarks.schedules

Of every built-in network: lowered to primitives, then its eager schedule and the peak, the shortest
of several runs of each, in one process. Lowering remembers the blocks that it has seen.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from mbcost.graph.eager import eager
from mbcost.graph.graph import Graph
from mbcost.graph.liveness import Peak, peak
from mbcost.networks.yaml import builtin, builtins

RUNS = 50
AT_MOST = 5


def shortest(way: Callable[[], object]) -> float:
    """Return the seconds of the shortest of several runs."""
    found = []
    for _ in range(RUNS):
        start = time.perf_counter()
        way()
        found.append(time.perf_counter() - start)
    return min(found)


def _memory(graph: Graph) -> Peak:
    return peak(eager(graph))


def main() -> None:
    """Run and print."""
    ratios = {}
    for name in builtins():
        spec = builtin(name)
        graph = spec.graph({})
        lowered = shortest(partial(spec.graph, {}))
        scheduled = shortest(partial(_memory, graph))
        ratios[name] = scheduled / lowered
        print(f"{name:32} {1e6 * lowered:7.0f} µs  {1e6 * scheduled:7.0f} µs  {ratios[name]:.2f}")
    worst = max(ratios, key=lambda name: ratios[name])
    print(f"memory / lowering: {ratios[worst]:.2f} at most, of {worst} (at most {AT_MOST})")


if __name__ == "__main__":
    main()
