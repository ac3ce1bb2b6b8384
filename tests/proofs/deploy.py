"""Deployed files: every built-in as ONNX, read back by onnx, run by ONNX Runtime.

python -m tests.proofs.deploy [--sample N] [--seconds S] [--first N]

Of each network and block but those that crop boxes, which are refused, in each dtype: weights,
biases and mult-adds of every convolution and linear layer, by name, are those of the closed form;
the tensors' elements by type, summed here from the file, are those it predicts, and so are their
bytes; the parts of the file sum to its size; what a float32 file puts out is within 1e-5 of the
folded module, of the largest element.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from math import prod
from typing import NamedTuple

import onnx

from mbcost.cost import DTYPES
from mbcost.cost.formulas import Terms
from mbcost.errors import MbcostError
from mbcost.graph.primitives import Crop
from mbcost.networks.yaml import builtins
from mbcost.studies.deploy import TOLERANCE, Storage, deployment
from mbcost.targets.resolve import resolve_one


class Outcome(NamedTuple):
    """What became of one file: its layers, how far its outputs are, what is wrong with it."""

    target: str
    dtype: str
    layers: int
    difference: float
    size: int
    problems: tuple[str, ...]

    def __str__(self) -> str:
        wrong = f"; WRONG: {'; '.join(self.problems)}" if self.problems else ""
        return (
            f"{self.target} {self.dtype}: {self.layers} layers, {self.size:,} bytes, outputs "
            f"within {self.difference:.1e}{wrong}"
        )


def prove(target: str, dtype: str, layout: str | None = None) -> Outcome:
    """Deploy a target and compare the file with the closed form and with torch."""
    made = deployment(resolve_one(target), Storage(dtype, layout), ["net.onnx"])
    (file,) = made.written
    problems = [*made.problems(file), *_miscounted(file.data, made.report.terms, dtype)]
    if made.matched(file) != len(made.layers):
        problems.append(f"{made.matched(file)} of {len(made.layers)} layers")
    if dtype == "fp32" and not file.difference <= TOLERANCE:
        problems.append(f"outputs differ by {file.difference:.1e}")
    return Outcome(
        target, dtype, made.matched(file), file.difference, len(file.data), tuple(problems)
    )


def _miscounted(data: bytes, terms: Terms, dtype: str) -> Iterator[str]:
    """Yield how the elements and bytes of all tensors differ, summed without our own reader."""
    elements: Counter[str] = Counter()
    stored = 0
    for tensor in onnx.load_model_from_string(data).graph.initializer:
        name = onnx.TensorProto.DataType.Name(tensor.data_type)
        if "/" in tensor.name and name not in ("INT8", "INT32"):
            continue
        elements[name] += prod(tensor.dims)
        stored += len(tensor.raw_data)
    biases, norms = terms.bias_params, terms.norm_params
    expected = {
        "fp32": {"FLOAT": terms.weights + biases + norms},
        "fp16": {"FLOAT16": terms.weights + biases + norms},
        "int8": {"INT8": terms.weights, "INT32": biases, "FLOAT": norms},
    }[dtype]
    if elements != Counter(expected):
        yield f"elements {dict(elements)}, not {expected}"
    size = DTYPES[dtype].weight * terms.weights + DTYPES[dtype].other * (biases + norms)
    if stored != size:
        yield f"{stored} bytes, not {size}"


def targets() -> list[str]:
    """Return every built-in network and block but those that crop boxes, which are refused."""
    return [name for name in builtins() if not crops(name)]


def crops(target: str) -> bool:
    """Return whether a target crops boxes: where they lie its own code says, and no operator."""
    return any(isinstance(node.layer, Crop) for node in resolve_one(target).graph.nodes)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sample", type=int, help="files; by default all")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=3600)
    given = parser.parse_args()
    end = time.monotonic() + given.seconds
    cases = [(target, dtype) for target in targets() for dtype in DTYPES]
    last = None if given.sample is None else given.first + given.sample
    found = []
    for target, dtype in cases[given.first : last]:
        if time.monotonic() > end:
            break
        try:
            found.append(prove(target, dtype))
        except MbcostError as error:
            found.append(Outcome(target, dtype, 0, float("nan"), 0, (str(error),)))
        print(found[-1], flush=True)
    wrong = [each for each in found if each.problems]
    nearest = [each.difference for each in found if each.dtype == "fp32"]
    print(
        f"{len(found)} files of {len({each.target for each in found})} targets, "
        f"{sum(each.layers for each in found):,} layers; float32 within "
        f"{max(nearest, default=0):.1e}; {len(wrong)} wrong"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
