"""How long a trace of MobileNetV2 takes, beside FlopCounterMode and torchinfo, all on meta.

    python -m tests.benchmarks.trace

Prints the median of several runs of each, interleaved, and the peak memory of a trace at batch 1
and 1024: a trace allocates nothing for the maps.
"""

from __future__ import annotations

import platform
import resource
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version

RUNS = 9


def main() -> None:
    """Run and print."""
    import torch
    import torchinfo
    from torch.utils.flop_counter import FlopCounterMode

    from mbcost.modules.trace import trace
    from mbcost.targets.resolve import resolve_one

    torch.set_num_threads(1)
    model = resolve_one("torchvision:mobilenet_v2").workbench().meta_module
    image = torch.zeros(1, 3, 224, 224, device="meta")

    def flop_counter() -> object:
        with torch.no_grad(), FlopCounterMode(display=False) as mode:
            model(image)
        return mode.get_total_flops()

    ways: dict[str, Callable[[], object]] = {
        "mbcost.modules.trace": lambda: trace(model, [image], "mobilenet_v2"),
        "FlopCounterMode": flop_counter,
        "torchinfo": lambda: torchinfo.summary(
            model, input_data=image, device="meta", mode="eval", verbose=0
        ),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for run in range(RUNS + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if run:  # the first is a warm-up
                seconds[name].append(time.perf_counter() - start)
    print(f"{platform.processor() or platform.machine()}, 1 thread, torch {version('torch')}, ")
    print(f"Python {platform.python_version()}, median of {RUNS}")
    for name, times in seconds.items():
        print(f"{name:16} {1000 * statistics.median(times):7.1f} ms")
    for batch in (1, 1024):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        trace(model, [torch.zeros(batch, 3, 1024, 1024, device="meta")], "mobilenet_v2")
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(f"peak memory grown by a trace at batch {batch}, 1024 × 1024: {grown / 1000:.1f} MB")


if __name__ == "__main__":
    main()
