"""``mbcost paper v1 --fast``, all tables, against ``import torch``.

python -m tests.benchmarks.paper
"""

from __future__ import annotations

import sys

from tests.benchmarks.measure import MBCOST, cpu_medians


def main() -> None:
    found = cpu_medians(
        {
            "import torch": (sys.executable, "-c", "import torch"),
            **{f"paper {name}": (*MBCOST, "paper", name, "--fast") for name in ("v1", "v2", "v3")},
        }
    )
    for name, seconds in found.items():
        print(f"{name:16} {seconds:.3f} s CPU")
    ratio = found["paper v1"] / found["import torch"]
    print(f"paper v1 --fast / import torch: {ratio:.3f} (at most 0.20)")


if __name__ == "__main__":
    main()
