"""Rates of the closed form: arrays of configs, one network at a time, and a torchinfo loop.

python -m tests.benchmarks.sweep
"""

from __future__ import annotations

import gc
import random
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from mbcost.networks.spec import report
from mbcost.studies.memory.stated import OF_WHOLE, Stated
from mbcost.studies.spaces.plan import Plan, whole_figures
from mbcost.studies.spaces.reader import Reader
from mbcost.studies.spaces.selection import with_fields
from mbcost.studies.spaces.space import Space
from mbcost.studies.spaces.space_file import load_space
from tests.benchmarks.measure import run

MILLION = 10**6


def v2_like() -> Space:
    """Return V2 with α in steps of 0.05, five sizes, and t, n and k of six stages to choose."""
    stages = range(2, 8)
    fields = [f"rows.{i}.{f}" for i in stages for f in ("t=3,4,6", "n=1:4", "k=3,5,7")]
    space = load_space("v2").narrowed({"alpha": "0.35:1.4:0.05", "size": "96:224:32"})
    return with_fields(space, fields)


def arrays(space: Space, n: int, *, learnt: Reader | None = None) -> tuple[float, int]:
    """Return (CPU seconds, sum of mult-adds) of counting ``n`` samples, drawing them not timed."""
    plan = Plan(space, n)
    units = [plan.choices(unit) for unit in range(plan.units)]
    start = time.process_time()
    reader = learnt or Reader(space, ("params", "mult_adds"))
    total = sum(int(reader.count(choices).figures["mult_adds"].sum()) for choices in units)
    return time.process_time() - start, total


def whole(key: str, n: int) -> float:
    """Return V2-like configs a second of a figure that arrays do not have, in int8."""
    space = v2_like()
    plan = Plan(space, n, stated=Stated("int8"), whole=(key,))
    choices = plan.choices(0).T.tolist()
    start = time.process_time()
    for choice in choices:
        found = whole_figures(plan, choice)
        assert found
        assert found[0] > 0
    return n / (time.process_time() - start)


def scalar(n: int) -> float:
    """Return networks a second by the scalar closed form: V2 at a random α and size."""
    draw = random.Random(0)
    v2 = load_space("v2").spec
    drawn = [
        {"alpha": draw.randrange(35, 141) / 100, "size": (draw.randrange(96, 225, 32),) * 2}
        for _ in range(n)
    ]
    start = time.process_time()
    for settings in drawn:
        found = report(v2, settings)
        assert found.params < found.mult_adds
    return n / (time.process_time() - start)


def torchinfo_loop(space: Space, n: int) -> float:
    """Return configs a second of building and counting ``n`` of the same samples by torchinfo."""
    import torchinfo

    from mbcost.modules import build

    choices = Plan(space, n).choices(0)
    counted = Reader(space).count(choices).figures
    seconds = 0.0
    for i, choice in enumerate(choices.T.tolist()):
        spec, settings = space.at(choice)
        graph = spec.graph(settings)
        start = time.process_time()
        summary = torchinfo.summary(
            build(graph), (1, *graph.x), device="cpu", mode="eval", verbose=0
        )
        seconds += time.process_time() - start
        assert summary.total_params == counted["params"][i]
    return n / seconds


def files() -> None:
    """Print time and peak memory of a million samples as files, each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        for name, most in (("ofa.csv", 30), ("ofa.parquet", 10)):
            path = str(Path(folder) / name)
            samples = ("--samples", str(MILLION), "--verify", "0", "-o", path)
            command = (sys.executable, "-m", "mbcost", "sweep", "ofa-mobilenetv3", *samples)
            cpu, wall, peak = run(command)
            print(
                f"{name:12} {wall:6.1f} s ({cpu:.1f} s CPU, under {most}), "
                f"peak {peak / MILLION:.0f} MB (under 300)"
            )


def main() -> None:
    files()  # first: a child's peak memory is never below what its parent had when it began
    gc.set_threshold(100_000)  # as the command line sets it
    space = v2_like()
    cold, _ = arrays(space, MILLION)
    reader = Reader(space, ("params", "mult_adds"))
    np.testing.assert_equal(arrays(space, MILLION, learnt=reader)[1], arrays(space, MILLION)[1])
    rates = {}
    for n in (10**4, 10**5, 10**6):
        seconds, _ = arrays(space, n, learnt=reader)
        rates[n] = n / seconds
        print(f"arrays, {n:>9,} V2-like configs   {seconds:7.3f} s CPU  {rates[n]:>12,.0f}/s")
    for name, stated in (("eager", Stated("int8")), ("deployed", Stated("int8", "tflite"))):
        every = Reader(space, stated=stated)
        arrays(space, MILLION, learnt=every)
        seconds, _ = arrays(space, MILLION, learnt=every)
        rate = f"{MILLION / seconds:>12,.0f}/s (at least 5,000,000)"
        print(f"arrays, every column, {name:12}{seconds:7.3f} s CPU  {rate}")
    for key in OF_WHOLE:
        print(f"{key:34}{whole(key, 300):>33,.0f}/s")
    print(f"arrays, first million, learning   {cold:7.3f} s CPU  {MILLION / cold:>12,.0f}/s")
    print(f"scalar closed form, V2            {scalar(2000):>33,.0f}/s (at least 1,000)")
    loop = torchinfo_loop(space, 30)
    print(f"torchinfo loop, same configs      {loop:>33,.2f}/s")
    print(f"arrays / torchinfo loop: {rates[MILLION] / loop:,.0f} (at least 100,000)")
    print(f"first million / torchinfo loop: {MILLION / cold / loop:,.0f}")


if __name__ == "__main__":
    main()
