"""Weights: random ones by seed, those of a file, and batch-norms folded into them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mbcost.errors import MbcostError
from mbcost.graph.fold import fold_batch_norms
from mbcost.graph.graph import Graph
from mbcost.modules.exported.weights import (
    factor_and_shift,
    folded_module,
    with_random_weights,
    with_weights_of,
)
from mbcost.targets.resolve import resolve_one

State = dict[str, Tensor]


def graph(target: str = "v3-small@size=64") -> Graph:
    return resolve_one(target).graph


def state(module: nn.Module) -> State:
    return {key: value for key, value in module.state_dict().items() if "num_batches" not in key}


def equal(a: State, b: State) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def off(a: Tensor, b: Tensor) -> float:
    return ((a - b).abs().max() / b.abs().max()).item()


def test_the_seed_alone_decides_random_weights_and_torchs_own_draws_go_on() -> None:
    before = torch.random.get_rng_state()
    first = state(with_random_weights(graph(), 3))
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(1)
    assert equal(first, state(with_random_weights(graph(), 3)))
    other = state(with_random_weights(graph(), 4))
    assert not [key for key in first if torch.equal(first[key], other[key])]


@pytest.mark.parametrize(
    "target", ["v1@size=64", "v2@size=64", "shufflenet@size=64", "resnet50", "v3-large"]
)
def test_under_random_weights_maps_neither_fade_nor_explode(target: str) -> None:
    of = graph(target)
    with torch.no_grad():
        y = with_random_weights(of, 0)(torch.rand(1, *of.x) * 2 - 1)
    assert 0.1 < y.std().item() < 100


@pytest.mark.parametrize(
    "target", ["v1@size=64", "v2@size=64", "v3-small@size=64", "shufflenet-v2@size=64"]
)
def test_folded_weights_do_what_the_batch_norms_did(target: str) -> None:
    of = graph(target)
    module = with_random_weights(of, 0)
    folded = fold_batch_norms(of)
    twin = folded_module(of, module, folded)
    assert len(folded.nodes) < len(of.nodes)
    images = torch.rand(2, *of.x)
    with torch.no_grad():
        assert off(twin(images), module(images)) < 1e-5
    keys = {f"{node.path}.weight" for node in folded.nodes} & state(module).keys()
    changed = [key for key in keys if not torch.equal(state(module)[key], state(twin)[key])]
    assert len(changed) == len(of.nodes) - len(folded.nodes), "every fold changes a weight"


def test_a_batch_norm_that_stays_is_a_factor_and_a_shift() -> None:
    norm = nn.BatchNorm2d(3).eval()
    for values in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        nn.init.uniform_(values, 0.5, 2)  # type: ignore[arg-type] # the last two are no parameters
    factor, shift = (value.reshape(3, 1, 1) for value in factor_and_shift(norm))
    x = torch.rand(2, 3, 4, 4)
    with torch.no_grad():
        assert off(x * factor + shift, norm(x)) < 1e-6


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[Callable[[State], object]], str]:
    """Save a state dict, changed by a function; return the file."""

    def save(change: Callable[[State], object]) -> str:
        known = with_random_weights(graph(), 5).state_dict()
        file = tmp_path / "net.pt"
        torch.save(change(known), file)
        return str(file)

    return save


Save = Callable[[Callable[[State], object]], str]


def test_a_state_dict_is_taken_as_it_is(saved: Save) -> None:
    expected = state(with_random_weights(graph(), 5))
    assert equal(state(with_weights_of(graph(), saved(lambda known: known))), expected)


def test_counts_of_batches_are_not_needed_and_halves_are_widened(saved: Save) -> None:
    file = saved(lambda known: {k: v.half() for k, v in known.items() if "num_batches" not in k})
    found = state(with_weights_of(graph(), file))
    expected = state(with_random_weights(graph(), 5))
    assert all(torch.equal(found[key], expected[key].half().float()) for key in expected)


CONV = "rows.0.conv.weight"
WRONG: dict[str, tuple[Callable[[State], object], str]] = {
    "a key is missing": (
        lambda s: {k: v for k, v in s.items() if k != CONV},
        f"net.pt: lacks {CONV} (",
    ),
    "many are missing": (
        lambda s: {},
        "net.pt: lacks rows.0.conv.weight, rows.0.bn.weight, rows.0.bn.bias, "
        "rows.0.bn.running_mean, rows.0.bn.running_var and ",
    ),
    "a key too many": (
        lambda s: s | {"more.weight": s[CONV]},
        "net.pt: the network has nothing called more.weight (",
    ),
    "another shape": (
        lambda s: s | {CONV: s[CONV][:8]},
        f"net.pt: has {CONV} of 8x3x3x3, not 16x3x3x3 (",
    ),
    "whole numbers": (lambda s: s | {CONV: s[CONV].int()}, f"has {CONV} as int32, not as a plain"),
    "complex numbers": (
        lambda s: s | {CONV: s[CONV].to(torch.complex64)},
        f"has {CONV} as complex64, not",
    ),
    "sparse": (lambda s: s | {CONV: s[CONV].to_sparse()}, f"has {CONV} as float32, not as a plain"),
    "no values": (lambda s: s | {CONV: s[CONV].to("meta")}, f"has {CONV} as float32, not as a pl"),
    "a number": (lambda s: s | {CONV: 3}, f"has {CONV} as a int, not a tensor"),
    "not finite": (
        lambda s: s | {CONV: s[CONV] / 0},
        f"net.pt: has {CONV} with values that are not finite",
    ),
    "a checkpoint": (lambda s: {"model": s, "epoch": 3}, "net.pt: lacks rows.0.conv.weight, "),
    "a list": (lambda s: list(s), "net.pt: holds a list, not a state dict (torch.save("),
    "keys that are no text": (lambda s: {1: s[CONV]}, "net.pt: holds a dict, not a state dict"),
    "code": (lambda s: Path("x"), "net.pt: cannot be read: "),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_state_dict_of_another_network_is_refused(case: str, saved: Save) -> None:
    change, message = WRONG[case]
    with pytest.raises(MbcostError) as raised:
        with_weights_of(graph(), saved(change))
    assert message in str(raised.value)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"hello", b"\x80\x02." * 9, None])
def test_a_file_that_is_no_state_dict_is_refused(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "net.pt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(MbcostError, match=r"net\.pt: "):
        with_weights_of(graph(), str(file))
