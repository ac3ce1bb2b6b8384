"""Peak memory of counting a large batch against one image.

python -m tests.benchmarks.memory
"""

from __future__ import annotations

from tests.benchmarks.measure import MBCOST, run

COUNTERS = ("--counter", "torchinfo", "--counter", "torch", "--counter", "fvcore")


def main() -> None:
    peaks = {}
    for batch in ("1", "256"):
        command = (*MBCOST, "model", "v2", "--batch", batch, *COUNTERS)
        peaks[batch] = min(run(command)[2] for _ in range(3))
        print(f"batch {batch:>3}: peak {peaks[batch] / 10**6:,.0f} MB")
    print(f"256 / 1: {peaks['256'] / peaks['1']:.3f} (at most 1.05)")


if __name__ == "__main__":
    main()
