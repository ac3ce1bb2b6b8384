"""Models of torchvision and timm counted in every mode, beside torch's own count.

    python -m tests.proofs.modes [--limit 300] [--match REGEX]

Every model is counted on the meta device as it is, under no_grad, under inference mode, and with a
forward that enters inference mode itself; all must give equal rows. Their mult-adds, in the
convention of ``FlopCounterMode``, must be what that counts on the same module. Prints a line per
model that differs, and the count. (``tests.proofs.models`` counts models alive.)
"""

from __future__ import annotations

import argparse
import re
import time
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mbcost.cost import CONVENTIONS
from mbcost.modules.trace import Traced, trace
from mbcost.targets.resolve import resolve_one


class Inferring(nn.Module):
    """A model that enters inference mode in its forward."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    @torch.inference_mode()
    def forward(self, *inputs: Tensor) -> Any:
        return self.inner(*inputs)


def rows(found: Traced) -> list[Any]:
    return [(row.kind, row.x, row.y, row.terms) for row in found.report.layers]


def problems(module: nn.Module, inputs: tuple[Tensor, ...]) -> Iterator[str]:
    """Yield what differs between the ways to count ``module``, and from torch's count."""
    plain = trace(module, inputs)
    if plain.coverage.real:
        yield f"not on meta: {plain.coverage.real}"
        return
    params = sum(p.numel() for p in module.parameters())
    if plain.report.params != params:
        yield f"{plain.report.params:,} params, there are {params:,}"
    with torch.no_grad():
        ways = {"no_grad": trace(module, inputs)}
    with torch.inference_mode():
        ways["inference mode"] = trace(module, inputs)
    ways["inference mode inside"] = trace(Inferring(module), inputs)
    for name, other in ways.items():
        if rows(other) != rows(plain):
            yield f"other rows under {name}"
        if other.coverage != plain.coverage:
            yield f"other operators under {name}"
    meta = [x.to("meta") for x in inputs]
    with torch.no_grad(), FlopCounterMode(display=False) as mode:
        module.to("meta").requires_grad_(False)(*meta)
    predicted = plain.report.total(CONVENTIONS["torch"])
    if predicted != mode.get_total_flops():
        yield f"torch counts {mode.get_total_flops():,} flops, the trace predicts {predicted:,}"


def targets(match: str) -> list[str]:
    """Return models of every architecture of both libraries, those of one file side by side."""
    import timm
    import torchvision

    detection = set(torchvision.models.list_models(module=torchvision.models.detection))
    quantized = set(torchvision.models.list_models(module=torchvision.models.quantization))
    found = [
        f"torchvision:{name}"
        for name in torchvision.models.list_models()
        if name not in detection | quantized and "raft" not in name
    ]
    by_file: dict[str, list[str]] = {}
    for name in timm.list_models():
        by_file.setdefault(timm.models._registry._model_to_module[name], []).append(name)
    rounds = max(map(len, by_file.values()))
    for turn in range(rounds):
        found += [f"timm:{names[turn]}" for names in by_file.values() if turn < len(names)]
    return [name for name in found if re.search(match, name)]


def checked(target: str) -> list[str]:
    """Return what is wrong with one model's counts."""
    spec: Any = resolve_one(target).spec
    return list(problems(spec.build({}), spec.inputs({})))


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--limit", type=int, default=300)
    parser.add_argument("--match", default="")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    start, wrong = time.perf_counter(), 0
    names = targets(given.match)[: given.limit]
    for name in names:
        try:
            found = checked(name)
        except Exception as error:
            found = [f"{type(error).__name__}: {str(error)[:200]}"]
        wrong += bool(found)
        for problem in found:
            print(f"{name}: {problem}", flush=True)
    seconds = time.perf_counter() - start
    print(f"{len(names)} models, {wrong} of them differ, {seconds:.0f} s")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
