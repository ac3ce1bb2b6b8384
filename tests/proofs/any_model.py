"""Models of torchvision and timm counted by a trace beside torch's own count, and left unchanged.

    python -m tests.proofs.any_model [--limit 300] [--match REGEX] [--alive]

Every model is counted on the meta device as it is, under no_grad, under inference mode, and with a
forward that enters inference mode itself; all must give equal rows. Their mult-adds, in the
convention of ``FlopCounterMode``, must be what that counts on the same module. ``--alive`` builds
the models with values and compares everything they hold before and after. Prints a line per model
that differs, and the count.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import re
import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mbcost.cost import CONVENTIONS
from mbcost.targets import resolve_one
from mbcost.trace import Traced, trace


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


def signature(module: nn.Module) -> Any:
    """Return what a model holds: values, versions, flags, hooks, attributes, and the RNGs."""
    held: dict[str, Any] = {}
    for kind, tensors in (("p", module.named_parameters()), ("b", module.named_buffers())):
        for name, x in tensors:
            facts = (id(x), x.data_ptr(), x._version, x.dtype, x.device, x.requires_grad, x.grad)
            held[f"{kind} {name}"] = (*facts, hashed(x))
    for name, part in module.named_modules():
        hooks = [list(getattr(part, key)) for key in vars(part) if key.endswith("_hooks")]
        own = {key: id(value) for key, value in vars(part).items()}
        shown = {key: repr(v) for key, v in vars(part).items() if isinstance(v, list | dict | int)}
        held[f"m {name}"] = (id(part), part.training, hooks, own, list(shown))
    numpy: Any = np.random.get_state()
    rng = (hashed(torch.get_rng_state()), random.getstate(), numpy[1].tolist(), numpy[2])
    return held, rng


def hashed(x: Tensor) -> str:
    flat = x.detach().contiguous().reshape(-1)
    data = flat.view(torch.uint8) if x.numel() else flat
    return hashlib.blake2b(data.numpy().tobytes(), digest_size=16).hexdigest()


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


def checked(target: str, *, alive: bool) -> list[str]:
    """Return what is wrong with one model's counts, or with the model after them."""
    subject = resolve_one(target)
    spec: Any = subject.spec
    module = spec.build({}, real=alive)
    inputs = spec.inputs({})
    before = signature(module) if alive else None
    if alive:
        trace(module, inputs)
    found = [] if signature_equal(before, module, alive=alive) else ["left otherwise than before"]
    return [*found, *problems(module, inputs)]


def signature_equal(before: Any, module: nn.Module, *, alive: bool) -> bool:
    return not alive or bool(signature(module) == before)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--limit", type=int, default=300)
    parser.add_argument("--match", default="")
    parser.add_argument("--alive", action="store_true")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    start, wrong = time.perf_counter(), 0
    names = targets(given.match)[: given.limit]
    for name in names:
        try:
            found = checked(name, alive=given.alive)
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
