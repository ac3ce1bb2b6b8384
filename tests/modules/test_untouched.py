"""What a forward does to itself happens to a copy: the model, and what surrounds it, stay."""

from __future__ import annotations

import functools
import random
import threading
import tracemalloc
import types
import weakref
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

import mbcost
from mbcost import MbcostError

IMAGE = (2, 3, 8, 8)
MULT_ADDS = 2 * 3 * 4 * 64
"""Of a pointwise convolution from 3 to 4 channels on ``IMAGE``."""
SEEN: dict[str, Any] = {}
"""What hooks of the module write to, as in a notebook."""
CALLS = 0


class Net(nn.Module):
    """A convolution; the cases below do more with it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.register_buffer("scale", torch.full((1,), 2.0))
        self.scale: Tensor

    def forward(self, x: Tensor) -> Any:
        return self.conv(x)


class ToDevice(Net):
    def forward(self, x: Tensor) -> Any:
        self.to(x.device)
        self.conv = self.conv.to(x.device)
        return self.conv(x)


class Half(Net):
    def forward(self, x: Tensor) -> Any:
        return self.half().conv(x.half())


class Reassigns(Net):
    def forward(self, x: Tensor) -> Any:
        self.conv.weight = nn.Parameter(self.conv.weight * 2)
        self.conv.bias = None
        return self.conv(x)


class WritesData(Net):
    def forward(self, x: Tensor) -> Any:
        self.conv.weight.data = self.conv.weight.data * 2
        self.conv.bias.data.zero_()  # type: ignore[union-attr]  # it has one
        with torch.no_grad():
            self.conv.weight.copy_(self.conv.weight + x.sum())
        return self.conv(x)


class Remembers(Net):
    """Keeps maps in attributes, lists and a dict, and counts its calls."""

    shared: ClassVar[list[Any]] = []
    times: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.maps: list[Tensor] = []
        self.by_name = {"seen": [1]}
        self.counts: Counter[str] = Counter()
        self.calls = 0
        self.keep = self.maps.append
        self.order = OrderedDict(a=np.zeros(2))

    def forward(self, x: Tensor) -> Any:
        self.calls += 1
        self.counts["calls"] += 1
        self.last = x
        self.keep(x)
        self.maps.append(x)
        self.by_name["seen"].append(self.calls)
        self.order["a"] += 1
        self.shared.append(x)
        type(self).times += 1
        type(self).found = x  # type: ignore[attr-defined]  # that is the case
        return self.conv(x)


class Freezes(Net):
    def forward(self, x: Tensor) -> Any:
        self.conv.requires_grad_(False)
        self.conv.weight.grad = None
        self.train()
        self.scale.add_(1)
        self.new = nn.Linear(2, 2)
        del self.extra
        return self.conv(x)

    def __init__(self) -> None:
        super().__init__()
        self.extra = nn.Identity()
        self.conv.weight.grad = torch.ones(4, 3, 1, 1)


class Hooked(Net):
    def forward(self, x: Tensor) -> Any:
        self.conv.register_forward_hook(lambda *_: None)
        self.conv._forward_hooks.pop(self.handle.id)
        return self.conv(x)

    def __init__(self) -> None:
        super().__init__()
        self.handle = self.conv.register_forward_hook(lambda *_: None)


class Randoms(Net):
    def forward(self, x: Tensor) -> Any:
        torch.rand(3), random.random(), np.random.rand()
        torch.manual_seed(3), random.seed(3), np.random.seed(3)
        torch.set_default_dtype(torch.float64)
        torch.backends.mha.set_fastpath_enabled(False)
        torch.set_grad_enabled(False)
        return self.conv(x)


class OwnGenerator(Net):
    def __init__(self) -> None:
        super().__init__()
        make: Any = torch.Generator  # it has no types
        self.generator = make()
        self.random, self.numpy = random.Random(1), np.random.default_rng(1)

    def forward(self, x: Tensor) -> Any:
        self.random.random(), self.numpy.random()
        return self.conv(x) + torch.rand(1, generator=self.generator)


class NotToBeCopied(Net):
    """Says no to ``copy.deepcopy``, as modules that hold handles do."""

    def __deepcopy__(self, memo: Any) -> Any:
        return self

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("not this one")


class Holds(Net):
    """What a plain deep copy refuses."""

    def __init__(self) -> None:
        super().__init__()
        self.lock, self.again = threading.Lock(), threading.RLock()
        self.product = self.conv.weight * 2  # no leaf
        self.tensors = {"list": [torch.ones(2), self.conv.weight.detach()[:2]]}
        self.me = weakref.ref(self)
        self.act: Callable[[Tensor], Tensor] = lambda x: x
        self.fixed = types.MappingProxyType({"a": 1})
        self.library = np

    def forward(self, x: Tensor) -> Any:
        with self.lock, self.again:
            self.tensors["list"][0].mul_(2)
            self.tensors["list"].append(x)
            me: Any = self.me()
            me.conv.weight.data.mul_(3)
            return self.act(self.conv(x)) * self.product.sum()


class Rebound(Net):
    """Its forward is an attribute, as wrappers leave it."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

        def forward(model: Rebound, x: Tensor) -> Any:
            model.calls += 1
            return model.conv(x)

        self.forward = functools.partial(forward, self)  # type: ignore[method-assign]


def hooked_from_outside() -> nn.Module:
    """A model with hooks that know it by closure, default, partial, bound method and global."""
    net = Net()
    maps: list[Any] = []
    times = 0

    def closes(module: nn.Module, args: Any, out: Any) -> None:
        nonlocal times
        times += 1
        maps.append((times, out))
        net.scale.add_(1)
        net.conv.calls = times  # type: ignore[assignment]

    def has_default(module: nn.Module, args: Any, into: Any = maps) -> None:
        into.append(args)

    class Recorder:
        def __init__(self) -> None:
            self.model, self.maps = net, maps

        def see(self, module: nn.Module, args: Any, out: Any) -> None:
            self.maps.append(out)
            self.model.scale.zero_()

    net.conv.register_forward_hook(closes)
    net.conv.register_forward_pre_hook(has_default)
    net.conv.register_forward_hook(Recorder().see)
    net.conv.register_forward_hook(functools.partial(keep_under, "conv"))
    net.kept = maps  # type: ignore[assignment]  # so that the state below sees it
    return net


def keep_under(name: Any, module: nn.Module, args: Any, out: Any) -> None:
    global CALLS
    CALLS += 1
    SEEN[name] = out


def with_parts(make: Callable[[nn.Module], object]) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        net = Net()
        make(net.conv)
        return net

    return build


def tied() -> nn.Module:
    net = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    net[1].weight = net[0].weight
    return net


def as_views() -> nn.Module:
    """Two layers whose weights are parts of one storage."""
    net = nn.Sequential(nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False))
    flat = torch.randn(128)
    net[0].weight.data, net[1].weight.data = flat[:64].view(8, 8), flat[64:].view(8, 8).t()
    return net


def compiled() -> nn.Module:
    inside: Any = torch.compile(Net())
    return nn.Sequential(inside)


MODELS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    **{
        kind.__name__: (kind, MULT_ADDS)
        for kind in (ToDevice, Half, Reassigns, WritesData, Remembers, Freezes, Hooked, Randoms)
    },
    **{
        kind.__name__: (kind, MULT_ADDS)
        for kind in (OwnGenerator, NotToBeCopied, Holds, Rebound)
    },
    "hooks from outside": (hooked_from_outside, MULT_ADDS),
    "weight norm": (with_parts(parametrizations.weight_norm), MULT_ADDS),
    "weight norm by hook": (with_parts(torch.nn.utils.weight_norm), MULT_ADDS),
    "spectral norm by hook": (with_parts(torch.nn.utils.spectral_norm), MULT_ADDS + 12 + 4),
    "orthogonal": (with_parts(lambda conv: parametrize.register_parametrization(
        conv, "weight", nn.Identity()
    )), MULT_ADDS),
    "tied": (tied, 2 * 2 * 3 * 8 * 64),
    "views of one storage": (as_views, 2 * 2 * 3 * 8 * 64),
    "compiled inside": (compiled, MULT_ADDS),
    "in DataParallel": (lambda: nn.DataParallel(Net()), MULT_ADDS),
    "symbolic": (lambda: torch.fx.symbolic_trace(Net()), MULT_ADDS),
}  # fmt: skip


def described(value: Any, seen: dict[int, int]) -> Any:
    """Return everything a value holds, as plain data: two descriptions are equal or not."""
    if id(value) in seen:
        return ("again", seen[id(value)])
    if isinstance(value, Tensor):
        seen[id(value)] = len(seen)
        facts = (type(value), value.device, value.dtype, value.requires_grad, value._version)
        grad = None if value.grad_fn is not None else described(value.grad, seen)
        return (*facts, id(value), value.data_ptr(), value.detach().tolist(), grad)
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, nn.Module):
        seen[id(value)] = len(seen)
        return (type(value), id(value), described(vars(value), seen))
    if isinstance(value, dict):
        seen[id(value)] = len(seen)
        return [(key, described(item, seen)) for key, item in value.items()]
    if isinstance(value, list | tuple):
        seen[id(value)] = len(seen)
        return [described(item, seen) for item in value]
    if isinstance(value, types.FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        return (id(value), described([cells, value.__defaults__], seen))
    if isinstance(value, torch.Generator):
        return value.get_state().tolist()
    if isinstance(value, random.Random):
        return value.getstate()
    if isinstance(value, np.random.Generator):
        return repr(value.bit_generator.state)
    if isinstance(value, int | float | str | None):
        return value
    return id(value)


def surroundings() -> Any:
    numpy = np.random.get_state()
    return (
        torch.get_rng_state().tolist(),
        random.getstate(),
        numpy[1].tolist(),  # type: ignore[index]
        numpy[2],  # type: ignore[index]
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.backends.mha.get_fastpath_enabled(),
        dict(SEEN),
        CALLS,
        Remembers.times,
        list(Remembers.shared),
        hasattr(Remembers, "found"),
        len(torch.nn.modules.module._global_forward_hooks),
        len(torch.nn.modules.module._global_forward_pre_hooks),
    )


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_counted_and_left_as_it_was_whatever_its_forward_does(name: str) -> None:
    build, mult_adds = MODELS[name]
    module = build().train()
    shape = (*IMAGE[:-1], 8)
    before, around = described(module, {}), surroundings()
    report = mbcost.count(module, input=shape)
    assert described(module, {}) == before
    assert surroundings() == around
    assert (report.mult_adds, report.params) == (
        mult_adds,
        sum(map(torch.numel, module.parameters())),
    )
    assert all(p.device.type == "cpu" for p in module.parameters())


@pytest.mark.parametrize("name", MODELS)
def test_a_model_that_raises_is_left_as_it_was_too(name: str) -> None:
    module = MODELS[name][0]().train()

    class Raises(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = module

        def forward(self, x: Tensor) -> Any:
            self.inner(x)
            raise ValueError("on purpose")

    outer = Raises()
    before, around = described(outer, {}), surroundings()
    with pytest.raises(MbcostError, match="ValueError: on purpose"):
        mbcost.count(outer, input=IMAGE)
    assert described(outer, {}) == before
    assert surroundings() == around


def test_the_description_sees_what_a_forward_does() -> None:
    """The tests above can fail: a plain forward changes what they compare."""
    for kind in (Half, Reassigns, WritesData, Remembers, Freezes, Hooked, OwnGenerator, Holds):
        module = kind()
        before = described(module, {}), surroundings()
        module(torch.zeros(IMAGE))
        assert (described(module, {}), surroundings()) != before
    SEEN.clear()
    Remembers.shared.clear()
    hooked = hooked_from_outside()
    before = described(hooked, {}), surroundings()
    hooked(torch.zeros(IMAGE))
    assert described(hooked, {}) != before[0]
    assert surroundings() != before[1]
    SEEN.clear()


def test_an_input_is_left_as_it_was() -> None:
    class Fills(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)

        def forward(self, x: Tensor, more: list[Tensor]) -> Any:
            x.mul_(2).requires_grad_()
            more.append(x)
            return self.conv(x)

    x, more = torch.ones(IMAGE), [torch.ones(2)]
    before = described([x, more], {})
    assert mbcost.count(Fills(), input=[x, more]).mult_adds == MULT_ADDS
    assert described([x, more], {}) == before
    meta = torch.ones(IMAGE, device="meta")
    mbcost.count(Fills(), input=[meta, more])
    assert not meta.requires_grad


def numbers() -> Iterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("hold", "says"),
    [
        (
            lambda net: setattr(net, "stream", numbers()),
            "it: stream: cannot be copied: .*generator",
        ),
        (lambda net: setattr(net.conv, "file", open(__file__)), "it: conv.file: cannot be copied"),  # noqa: SIM115
        (lambda net: setattr(net, "conv", torch.jit.script(net.conv)), "it: conv: .*TorchScript"),
        (
            lambda net: net.conv.register_forward_hook(functools.partial(keep_under, numbers())),
            "it: conv._forward_hooks: cannot be copied",
        ),
    ],
)
def test_what_cannot_be_copied_is_refused_with_its_place(
    hold: Callable[[nn.Module], object], says: str
) -> None:
    net = Net()
    hold(net)
    from mbcost.modules.trace import trace

    with pytest.raises(MbcostError, match=says):
        trace(net, [torch.zeros(IMAGE)], "it")


@pytest.mark.filterwarnings("ignore")
def test_scripted_and_traced_models_are_refused_with_a_way_out() -> None:
    jit: Any = torch.jit
    for module in (jit.script(Net()), jit.trace(Net(), torch.zeros(IMAGE))):
        with pytest.raises(MbcostError, match=r"before torch\.jit\.script or torch\.jit\.trace"):
            mbcost.count(module, input=IMAGE)


def test_a_count_of_400_megabytes_of_weights_allocates_none_of_them() -> None:
    module = nn.Sequential(*(nn.Linear(5000, 5000, bias=False) for _ in range(4)))
    module.register_buffer("table", next(module.parameters()).detach()[:100])
    mbcost.count(nn.Linear(2, 2), input=(1, 2))  # imports what a count imports
    forget_peak()
    before = resident_bytes()
    tracemalloc.start()
    report = mbcost.count(module, input=(1, 5000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert report.mult_adds == report.params == 10**8
    assert peak < 4e6
    assert peak_resident_bytes() - before < 40e6


def forget_peak() -> None:
    """The peak that Linux keeps is the process's: another test may have been higher."""
    Path("/proc/self/clear_refs").write_text("5")


def resident_bytes() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def peak_resident_bytes() -> int:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
