"""Default ``compare`` and ``model`` against the shortest script that runs the same counts.

python -m tests.benchmarks.default_run
"""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time

from tests.benchmarks.measure import MBCOST, cpu_medians

BLOCKS = """
import torch, torchinfo
from torch import nn
from fvcore.nn import FlopCountAnalysis

def conv(i, o, k=1, s=1, g=1, act=True):
    parts = [nn.Conv2d(i, o, k, s, k // 2, groups=g, bias=False), nn.BatchNorm2d(o)]
    return parts + [nn.ReLU()] if act else parts

blocks = {
    "standard": conv(64, 128, 3, 2),
    "depthwise-separable": conv(64, 64, 3, 2, 64) + conv(64, 128),
    "inverted-residual": conv(64, 128) + conv(128, 128, 3, 2, 128) + conv(128, 128, act=False),
}
x = torch.zeros(1, 64, 224, 224)
with torch.no_grad():
    for name, parts in blocks.items():
        module = nn.Sequential(*parts).eval()
        found = torchinfo.summary(module, input_data=x, verbose=0)
        flops = FlopCountAnalysis(module, x).unsupported_ops_warnings(False)
        print(name, found.total_params, found.total_mult_adds, flops.total())
"""

MODEL = """
import torch, torchinfo
from torch import nn
from fvcore.nn import FlopCountAnalysis

def conv(i, o, k=1, s=1, g=1, act=True):
    parts = [nn.Conv2d(i, o, k, s, k // 2, groups=g, bias=False), nn.BatchNorm2d(o)]
    return parts + [nn.ReLU6()] if act else parts

class Block(nn.Module):
    def __init__(self, i, o, s, t):
        super().__init__()
        e = i * t
        self.body = nn.Sequential(
            *(conv(i, e) if t > 1 else []), *conv(e, e, 3, s, e), *conv(e, o, act=False)
        )
        self.residual = s == 1 and i == o
    def forward(self, x):
        return x + self.body(x) if self.residual else self.body(x)

layers, i = conv(3, 32, 3, 2), 32
for t, c, n, s in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                   (6, 160, 3, 2), (6, 320, 1, 1)]:
    for r in range(n):
        layers.append(Block(i, c, s if r == 0 else 1, t))
        i = c
layers += [*conv(320, 1280), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000)]
module = nn.Sequential(*layers).eval()
x = torch.zeros(1, 3, 224, 224)
with torch.no_grad():
    found = torchinfo.summary(module, input_data=x, verbose=0)
    flops = FlopCountAnalysis(module, x).unsupported_ops_warnings(False)
    print(found, flops.total(), flops.by_module())
"""


def first_answer(command: tuple[str, ...]) -> tuple[float, float]:
    """Return (seconds until the closed form's figures stand on a terminal, seconds in all)."""
    leader, follower = pty.openpty()
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=follower, stderr=subprocess.DEVNULL)
    os.close(follower)
    seen, first = b"", 0.0
    while True:
        try:
            chunk = os.read(leader, 65536)
        except OSError:
            break
        if not chunk:
            break
        seen += chunk
        if not first and b"verifying" in seen:
            first = time.perf_counter() - start
    process.wait()
    return first, time.perf_counter() - start


def main() -> None:
    python = sys.executable
    for name, script, args in (
        ("compare", BLOCKS, ("compare",)),
        ("model v2", MODEL, ("model", "v2")),
    ):
        found = cpu_medians({"script": (python, "-c", script), "mbcost": (*MBCOST, *args)})
        ratio = found["mbcost"] / found["script"]
        print(f"{name}: {found['mbcost']:.2f} s CPU, script {found['script']:.2f} s")
        print(f"{name} / script: {ratio:.3f} (at most 1.15)")
        answers = [first_answer((*MBCOST, *args)) for _ in range(3)]
        share = sorted(first / whole for first, whole in answers)[1]
        print(f"{name}: first answer after {share:.3f} of the run (at most 0.15)")


if __name__ == "__main__":
    main()
