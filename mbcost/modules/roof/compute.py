"""What multiplies in torch: products of matrices, and convolutions of shapes that run fast."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mbcost.modules.roof.case import Call, Case

SIDES = (256, 512, 1024)
"""Of square matrices."""
TYPES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}


class Convolution(NamedTuple):
    """A dense convolution with a kernel k and stride 1, whose output is as large as its input."""

    channels: int
    kernel: int
    size: int

    @property
    def mult_adds(self) -> int:
        """Return its multiply-adds for one image."""
        return self.channels**2 * self.kernel**2 * self.size**2

    @property
    def words(self) -> str:
        """Return ``1×1, 256 channels, 28×28``."""
        return f"{self.kernel}×{self.kernel}, {self.channels} channels, {self.size}×{self.size}"


CONVOLUTIONS = (
    Convolution(64, 3, 56),
    Convolution(256, 1, 56),
    Convolution(256, 3, 14),
    Convolution(512, 1, 28),
)


def cases() -> Iterator[Case]:
    """Yield the calls of each type."""
    for dtype in TYPES:
        for side in SIDES:
            yield _product(dtype, side)
        for convolution in CONVOLUTIONS if dtype == "fp32" else ():
            yield _convolution(dtype, convolution)


def _product(dtype: str, side: int) -> Case:
    def make() -> Call:
        import torch

        one, other = (torch.rand(side, side).to(getattr(torch, TYPES[dtype])) for _ in range(2))
        out = torch.empty_like(one)
        return lambda: torch.mm(one, other, out=out)

    return Case(dtype, f"torch mm, {side}×{side}", side**3, make)


def _convolution(dtype: str, convolution: Convolution) -> Case:
    def make() -> Call:
        import torch

        c, k, size = convolution
        last = torch.channels_last
        x = torch.rand(1, c, size, size).to(memory_format=last)
        weight = torch.rand(c, c, k, k).to(memory_format=last)

        def call() -> None:
            with torch.inference_mode():
                torch.nn.functional.conv2d(x, weight, padding=k // 2)

        return call

    return Case(dtype, f"torch conv2d {convolution.words}", convolution.mult_adds, make)
