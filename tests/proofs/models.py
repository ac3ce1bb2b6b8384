"""Models of every kind: what they cost in every mode, and that a count changes nothing of them.

python -m tests.proofs.models --sample 400 --seed 0 --seconds 3600

Of each model, hand-made (``handmade``), of torchvision and of timm, live on the CPU with its
weights: mult-adds equal half of what FlopCounterMode counts on a copy on meta, less the operators
it has no formula for, which are named; parameters equal the sum of ``numel``; the rows are the same
under no_grad, under inference mode, and with a forward that enters inference mode itself; and
values of ``state_dict``, train flags, hooks, attributes and random states are the same before and
after. Models above ``LARGEST`` are counted without their weights, on meta. Case ``i`` of a seed is
always the same. Models of the libraries need no weights from a network.
"""

from __future__ import annotations

import argparse
import copy
import random
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.attention
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import mbcost
from mbcost.cost import CONVENTIONS, CostReport
from mbcost.targets.elsewhere import find_model
from tests.proofs.handmade import HANDMADE

SMALL = (
    "torchvision:mobilenet_v3_small",
    "torchvision:shufflenet_v2_x0_5",
    "torchvision:squeezenet1_1",
    "torchvision:mnasnet0_5",
    "timm:test_byobnet",
    "timm:test_convnext",
    "timm:test_convnext2",
    "timm:test_efficientnet",
    "timm:test_efficientnet_gn",
    "timm:test_efficientnet_ln",
    "timm:test_mambaout",
    "timm:test_maxvit",
    "timm:test_nfnet",
    "timm:test_resnet",
    "timm:test_vit",
    "timm:test_vit2",
    "timm:test_vit3",
    "timm:test_vit4",
    "timm:test_vit_relpos",
    "timm:efficientvit_b0",
)
"""Models that are built and counted in a blink."""
LARGEST = 40_000_000
"""Parameters of a model at most that is built with its weights: it is held three times."""
REFUSED = ("quantization",)


@dataclass(frozen=True)
class Outcome:
    """What became of one model: its mult-adds, what FlopCounterMode does not see, what is wrong."""

    name: str
    mult_adds: int
    live: bool = True
    unseen: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    skipped: str = ""


def fingerprint(model: nn.Module) -> dict[str, Any]:
    """Return all that a count could change, as values that compare with ``same``."""
    hooks = torch.nn.modules.module
    found: dict[str, Any] = {
        "rng": torch.get_rng_state(),
        "random": random.getstate(),
        "grad": torch.is_grad_enabled(),
        "hooks of all": [len(getattr(hooks, name)) for name in vars(hooks) if "_global" in name
                         and hasattr(getattr(hooks, name), "__len__")],
    }  # fmt: skip
    for path, part in model.named_modules():
        found[path] = {name: _kept(value) for name, value in vars(part).items()}
        found[f"{path}: class"] = type(part)
    return found


def _kept(value: Any, depth: int = 0) -> Any:
    if isinstance(value, Tensor):
        traits = (id(value), value.requires_grad, value.device, value.dtype, value.grad is None)
        return (*traits, value.detach().clone())
    if depth < 3 and isinstance(value, Mapping):
        return {key: _kept(item, depth + 1) for key, item in value.items()}
    if depth < 3 and isinstance(value, list | tuple | set):
        return [_kept(item, depth + 1) for item in value]
    return value if isinstance(value, int | float | str | bool | None) else id(value)


def changed(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Yield where two fingerprints differ."""
    if isinstance(before, Tensor) and isinstance(after, Tensor):
        if not before.is_meta and not torch.equal(
            torch.nan_to_num(before), torch.nan_to_num(after)
        ):
            yield path
    elif isinstance(before, dict) and isinstance(after, dict):
        for key in {*before, *after}:
            yield from changed(before.get(key, "absent"), after.get(key, "absent"), f"{path}.{key}")
    elif isinstance(before, list | tuple) and isinstance(after, list | tuple):
        if len(before) != len(after):
            yield path
        for i, (one, other) in enumerate(zip(before, after, strict=False)):
            yield from changed(one, other, f"{path}[{i}]")
    elif before != after:
        yield path


def flops_of(model: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[int, str]:
    """Return what FlopCounterMode counts of a copy, on meta, or on the CPU where it does not run
    there; and which of them it was.

    There it has no formula for attention in one operator, so that plain products are asked for.
    """
    torch.backends.mha.set_fastpath_enabled(False)
    for device in ("meta", "cpu"):
        twin = copy.deepcopy(model).to(device).requires_grad_(False)
        for part in twin.modules():
            part.training = False
        try:
            plain = torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH)
            with torch.no_grad(), plain, FlopCounterMode(display=False) as mode:
                twin(*(x.to(device) for x in inputs))
            return int(mode.get_total_flops()), device
        except Exception:
            if device == "cpu":
                raise
    raise AssertionError


class Inferring(nn.Module):
    """A model that enters inference mode in its forward."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    @torch.inference_mode()
    def forward(self, *inputs: Tensor) -> Any:
        """Call the model."""
        return self.inner(*inputs)


def rows(report: CostReport) -> list[Any]:
    """Return what is counted of each layer, in order."""
    return [(row.kind, row.x, row.y, row.terms) for row in report.layers]


def count(model: nn.Module, inputs: Sequence[Tensor]) -> CostReport:
    """Count a model; what it warns of is in its report."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mbcost.count(model, input=list(inputs))


def differing_modes(
    name: str, model: nn.Module, inputs: Sequence[Tensor], plain: CostReport
) -> Iterator[str]:
    """Yield the modes in which other rows are counted than in none of them.

    Where no gradient can be asked for, torch runs ``x @ W`` of a transposed ``x`` as bmm, not as
    mm, so that of hand-made models with attention only the totals stay.
    """
    with torch.no_grad():
        found = {"no_grad": count(model, inputs)}
    with torch.inference_mode():
        found["inference mode"] = count(model, inputs)
    found["inference mode inside"] = count(Inferring(model), inputs)
    for mode, other in found.items():
        if (other.params, other.mult_adds) != (plain.params, plain.mult_adds):
            yield f"other totals under {mode}"
        if name.startswith(("encoder", "heads")) and mode == "inference mode inside":
            continue
        if rows(other) != rows(plain):
            yield f"other rows under {mode}"
        if covered(other, mode) != covered(plain, mode):
            yield f"other operators under {mode}"


def covered(report: CostReport, mode: str) -> object:
    """Return the operators of a report; inside inference mode, how many are counted and what is
    missing: torch runs linear layers by other operators there."""
    coverage = report.coverage
    if coverage is None or mode != "inference mode inside":
        return coverage
    return sum(coverage.counted.values()), coverage.unknown, coverage.by_convention, coverage.real


def problems_of(
    name: str, model: nn.Module, inputs: Sequence[Tensor], report: CostReport, device: str
) -> Iterator[str]:
    """Yield what is wrong with a count by itself, and beside those in other modes; ``device`` is
    where the model runs."""
    if report.params != sum(p.numel() for p in model.parameters()):
        yield f"params {report.params:,}"
    if sum(layer.mult_adds for layer in report.layers) * report.scale != report.mult_adds:
        yield "the rows do not add up"
    real = report.coverage is not None and report.coverage.real
    if real and device == "meta":
        yield "counted on real tensors, though it runs on meta"
    if not real or ":" not in name:  # detectors take long
        yield from differing_modes(name, model, inputs, report)


def outcome_of(name: str, model: nn.Module, inputs: tuple[Tensor, ...]) -> Outcome:
    """Count a live model, and hold it against FlopCounterMode and against itself before."""
    model.train(len(name) % 2 == 0)
    states = torch.get_rng_state(), random.getstate()
    fast = torch.backends.mha.get_fastpath_enabled()
    try:
        flops, device = flops_of(model, inputs)
    except Exception as error:
        return Outcome(name, 0, skipped=f"does not run: {type(error).__name__}: {error!s:.100}")
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    torch.set_rng_state(states[0])
    random.setstate(states[1])
    before = fingerprint(model)
    try:
        report = count(model, inputs)
        problems = list(problems_of(name, model, inputs, report, device))
    except mbcost.MbcostError as error:
        return Outcome(name, 0, problems=(str(error)[:300],))
    problems += [f"changed: {path}" for path in changed(before, fingerprint(model))]
    if report.total(CONVENTIONS["torch"]) != flops:
        problems.append(f"mult-adds {report.mult_adds:,}, FlopCounterMode // 2 {flops // 2:,}")
    unseen = {row.path for row in report.layers if row.terms.unhandled_mult_adds}
    if (2 * report.mult_adds != flops) != bool(unseen):
        problems.append("a difference without a name")
    live = not any(p.is_meta for p in model.parameters())
    return Outcome(name, report.mult_adds, live, tuple(sorted(unseen)), tuple(problems[:5]))


def candidates(draw: random.Random, sample: int, small: bool) -> list[str]:
    """Return the names of so many models: a third hand-made, the rest of the libraries."""
    made = [f"{name} {i}" for i in range(sample) for name in HANDMADE]
    if small:
        listed = list(SMALL)
    else:
        import timm
        import torchvision

        listed = [f"torchvision:{name}" for name in torchvision.models.list_models()]
        names = list(timm.list_models())
        draw.shuffle(names)
        seen: Counter[str] = Counter()  # a few of each family, in turn
        rank = {}
        for name in names:
            family = name.split("_")[0].rstrip("0123456789")
            seen[family] += 1
            rank[name] = seen[family]
        listed += [f"timm:{name}" for name in sorted(names, key=lambda name: rank[name])]
    listed = [name for name in listed if not any(word in name for word in REFUSED)]
    theirs = listed[: sample - min(len(made), sample // 3)]
    return made[: sample - len(theirs)] + theirs


def built(name: str, draw: random.Random) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """Return a live model with its weights drawn, and a batch of its inputs; both on meta, where
    the weights are many."""
    if ":" not in name:
        return HANDMADE[name.split()[0]](draw)
    found = find_model(name)
    assert found is not None
    shapes = found.input_shapes({})
    on_meta = found.build({})
    if sum(p.numel() for p in on_meta.parameters()) > LARGEST:
        return on_meta, found.inputs({})
    model = found.source.construct({})
    batch = draw.randint(1, 2)
    return model, tuple(torch.randn(batch * s.shape[0], *s.shape[1:]) for s in shapes)


def run(sample: int, seed: int, seconds: float, small: bool = False) -> list[Outcome]:
    """Count so many models, or as many as the time allows."""
    draw, end = random.Random(seed), time.monotonic() + seconds
    found = []
    for i, name in enumerate(candidates(draw, sample, small)):
        if time.monotonic() > end:
            break
        own = random.Random(f"{seed}, {name}")
        torch.manual_seed(seed + i)
        try:
            model, inputs = built(name, own)
        except Exception as error:
            why = f"is not built: {type(error).__name__}: {error!s:.100}"
            found.append(Outcome(name, 0, skipped=why))
            continue
        found.append(outcome_of(name, model, inputs))
        if found[-1].problems:
            print(f"{name}: {'; '.join(found[-1].problems)}", flush=True)
        if len(found) % 50 == 0:
            print(f"{len(found)} so far", file=sys.stderr, flush=True)
    return found


def main() -> None:
    """Run and print; exit with 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sample", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--small", action="store_true")
    given = parser.parse_args()
    start = time.monotonic()
    found = run(given.sample, given.seed, given.seconds, given.small)
    counted = [each for each in found if not each.skipped]
    bad = [each for each in counted if each.problems]
    unseen = [each for each in counted if each.unseen and not each.problems]
    for each in found:
        if each.skipped:
            print(f"skipped {each.name}: {each.skipped}")
    for each in unseen:
        print(f"{each.name}: FlopCounterMode has no formula for {', '.join(each.unseen[:4])}")
    large = sum(not each.live for each in counted)
    print(
        f"seed {given.seed}: {len(counted)} models ({large} without weights, having more than "
        f"{LARGEST:,} parameters) in {time.monotonic() - start:.0f} s, each in four modes: "
        f"{len(counted) - len(bad) - len(unseen)} equal FlopCounterMode ÷ 2, {len(unseen)} differ "
        f"by operators it has no formula for, {len(bad)} wrong; {len(found) - len(counted)} skipped"
    )
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
