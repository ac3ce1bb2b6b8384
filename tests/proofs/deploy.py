"""Deployed files: every built-in as ONNX and TFLite, read back and run by onnx and LiteRT.

python -m tests.proofs.deploy [--sample N] [--seconds S] [--first N]

Of each network and block but those that crop boxes, which are refused, in each dtype: weights,
biases and mult-adds of every convolution and linear layer, by name, are those of the closed form;
the tensors' elements by type, summed here from the file, are those it predicts, and so are their
bytes; the parts of the file sum to its size; what a float32 file puts out is within 1e-5 of the
folded module (TFLite: 3e-5), of the largest element. Where TFLite Micro runs a file, the arena that
it plans is the one in closed form.
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
from ai_edge_litert import schema_py_generated as schema

from mbcost.cost import DTYPES
from mbcost.cost.formulas import Terms
from mbcost.errors import MbcostError
from mbcost.graph.primitives import Crop
from mbcost.modules.exported import FILE_FORMATS
from mbcost.networks.yaml import builtins
from mbcost.studies.deploy import Storage, deployment
from mbcost.targets.resolve import resolve_one


class Outcome(NamedTuple):
    """What became of one file: its layers, how far its outputs are, what is wrong with it."""

    target: str
    suffix: str
    dtype: str
    layers: int
    difference: float
    size: int
    planned: bool
    """Whether TFLite Micro planned its arena too."""
    problems: tuple[str, ...]

    def __str__(self) -> str:
        wrong = f"; WRONG: {'; '.join(self.problems)}" if self.problems else ""
        return (
            f"{self.target} {self.suffix} {self.dtype}: {self.layers} layers, {self.size:,} bytes, "
            f"outputs within {self.difference:.1e}{wrong}"
        )


def prove(target: str, dtype: str, layout: str | None = None, suffix: str = ".onnx") -> Outcome:
    """Deploy a target and compare the file with the closed form and with torch."""
    made = deployment(resolve_one(target), Storage(dtype, layout), [f"net{suffix}"])
    (file,) = made.written
    sums = {".onnx": _of_onnx, ".tflite": _of_tflite}[suffix](file.data)
    problems = [*made.problems(file), *_miscounted(*sums, made.report.terms, dtype)]
    if made.matched(file) != len(made.layers):
        problems.append(f"{made.matched(file)} of {len(made.layers)} layers")
    if dtype == "fp32" and not file.difference <= file.form.tolerance:
        problems.append(f"outputs differ by {file.difference:.1e}")
    return Outcome(
        target,
        suffix,
        dtype,
        made.matched(file),
        file.difference,
        len(file.data),
        file.arena is not None and isinstance(file.arena.measured, int),
        tuple(problems),
    )


def _of_onnx(data: bytes) -> tuple[Counter[str], int]:
    """Return elements by type and bytes of the parameters, summed without our own reader."""
    elements: Counter[str] = Counter()
    stored = 0
    for tensor in onnx.load_model_from_string(data).graph.initializer:
        name = onnx.TensorProto.DataType.Name(tensor.data_type)
        if "/" in tensor.name and name not in ("INT8", "INT32"):
            continue
        elements[name] += prod(tensor.dims)
        stored += len(tensor.raw_data)
    return elements, stored


def _of_tflite(data: bytes) -> tuple[Counter[str], int]:
    """Return them of a TFLite file, whose other tensors have a / in their names."""
    names = {"FLOAT32": "FLOAT"}
    types = {number: name for name, number in vars(schema.TensorType).items()}
    model = schema.Model.GetRootAsModel(data, 0)
    graph = model.Subgraphs(0)
    elements: Counter[str] = Counter()
    stored = 0
    for i in range(graph.TensorsLength()):
        tensor = graph.Tensors(i)
        size = model.Buffers(tensor.Buffer()).DataLength()
        if size and b"/" not in tensor.Name():
            kind = types[tensor.Type()]
            shape = [tensor.Shape(d) for d in range(tensor.ShapeLength())]
            elements[names.get(kind, kind)] += prod(shape)
            stored += size
    return elements, stored


def _miscounted(elements: Counter[str], stored: int, terms: Terms, dtype: str) -> Iterator[str]:
    """Yield how the elements and bytes of all parameters differ from the closed form."""
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
    cases = [
        (target, suffix, dtype)
        for target in targets()
        for suffix in FILE_FORMATS
        for dtype in DTYPES
    ]
    last = None if given.sample is None else given.first + given.sample
    found = []
    for target, suffix, dtype in cases[given.first : last]:
        if time.monotonic() > end:
            break
        try:
            found.append(prove(target, dtype, suffix=suffix))
        except MbcostError as error:
            found.append(Outcome(target, suffix, dtype, 0, float("nan"), 0, False, (str(error),)))
        print(found[-1], flush=True)
    wrong = [each for each in found if each.problems]
    nearest = {
        suffix: max(
            (e.difference for e in found if (e.suffix, e.dtype) == (suffix, "fp32")), default=0
        )
        for suffix in FILE_FORMATS
    }
    over = sum(each.dtype == "fp32" and each.difference > 1e-5 for each in found)
    print(
        f"{len(found)} files of {len({each.target for each in found})} targets, "
        f"{sum(each.layers for each in found):,} layers; float32 within "
        f"{', '.join(f'{most:.1e} ({suffix})' for suffix, most in nearest.items())}, {over} above "
        f"1e-5; {sum(each.planned for each in found)} arenas as TFLite "
        f"Micro plans them; {len(wrong)} wrong"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
