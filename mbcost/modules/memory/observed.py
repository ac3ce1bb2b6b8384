"""What was seen of a run's memory. Imports no torch."""

from __future__ import annotations

from typing import NamedTuple


class Sample(NamedTuple):
    """What was alive when an operator that allocates had run, and had freed nothing yet."""

    path: str
    """Of the innermost module that called it; empty where no module did, or nobody asked."""
    operator: str
    """As torch names it: ``aten.convolution.default``."""
    size: int
    """All that is alive, in bytes: what was given, and what operators wrote; no weights."""


class Observed(NamedTuple):
    """A run's memory, operator by operator."""

    given: int
    """Bytes of what it was given."""
    samples: tuple[Sample, ...]
    largest: int
    """Bytes of the largest storage: of what it was given, or of what an operator wrote."""
    with_workspace: int | None = None
    """The peak in bytes together with what kernels allocate while they run, such as a copy in
    another layout; None where only tensors were watched."""

    @property
    def peak(self) -> Sample:
        """Return the first sample with the most bytes; of none, what was given."""
        most = Sample("", "", self.given)
        for sample in self.samples:
            if sample.size > most.size:
                most = sample
        return most

    @property
    def alive(self) -> list[int]:
        """Return the bytes of each sample."""
        return [sample.size for sample in self.samples]
